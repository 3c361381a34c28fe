"""`archive report --serve`: the report of a run while it goes on."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import anyio
import httpx
import pytest
from _archive import TRUST, VERIFY, many
from _browser import Browser

from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.reports.application import application
from dicomseal.archive.reports.live import LiveReport
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.cli.archive import report_server
from dicomseal.verification.options import Options

HEADERS = {
    "x-content-type-options": "nosniff", "x-frame-options": "DENY",
    "referrer-policy": "no-referrer", "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin",
}  # fmt: skip


class Web:
    """The application, asked without a network."""

    def __init__(self, app):
        self._transport = httpx.ASGITransport(app)

    def request(self, method, path, headers=None):
        async def ask():
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://127.0.0.1:1"
            ) as asking:
                return await asking.request(method, path, headers=headers)

        return anyio.run(ask)

    def get(self, path, headers=None):
        return self.request("GET", path, headers)


def client(refresh=0.0, address="127.0.0.1", names=(), **options):
    return Web(application(LiveReport("ledger.db", refresh=refresh, **options), address, names))


@pytest.fixture(autouse=True)
def always_read_again(monkeypatch):
    """However long reading took."""
    monkeypatch.setattr("dicomseal.archive.reports.live._SHARE", 0.0)


def test_while_a_run_goes_on(folder):
    """By another connection, after each batch: what is on disk by then, and the run is as ever."""
    many(folder, 60)
    asked = RunRequest(selection=Selection(roots=(str(folder / "archive"),)))
    web, seen = client(), []

    def looking(progress, stop):
        answer = web.get("/report.json")
        report = answer.json()
        seen.append((report["files"], report["complete"], progress.files))
        page = web.get("/")
        assert (answer.status_code, page.status_code) == (200, 200)
        assert "NOT COMPLETE" in page.text
        assert re.search('<meta http-equiv="refresh" content="[0-9]+">', page.text)
        assert f"<dd>{report['files']:,}" in page.text

    runs.verify("ledger.db", asked, Options(), watch=looking, batch_files=16)
    assert len(seen) > 3
    assert [files for files, _, _ in seen] == [files for _, _, files in seen]
    assert (seen[0][0], {complete for _, complete, _ in seen}) == (0, {False})
    report = web.get("/report.json").json()
    assert (report["files"], report["complete"]) == (68, True)
    assert "NOT COMPLETE" not in web.get("/").text
    from dicomseal.archive.ledger.audit import audit

    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact


def test_how_much_is_left(folder, run):
    """As an earlier run over the same files had."""
    run(*VERIFY)
    asked = RunRequest(selection=Selection(roots=(str(folder / "archive"),)))
    web, seen = client(), []
    runs.verify("ledger.db", asked, Options(), batch_files=2,
                watch=lambda *_: seen.append(web.get("/").text))  # fmt: skip
    assert "of about 8" in seen[1]
    assert "of about" not in web.get("/").text


def test_a_ledger_that_is_not_there_yet_and_one_that_is_replaced(folder, run):
    web = client()
    for path in ("/", "/report.json", "/failures.csv"):
        answer = web.get(path)
        assert answer.status_code == 503
        assert "ledger.db: there is no ledger" in answer.text
    assert web.get("/").headers["retry-after"] == "0"
    assert 'http-equiv="refresh"' in web.get("/").text
    Ledger("ledger.db", create=True).close()
    answer = web.get("/")
    assert (answer.status_code, "no run" in answer.text) == (503, True)
    run(*VERIFY)
    assert web.get("/report.json").json()["files"] == 8
    run("archive", "verify", "archive/a", "--ledger", "other.db", *TRUST)
    os.replace("other.db", "ledger.db")
    report = web.get("/report.json").json()
    assert (report["files"], report["run"]) == (2, 1)
    (folder / "ledger.db").write_text("no ledger at all, and longer than a few bytes" * 20)
    answer = web.get("/")
    assert (answer.status_code, "<h1>Nothing to show yet</h1>" in answer.text) == (503, True)
    os.unlink("ledger.db")
    assert web.get("/").status_code == 503


def test_what_changed_comes_when_it_is_known(folder, run):
    """It takes longer than the rest, and nobody waits for it."""
    run(*VERIFY)
    (folder / "archive/a/passed.dcm").unlink()
    run(*VERIFY)
    web = client()
    for _ in range(200):
        page = web.get("/").text
        report = web.get("/report.json").json()
        if report["changes"]:
            break
        assert "The changes since run 1 are being looked for." in page
        time.sleep(0.05)
    assert report["changes"]["counts"] == {"vanished": 1}
    assert "existed, and no longer exists" in web.get("/").text
    assert client(number=1).get("/report.json").json()["run"] == 1
    assert "What changed" not in client(compare=False).get("/").text


def test_the_table(folder, run):
    run(*VERIFY)
    web = client()
    answer = web.get("/failures.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {line["verdict"] for line in lines} == {"failed", "error", "indeterminate"}
    assert f'href="./{"failures.csv"}"' in web.get("/").text


def test_who_reads_slowly_does_not_hold_the_ledger(folder, run):
    """Nothing of it is open while something is sent, so a run can tidy up its log."""
    run(*VERIFY)
    report = LiveReport("ledger.db", refresh=60)
    report.shown()
    table = report.table()
    assert table.part(0, 8) == b"verdict,"
    with contextlib.closing(sqlite3.connect("ledger.db")) as db:
        db.execute("CREATE TABLE x (y)")
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert report.table() is table
    assert report.shown() is report.shown()


@pytest.mark.parametrize(("host", "code"), [
    ("127.0.0.1", 200), ("127.0.0.1:9000", 200), ("localhost", 200), ("LOCALHOST:80", 200),
    ("[::1]:80", 200), ("report.example", 200), ("report.example:443", 200),
    ("evil.example", 421), ("evil.example:8080", 421), ("127.0.0.1.evil.example", 421),
    ("localhost.evil.example", 421), ("evil.example@localhost", 421), ("localhost:x", 421),
    ("localhost/", 421), ("10.0.0.1", 421), ("2130706433", 421), ("0", 421), ("[::1", 421),
    ("", 421), ("localhost, evil.example", 421), ("::1", 421),
])  # fmt: skip
def test_by_which_names_it_may_be_called(folder, run, host, code):
    """A page of a stranger's site, whose name he makes lead here, reads nothing."""
    run(*VERIFY)
    web = client(names=("report.example",))
    for path in ("/", "/report.json", "/failures.csv", "/nothing"):
        answer = web.get(path, headers={"Host": host})
        assert answer.status_code == (404 if path == "/nothing" and code == 200 else code), path
        assert (code == 200) or "ledger" not in answer.text


@pytest.mark.parametrize(("address", "host", "code"), [
    ("192.0.2.7", "192.0.2.7:80", 200), ("192.0.2.7", "localhost", 421),
    ("192.0.2.7", "evil.example", 421), ("0.0.0.0", "192.0.2.9", 200),
    ("0.0.0.0", "evil.example", 421), ("::", "[2001:db8::1]:80", 200), ("::", "evil.example", 421),
])  # fmt: skip
def test_names_on_another_address(folder, run, address, host, code):
    run(*VERIFY)
    assert client(address=address).get("/", headers={"Host": host}).status_code == code


def test_nothing_else_is_served(folder, run):
    """And every answer has the headers."""
    run(*VERIFY)
    web = client()
    for path in (
        "/ledger.db",
        "/../ledger.db",
        "/%2e%2e/ledger.db",
        "//etc/passwd",
        "/..%2fledger.db",
        "/static/report.css",
        "/report.json/x",
        "/failures.csv%00",
        "/\\..\\ledger.db",
    ):
        assert web.get(path).status_code == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert web.request(method, "/").status_code == 405
    answers = [
        *map(web.get, ("/", "/report.json", "/failures.csv", "/x")),
        web.request("POST", "/"),
        web.get("/", headers={"Host": "evil.example"}),
    ]
    os.unlink("ledger.db")
    answers.append(web.get("/report.json"))
    assert [one.status_code for one in answers] == [200, 200, 200, 404, 405, 421, 503]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        policy = answer.headers["content-security-policy"]
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[\w+/]+='; base-uri 'none'; "
            r"form-action 'none'; frame-ancestors 'none'", policy
        )  # fmt: skip
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


# --- the server ----------------------------------------------------------------------------------


def raw(url, request):
    """The answer to bytes, until the connection ends."""
    host, _, port = url[7:].strip("/").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                parts.append(part)
    return b"".join(parts)


def test_what_a_browser_does_not_send(folder, run, monkeypatch):
    """No Host, two of them, another target, half a request, nothing at all, much too much."""
    run(*VERIFY)
    monkeypatch.setattr(report_server, "_PATIENCE", 1.0)
    with report_server.listening(LiveReport("ledger.db"), "127.0.0.1", 0) as url:
        good = raw(url, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert good.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in good
        for request in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
            b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
        ):
            assert re.match(rb"HTTP/1.1 4\d\d ", raw(url, request)), request[:60]
        for path in (
            "/ledger.db", "/../ledger.db", "/%2e%2e/ledger.db", "//etc/passwd", "/..%2fledger.db",
            "/static/report.css", "/report.json/x", "/failures.csv%00", "/\\..\\ledger.db",
            "/report.css", "/../../../../../../etc/passwd", "/./ledger.db",
        ):  # fmt: skip
            answer = raw(url, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert re.match(rb"HTTP/1.1 40[04] ", answer), path
        start = time.monotonic()
        for request in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
            assert raw(url, request) == b""
        assert time.monotonic() - start < 15


def served(*options):
    process = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", "archive", "report", "ledger.db", "--serve", "0",
         *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    line = process.stdout.readline()
    return process, re.match(r"(http://\S+/) shows ledger\.db; Ctrl-C ends it\n", line)[1]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_good_order(folder, run, number):
    run(*VERIFY)
    process, url = served()
    with socket.create_connection(("127.0.0.1", int(url[:-1].rpartition(":")[2]))):
        process.send_signal(number)
        assert process.wait(20) == 0
    assert process.communicate() == ("", "")
    assert sorted(one for one in os.listdir() if "ledger" in one) == ["ledger.db", "ledger.db.lock"]


def test_in_a_browser(folder, run, tmp_path_factory):
    """It asks for nothing but itself, again and again, and shows what has happened meanwhile."""
    process, url = served("--host", "report.example")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    try:
        browser.open(url, 390)
        assert "there is no ledger" in browser.value("document.body.innerText")
        assert not any(browser.measured().values())
        run(*VERIFY)
        browser.wait_for("Page.loadEventFired")  # by itself
        assert "could not be decided" in browser.value("document.querySelector('.bad').innerText")
        assert not any(browser.measured().values())
        assert set(browser.requests) <= {url, f"{url}favicon.ico"}
        assert [one for one in browser.complaints if "503" not in one and "404" not in one] == []
    finally:
        browser.close()
        process.terminate()
        assert process.wait(20) == 0
        process.communicate()


def test_what_does_not_go(folder, run, monkeypatch):
    run(*VERIFY)
    report = ("archive", "report", "ledger.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, err = run(*report, "--serve", port)
        assert (code, out) == (1, "")
        assert err.startswith(f"dicomseal: 127.0.0.1 port {port}: Address already in use")
    for options, said in (
        (("--serve", "0", "--html", "x.html"), "--serve shows a page"),
        (("--serve", "0", "--format", "json"), "--serve shows a page"),
        (("--serve", "0", "--csv", "x.csv"), "--serve shows a page"),
        (("--serve", "0", "--bind", "localhost"), "--bind: 'localhost' is not an IP address"),
        (("--bind", "127.0.0.1"), "--bind and --host go with --serve"),
        (("--host", "x"), "--bind and --host go with --serve"),
        (("--serve", "65536"), "65536 is not in the range"),
    ):
        code, out, err = run(*report, *options)
        assert (code, out, said in err) == (2, "", True), (options, err)
    for name in ("uvicorn", "starlette.applications"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            patch.delitem(sys.modules, "dicomseal.archive.reports.application", raising=False)
            code, _, err = run(*report, "--serve", "0")
            assert (code, err) == (
                2, "dicomseal: --serve needs the extra: pip install dicomseal[archive]\n",
            )  # fmt: skip
    shutil.rmtree("archive")

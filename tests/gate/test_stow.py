"""STOW-RS at the gate: what is stored, what is not and why, and what a client may do to it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from _dicomweb import BOUNDARY, RELATED, multipart
from _gate import CT, STUDY, file_of, policy, trust_file, uid
from _gate_process import Gate, gate, until

from dicomseal.gate import stow
from dicomseal.gate.admission import Admission
from dicomseal.gate.store import Store

httpx = pytest.importorskip("httpx")
JSON = {"Content-Type": RELATED, "Accept": "application/dicom+json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    trust_file(folder)
    return folder


@pytest.fixture(scope="module")
def running(folder):
    with gate(
        folder / "store", "--trust", folder / "ca.pem", "--no-sync", "--stow-port", 0,
        "--ledger", folder / "ledger.db", "--metrics-port", 0, "--timeout", 2, "--max-size", 64,
    ) as started:  # fmt: skip
        yield started


def post(running, body, path="/studies", headers=JSON):
    url = f"http://127.0.0.1:{running.ports['stow']}{path}"
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.post(url, content=body, headers=headers)


def told(answer):
    """Of an answer: the instances that are stored, and of others the reason and its words."""
    found = answer.json()
    assert answer.headers["content-type"] == "application/dicom+json"
    stored = [one["00081155"]["Value"][0] for one in found.get("00081199", {}).get("Value", ())]
    failed = {
        one["00081155"]["Value"][0]: (
            one["00081197"]["Value"][0], one["00000902"]["Value"][0].partition(":")[0],
        )
        for one in found.get("00081198", {}).get("Value", ())
    }  # fmt: skip
    others = [
        (one["00081197"]["Value"][0], one["00000902"]["Value"][0])
        for one in found.get("0008119A", {}).get("Value", ())
    ]
    return stored, failed, others


def test_all_are_stored(running):
    objects = [file_of("good", 10), file_of("unsigned", 11)]
    answer = post(running, multipart(objects))
    assert answer.status_code == 200
    assert told(answer) == ([uid(10), uid(11)], {}, [])
    assert [running.files()[uid(n)] for n in (10, 11)] == objects
    for place in (answer.json(), *answer.json()["00081199"]["Value"]):  # Type 2 (PS3.18 I.1)
        assert place["00081190"] == {"vr": "UR"}
    assert [line["via"] for line in running.objects()[-2:]] == ["STOW-RS"] * 2


def test_some_are_not(running):
    kinds = ["good", "altered", "untrusted", "truncated"]
    body = multipart([file_of(kind, 20 + n) for n, kind in enumerate(kinds)])
    answer = post(running, body, f"/studies/{STUDY}")
    assert answer.status_code == 202
    stored, failed, _ = told(answer)
    assert stored == [uid(20)]
    assert failed[uid(21)] == (0xA900, "HASH_FAILURE")
    assert failed[uid(22)] == (0xC000, "NO_CERTIFICATE_CHAIN_FOUND")
    found = answer.json()["00081198"]["Value"][0]
    assert found["00081150"] == {"vr": "UI", "Value": [CT]}
    assert set(running.files()) & {uid(20 + n) for n in range(4)} == {uid(20)}


def test_none_is(running):
    answer = post(
        running, multipart([file_of("altered", 30), b"no object at all"]), "/dicom-web/studies"
    )
    stored, failed, others = told(answer)
    assert (answer.status_code, stored, list(failed)) == (409, [], [uid(30)])
    assert [reason for reason, _ in others] == [0xC000]


def test_another_study_than_that_of_the_request(running):
    """It is refused, whatever else is wrong or right with it, and recorded as every other."""
    answer = post(running, multipart([file_of("good", 40)]), "/studies/1.2.3")
    assert (answer.status_code, told(answer)[1][uid(40)][0]) == (409, 0xA900)
    assert uid(40) not in running.files()
    (line,) = (one for one in running.objects() if one["sop_instance_uid"] == uid(40))
    assert (line["action"], line["verdict"], line["status"]) == ("refuse", "failed", "0xA900")
    assert "Study Instance UID" in line["comment"]


def rows(folder):
    from dicomseal.archive.ledger.ledger import Ledger

    with Ledger(str(folder / "ledger.db")) as ledger:
        return list(ledger.rows(1, 1 << 30))


def test_what_is_not_received_whole_is_recorded_too(running, folder):
    """Of an object that is too large nothing is known, but that there was one."""
    name = 'dicomseal_gate_objects_total{action="refuse",verdict="error",via="STOW-RS"}'
    before, known = running.figures(), len(rows(folder))
    assert post(running, multipart([bytes(65 << 20)])).status_code == 409
    after = running.figures()
    assert after[name] == before.get(name, 0) + 1
    troubles = "dicomseal_gate_troubles_total"
    assert after[troubles] == before[troubles] + 1
    assert running.objects()[-1]["reason"] == "limit"
    (row,) = rows(folder)[known:]
    assert (row.verdict, row.reason) == ("error", "limit")
    assert "refused" in row.sentence


def test_a_packed_body_is_not_taken(running):
    packed = JSON | {"Content-Encoding": "gzip"}
    answer = post(running, gzip.compress(multipart([file_of("good", 41)])), headers=packed)
    assert (answer.status_code, "gzip" in answer.text) == (415, True)
    whole = post(running, multipart([file_of("good", 41)]), headers=JSON | {
        "Content-Encoding": "identity"})  # fmt: skip
    assert whole.status_code == 200


def test_parts_without_end(tmp_path, monkeypatch):
    """What becomes of each is remembered until the answer: their number is bounded."""
    monkeypatch.setattr(stow, "_MOST_PARTS", 3)
    admission = Admission(policy(), Store(tmp_path / "store", sync=False))
    transport = httpx.ASGITransport(stow.application(admission, stow.StowSettings()))

    async def asked():
        async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
            body = multipart([file_of("good", n) for n in range(5)])
            return await client.post("/studies", content=body, headers=JSON)

    answer = asyncio.run(asked())
    stored, _, others = told(answer)
    assert (answer.status_code, stored, len(others)) == (400, [uid(n) for n in range(3)], 1)
    assert "parts" in others[0][1]


def test_a_ledger_row_before_the_answer(running, folder):
    post(running, multipart([file_of("good", 50)]))
    assert any(row.path.endswith(f"{uid(50)}.dcm") for row in rows(folder))


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415), ({}, b"x", 415),
        (JSON | {"Accept": "text/html"}, b"", 406), (JSON, b"nothing", 400),
        (JSON, multipart([])[:-8], 400), (JSON, b"", 400),
        (JSON, f"--{BOUNDARY}--\r\n".encode(), 400),
    ],
)  # fmt: skip
def test_what_is_no_such_request(running, headers, body, status):
    assert post(running, body, headers=headers).status_code == status


def test_parts_of_another_media_type(running):
    answer = post(running, multipart([b"{}"], "application/dicom+json"))
    assert (answer.status_code, told(answer)[2][0][0]) == (409, 0xC000)


def test_a_body_that_breaks_off_leaves_what_came_before(running):
    whole = multipart([file_of("good", 60), file_of("good", 61)])
    answer = post(running, whole[: len(whole) - 40])
    stored, failed, others = told(answer)
    assert (answer.status_code, stored, failed, len(others)) == (400, [uid(60)], {}, 1)
    assert running.waiting("incoming") == []


def test_an_object_that_is_too_large(running):
    """It is not stored, and the next one in the request is."""
    answer = post(running, multipart([bytes(65 << 20), file_of("good", 70)]))
    stored, _, others = told(answer)
    assert (answer.status_code, stored, [one for one, _ in others]) == (202, [uid(70)], [0xA700])


def test_a_large_object_in_bounded_memory(running):
    """60 MB in pieces: the gate does not become as much larger."""

    def resident():
        with open(f"/proc/{running.process.pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["VmHWM"].split()[0]) << 10

    post(running, multipart([file_of("good", 80)]))
    before = resident()
    large = multipart([file_of("good", 81, 60 << 20)])
    answer = post(running, (large[start : start + 65536] for start in range(0, len(large), 65536)))
    assert (answer.status_code, told(answer)[0]) == (200, [uid(81)])
    assert resident() - before < 40 << 20


def test_a_client_that_goes_or_stalls(running):
    """In the middle of headers, of a part, and while nobody asks it for anything."""
    body = multipart([file_of("good", 90)])
    head = (
        f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Type: {RELATED}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    address = ("127.0.0.1", running.ports["stow"])
    for data in (head[:20], head + body[:300], b""):
        with socket.create_connection(address) as client:
            client.sendall(data)
    stalled = [socket.create_connection(address) for _ in range(3)]
    for client, data in zip(stalled, (head[:20], head + body[:300], b""), strict=True):
        client.sendall(data)
    begun = time.monotonic()
    for client in stalled:
        client.settimeout(20)
        with client, contextlib.suppress(ConnectionError):
            while client.recv(4096):
                pass
    assert time.monotonic() - begun < 15
    until(lambda: running.waiting("incoming") == [])
    assert uid(90) not in running.files()
    assert post(running, body).status_code == 200


def test_a_client_that_dribbles(running):
    """A byte now and then is not silence, and would hold a connection for ever."""
    head = (
        f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Type: {RELATED}\r\n"
        "Content-Length: 100000\r\n\r\n"
    ).encode()
    begun, answer = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", running.ports["stow"]), timeout=20) as client:
        client.sendall(head + multipart([b"|"]).partition(b"|")[0])
        client.settimeout(0.2)
        while not answer and time.monotonic() < begun + 20:
            with contextlib.suppress(TimeoutError):
                answer = client.recv(4096)
            if not answer:
                client.sendall(b"\0")
    assert answer.startswith(b"HTTP/1.1 408 ")
    until(lambda: running.waiting("incoming") == [])


def test_many_at_once(running):
    answers = []

    def work(number):
        body = multipart([file_of("good", 100 + 5 * number + one) for one in range(5)])
        answers.append(post(running, body).status_code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [200] * 8
    assert set(running.files()) >= {uid(100 + number) for number in range(40)}


def test_killed(folder, tmp_path):
    """What was answered is there; what was not leaves nothing behind."""
    store = tmp_path / "store"
    arguments = ("--trust", folder / "ca.pem", "--stow-port", 0)
    accepted = []
    for attempt in range(2):
        running = Gate(store, *arguments)
        enough, timer = len(accepted) + 5, threading.Timer(0.01 * attempt, running.kill)
        with contextlib.suppress(httpx.HTTPError):
            for number in range(500):
                if len(accepted) == enough:
                    timer.start()
                one = 1000 * (attempt + 1) + number
                accepted += told(post(running, multipart([file_of("good", one)])))[0]
        timer.join()
    with gate(store, *arguments) as running:
        assert accepted
        assert set(running.files()) >= set(accepted)
        assert running.waiting("incoming") == []


def test_several_processes(folder, tmp_path):
    """They share the port, and stop in good order with idle connections open."""
    arguments = ("--trust", folder / "ca.pem", "--stow-port", 0, "--no-sync", "--jobs", 2)
    with gate(tmp_path / "store", *arguments) as running, httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{running.ports['stow']}/studies"
        for number in range(12):
            body = multipart([file_of("good", number)])
            assert client.post(url, content=body, headers=JSON).status_code == 200
            assert post(running, body).status_code == 200
        assert set(running.files()) == {uid(number) for number in range(12)}
        assert running.stop() == 0


# --- passed on -----------------------------------------------------------------------------------


class Behind(BaseHTTPRequestHandler):
    """A server behind the gate, that answers as it is told."""

    got: list[tuple[str, bytes]] = []  # noqa: RUF012
    answer: tuple[int, bytes] = (200, b"{}")

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, data))
        status, body = type(self).answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


def failed(reason, comment):
    return json.dumps(
        {"00081198": {"vr": "SQ", "Value": [
            {"00081197": {"vr": "US", "Value": [reason]}, "00000902": {"Value": [comment]}}
        ]}}
    ).encode()  # fmt: skip


def test_upstream(folder, tmp_path, monkeypatch):
    """What is accepted goes there first; what it refuses, or does not answer to, is not stored."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/dicom-web/"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    try:
        with gate(
            tmp_path / "store", "--trust", folder / "ca.pem", "--stow-port", 0, "--no-sync",
            "--stow-upstream", url,
        ) as running:  # fmt: skip
            body = multipart([file_of("good", 1), file_of("altered", 2)])
            assert told(post(running, body))[0] == [uid(1)]
            [(path, data)] = Behind.got
            assert path == "/dicom-web/studies"
            assert data.count(file_of("good", 1)) == 1 and b"Roe^Jane" not in data
            for answer, expected in (
                ((409, failed(0xC123, "a reason")), (0xC123, "a reason")),
                ((202, failed(0xA901, "another")), (0xA901, "another")),
                ((200, failed(0xA901, "in a 200")), (0xA901, "in a 200")),
                ((403, b"<html>"), (0x0110, "the server behind the gate answers 403")),
                ((202, b"{}"), (0x0110, "the server behind the gate answers 202")),
                ((429, b""), (0xA700, "the server behind the gate answers 429")),
                ((503, b""), (0xA700, "the server behind the gate answers 503")),
                ((302, b""), (0x0110, "the server behind the gate answers 302")),
            ):
                Behind.answer = answer
                given = post(running, multipart([file_of("good", 1)]))
                assert given.status_code == 409
                assert told(given)[1][uid(1)] == expected
            # a warning is an answer
            Behind.answer = (202, b'{"00081199": {"vr": "SQ", "Value": [{}]}}')
            assert told(post(running, multipart([file_of("good", 1)])))[0] == [uid(1)]
            assert any("not passed on: 0xC123" in line["message"] for line in running.log)
            server.shutdown()
            server.server_close()
            given = post(running, multipart([file_of("good", 1)]))
            assert told(given)[1][uid(1)] == (0xA700, "the server behind the gate")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "more",
    [("--stow-upstream", "http://h"), ("--stow-port", "0", "--stow-upstream", "ftp://h"),
     ("--stow-port", "0", "--stow-upstream", "http://u:p@h"),
     ("--stow-port", "0", "--stow-upstream", "http://h/x?y"),
     ("--stow-port", "0", "--stow-upstream", "http://h/with/credentials/in/the/clear")],
)  # fmt: skip
def test_what_makes_no_sense(run, tmp_path, more, monkeypatch):
    monkeypatch.setenv("DICOMSEAL_DICOMWEB_TOKEN", "a secret")
    code, _, err = run("gate", "--port", "0", "--aet", "A", "--store", tmp_path / "s",
                       "--integrity-only", *more)  # fmt: skip
    assert (code, "--stow" in err or "without TLS" in err) == (2, True)
    assert "u:p" not in err and "a secret" not in err

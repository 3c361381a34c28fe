"""`verify dicomweb+http://…`, against a server on loopback that does as it should, or does not."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import subprocess
import sys
import threading

import _dicomweb
import pki
import pytest

from dicomseal import sign_file
from dicomseal.dicomweb import client, retrieve
from dicomseal.dicomweb.address import address_of, is_address
from dicomseal.errors import SourceError, UsageError
from dicomseal.files.window import Window

pytest.importorskip("httpx")
STUDY, SERIES = "2.25.1", "2.25.2"
RELATED = {"Content-Type": _dicomweb.RELATED}
PACKED = gzip.compress(bytes(9), mtime=0)  # the same bytes whenever they are made


@pytest.fixture
def server(tmp_path, monkeypatch):
    with _dicomweb.asked(tmp_path, monkeypatch) as started:
        yield started


def signed(study, series, instance, *more):
    with open("object.dcm", "wb") as file:
        file.write(pki.small(elements=_dicomweb.elements(study, series, instance, *more)))
    sign_file("object.dcm", "object.dcm", *pki.member("rsa").pair)
    with open("object.dcm", "rb") as file:
        return file.read()


@pytest.fixture
def study(server):
    """A good object, an altered one, an unsigned one and one that is cut, in two series."""
    good = signed(STUDY, SERIES, "2.25.10")
    server.objects = {
        (STUDY, SERIES, "2.25.10"): good,
        (STUDY, SERIES, "2.25.11"): signed(STUDY, SERIES, "2.25.11").replace(b"John", b"Jane"),
        (STUDY, "2.25.3", "2.25.12"): pki.small(
            elements=_dicomweb.elements(STUDY, "2.25.3", "2.25.12")
        ),
        (STUDY, "2.25.3", "2.25.13"): good[:-9],
        ("2.25.9", "2.25.3", "2.25.14"): good,
    }
    return server


def verified(run, *names, trust=("--trust", "root.cert.pem")):
    """Exit code, and of each object its name, verdict and the code of its error."""
    code, out, _ = run("verify", *names, *trust, "--format", "jsonl")
    reports = [json.loads(line) for line in out.splitlines()]
    return code, [(m["path"], m["verdict"], (m["error"] or {}).get("code")) for m in reports]


def test_a_study(run, study):
    """Each object by its own address, in one answer; what is broken is numbered."""
    code, found = verified(run, study.name(STUDY))
    assert found == [
        (study.name(STUDY, SERIES, "2.25.10"), "passed", None),
        (study.name(STUDY, SERIES, "2.25.11"), "failed", None),
        (study.name(STUDY, "2.25.3", "2.25.12"), "unsigned", None),
        (study.name(STUDY) + "#4", "error", "truncated"),
    ]
    assert code == 1
    [(path, headers)] = study.asked
    assert path == f"/dicom-web/studies/{STUDY}"
    assert headers["Accept-Encoding"] == "identity"


def test_a_series_an_instance_and_a_file(run, study, tmp_path):
    code, found = verified(run, study.name(STUDY, "2.25.3"))
    assert [verdict for _, verdict, _ in found] == ["unsigned", "error"]
    (tmp_path / "file.dcm").write_bytes(study.objects[STUDY, SERIES, "2.25.10"])
    name = study.name(STUDY, SERIES, "2.25.10")
    code, found = verified(run, f"{name}/", "file.dcm")
    assert (code, found) == (0, [("file.dcm", "passed", None), (name, "passed", None)])
    code, out, _ = run("verify", name, "--trust", "root.cert.pem", "--format", "json")
    assert [one["verdict"] for one in json.loads(out)] == ["passed"]  # a list, whatever is there


def test_one_part_without_a_boundary(run, study):
    data = study.objects[STUDY, SERIES, "2.25.10"]
    study.instead[f"/studies/{STUDY}"] = [(200, {"Content-Type": "application/dicom"}, data)]
    assert verified(run, study.name(STUDY))[1][0][1:] == ("passed", None)


def test_a_large_object_leaves_no_file(run, server, tmp_path, monkeypatch):
    """More than is kept in memory goes into a file that has no name."""
    monkeypatch.setattr("dicomseal.cli.addresses.IN_MEMORY", 1 << 16)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    pixels = (0x7FE00010, "OW", os.urandom(1 << 20))
    server.objects[STUDY, SERIES, "2.25.10"] = signed(STUDY, SERIES, "2.25.10", pixels)
    windows = []
    monkeypatch.setattr(
        "dicomseal.cli.addresses.verify_with",
        lambda source, options: _seen(source, options, windows),
    )
    assert verified(run, server.name(STUDY))[1][0][1] == "passed"
    assert [isinstance(one, Window) for one in windows] == [True]
    assert os.listdir(tmp_path / "temporary") == []


def _seen(source, options, windows):
    from dicomseal.verification.verifier import verify_with

    windows.append(source)
    return verify_with(source, options)


def test_another_object_than_was_asked_for(run, study):
    """A signed object in the place of another never passes, whatever address names it."""
    good = study.objects[STUDY, SERIES, "2.25.10"]
    for uids in ((STUDY, SERIES, "2.25.99"), (STUDY, "2.25.98"), ("2.25.97",)):
        path = study.name(*uids).removeprefix(study.url)
        study.instead[path] = [(200, RELATED, _dicomweb.multipart([good]))]
        code, found = verified(run, study.name(*uids))
        assert (code, found) == (4, [(study.name(*uids) + "#1", "error", "other_object")])


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (404, {}, b"", "not_found"), (401, {}, b"", "permission"), (403, {}, b"", "permission"),
        (406, {}, b"", "unreadable"), (500, {}, b"", "unreadable"), (204, {}, b"", "media_type"),
        (503, {}, b"", "unreadable"), (200, {"Content-Type": "text/html"}, b"", "media_type"),
        (200, RELATED, b"nothing", "malformed"), (200, RELATED, b"", "truncated"),
        (200, RELATED, f"--{_dicomweb.BOUNDARY}--\r\n".encode(), "not_found"),
        (200, RELATED | {"Content-Encoding": "gzip"}, PACKED, "unreadable"),
    ],
)  # fmt: skip
def test_what_a_server_may_answer(run, server, status, headers, body, code):
    server.instead[f"/studies/{STUDY}"] = [(status, headers, body)]
    assert verified(run, server.name(STUDY)) == (4, [(server.name(STUDY), "error", code)])


def test_what_came_before_an_answer_breaks_off_is_told(run, study):
    whole = len(_dicomweb.multipart([study.objects[STUDY, SERIES, "2.25.10"]]))
    study.cut = whole + 300
    code, found = verified(run, study.name(STUDY))
    assert (code, [one[1:] for one in found]) == (4, [("passed", None), ("error", "truncated")])


def test_a_part_of_the_study_is_not_taken_for_all(run, study):
    study.status = 206
    _, found = verified(run, study.name(STUDY, SERIES))
    assert [one[1:] for one in found] == [
        ("passed", None), ("failed", None), ("error", "incomplete"),
    ]  # fmt: skip


def test_a_server_without_end(run, study, monkeypatch):
    """As many objects as no study has: what came is told, and that is enough."""
    monkeypatch.setattr(retrieve, "_MAX_INSTANCES", 3)
    code, found = verified(run, study.name(STUDY))
    assert (code, [one[1:] for one in found[3:]]) == (1, [("error", "limit")])
    with pytest.raises(SourceError, match="more than 3") as caught:
        retrieve.search(address_of(study.name(STUDY)))
    assert caught.value.code == "limit"


def test_parts_of_another_media_type(run, study):
    study.kind = "application/octet-stream"
    _, found = verified(run, study.name(STUDY, SERIES))
    assert [one[1:] for one in found] == [("error", "media_type")] * 2


def test_busy_for_a_moment(run, study):
    name = study.name(STUDY, SERIES, "2.25.10")
    good = _dicomweb.multipart([study.objects[STUDY, SERIES, "2.25.10"]])
    study.instead[name.removeprefix(study.url)] = [(503, {}, b""), (200, RELATED, good)]
    assert verified(run, name) == (0, [(name, "passed", None)])


def test_nobody_there(run, server):
    server.server_close()
    name = server.name(STUDY)
    assert verified(run, name) == (4, [(name, "error", "unreachable")])


def test_too_slow(run, study, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", -1.0)
    code, found = verified(run, study.name(STUDY))
    assert (code, found[-1][1:]) == (4, ("error", "unreadable"))


@pytest.mark.parametrize("piece", [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_headers_without_end(run, study, monkeypatch, piece):
    """Each piece comes in time; the next server that is asked answers as ever."""
    monkeypatch.setattr(client, "HEADERS", 0.5)
    stop = threading.Event()

    def serve(listening):
        with contextlib.suppress(OSError), listening.accept()[0] as peer:
            peer.sendall(piece)
            while not stop.wait(0.02):
                peer.sendall(piece if piece.endswith(b"\n") else b"y")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        name = f"dicomweb+http://127.0.0.1:{listening.getsockname()[1]}/studies/{STUDY}"
        found = []
        asking = threading.Thread(
            target=lambda: found.append(verified(run, name, study.name(STUDY, SERIES))), daemon=True
        )
        asking.start()
        asking.join(20)
        stop.set()
        thread.join()
    ((code, reports),) = found
    assert (code, reports[0]) == (1, (name, "error", "unreachable"))
    assert [one[1] for one in reports[1:]] == ["passed", "failed"]


# --- whom it asks, and what it says to whom ------------------------------------------------------


def test_redirected_on_the_same_server(run, study):
    study.instead[f"/studies/{STUDY}"] = [
        (302, {"Location": f"/dicom-web/studies/{STUDY}/series/{SERIES}"}, b"")
    ]
    assert [one[1] for one in verified(run, study.name(STUDY))[1]] == ["passed", "failed"]


@pytest.mark.parametrize(
    "target",
    ["http://localhost:{port}/x", "http://127.0.0.1:1/x", "https://127.0.0.1:1/x", "//192.0.2.1/x",
     "http://u:p@127.0.0.1:{port}/x", "file:///etc/passwd", "ftp://127.0.0.1/x"],
)  # fmt: skip
def test_redirected_to_another_server(run, server, target):
    target = target.format(port=server.server_port)
    server.instead[f"/studies/{STUDY}"] = [(307, {"Location": target}, b"")]
    name = server.name(STUDY)
    assert verified(run, name) == (4, [(name, "error", "redirected")])
    assert len(server.asked) == 1


def test_redirected_for_ever(run, server):
    server.instead[f"/studies/{STUDY}"] = [(302, {"Location": f"/dicom-web/studies/{STUDY}"}, b"")]
    name = server.name(STUDY)
    assert verified(run, name) == (4, [(name, "error", "redirected")])
    assert len(server.asked) < 10


def test_credentials(run, study, monkeypatch):
    """From the environment, and in no output."""
    monkeypatch.setenv("DICOMSEAL_DICOMWEB_USER", "somebody")
    monkeypatch.setenv("DICOMSEAL_DICOMWEB_PASSWORD", "a secret")
    verified(run, study.name(STUDY))
    assert study.asked[-1][1]["Authorization"] == "Basic c29tZWJvZHk6YSBzZWNyZXQ="
    monkeypatch.setenv("DICOMSEAL_DICOMWEB_TOKEN", "another")
    verified(run, study.name(STUDY))
    assert study.asked[-1][1]["Authorization"] == "Bearer another"
    code, out, err = run("verify", "dicomweb+http://192.0.2.1/studies/1.2")
    assert code == 2
    assert "without TLS" in err
    assert "another" not in out + err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_credentials_for_this_machine_do_not_go_to_a_proxy(run, study, monkeypatch, host):
    """Without TLS a proxy would read them."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("DICOMSEAL_DICOMWEB_TOKEN", "a secret")
        name = study.name(STUDY, SERIES).replace("127.0.0.1", host)
        assert [one[1] for one in verified(run, name)[1]] == ["passed", "failed"]
        with pytest.raises(TimeoutError):
            proxy.accept()
    code, _, err = run("verify", "dicomweb+http://127.0.0.2/studies/1.2")
    assert (code, "without TLS" in err) == (2, True)


@pytest.mark.parametrize(
    "name",
    ["dicomweb+http://", "dicomweb+http://h", "dicomweb+http:///studies/1", "dicomweb+https://h/studies",
     "dicomweb+https://h/studies/1.2/instances/1", "dicomweb+https://h/studies/1.a",
     "dicomweb+https://h/studies/1?x=y", "dicomweb+https://h/studies/1#x",
     "dicomweb+https://h:x/studies/1", "dicomweb+https://h/a b/studies/1",
     f"dicomweb+https://h/studies/1.{'2' * 63}"],
)  # fmt: skip
def test_names_that_make_no_sense(run, server, name):
    code, _, err = run("verify", name)
    assert (code, err.count("\n")) == (2, 1)


def test_names():
    assert is_address("dicomweb+http://h/studies/1") and not is_address("http://h/studies/1")
    with pytest.raises(UsageError) as caught:
        address_of("dicomweb+https://user:secret@h/studies/1")
    assert "secret" not in str(caught.value)
    for name in ("dicomweb+https://h:8/a/b/studies/1.2/series/3/instances/4",
                 "dicomweb+http://[::1]:80/studies/1.2"):  # fmt: skip
        assert address_of(name).name == name
        assert address_of(name).url == name.removeprefix("dicomweb+")


def test_nothing_of_it_is_imported_for_a_file(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(pki.small())
    program = (
        "import sys; from dicomseal import cli\n"
        f"sys.argv = ['dicomseal', 'verify', {str(path)!r}]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "web = ('dicomseal.dicomweb', 'dicomseal.gate', 'httpx', 'python_multipart', 'ssl')\n"
        "print([name for name in web if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stderr, "unsigned" in done.stdout) == ("[]\n", True)

"""The command as an operator meets it: ledger, signing, figures, log, TLS, a full disk, errors."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import _gate
import _raw_scu
import pki
import pytest
from _gate import KINDS, file_of, trust_file, uid
from _gate_process import client, dcmtk, gate, posix_only, send, until
from _raw_scu import data_set

import dicomseal

pytestmark = posix_only


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for number, kind in enumerate(KINDS):
        (folder / f"{kind}.dcm").write_bytes(file_of(kind, number))
    (folder / "cut.dcm").write_bytes(file_of("unsigned", 40)[:-7])
    trust_file(folder)
    pki.member("rsa").write(folder)
    return folder


def sent(running, files, *kinds):
    return [send(running.port, files / f"{kind}.dcm") for kind in kinds]


def exported(run, ledger):
    """The rows of the last run, one a signature or an unsigned object."""
    lines = ledger.with_suffix(".jsonl")
    assert run("archive", "export", ledger, "--jsonl", lines)[0] == 0
    return [json.loads(line) for line in lines.read_text().splitlines()]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_gate_keeps_and_says(run, files, tmp_path, jobs):
    ledger = tmp_path / "gate.db"
    with gate(
        tmp_path / "store", "--trust", files / "ca.pem", "--ledger", ledger, "--jobs", jobs,
        "--quarantine", tmp_path / "quarantine", "--on-indeterminate", "quarantine",
        "--metrics-port", 0,
    ) as running:  # fmt: skip
        codes = sent(running, files, "good", "altered", "untrusted", "unsigned", "good")
        assert codes == [0, 0xA9, 0, 0, 0]
        status, text = running.get("health")
        health = json.loads(text)
        assert (status, health["status"], health["problems"]) == (200, "ok", [])
        assert running.get("else")[0] == 404
        until(lambda: running.figures().get("dicomseal_gate_seconds_count") == 5)
        figures = running.figures()
        objects = 'dicomseal_gate_objects_total{action="%s",verdict="%s",via="C-STORE"}'
        assert {key: figures[objects % key] for key in (
            ("accept", "passed"), ("refuse", "failed"), ("quarantine", "indeterminate"),
            ("accept", "unsigned"),
        )} == {
            ("accept", "passed"): 2, ("refuse", "failed"): 1, ("quarantine", "indeterminate"): 1,
            ("accept", "unsigned"): 1,
        }  # fmt: skip
        assert figures["dicomseal_gate_objects_again_total"] == 1
    assert sorted(running.files()) == [uid(0), uid(3)]
    (report,) = (tmp_path / "quarantine").glob("*.json")
    assert json.loads(report.read_text())["report"]["verdict"] == "indeterminate"
    assert data_set(report.with_suffix(".dcm").read_bytes()) == data_set(file_of("untrusted", 2))

    code, out, _ = run("archive", "audit", ledger)
    assert (code, out.splitlines()[0]) == (0, f"{ledger}: intact")
    code, out, _ = run("archive", "report", ledger, "--format", "json")
    summary = json.loads(out)
    assert (summary["kind"], summary["complete"], summary["files"]) == ("gate", True, 5)
    assert summary["verdicts"]["passed"] == 2
    assert [one["role"] for one in summary["asked"]["trusted"]["certificates"]] == ["anchor"]
    rows = exported(run, ledger)
    assert [row["verdict"] for row in rows] == [
        "passed", "failed", "indeterminate", "unsigned", "passed",
    ]  # fmt: skip
    assert rows[0]["sentence"] == "accepted, by C-STORE from STORESCU at 127.0.0.1"
    assert rows[0]["path"] == str(running.paths()[0])
    assert rows[1]["sentence"].startswith("refused, by C-STORE from STORESCU at 127.0.0.1; ")
    assert rows[2]["sentence"].startswith("in quarantine, by C-STORE")


def test_a_gates_run_and_an_archives_run_in_one_ledger(run, files, tmp_path):
    """Neither takes the other for its own: to resume, to compare, to report."""
    ledger = tmp_path / "gate.db"
    arguments = ("--trust", files / "ca.pem", "--ledger", ledger)
    with gate(tmp_path / "store", *arguments) as running:
        assert sent(running, files, "good") == [0]
        running.kill()
    verify = ("archive", "verify", tmp_path / "store", "--ledger", ledger, "--trust",
              files / "ca.pem")  # fmt: skip
    assert run(*verify, "--resume")[0] == 2
    assert run(*verify)[0] == 0
    with gate(tmp_path / "store", *arguments) as running:
        assert sent(running, files, "good") == [0]
        code, _, err = run(*verify)
        assert (code, "another run is writing" in err) == (2, True)
    assert json.loads(run("archive", "report", ledger, "--format", "json")[1])["kind"] == "verify"
    assert run("archive", "audit", ledger)[0] == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_signing_at_the_door(run, files, tmp_path, jobs):
    ledger = tmp_path / "gate.db"
    with gate(
        tmp_path / "store", "--trust", files / "ca.pem", "--ledger", ledger, "--jobs", jobs,
        "--sign", files / "rsa.key.pem", files / "rsa.cert.pem", "--profile", "creator",
    ) as running:  # fmt: skip
        assert sent(running, files, "unsigned", "good", "altered", "unsigned") == [0, 0, 0xA9, 0]
    found = running.files()
    assert sorted(found) == [uid(0), uid(3)]  # what came again is signed once
    assert running.waiting("incoming") == []  # and nothing of it stays where it arrived
    assert data_set(found[uid(0)]) == data_set(file_of("good", 0))
    report = dicomseal.verify(
        found[uid(3)], trust=dicomseal.TrustStore.from_files(files / "ca.pem")
    )
    assert report.verdict == "passed"
    assert "creator" in report.signatures[0].profiles
    rows = exported(run, ledger)
    assert [row["verdict"] for row in rows] == ["passed", "passed", "failed", "passed"]
    signature = report.signatures[0].uid
    assert rows[0]["sentence"].endswith(f"; unsigned when it arrived, and signed here: {signature}")
    assert "signed here" not in rows[1]["sentence"]
    assert rows[3]["sentence"].endswith("signed here: before")


def test_a_key_that_cannot_sign_refuses_and_does_not_store(files, tmp_path):
    key, certificate = pki.member("rsa").write(tmp_path)
    other = pki.member("rsa two").write(tmp_path)
    command = [sys.executable, "-m", "dicomseal", "gate", "--port", "0", "--aet", "GATE", "--store",
               str(tmp_path / "store"), "--integrity-only", "--sign"]  # fmt: skip
    for pair, said in (
        ((key, other[1]), "not the one of the certificate"),
        (("missing.pem", certificate), "missing.pem"),
        (pki.member("expired").write(tmp_path), "expired"),
    ):
        found = subprocess.run([*command, *pair], capture_output=True, text=True, timeout=60,
                               check=False)  # fmt: skip
        assert found.returncode == 1, found.stderr
        assert said in found.stderr.lower() or said in found.stderr
        assert "Traceback" not in found.stderr


def test_the_log_names_no_patient_unless_asked(files, tmp_path):
    arguments = ("--trust", files / "ca.pem")
    kinds = ("good", "altered", "untrusted", "unsigned")
    secrets = ("Doe", "John", "Roe", "PAT-4711", '1.2.826.0.1.3680043.8.498.1"')
    with gate(tmp_path / "a", *arguments) as running:
        sent(running, files, *kinds)
    text = json.dumps(running.log)
    assert not [one for one in secrets if one in text]
    assert [line["verdict"] for line in running.objects()] == [
        "passed", "failed", "indeterminate", "unsigned",
    ]  # fmt: skip
    assert running.objects()[1]["status"] == "0xA900"
    with gate(tmp_path / "b", *arguments, "--log-patients") as running:
        sent(running, files, "good")
    assert running.objects()[0]["patient_id"] == "PAT-4711"
    assert "Doe" not in json.dumps(running.log)


def test_a_quiet_log(files, tmp_path):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    quiet = ("--trust", files / "ca.pem", "--log-level", "warning")
    with gate(tmp_path / "store", *quiet, port=port) as running:
        until(lambda: client("echoscu", "127.0.0.1", port).returncode == 0)
        assert sent(running, files, "good", "altered") == [0, 0xA9]
    assert [line["verdict"] for line in running.log] == ["failed"]


def test_ipv6(files, tmp_path):
    """All its ports, on the address of version 6 that is this machine's own."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    arguments = ("--bind", "::1", "--metrics-bind", "::1", "--metrics-port", 0, "--stow-port", 0)
    with gate(tmp_path / "store", "--trust", files / "ca.pem", *arguments) as running:
        with socket.create_connection(("::1", running.port), timeout=20) as peer:
            peer.sendall(_raw_scu.request())
            assert peer.recv(1) == b"\2"  # A-ASSOCIATE-AC
        for name, path, status in (("metrics", "/health", 200), ("stow", "/studies", 405)):
            connection = http.client.HTTPConnection("::1", running.ports[name], timeout=20)
            with contextlib.closing(connection):
                connection.request("GET", path)
                assert connection.getresponse().status == status


def test_tls(files, tmp_path):
    """With authorities, a peer needs a certificate of theirs; a bare one gets no word."""
    key, certificate = pki.member("rsa").write(tmp_path)
    arguments = ("--trust", files / "ca.pem", "--tls-cert", certificate, "--tls-key", key)
    target = ("-aec", "GATE", "127.0.0.1")
    ours = ("+tls", key, certificate)
    with gate(tmp_path / "a", *arguments, "--tls-ca", files / "ca.pem") as running:
        good = files / "good.dcm"
        assert client("storescu", *ours, "-ic", *target, running.port, good).returncode == 0
        assert client("storescu", "+tla", "-ic", *target, running.port, good).returncode != 0
        other = pki.member("other").write(tmp_path)
        assert client("storescu", "+tls", *other, "-ic", *target, running.port, good).returncode
        assert client("storescu", *target, running.port, good).returncode != 0
        assert client("storescu", *ours, "-ic", *target, running.port, good).returncode == 0
    with gate(tmp_path / "b", *arguments) as running:
        assert client("storescu", "+tla", "-ic", *target, running.port, good).returncode == 0
    assert data_set(running.files()[uid(0)]) == data_set(file_of("good", 0))


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of so many bytes."""
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("a file system is mounted as Linux does it")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
                          capture_output=True, check=False)  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(files, tmp_path):
    """Refused with A700, which says: try again; nothing is lost, and nothing is half there."""
    large = [tmp_path / f"{number}.dcm" for number in range(3)]
    for number, path in enumerate(large):
        path.write_bytes(file_of("good", number, 900_000))
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        with gate(disk / "store", "--trust", files / "ca.pem", "--metrics-port", 0) as running:
            assert [send(running.port, path) for path in large] == [0, 0, 0xA7]
            found = client("storescu", "-d", "127.0.0.1", running.port, large[2])
            assert "0xa700" in found.stdout + found.stderr
            assert "[no space is left on the disk]" in found.stdout + found.stderr
            assert sorted(running.files()) == [uid(0), uid(1)]
            assert running.waiting("incoming") == []
            assert json.loads(running.get("health")[1])["problems"] == ["the disk is nearly full"]
            assert running.figures()["dicomseal_gate_troubles_total"] == 2
            line = running.objects()[-1]
            assert (line["action"], line["status"]) == ("refuse", "0xA700")
            assert line["sop_instance_uid"] == uid(2)
            assert _gate.STUDY not in json.dumps(running.log)
            running.paths()[0].unlink()
            assert send(running.port, large[2]) == 0
            assert sorted(running.files()) == [uid(1), uid(2)]
        assert {data_set(one) for one in running.files().values()} == {
            data_set(file_of("good", number, 900_000)) for number in (1, 2)
        }


def test_a_quarantine_on_another_disk_that_is_full(files, tmp_path):
    """The object is refused, so its sender keeps it; no half of it and no report stays there."""
    large = tmp_path / "large.dcm"
    large.write_bytes(file_of("altered", 50, 900_000))
    with (
        small_disk(tmp_path / "disk", 400 << 10) as disk,
        gate(
            tmp_path / "store", "--trust", files / "ca.pem", "--on-failed", "quarantine",
            "--quarantine", disk / "quarantine",
        ) as running,
    ):  # fmt: skip
        assert send(running.port, large) == 0xA7
        assert os.listdir(disk / "quarantine") == []
        assert running.waiting("incoming") == []
        assert sent(running, files, "altered") == [0]
        assert len(os.listdir(disk / "quarantine")) == 2
        assert running.files() == {}


def test_a_ledger_without_room_accepts_nothing(files, tmp_path):
    with (
        small_disk(tmp_path / "disk", 200 << 10) as disk,
        gate(
            tmp_path / "store", "--trust", files / "ca.pem", "--ledger", disk / "gate.db"
        ) as running,
    ):
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(512))
        assert sent(running, files, "good") == [0xA7]
        assert "ledger" in running.objects()[-1]["trouble"]
        filler.unlink()
        assert sent(running, files, "good") == [0]


def test_a_process_without_room(files, tmp_path):
    """The same where a limit of the process and not the disk is the end."""
    path = tmp_path / "large.dcm"
    path.write_bytes(file_of("good", 1, 900_000))
    limited = ("prlimit", "--fsize=500000")
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit")
    with gate(tmp_path / "store", "--trust", files / "ca.pem", prefix=limited) as running:
        assert send(running.port, path) == 0xA7
        assert sent(running, files, "good") == [0]
        assert (sorted(running.files()), running.waiting("incoming")) == ([uid(0)], [])


def test_an_object_that_is_too_large(files, tmp_path):
    path = tmp_path / "large.dcm"
    path.write_bytes(file_of("good", 1, 2 << 20))
    with gate(tmp_path / "store", "--trust", files / "ca.pem", "--max-size", 1) as running:
        found = client("storescu", "-d", "127.0.0.1", running.port, path)
        assert found.returncode == 0xA7
        assert "more than 1048576 bytes" in found.stdout + found.stderr
        assert running.objects()[-1]["reason"] == "limit"
        assert sent(running, files, "good") == [0]
        assert running.waiting("incoming") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--trust"),
        (("--integrity-only", "--on-failed", "quarantine"), "--quarantine DIR"),
        (("--integrity-only", "--quarantine", "q"), "nothing goes there"),
        (("--integrity-only", "--on-failed", "quarantine", "--quarantine", "s/q"), "one another"),
        (("--integrity-only", "--on-failed", "quarantine", "--quarantine", "s"), "one another"),
        (("--integrity-only", "--on-failed", "quarantine", "--quarantine", "."), "one another"),
        (("--integrity-only", "--forward", "pacs"), "HOST:PORT:AET"),
        (("--integrity-only", "--tls-cert", "x"), "go together"),
        (("--integrity-only", "--tls-ca", "x"), "--tls-cert"),
        (("--integrity-only", "--tls-cert", "x", "--tls-key", "x"), "TLS"),
        (("--integrity-only", "--profile", "creator"), "--sign"),
        (("--integrity-only", "--sign", "k", "c", "--require", "signature"), "--require"),
        (("--integrity-only", "--sign", "k", "c", "--on-unsigned", "refuse"), "--on-unsigned"),
        (("--integrity-only", "--port", "1104", "--forward", "localhost:1104:GATE"), "itself"),
        (("--trust", "missing.pem"), "missing.pem"),
        (("--integrity-only", "--aet", "x" * 17), "AE title"),
    ],
)
def test_usage(run, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("gate", "--port", "0", "--aet", "GATE", "--store", "s", *arguments)
    assert code == 2
    assert said in err
    assert not os.path.exists("s")


def test_what_cannot_begin_says_so(run, files, tmp_path):
    there = ("gate", "--aet", "GATE", "--integrity-only", "--store")
    with gate(tmp_path / "store", "--integrity-only") as running:
        code, _, err = run(*there, tmp_path / "store", "--port", "0")
        assert (code, "another gate" in err) == (1, True)
        code, _, err = run(*there, tmp_path / "other", "--port", str(running.port))
        assert code == 1
        assert "in use" in err
    code, _, err = run(*there, files / "good.dcm", "--port", "0")
    assert code == 1
    assert "good.dcm" in err


def test_nothing_of_the_gate_is_imported_unasked():
    code = (
        "import sys, dicomseal.cli, dicomseal.cli.verify\n"
        "sys.argv = ['dicomseal', 'verify', '--help']\n"
        "try: dicomseal.cli.main()\nexcept SystemExit: pass\n"
        "print([one for one in sys.modules if one.partition('.')[0] in\n"
        "  ('pynetdicom', 'prometheus_client', 'starlette', 'httpx', 'uvicorn')\n"
        "  or one.startswith('dicomseal.gate')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           check=True)  # fmt: skip
    assert found.stdout.splitlines()[-1] == "[]"


def test_the_clients_are_dcmtks():
    """pynetdicom's programs have the same names."""
    for name in ("storescu", "echoscu", "dcmsend"):
        found = subprocess.run([dcmtk(name), "--version"], capture_output=True, text=True,
                               check=False)  # fmt: skip
        assert "dcmtk" in found.stdout
    assert Path(dcmtk("storescu")).parent != Path(sys.executable).parent

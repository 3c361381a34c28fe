"""Debian's Orthanc as a server that is verified, as one behind the gate, and as a sender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import _namespace
import _orthanc
import pytest
from _dicomweb import multipart
from _gate import STUDY, file_of, trust_file, uid
from _gate_process import gate, until

from dicomseal.archive.ledger.ledger import Ledger

SKIPPED = _orthanc.skipped()
pytestmark = pytest.mark.skipif(bool(SKIPPED), reason=SKIPPED or "it is there")


@pytest.fixture(scope="module")
def inside():
    with _namespace.namespace() as space:
        yield space


@pytest.fixture(scope="module")
def running(inside, tmp_path_factory):
    """Without the plugin, and with objects of each kind."""
    peers = {"gate": ["GATE", "127.0.0.1", 11112]}
    web = {"Enable": True, "Servers": {"gate": ["http://127.0.0.1:11113/"]}}
    folder = tmp_path_factory.mktemp("orthanc")
    with _orthanc.orthanc(
        folder, inside, script=None, DicomModalities=peers, DicomWeb=web
    ) as server:
        for number, kind in enumerate(("good", "altered", "unsigned", "good")):
            assert server.rest(file_of(kind, number)) == 200
        yield server


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trust_file(tmp_path)
    return tmp_path


def command(inside, *arguments):
    environment = {name: one for name, one in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [*inside.prefix, sys.executable, "-m", "dicomseal", *arguments],
        capture_output=True, text=True, env=environment, timeout=120,
    )  # fmt: skip


def study(running):
    return f"dicomweb+http://127.0.0.1:{running.http}/dicom-web/studies/{STUDY}"


def test_verify(running, here):
    """As the objects are kept there: each signature is what it was."""
    done = command(
        running.inside, "verify", study(running), "--trust", "ca.pem", "--format", "jsonl"
    )
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["sop_instance_uid"]: one["verdict"] for one in reports} == {
        uid(0): "passed", uid(1): "failed", uid(2): "unsigned", uid(3): "passed",
    }  # fmt: skip
    assert all(one["path"].startswith(f"{study(running)}/series/") for one in reports)
    assert done.returncode == 1
    assert command(running.inside, "verify", f"{study(running)}.9").returncode == 4


def test_archive_verify(running, here):
    done = command(running.inside, "archive", "verify", study(running), "--trust", "ca.pem",
                   "--ledger", "ledger.db")  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    with Ledger("ledger.db") as ledger:
        found = {row.path.rpartition("/")[2]: row.verdict for row in ledger.rows(1, 4)}
    assert found == {uid(0): "passed", uid(1): "failed", uid(2): "unsigned", uid(3): "passed"}


def test_behind_the_gate(running, here):
    """One good and one altered instance: 202, and Orthanc has the good one as it was sent."""
    upstream = f"http://127.0.0.1:{running.http}/dicom-web"
    with gate(
        here / "store", "--trust", "ca.pem", "--stow-port", 0, "--stow-upstream", upstream,
        prefix=running.inside.prefix,
    ) as server:  # fmt: skip
        body = multipart([file_of("good", 20), file_of("altered", 21)])
        kind = 'multipart/related; type="application/dicom"; boundary="--=_of a part?"'
        url = f"http://127.0.0.1:{server.ports['stow']}/studies"

        def post():
            request = urllib.request.Request(url, body, {"Content-Type": kind})
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request
            ) as answer:
                return answer.status, json.load(answer)

        status, found = running.inside.call(post)
    assert status == 202
    assert found["00081199"]["Value"][0]["00081155"]["Value"] == [uid(20)]
    assert found["00081198"]["Value"][0]["00081155"]["Value"] == [uid(21)]
    by_uid = {
        json.loads(running.ask("GET", f"/instances/{one}/tags?simplify")[1])["SOPInstanceUID"]: one
        for one in running.instances()
    }
    assert uid(21) not in by_uid
    assert running.ask("GET", f"/instances/{by_uid[uid(20)]}/file")[1] == file_of("good", 20)
    running.ask("DELETE", f"/instances/{by_uid[uid(20)]}")


def test_as_a_sender(running, here):
    """It sends what it has to the gate, which takes what is good."""
    with gate(
        here / "store", "--port", 11112, "--trust", "ca.pem", prefix=running.inside.prefix,
    ) as server:  # fmt: skip
        for one in running.instances():
            running.ask("POST", "/modalities/gate/store", one.encode())
        until(lambda: len(server.objects()) >= 4)
        assert set(server.files()) == {uid(0), uid(2), uid(3)}


def test_as_a_sender_by_stow(running, here):
    """Its own client understands the answer: all were stored, or not all."""
    with gate(
        here / "store", "--stow-port", 11113, "--trust", "ca.pem", prefix=running.inside.prefix,
    ) as server:  # fmt: skip
        answers = {}
        for one in running.instances():
            job = json.dumps({"Resources": [one], "Synchronous": True}).encode()
            status, _ = running.ask("POST", "/dicom-web/servers/gate/stow", job)
            answers[one] = status
        assert len(server.objects()) == 4
        assert set(server.files()) == {uid(0), uid(2), uid(3)}
        assert sorted(answers.values())[:3] == [200] * 3 and max(answers.values()) != 200


def test_as_the_next_node(running, here):
    """What the gate accepted is in Orthanc, by C-STORE."""
    path = here / "good.dcm"
    path.write_bytes(file_of("good", 30))
    with gate(
        here / "store", "--trust", "ca.pem", "--forward", f"127.0.0.1:{running.dicom}:ORTHANC",
        prefix=running.inside.prefix,
    ) as server:  # fmt: skip
        subprocess.run(
            [*running.inside.prefix, "storescu", "-aec", "GATE", "127.0.0.1", str(server.port),
             str(path)],
            check=True, env={**os.environ, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        )  # fmt: skip
        until(lambda: len(running.instances()) == 5)

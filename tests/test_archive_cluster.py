"""`archive verify --scheduler`: a real scheduler and two workers on loopback; one is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time

import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.audit import audit
from dicomseal.archive.ledger import Ledger

FILES = 600
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None and not os.environ.get("CI"),
    reason="there is no dask.distributed",
)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Address of the scheduler, and its process and those of the workers."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "scheduler.json"
    started = []

    def start(*arguments):
        started.append(
            subprocess.Popen([sys.executable, "-m", "dask", *arguments, "--scheduler-file", file],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )  # fmt: skip

    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    for _ in range(2):
        start("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
    try:
        deadline = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], started
    finally:
        for process in started:
            process.kill()
            process.wait()


def batches():
    try:
        with Ledger("ledger.db") as ledger:
            return len(list(ledger.batches(1)))
    except Exception:  # noqa: BLE001 - it is being made
        return 0


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    address, (_, worker, _) = cluster
    pki.member("root").write(tmp_path)
    root = tmp_path / "archive"
    root.mkdir()
    (root / "0.dcm").write_bytes(pki.small())
    sign_file(root / "0.dcm", root / "0.dcm", *pki.member("rsa").pair)
    for number in range(1, FILES):
        (root / f"{number}.dcm").write_bytes((root / "0.dcm").read_bytes())
    rate = str(FILES * (root / "0.dcm").stat().st_size / 4e6)
    command = [sys.executable, "-m", "dicomseal", "archive", "verify", root, "--ledger",
               "ledger.db", "--trust", "root.cert.pem", "--scheduler", address]  # fmt: skip
    time.sleep(3)  # both workers are there
    running = subprocess.Popen([*command, "--max-rate", rate], stdout=-1, stderr=-1, text=True)
    while batches() < 2:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    assert batches() < FILES // 64
    worker.kill()
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, (out, err)
    assert out.endswith(f"{FILES} passed\n")
    with Ledger("ledger.db") as ledger:
        paths = [row.path for row in ledger.rows(*ledger.span(1))]
        assert sorted(paths) == sorted(map(str, root.iterdir()))
        assert audit(ledger).intact


def test_a_scheduler_that_is_not_there(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dicomseal.archive.cluster.TIMEOUT", 1)
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "archive", "verify", ".", "--ledger", "l.db",
         "--scheduler", "tcp://127.0.0.1:9"], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert "no scheduler answers at tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert not os.path.exists("l.db")

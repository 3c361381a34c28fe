"""`watch` behind DCMTK's storescp, which takes what is sent and cannot say no."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import _namespace
import pytest
from _gate import file_of, trust_file
from _gate_process import _ENVIRONMENT, dcmtk, until

from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.errors import LedgerError

pytest.importorskip("watchfiles")
# storescp listens on all addresses
MISSING = _namespace.forbidden() if os.environ.get("CI") else _namespace.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING or "it is there")
COUNT = 60


def rows():
    try:
        with Ledger("ledger.db") as ledger:
            return {os.path.basename(row.path): row.verdict for row in ledger.rows(1, 1 << 30)}
    except LedgerError:
        return {}


def test_behind_storescp(tmp_path, monkeypatch):
    """What is sent while it watches is verified as it was sent; what was altered is put aside."""
    monkeypatch.chdir(tmp_path)
    trust_file(tmp_path)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    for number in range(COUNT):
        kind = "altered" if number % 20 == 0 else "good"
        (tmp_path / "out" / f"{number}.dcm").write_bytes(file_of(kind, number))
    command = [sys.executable, "-m", "dicomseal", "watch", "in", "--ledger", "ledger.db",
               "--trust", "ca.pem", "--quarantine", "q", "--settle", "0.1"]  # fmt: skip
    with _namespace.namespace() as inside:
        receiving = subprocess.Popen(
            [*inside.prefix, dcmtk("storescp"), "+B", "-od", "in", "11112"], env=_ENVIRONMENT
        )
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            echo = [*inside.prefix, dcmtk("echoscu"), "127.0.0.1", "11112"]
            until(lambda: subprocess.run(echo, stderr=subprocess.DEVNULL).returncode == 0)
            until(lambda: Path("ledger.db").exists())
            subprocess.run(
                [*inside.prefix, dcmtk("storescu"), "+sd", "127.0.0.1", "11112", "out"],
                env=_ENVIRONMENT, check=True,
            )  # fmt: skip
            until(lambda: len(rows()) == COUNT and len(list(Path("q").glob("*.dcm"))) == 3)
        finally:
            watching.send_signal(signal.SIGTERM)
            out, _ = watching.communicate(timeout=60)
            receiving.kill()
            receiving.wait()
    assert watching.returncode == 0
    assert sorted(rows().values()) == ["failed"] * 3 + ["passed"] * (COUNT - 3)
    assert out.count("in quarantine") == 3
    assert len(list(Path("in").iterdir())) == COUNT - 3
    reports = [json.loads(one.read_text())["report"]["verdict"] for one in Path("q").glob("*.json")]
    assert reports == ["failed"] * 3

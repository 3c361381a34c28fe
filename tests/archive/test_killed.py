"""Killed at any moment, and resumed: every object once, none lost, none twice, the chain intact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pki
import pytest

from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and kills with a signal")
FILES, KILLS = 150, 40

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "archive"
    data = pki.small()
    for number in range(FILES):
        path = folder / f"{number % 7}" / f"{number:03}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.mark.parametrize(("how", "batch"), [("times", 2), ("steps", 5)])
def test_killed_and_resumed(root, tmp_path, how, batch):
    ledger = str(tmp_path / "ledger.db")
    job = {"root": str(root), "ledger": ledger, "how": how, "batch": batch, "seed": 7,
           "kills": KILLS}  # fmt: skip
    done = subprocess.run(
        [sys.executable, SUPPORT / "_archive_killed.py", json.dumps(job)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [ended for _, ended, _, _ in told]
    assert set(ends) == {-signal.SIGKILL, 0}, done.stderr
    assert ends.count(-signal.SIGKILL) >= KILLS
    # most of them in the middle of a run
    assert len({(run, count) for _, _, run, count in told if 0 < count < FILES}) >= KILLS / 4
    expected = sorted(map(str, root.glob("*/*.dcm")))
    with Ledger(ledger) as opened:
        assert audit(opened).findings == []
        for run in opened.runs():
            assert run.finished is not None
            paths = [row.path for row in opened.rows(*opened.span(run.number))]
            assert sorted(paths) == expected
            assert json.loads(run.totals)["files"] == FILES

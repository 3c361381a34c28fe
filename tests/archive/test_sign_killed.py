"""Killed at any moment while it signs, and resumed: no object signed twice, none left out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pki
import pytest

import dicomseal
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and kills with a signal")
FILES, KILLS = 60, 25

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "unsigned"
    data = pki.small()
    for number in range(FILES):
        path = folder / f"{number % 5}" / f"{number:03}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.mark.parametrize("how", ["parent", "all", "steps"])
@pytest.mark.parametrize("target", [False, True], ids=["in-place", "target"])
def test_killed_and_resumed(archive, tmp_path, how, target):
    key, cert = pki.member("ec").write(tmp_path)
    place = tmp_path / "campaigns"
    job = {"archive": str(archive), "place": str(place), "how": how, "target": target, "key": key,
           "cert": cert, "kills": KILLS, "seed": 7}  # fmt: skip
    done = subprocess.run(
        [sys.executable, SUPPORT / "_archive_sign_killed.py", json.dumps(job)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [ended for _, ended, _, _ in told]
    assert set(ends) == {-signal.SIGKILL, 0}, done.stderr
    assert ends.count(-signal.SIGKILL) >= KILLS
    # many of them in the middle
    assert len({(one, rows) for one, _, rows, _ in told if 0 < rows < FILES}) >= KILLS / 5
    if how == "steps":
        assert any(left for _, _, _, left in told)  # in the middle of a file, too
    for campaign in sorted({one for one, _, _, _ in told}):
        judge(place / str(campaign), archive, target)


def judge(place, unsigned, target):
    originals = sorted(path.relative_to(unsigned) for path in unsigned.glob("*/*.dcm"))
    signed = place / ("target" if target else "archive")
    assert sorted(path.relative_to(signed) for path in signed.rglob("*") if path.is_file()) == (
        originals
    )  # nothing that was begun is left
    uids = {}
    for name in originals:
        report = dicomseal.verify(signed / name, integrity_only=True)
        assert (report.verdict, len(report.signatures)) == ("passed", 1), name
        uids[str(place / "archive" / name)] = report.signatures[0].uid
        if target:
            assert (place / "archive" / name).read_bytes() == (unsigned / name).read_bytes()
        dicomseal.remove_file(signed / name, place / "plain.dcm")
        assert (place / "plain.dcm").read_bytes() == (unsigned / name).read_bytes()
    with Ledger(str(place / "ledger.db")) as ledger:
        assert audit(ledger).findings == []
        (run,) = ledger.runs()
        rows = list(ledger.rows(*ledger.span(run.number)))
    assert run.finished is not None
    assert len(rows) == FILES
    assert {row.path: row.signatures[0].uid for row in rows} == uids
    assert {row.verdict for row in rows} <= {"signed", "already_signed"}

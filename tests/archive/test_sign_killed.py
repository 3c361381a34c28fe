"""Killed at any moment while it signs, and resumed: no object signed twice, none left out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pki
import pytest
from _kills import only_posix, small_objects, told

import dicomseal
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger

pytestmark = only_posix
FILES = 60
# between any two steps of one file that is signed, and of a group of four
KILLS = {"parent": 25, "all": 25, "moments": 25, "steps": 60, "calls": 90}


@pytest.fixture
def archive(tmp_path):
    return small_objects(tmp_path / "unsigned", FILES, folders=5)


@pytest.fixture
def place(tmp_path):
    """In memory, if there is such a file system: what was written outlives a kill anywhere."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path / "campaigns"
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder) / "campaigns"


@pytest.mark.parametrize("how", KILLS)
@pytest.mark.parametrize("target", [False, True], ids=["in-place", "target"])
def test_killed_and_resumed(archive, tmp_path, place, how, target):
    key, cert = pki.member("ec").write(tmp_path)
    job = {"archive": str(archive), "place": str(place), "how": how, "target": target, "key": key,
           "cert": cert, "kills": KILLS[how], "seed": 7}  # fmt: skip
    tries = told("_archive_sign_killed.py", job)
    # many of them in the middle
    assert len({(one, rows) for one, _, rows, _ in tries if 0 < rows < FILES}) >= KILLS[how] / 5
    if how in ("steps", "calls", "moments"):
        assert any(left for _, _, _, left in tries)  # in the middle of a file, too
    if how in ("steps", "calls"):  # so many before the first file, or group, was done
        assert not any(rows for _, _, rows, _ in tries[:25])
    for campaign in sorted({one for one, _, _, _ in tries}):
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

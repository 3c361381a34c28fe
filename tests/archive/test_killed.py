"""Killed at any moment, and resumed: every object once, none lost, none twice, the chain intact."""

from __future__ import annotations

import json

import pytest
from _kills import only_posix, small_objects, told

from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger

pytestmark = only_posix
FILES, KILLS = 150, 40


@pytest.fixture
def root(tmp_path):
    return small_objects(tmp_path / "archive", FILES, folders=7)


@pytest.mark.parametrize(
    ("how", "batch", "ahead"), [("times", 2, None), ("steps", 5, None), ("times", 2, 8)]
)
def test_killed_and_resumed(root, tmp_path, how, batch, ahead):
    """Also while files are read ahead."""
    ledger = str(tmp_path / "ledger.db")
    job = {"root": str(root), "ledger": ledger, "how": how, "batch": batch, "seed": 7,
           "kills": KILLS, "ahead": ahead}  # fmt: skip
    tries = told("_archive_killed.py", job)
    # most of them in the middle of a run
    assert len({(run, count) for _, _, run, count in tries if 0 < count < FILES}) >= KILLS / 4
    expected = sorted(map(str, root.glob("*/*.dcm")))
    with Ledger(ledger) as opened:
        assert audit(opened).findings == []
        for run in opened.runs():
            assert run.finished is not None
            paths = [row.path for row in opened.rows(*opened.span(run.number))]
            assert sorted(paths) == expected
            assert json.loads(run.totals)["files"] == FILES

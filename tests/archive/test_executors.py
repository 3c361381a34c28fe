"""The loop of an archive with an executor of the caller's own."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pki
import pytest

from dicomseal.archive.errors import ExecutorLostError, LostError
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.loop import Loop
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.verification.options import Options


def dies(batch):
    if "poison" in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    return batch


def never(item, error):
    raise AssertionError(f"{item} is said to be the cause: {error}")


def test_it_stays_open(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "small.dcm").write_bytes(pki.small())
    asked = RunRequest(selection=Selection(roots=(str(tmp_path / "archive"),)))
    ledger = str(tmp_path / "ledger.db")
    with ThreadPoolExecutor(2) as executor:
        for _ in range(2):
            outcome = runs.verify(ledger, asked, Options(), executor=executor)
            assert outcome.totals.verdicts == {"unsigned": 1}
        assert executor.submit(int, "7").result() == 7


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_only_its_owner_can_replace_it():
    with (
        ProcessPoolExecutor(2) as executor,
        pytest.raises(ExecutorLostError, match="not ours to replace"),
    ):
        list(Loop(executor, dies, never, 4).run([["poison"], ["x"]]))


class GoneError(LostError):
    """What a worker raises when nothing can be verified."""


def gone(batch):
    raise GoneError("the store has gone")


def test_what_is_lost_for_all_is_blamed_on_no_file():
    with ThreadPoolExecutor(2) as executor, pytest.raises(GoneError, match="the store has gone"):
        list(Loop(executor, gone, never, 4).run([["x"], ["y"]]))

"""The bounded loop over an executor: windows, poison, executors that are gone."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from _archive import rows

from dicomseal.archive.errors import ExecutorLostError
from dicomseal.archive.find import found
from dicomseal.archive.ledger.rows import Row
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run import verify_worker
from dicomseal.archive.run.loop import Loop
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.verification.options import Options


def dies(batch):
    if "poison" in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    if "raises" in batch:
        raise MemoryError("no more")
    return [f"done {item}" for item in batch]


def verdict(item, error):
    return [f"{item}: {type(error).__name__}"]


def in_processes():
    from dicomseal.verification import parallel

    return parallel.pool(2, Options())


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_poison_is_isolated():
    items = [f"{n}" for n in range(60)]
    items[7] = items[23] = items[59] = "poison"
    items[31] = "raises"
    batches = [items[n : n + 8] for n in range(0, 60, 8)]
    results = list(Loop(in_processes, dies, verdict, 4).run(batches))
    assert sorted(item for batch, _ in results for item in batch) == sorted(items)
    said = sorted(line for _, lines in results for line in lines)
    assert said[:56] == sorted(f"done {item}" for item in items if item.isdecimal())
    assert said[56:] == ["poison: BrokenProcessPool"] * 3 + ["raises: MemoryError"]


def test_the_window_is_bounded():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield ["x"]

    loop = Loop(lambda: ThreadPoolExecutor(2), lambda batch: batch, verdict, 5)
    running = loop.run(endless())
    for number in range(1, 40):
        next(running)
        assert taken <= number + 5
    loop.stop()
    rest = len(list(running))
    assert rest <= 5
    assert taken == 39 + rest


def test_an_executor_that_is_gone():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ExecutorLostError, match="no more work"):
        list(Loop(lambda: executor, list, verdict, 1).run([["x"]]))


def test_any_executor(folder):
    asked = RunRequest(selection=Selection(roots=("archive",)))
    outcome = runs.verify("ledger.db", asked, Options(), executor=lambda: ThreadPoolExecutor(2))
    assert outcome.complete
    assert outcome.totals.files == len(rows()) == 8


def test_options_are_unpacked_once():
    batch = [found.Found("gone")]
    verify_worker._unpacked.cache_clear()
    for _ in range(3):
        verify_worker.RemoteVerify(Options())(batch)
    assert verify_worker._unpacked.cache_info().misses == 1
    (row,) = msgspec.msgpack.decode(verify_worker.RemoteVerify(Options())(batch), type=list[Row])
    assert row.reason == "not_found"

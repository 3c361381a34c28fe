"""The processes of a run: an executor whose workers know their next task beforehand."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool

import pytest

from dicomseal.archive.run import worker_pool
from dicomseal.archive.run.worker_pool import WorkerPool

METHODS = [one for one in ("fork", "spawn") if one in multiprocessing.get_all_start_methods()]
_told = ""


def told(text):
    global _told
    _told = text


def work(what):
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise ValueError("as asked")
    if what == "odd":
        raise Unsendable(lambda: None)
    if what == "exit":
        raise SystemExit(3)
    if isinstance(what, float):
        time.sleep(what)
    return what, _told, os.getpid()


def next_one(seconds):
    time.sleep(seconds)
    return worker_pool.upcoming()


class Unsendable(Exception):
    pass


@pytest.fixture(params=METHODS)
def pool(request):
    made = WorkerPool(2, multiprocessing.get_context(request.param), told, "started")
    yield made
    made.shutdown(wait=True, cancel_futures=True)


def test_tasks_and_results(pool):
    futures = [pool.submit(work, number) for number in range(40)]
    results = [one.result(timeout=60) for one in futures]
    assert [(one, text) for one, text, _ in results] == [(n, "started") for n in range(40)]
    assert len({process for *_, process in results}) == 2
    assert os.getpid() not in {process for *_, process in results}


def test_large_tasks_and_results(pool):
    """Larger than a pipe holds, in both directions at once."""
    data = os.urandom(3 << 20)
    futures = [pool.submit(work, data) for _ in range(8)]
    assert all(one.result(timeout=120)[0] == data for one in futures)


def test_errors_come_back(pool):
    odd, bad, ended = (pool.submit(work, what) for what in ("odd", "raise", "exit"))
    with pytest.raises(ValueError, match="as asked"):
        bad.result(timeout=60)
    with pytest.raises(RuntimeError, match="Unsendable"):
        odd.result(timeout=60)
    with pytest.raises(SystemExit):
        ended.result(timeout=60)
    assert pool.submit(work, 1).result(timeout=60)[0] == 1


def test_a_worker_knows_its_next_task(pool):
    futures = [pool.submit(next_one, 0.2) for _ in range(6)]
    seen = [one.result(timeout=60) for one in futures]
    assert seen.count(0.2) >= 2
    assert seen[-1] is None


def test_a_worker_that_dies_breaks_the_pool(pool):
    futures = [pool.submit(work, 0.01), pool.submit(work, "die"), pool.submit(work, 30.0)]
    futures += [pool.submit(work, number) for number in range(9)]
    wait(futures, timeout=60)
    for one in futures[1:]:
        with pytest.raises(BrokenProcessPool):
            one.result(timeout=60)
    with pytest.raises(BrokenProcessPool):
        pool.submit(work, 1)


def test_shut_down(pool):
    futures = [pool.submit(work, 0.3) for _ in range(9)]
    pool.shutdown(wait=True, cancel_futures=True)
    cancelled = [one.cancelled() for one in futures]
    assert cancelled == [False] * 4 + [True] * 5  # two in hand of each
    assert all(one.done() for one in futures)
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(work, 1)


def test_left_alone_it_ends_when_its_work_is_done(pool):
    future = pool.submit(work, 0.5)
    pool.shutdown(wait=False)
    processes = [one.process for one in pool._workers]
    assert future.result(timeout=60)[0] == 0.5
    end = time.monotonic() + 60
    # the pool waits for them too, and who comes second learns the code a moment later
    while any(process.exitcode is None for process in processes) and time.monotonic() < end:
        time.sleep(0.01)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_no_processes_before_the_first_task():
    made = WorkerPool(2, multiprocessing.get_context(METHODS[0]), told, "")
    assert not made._workers
    made.shutdown()

"""The processes of a run: an executor whose workers know their next task beforehand."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool

import pytest

from dicomseal.archive.errors import ExecutorLostError
from dicomseal.archive.run import worker_pool
from dicomseal.archive.run.loop import Loop
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
    started = WorkerPool(2, multiprocessing.get_context(request.param), told, "started")
    yield started
    started.shutdown(wait=True, cancel_futures=True)


def stuck(seconds):
    """Do as a worker that is ended, and that the kernel does not end."""
    worker_pool.hang_up()
    threading.Event().wait(seconds)


@pytest.mark.skipif(os.name != "posix", reason="pipes of Windows are not sockets")
def test_a_process_that_cannot_be_ended(monkeypatch):
    """The pool is broken at once, and neither it nor the command waits for that process."""
    monkeypatch.setattr(worker_pool, "_LONGEST_END", 0.2)
    context = multiprocessing.get_context("fork")
    kill = context.Process.kill
    monkeypatch.setattr(context.Process, "kill", lambda _: None)
    monkeypatch.setattr(os, "_exit", lambda _: threading.Event().wait(60))  # in the workers
    pool = WorkerPool(2, context, told, "started")
    begun = time.monotonic()
    stays = pool.submit(stuck, 60)
    processes = [worker.process for worker in pool._workers]
    with pytest.raises(BrokenProcessPool):
        stays.result(timeout=30)
    pool.shutdown(wait=True)
    assert not set(processes) & set(multiprocessing.active_children())
    assert time.monotonic() < begun + 30
    for process in processes:
        kill(process)
        process.join()


def test_tasks_and_results(pool):
    numbers = [0.01 + number / 1000 for number in range(40)]  # so that one cannot do all of them
    futures = [pool.submit(work, number) for number in numbers]
    results = [one.result(timeout=60) for one in futures]
    assert [(one, text) for one, text, _ in results] == [(one, "started") for one in numbers]
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
    idle = WorkerPool(2, multiprocessing.get_context(METHODS[0]), told, "")
    assert not idle._workers
    idle.shutdown()


class Unreadable:
    """A result that the other side cannot unpack, though the worker could."""

    def __init__(self, process):
        self.process = process

    def __reduce__(self):
        return only_in, (os.getpid(),)


def only_in(process):
    if os.getpid() != process:
        raise ZeroDivisionError("as asked")
    return Unreadable(process)


def unreadable(_):
    return Unreadable(os.getpid())


def unreadable_after(seconds):
    time.sleep(seconds)
    return Unreadable(os.getpid())


def test_what_breaks_the_pool_itself_is_raised_by_all_that_waits(pool):
    """The thread that receives results is waited for by nobody."""
    futures = [
        pool.submit(unreadable_after, 2),
        pool.submit(work, 30.0),
    ]  # in which all are handed in
    futures += [pool.submit(work, number) for number in range(9)]
    assert not wait(futures, timeout=60).not_done
    for one in futures[:2]:
        with pytest.raises(ExecutorLostError, match="ZeroDivisionError: as asked"):
            one.result()
    with pytest.raises(ExecutorLostError, match="ZeroDivisionError: as asked"):
        pool.submit(work, 1)


def test_also_while_a_result_is_handed_over(pool, monkeypatch):
    """Its task is neither open nor done then."""
    future = pool.submit(work, 0.2)

    def failing():
        raise MemoryError

    monkeypatch.setattr(pool, "_send", failing)
    with pytest.raises(ExecutorLostError, match="MemoryError"):
        future.result(timeout=60)


def test_a_run_ends_with_that_error(pool):
    loop = Loop(lambda: pool, unreadable, lambda *_: "failed", 4)
    with pytest.raises(ExecutorLostError, match="as asked"):
        list(loop.run([[number] for number in range(9)]))


class OnlyHere:
    """What a worker cannot unpack."""

    def __reduce__(self):
        return only_in, (os.getpid(),)


def test_a_task_that_a_worker_cannot_unpack(pool):
    with pytest.raises(BrokenProcessPool):
        pool.submit(work, OnlyHere()).result(timeout=60)

"""Processes of this machine as an executor, in which a worker knows its next batch beforehand.

`concurrent.futures.ProcessPoolExecutor` gives a worker a task when it has done the one before. Here
each worker has a pipe of its own, and two tasks in hand: so it can read the files of the next batch
ahead while it verifies those of this one (`upcoming`). All else is as there: when a process ends,
the pool is broken, and with it everything that was in progress.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import multiprocessing
import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any

from ..errors import ExecutorLostError

_LONGEST_END = 10.0  # seconds in which a process ends that was killed, or has no task left
IN_HAND = 2  # tasks of a worker: the one that it works on, and the next one

_pipe: Connection | None = None  # of a worker
_tasks: collections.deque[tuple[int, Callable[[Any], Any], Any]] = collections.deque()


def upcoming() -> Any:
    """Return, in a worker, the argument of its next task; None if it has none yet."""
    try:
        return _tasks[0][2]
    except IndexError:
        return None


class WorkerPool(Executor):
    """A pool of processes, which are started with the first task.

    Args:
        count: how many.
        context: of `multiprocessing`.
        start: is called in each, with the arguments, before its first task.
        arguments: of ``start``.
    """

    def __init__(
        self, count: int, context: BaseContext, start: Callable[..., object], *arguments: object
    ) -> None:
        self._count, self._context = count, context
        self._start, self._arguments = start, arguments
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._waiting: collections.deque[_Task] = collections.deque()
        self._open: dict[int, _Task] = {}  # those that a worker has, by their numbers
        self._number = 0
        self._ending = False
        self._broken: Callable[[], Exception] | None = None  # makes the error of what is lost
        self._done: _Task | None = None  # whose result has come, and is not handed over yet
        self._manager: threading.Thread | None = None

    def submit(  # type: ignore[override]
        self, function: Callable[[Any], Any], argument: Any, /
    ) -> Future[Any]:
        """Do as `Executor.submit`, with one argument.

        Raises:
            BrokenProcessPool: a worker has ended.
            ExecutorLostError: the pool itself has failed.
            RuntimeError: the pool was shut down.
        """
        with self._lock:
            if self._broken is not None:
                raise self._broken()
            if self._ending:
                raise RuntimeError("the pool was shut down")
            if self._manager is None:
                self._begin()
            self._number += 1
            task = _Task(self._number, pickle.dumps((self._number, function, argument), -1))
            self._waiting.append(task)
            self._send()
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do as `Executor.shutdown`."""
        with self._lock:
            self._ending = True
            while cancel_futures and self._waiting:
                self._waiting.popleft().future.cancel()
            self._end()
        if wait and self._manager is not None:
            self._manager.join()

    def _begin(self) -> None:
        for _ in range(self._count):
            ours, theirs = self._context.Pipe()
            process = self._context.Process(  # type: ignore[attr-defined]
                target=_work, args=(theirs, self._start, self._arguments)
            )
            process.start()
            theirs.close()  # so that ours is at its end when the process is
            self._workers.append(_Worker(process, ours))
        manager = threading.Thread(target=self._manage, daemon=True, name="dicomseal-pool")
        manager.start()
        self._manager = manager

    def _send(self) -> None:
        """Hand out what waits, to those that have the fewest tasks."""
        while self._waiting:
            worker = min(self._workers, key=lambda one: len(one.tasks))
            if len(worker.tasks) >= IN_HAND:
                return
            task = self._waiting.popleft()
            if not task.future.set_running_or_notify_cancel():
                continue
            self._open[task.number] = task
            worker.tasks.add(task.number)
            with contextlib.suppress(OSError):  # it has ended, which the manager sees as well
                worker.pipe.send_bytes(task.packed)
            task.packed = b""

    def _end(self) -> None:
        """Let the workers end, if nothing is left for them."""
        if self._ending and self._broken is None and not self._open and not self._waiting:
            for worker in self._workers:
                with contextlib.suppress(OSError):
                    worker.pipe.send_bytes(b"")

    def _manage(self) -> None:
        """Receive results until all workers have ended, in a thread of its own.

        Whatever ends it before that is raised by every task that waits: a run would wait for them
        for ever.
        """
        lost: Callable[[], Exception] | None = None
        try:
            if not self._receive():
                lost = _broken
        except BaseException as error:  # noqa: BLE001 - nobody waits for this thread
            said = f"the results of the workers cannot be received: {type(error).__name__}: {error}"
            lost = functools.partial(ExecutorLostError, said)
        if lost is not None:
            self._break(lost)
        for worker in self._workers:
            # the kernel does not end one that waits for some devices, even if it is killed
            worker.process.join(_LONGEST_END)
            if worker.process.exitcode is None:
                _forget(worker.process)
            worker.pipe.close()

    def _receive(self) -> bool:
        """Receive results until a worker has ended; return whether all did so when asked to."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        while by_pipe:
            for pipe in wait(list(by_pipe)):
                worker = by_pipe[pipe]  # type: ignore[index]
                try:
                    packed = worker.pipe.recv_bytes()
                except (EOFError, OSError):
                    with self._lock:
                        if not self._ending or self._open:
                            return False
                    del by_pipe[worker.pipe]
                    continue
                self._take(worker, *pickle.loads(packed))  # noqa: S301 - from our worker
        return True

    def _take(self, worker: _Worker, number: int, good: bool, outcome: Any) -> None:
        with self._lock:
            task = self._done = self._open.pop(number)
            worker.tasks.discard(number)
            self._send()
            self._end()
        if good:
            task.future.set_result(outcome)
        else:
            task.future.set_exception(outcome)
        self._done = None

    def _break(self, lost: Callable[[], Exception]) -> None:
        with self._lock:
            self._broken = lost
            tasks = [*self._open.values(), *self._waiting]
            if self._done is not None:
                tasks.append(self._done)
            self._open.clear()
            self._waiting.clear()
        for worker in self._workers:
            worker.process.kill()
            _forget(worker.process)  # the manager waits for it, and no longer than is good
        for task in tasks:
            if not task.future.done():
                task.future.set_exception(lost())


def _forget(process: Any) -> None:
    """Have this process not wait at its end for one that the kernel does not end."""
    # `multiprocessing` has no way to say so
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]


def _broken() -> BrokenProcessPool:
    return BrokenProcessPool("a process in the pool was terminated abruptly")


class _Task:
    """A task: its number, what is sent, and its future."""

    def __init__(self, number: int, packed: bytes) -> None:
        self.number, self.packed = number, packed
        self.future: Future[Any] = Future()


class _Worker:
    """A process, our end of its pipe, and the numbers of the tasks that it has."""

    def __init__(self, process: Any, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.tasks: set[int] = set()


# --- in a worker ----------------------------------------------------------------------------------


def hang_up() -> None:
    """Tell the pool that this worker ends, which the kernel may not let it do (`_LONGEST_END`)."""
    if _pipe is None or os.name != "posix":
        return
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(_pipe.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _work(pipe: Connection, start: Callable[..., object], arguments: tuple[object, ...]) -> None:
    global _pipe
    _pipe = pipe
    start(*arguments)
    there = threading.Semaphore(0)
    threading.Thread(target=_receive, args=(pipe, there), daemon=True).start()
    while True:
        there.acquire()
        if not _tasks:
            hang_up()
            return
        number, function, argument = _tasks.popleft()
        try:
            answer = pickle.dumps((number, True, function(argument)), -1)
        except BaseException as error:  # noqa: BLE001 - raised by the future
            answer = _failed(number, error)
        del argument
        pipe.send_bytes(answer)


def _receive(pipe: Connection, there: threading.Semaphore) -> None:
    """Take tasks as they come, so that the next one is known while one is worked on."""
    try:
        while packed := pipe.recv_bytes():
            _tasks.append(pickle.loads(packed))  # noqa: S301 - from the process that started this
            there.release()
    except (EOFError, OSError):
        os._exit(1)
    except BaseException:  # noqa: BLE001 - or the pool would wait for this task for ever
        traceback.print_exc()
        os._exit(1)
    there.release()


def _failed(number: int, error: BaseException) -> bytes:
    try:
        packed = pickle.dumps((number, False, error), -1)
        pickle.loads(packed)  # noqa: S301 - whether the other side can
    except Exception:  # noqa: BLE001 - an error that cannot be sent is told in words
        packed = pickle.dumps((number, False, RuntimeError(f"{type(error).__name__}: {error}")), -1)
    return packed

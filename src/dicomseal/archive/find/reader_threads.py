"""Threads that read, so that another one need not wait; one that does not come back is left alone.

A thread that waits for a server that is dead cannot be ended. It is no longer waited for, and
counted (`ReaderThreads.stuck`), so that the process can be replaced when there are too many.
They are daemons, and those of `concurrent.futures` are not used: it waits for its threads at the
end of the process.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

MOST_THREADS = 512  # those that are stuck included
_IDLE = 10.0  # seconds, after which a thread without work ends

T = TypeVar("T")


class Done(Protocol):
    """Where a task is put when it is over; a queue, for example."""

    def put(self, task: Any, /) -> None: ...


class Task(Generic[T]):
    """A piece of work.

    Attributes:
        key: the submitter's own, to know it again.
        since: when it was submitted, or last came on, on the monotonic clock.
        seconds: how long it took, when it is done.
        outcome, error: what it returned or raised, when it is done.
    """

    __slots__ = (
        "_done",
        "_work",
        "ended",
        "error",
        "given_up",
        "key",
        "outcome",
        "seconds",
        "since",
    )

    def __init__(self, work: Callable[[], T], done: Done, key: int) -> None:
        self._work, self._done, self.key = work, done, key
        self.since = time.monotonic()
        self.seconds = 0.0
        self.outcome: T | None = None
        self.error: BaseException | None = None
        self.ended = self.given_up = False

    def carry_out(self) -> None:
        begun = time.monotonic()
        try:
            self.outcome = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self.error = error
        self.seconds = time.monotonic() - begun

    def hand_over(self) -> None:
        self._done.put(self)

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.outcome  # type: ignore[return-value]


_here = threading.local()


def goes_on() -> None:
    """Take note, within a task, that it comes on: its time begins anew."""
    task: Task[object] | None = getattr(_here, "task", None)
    if task is not None:
        task.since = time.monotonic()


class ReaderThreads:
    """Threads that are started as they are needed, and end when they are not."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Task[object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._open = 0  # tasks that were submitted and neither ended nor were given up
        self.stuck = 0  # threads with a task that was given up

    @property
    def is_exhausted(self) -> bool:
        """Whether all threads that there may be hang, so that nothing would be read."""
        return self.stuck >= MOST_THREADS

    def submit(self, work: Callable[[], T], done: Done, key: int = 0) -> Task[T]:
        """Do some work in a thread; the task is put into ``done`` when it is over."""
        task = Task(work, done, key)
        with self._lock:
            self._open += 1
            self._tasks.put(task)  # type: ignore[arg-type]
            start = self._threads - self.stuck < self._open and self._threads < MOST_THREADS
            self._threads += start
        if start:
            try:
                threading.Thread(target=self._run, daemon=True, name="dicomseal-reads").start()
            except RuntimeError:  # the system allows no more: those that there are do it
                with self._lock:
                    self._threads -= 1
                    others = self._threads > self.stuck
                if not others:
                    self.give_up(task)
                    raise
        return task

    def give_up(self, task: Task[T]) -> bool:
        """Wait for a task no longer; return whether it was still open, and never comes now."""
        with self._lock:
            if task.ended:
                return False
            task.given_up = True
            self._open -= 1
            self.stuck += 1
            return True

    def _run(self) -> None:
        while (task := self._next()) is not None:
            if not task.given_up:
                _here.task = task
                task.carry_out()
                _here.task = None
            with self._lock:
                task.ended = True
                if task.given_up:
                    self.stuck -= 1
                    continue
                self._open -= 1
            task.hand_over()

    def _next(self) -> Task[object] | None:
        """Return the next task; None if there was none for a while."""
        while True:
            try:
                return self._tasks.get(timeout=_IDLE)
            except queue.Empty:
                with self._lock:
                    if self._tasks.empty():
                        self._threads -= 1
                        return None

"""Reads by threads, each of which has a time: see `root.Reads`."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TypeVar

from ...errors import SourceError
from ...files.window import Window
from . import reader_threads
from .far_window import FarWindow
from .reader_threads import ReaderThreads, Task

TIMEOUT = 120.0  # seconds
HUNG = "hung"  # code: it was not read in time

T = TypeVar("T")


class FarReads:
    """Reads by threads, each of which has a time: see `root.Reads`."""

    def __init__(self, threads: ReaderThreads, timeout: float) -> None:
        self._threads, self._timeout = threads, timeout

    def window(self, descriptor: int) -> Window:
        return FarWindow(descriptor, self._threads, self.hung, self._timeout)

    def within(self, read: Callable[[], T]) -> T:
        done: queue.SimpleQueue[Task[T]] = queue.SimpleQueue()
        task = self._threads.submit(read, done)
        try:
            return done.get(timeout=self._timeout).result()
        except queue.Empty:
            if self._threads.give_up(task):
                raise self.hung() from None
            return done.get().result()

    def goes_on(self) -> None:
        reader_threads.goes_on()

    def hung(self) -> SourceError:
        return SourceError(
            f"it was not read within {self._timeout:g} seconds; "
            "--read-timeout SECONDS waits longer",
            HUNG,
        )


def no_answer(timeout: float) -> str:
    """Return the sentence for a file or folder about which nothing can be learned."""
    return (
        f"it did not answer within {timeout:g} seconds: is its server dead? "
        "--read-timeout SECONDS waits longer"
    )

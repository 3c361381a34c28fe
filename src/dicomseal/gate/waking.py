"""How the two loops of an association wait, and what wakes them."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

IDLE = 0.1  # seconds between looks at timers while nothing happens


class Bell:
    """Wakes a thread that waits for a socket; any thread may ring."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(self._writing, False)
        self._lock = threading.Lock()
        self._closed = False

    def ring(self, _: object = None) -> None:
        with self._lock:
            if not self._closed:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._writing, b"\0")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.reading, 4096)

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.reading)
                os.close(self._writing)


class TellingQueue(queue.Queue[Any]):
    """A queue that tells what is put into it."""

    def __init__(self, told: Callable[[Any], None]) -> None:
        super().__init__()
        self._told = told

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._told(item)


class Checkpoint(threading.Event):
    """What an association's loop passes in each round: it waits here for something to do."""

    def __init__(self) -> None:
        super().__init__()
        self._work = threading.Event()

    def ring(self, _: object = None) -> None:
        self._work.set()

    def set(self) -> None:
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        passed = super().wait(timeout)
        self._work.wait(IDLE)
        self._work.clear()
        return passed

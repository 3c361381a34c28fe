"""What is there: files that threads have read (`reader_threads`), and those that they have opened.

A thread that waits for both must not look at one after the other.
"""

from __future__ import annotations

import queue
from typing import Any

from .reader_threads import Task


class Completions:
    """Both in one queue, for one thread that waits.

    Attributes:
        opener: opens files (`dicomseal.files.opener`); None as long as it has opened none.
    """

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Task[Any]] = queue.SimpleQueue()
        self.opener: Any = None

    def put(self, task: Task[Any]) -> None:
        """Hand over a task that is done; in any thread."""
        self._tasks.put(task)
        if self.opener is not None:
            self.opener.call()

    def get(self, seconds: float) -> Any:
        """Return the next task or opening that is done; None if none comes in so many seconds."""
        if self.opener is None:
            try:
                return self._tasks.get(timeout=seconds)
            except queue.Empty:
                return None
        opening = self.opener.next(0)
        if opening is not None:
            return opening
        for wait in (seconds, 0):  # a call ends the first
            try:
                return self._tasks.get_nowait()
            except queue.Empty:
                opening = self.opener.next(wait)
            if opening is not None:
                return opening
        return None

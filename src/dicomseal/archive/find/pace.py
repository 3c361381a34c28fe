"""Whether files are near, in the page cache, or far away, so that a worker waits for them.

A worker that waits for a file sleeps: it uses no processor time, and does not stand in line for a
processor either. Linux tells the two apart, so a busy machine is not taken for a slow disk.
"""

from __future__ import annotations

import contextlib
import os
import time

try:
    import resource
except ImportError:  # Windows
    _THREAD = None
else:
    _THREAD = getattr(resource, "RUSAGE_THREAD", None)  # Linux

_LOOK = 0.002  # seconds from one look to the next
_ASLEEP = 0.001  # seconds between two looks; less is not worth while
_SHARE = 0.2  # of the time
_SOON, _LATE = 0.25, 8.0  # seconds after which far files are tried again: first, and at most


class Pace:
    """The state of the thread that makes this.

    Attributes:
        since: when the last file was done, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.since = 0.0
        self._statistics = -1
        with contextlib.suppress(OSError):  # another system
            self._statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._looked = self._look()
        self._again = 0.0  # when far files are tried again
        self._pause = _SOON

    def __del__(self) -> None:
        if self._statistics >= 0:
            os.close(self._statistics)

    def is_near(self) -> bool:
        """Return whether the worker should read the next files itself."""
        return time.monotonic() >= self._again

    def begin(self) -> None:
        """Take note that files are read from now on."""
        self._looked = self._look()

    def is_far(self) -> bool:
        """Return, after a file, whether the worker has slept too long for it and those before it.

        If so, no file `is_near` for a while, which is longer each time.
        """
        self.since = now = time.monotonic()
        before, awake_before, sleeps_before = self._looked
        if now < before + _LOOK:
            return False
        self._looked = self._look()
        now, awake, sleeps = self._looked
        asleep = (now - before) - (awake - awake_before)
        if sleeps == sleeps_before or asleep < max(_ASLEEP, _SHARE * (now - before)):
            if now > self._again + self._pause:
                self._pause = _SOON
            return False
        self._again = now + self._pause
        self._pause = min(2 * self._pause, _LATE)
        return True

    def _look(self) -> tuple[float, float, int]:
        """Return the wall clock, how long the thread was awake, and how often it was asleep.

        It is awake when it runs and when it could run. Where the system does not say how often it
        was asleep, the number is another one each time.
        """
        self.since = now = time.monotonic()
        awake = time.thread_time()
        if self._statistics >= 0:  # on a processor, in line for one; nanoseconds
            awake += int(os.pread(self._statistics, 64, 0).split()[1]) / 1e9
        sleeps = time.monotonic_ns() if _THREAD is None else resource.getrusage(_THREAD).ru_nvcsw
        return now, awake, sleeps

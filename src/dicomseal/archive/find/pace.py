"""Whether files are near, in the page cache, or far away, so that a worker waits for them.

A worker that waits for a file sleeps: it uses no processor time, and does not stand in line for a
processor either. Linux tells the two apart, so a busy machine is not taken for a slow disk. But a
worker also sleeps when another of its threads has the GIL and stands in line, about once in a batch
of files. So files are far only when it has slept several times within a short while, and are tried
again very soon for the first time: an error costs some hundredths of a second.
"""

from __future__ import annotations

import collections
import contextlib
import os
import time
from typing import NamedTuple

try:
    import resource
except ImportError:  # Windows
    _THREAD = None
else:
    _THREAD = getattr(resource, "RUSAGE_THREAD", None)  # Linux

_LOOK = 0.002  # seconds from one look to the next
_AT_ONCE, _ATTEMPTS = 0.0002, 4  # seconds that a look takes at most, or it is taken again
_ASLEEP = 0.001  # seconds between two looks; less is not worth while
_SHARE = 0.2  # of the time
_STRETCHES, _FAR = 8, 3  # of the last stretches between two looks so many must be slept in
# seconds after which far files are tried again, if they were far each time
_PAUSES = (0.03, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class Look(NamedTuple):
    """What the clocks of a thread say: the time, and how long it ran and stood in line; sleeps."""

    now: float
    ran: float
    in_line: float
    sleeps: int


class Pace:
    """The state of the thread that makes this."""

    def __init__(self) -> None:
        self._statistics = -1
        with contextlib.suppress(OSError):  # another system
            self._statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._looked = self._look()
        self._slept: collections.deque[bool] = collections.deque(maxlen=_STRETCHES)
        self._again = 0.0  # when far files are tried again
        self._times = 0  # that they were far, one after the other

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
        now = time.monotonic()
        if now < self._looked.now + _LOOK:
            return False
        last, self._looked = self._looked, self._look()
        whole, ran, in_line, sleeps = (a - b for a, b in zip(self._looked, last, strict=True))
        asleep = whole - ran - in_line
        self._slept.append(sleeps > 0 and asleep >= max(_ASLEEP, _SHARE * whole))
        # those that were far a moment ago are known by the first look
        tried_again = self._times > 0 and len(self._slept) == 1
        if not self._slept[-1]:
            if now > self._again + _PAUSES[min(self._times, len(_PAUSES) - 1)]:
                self._times = 0
            return False
        if not tried_again and sum(self._slept) < _FAR:
            return False
        self._slept.clear()
        self._again = now + _PAUSES[min(self._times, len(_PAUSES) - 1)]
        self._times += 1
        return True

    def _look(self) -> Look:
        """Look at the clocks.

        Where the system does not say how often the thread was asleep, the number is another one
        each time.
        """
        for _ in range(_ATTEMPTS):
            now = time.monotonic()
            ran, in_line = time.thread_time(), 0.0
            if self._statistics >= 0:  # on a processor, in line for one; nanoseconds
                in_line = int(os.pread(self._statistics, 64, 0).split()[1]) / 1e9
            # a thread whose time is over is often interrupted here, between two of its clocks, so
            # that one look finds too little sleep, and the next one too much
            if time.monotonic() < now + _AT_ONCE:
                break
        sleeps = time.monotonic_ns() if _THREAD is None else resource.getrusage(_THREAD).ru_nvcsw
        return Look(now, ran, in_line, sleeps)

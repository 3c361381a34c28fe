"""Whether a thread hangs with a file that it reads itself, seen from another thread.

Reads of threads of their own are given up when their time is over (`dicomseal.archive.find.ahead`).
A thread that reads near files itself cannot be got out of a read of a server that is dead; not even
a signal that has a handler ends it. It hangs if

* one file is being read whole for so long, or
* it was asleep for so long, and neither used a processor nor stood in line for one: so it waits, in
  whatever code, also in compiled code that reads a large file by itself. A large file that takes
  long, and comes all the same, is waited for; so is an answer about revocation, which has a
  time-out of its own.

Both are seen for the time-out, at `HangWatch.interval`: so a thread that hangs is found after one
to one and a half time-outs, and at most two seconds after the first. Time in which the process
itself was stopped does not count.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

from ...encoding.limits import BYTES_OF_A_SECOND, Limits
from ...files.reader import Reader
from ...files.window import Window
from ..find.ahead import ReadAhead
from ..find.found import Found
from ..find.openings import Openings
from . import worker_pool

_READ = frozenset(
    one.__code__ for one in (Reader.open, Window.readinto, Window.check, Openings.read)
)
_ASKS = "dicomseal.trust.fetching"  # the module that waits for answers, if any does


class HangWatch:
    """Watches one thread.

    Args:
        ahead: of that thread.
        timeout: seconds that it may be in one file, as above.
        limits: its ``seconds`` may go by besides, where the system does not tell how much processor
            another thread used; None: only reading counts, as the thread may wait for other things.
        thread: the thread, which has begun.
    """

    def __init__(
        self, ahead: ReadAhead, timeout: float, limits: Limits | None, thread: threading.Thread
    ) -> None:
        self._ahead, self._timeout, self._limits = ahead, timeout, limits
        self.interval = min(timeout / 4, 1)
        self._thread = thread.ident or 0
        self._clock = _clock_of(self._thread)
        self._status = f"/proc/self/task/{thread.native_id}/stat"
        self._file: Found | None = None
        self._looked = time.monotonic()
        self._used = 0.0
        self._in_file = self._reading = self._asleep = 0.0  # seconds

    def look(self) -> bool:
        """Return whether it hangs. This is called at the interval."""
        now = time.monotonic()
        gone = min(now - self._looked, 2 * self.interval)
        self._looked = now
        file = self._ahead.now
        if file is None or file is not self._file:
            self._file, self._in_file = file, 0.0
            self._reading = self._asleep = 0.0
            self._used = self._processor_time()
            return False
        reads, asks = self._is_within()
        self._in_file += gone
        self._reading = self._reading + gone if reads else 0.0
        used = self._processor_time()
        sleeps = used == self._used and not asks and not self._is_in_line()
        self._asleep = self._asleep + gone if sleeps else 0.0
        self._used = used
        return self._ahead.now is file and self._hangs(file)

    def _hangs(self, file: Found) -> bool:
        if self._reading >= self._timeout:
            return True
        if self._limits is None:
            return False
        if self._clock is not None:
            return self._asleep >= self._timeout
        most = self._timeout + self._limits.seconds + file.size / BYTES_OF_A_SECOND
        return self._in_file >= most

    def _processor_time(self) -> float:
        return 0.0 if self._clock is None else time.clock_gettime(self._clock)

    def _is_in_line(self) -> bool:
        """Return whether it could run, where the system says so: a machine may be very busy."""
        with contextlib.suppress(OSError), open(self._status, "rb") as file:
            return file.read().rpartition(b") ")[2][:1] == b"R"
        return False

    def _is_within(self) -> tuple[bool, bool]:
        """Return whether the thread is within a function that reads a file, or one that asks."""
        frame = sys._current_frames().get(self._thread)
        reads = asks = False
        while frame is not None:
            reads |= frame.f_code in _READ
            asks |= frame.f_globals.get("__name__") == _ASKS
            frame = frame.f_back
        return reads, asks


def _clock_of(thread: int) -> int | None:
    """Return the clock of the processor time of a thread, if the system has such clocks."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    try:
        clock: int = time.pthread_getcpuclockid(thread)
        time.clock_gettime(clock)
    except OSError:
        return None
    return clock


def begin(ahead: ReadAhead, timeout: float, limits: Limits | None) -> None:
    """Watch the thread that calls this, and end the process if it hangs.

    So another one takes over: the loop finds it gone, and from then on only threads read, which can
    be left alone (`dicomseal.archive.find.ahead.Reading.apart`).
    """
    watch = HangWatch(ahead, timeout, limits, threading.current_thread())
    threading.Thread(target=_end_with, args=(watch,), daemon=True).start()


def _end_with(watch: HangWatch) -> None:
    while True:
        time.sleep(watch.interval)
        if watch.look():
            worker_pool.hang_up()
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

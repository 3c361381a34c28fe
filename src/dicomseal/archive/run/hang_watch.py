"""A worker that hangs with a file which it reads itself is ended, so that another one takes over.

A process cannot get its main thread out of a read of a server that is dead; not even a signal
that has a handler ends it. So the process is ended, the loop finds it gone, and from then on only
threads read, which can be left alone (`dicomseal.archive.find.ahead.Reading.apart`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from ...encoding.limits import BYTES_OF_A_SECOND, Limits
from ...files.reader import Reader
from ...files.window import Window
from ..find.ahead import ReadAhead

_READ = frozenset({Reader.open.__code__, Window.readinto.__code__, Window.check.__code__})


def begin(ahead: ReadAhead, timeout: float, limits: Limits) -> None:
    """Watch the thread that calls this, from another one.

    Args:
        ahead: of that thread.
        timeout: seconds that it may read one file.
        limits: its ``seconds`` may go by besides where a file is verified.
    """
    watched = threading.get_ident()
    threading.Thread(target=_watch, args=(watched, ahead, timeout, limits), daemon=True).start()


def _watch(thread: int, ahead: ReadAhead, timeout: float, limits: Limits) -> None:
    while True:
        time.sleep(min(timeout / 4, 1))
        now = ahead.now
        if now is None:
            continue
        file, since = now
        left = since + timeout - time.monotonic()
        if left < 0 and not _reads(thread):  # the index of a large file is read by compiled code
            left += limits.seconds + file.size / BYTES_OF_A_SECOND
        if left < 0 and ahead.now is now:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def _reads(thread: int) -> bool:
    """Return whether a thread is within a function that reads a file."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code in _READ:
            return True
        frame = frame.f_back
    return False

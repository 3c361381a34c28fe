"""Files that threads open, and the worker reads: their bytes are then in its processor's caches.

It reads only what is in the page cache, so that it never waits: the threads have seen to that
(`dicomseal.files.opener`). Where the system does not tell what is there (NFS), and for a file with
which something is not usual, the answer is that it must be read whole by a thread.
"""

from __future__ import annotations

import math
from typing import Any

from ...files.opener import Opener
from ...files.reader import SNAPSHOT
from .found import Found
from .reader_threads import MOST_THREADS
from .root import Fetched

_UNTOLD = 1024  # files that are read whole where the system does not tell; then it is asked again
_MOST_OPEN = 256  # files, and a quarter of those that the process may have open
_SOON = 0.0005  # seconds in which a near file is open


class Openings:
    """The openings of one worker.

    Attributes:
        opener: the threads; None as long as there was nothing to open.
    """

    def __init__(self) -> None:
        self.opener: Any = None
        self._seconds = math.inf  # a mean of how long it takes; infinite: nothing was opened so far
        self._most = _most_open()
        self._untold = 0  # files that are still to be read whole
        self._whole: set[int] = set()  # and those that were opened in vain
        self._buffer = bytearray()  # for the file that is verified

    @property
    def stuck(self) -> int:
        """The number of threads that hang."""
        stuck: int = 0 if self.opener is None else self.opener.stuck
        return stuck

    @property
    def are_soon(self) -> bool:
        """Whether files are open so soon that they may be near; not before one was opened."""
        return self._seconds < _SOON

    def take(self, file: Found) -> bool:
        """Return whether a file of this machine is to be opened, and not read whole."""
        return (
            Opener is not None
            and not self._untold
            and 0 < file.size <= SNAPSHOT
            and id(file) not in self._whole
            and (self.opener is None or self.opener.held < self._most)
        )

    def begin(self, file: Found) -> Any:
        """Have a file opened; return its opening, or None if there is no thread to do it."""
        if self.opener is None:
            self.opener = Opener(MOST_THREADS, SNAPSHOT)
        return self.opener.submit(file.path, id(file))

    def passed(self, file: Found) -> None:
        """Take note that a file is read whole."""
        self._untold -= self._untold > 0
        self._whole.discard(id(file))

    def read(self, file: Found, opening: Any) -> Fetched | None:
        """Read a file that is open; None if that cannot be done without waiting.

        It is then waited for `again`, or read whole. What was read is valid until the next one is.
        """
        seconds = opening.seconds
        if self._seconds < math.inf:
            seconds = self._seconds + (seconds - self._seconds) / 8
        self._seconds = seconds
        if len(self._buffer) < opening.size:
            self._buffer = bytearray(opening.size + (opening.size >> 2))
        size = opening.read(self._buffer)
        if size >= 0:
            # it may have been written to since it was listed
            mtime = file.mtime if size == file.size else opening.mtime
            return Fetched(memoryview(self._buffer)[:size], size, mtime)
        if opening.may_wait:
            self._untold = _UNTOLD
        self._whole.add(id(file))
        return None

    def again(self, opening: Any) -> bool:
        """Have the missing bytes of an open file fetched; False if it is to be read whole."""
        if not self.opener.again(opening):
            return False
        self._whole.discard(opening.key)
        return True

    def give_up(self, opening: Any) -> bool:
        """Do as `ReaderThreads.give_up`."""
        given_up: bool = self.opener.give_up(opening)
        return given_up

    def forget(self) -> None:
        """Forget the files; none of them is asked for any more."""
        self._whole.clear()


def _most_open() -> int:
    """Return how many files may be open at once, so that there are always some left."""
    try:
        import resource
    except ImportError:  # Windows
        return _MOST_OPEN
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_OPEN if limit < 0 else min(limit // 4, _MOST_OPEN)

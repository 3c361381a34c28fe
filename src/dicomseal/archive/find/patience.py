"""A walk that does not hang with what it asks: a file server that is dead is an entry, not the end.

In: the files of a root, as it finds them.
Out: the same files; and an entry for each folder or file about which the system does not answer.
PS3: none.

A thread that asks a dead server for a status, or for the names in a folder, does not come back. So
a thread of its own walks, a little ahead of the one that takes the files. When it does not go on in
time, it is left alone, and another one goes on behind what it hangs with.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Iterator

from .far_reads import HUNG, no_answer
from .found import Found
from .root import Root, Walk

_AHEAD = 1024  # files that are found, and not taken yet
_AT_ONCE, _SOON = 256, 0.01  # so many are taken at once, or those that came in so many seconds
_MOST_HUNG = 8  # of a root, after which the rest of it is not looked at
_LONGEST_LOOK = 1.0  # seconds


def patiently(root: Root, walk: Walk, timeout: float) -> Iterator[Found]:
    """Yield the files of a root, whose walk can go on behind what hangs.

    Args:
        root: a root whose `Root.rest` says how to go on.
        walk: the options.
        timeout: seconds in which the system must answer.

    Raises:
        UsageError, LostError: as `Root.find`.
    """
    try:
        yield from _behind_what_hangs(root, walk, timeout)
    finally:
        root.close()


def _behind_what_hangs(root: Root, walk: Walk, timeout: float) -> Iterator[Found]:
    hung = 0
    found: Iterator[Found] | None = root.find(walk)
    while found is not None:
        walker = _Walker(found, walk)
        try:
            yield from walker.files(timeout)
        finally:
            walker.leave()
        if not walker.hangs_with:
            return
        hung += 1
        found = root.rest(walk)  # at once: what the thread still takes if it comes back is lost
        yield Found(walker.hangs_with, trouble=(HUNG, no_answer(timeout)), whole=True)
        walk.asks("")
        if hung == _MOST_HUNG:
            sentence = f"{no_answer(timeout)}; the rest of {root.name} was not looked at"
            yield Found(root.name, trouble=(HUNG, sentence), whole=True)
            return


class _Walker:
    """A thread that finds files.

    Attributes:
        hangs_with: what it does not come back from; empty if it does.
    """

    def __init__(self, found: Iterator[Found], walk: Walk) -> None:
        self._found, self._walk = found, walk
        self.hangs_with = ""
        self._ready: collections.deque[Found] = collections.deque()
        self._come, self._taken = threading.Event(), threading.Event()
        self._left = self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="dicomseal-walk")
        self._thread.start()

    def _run(self) -> None:
        ready = self._ready
        told = time.monotonic()
        try:
            for file in self._found:
                if self._left:
                    return
                ready.append(file)
                # not for each one: two threads that wake each other take twice as long
                if len(ready) >= _AT_ONCE or time.monotonic() > told + _SOON:
                    self._come.set()
                    while len(ready) >= _AHEAD and not self._left:
                        self._taken.clear()
                        if len(ready) >= _AHEAD:
                            self._taken.wait(_LONGEST_LOOK)
                    told = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            self._error = error
        finally:
            self._ended = True
            self._come.set()

    def files(self, timeout: float) -> Iterator[Found]:
        """Yield the files, until there are no more or the thread hangs."""
        ready, come = self._ready, self._come
        while True:
            come.clear()
            is_last = self._ended  # looked at first: what came last was put there before
            some = len(ready)
            for _ in range(some):
                yield ready.popleft()
            self._taken.set()
            if is_last:
                if self._error is not None:
                    raise self._error
                return
            if some < _AT_ONCE and not self._wait(timeout):
                return

    def _wait(self, timeout: float) -> bool:
        """Wait for a file; return False if the thread hangs."""
        walk = self._walk
        before, waited, looked = walk.times, 0.0, time.monotonic()
        look = min(timeout / 8, _LONGEST_LOOK)
        while not self._come.wait(look):
            if self._ready:
                return True
            now = time.monotonic()
            waited += min(now - looked, 2 * look)  # this process may have been stopped meanwhile
            looked = now
            if walk.times != before or not walk.asked:
                before, waited = walk.times, 0.0
            elif waited >= timeout:
                self.hangs_with = walk.asked
                return False
        return True

    def leave(self) -> None:
        """Let the thread end as soon as it can."""
        self._left = True
        self._taken.set()

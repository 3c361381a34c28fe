"""Batches that another thread verifies, in a process that is not ours to end.

A worker of another executor, of Dask for example, reads near files itself, too. When it hangs with
one, its thread is left alone, and that file is an error. The rest of the batch, and all that comes
after it, is read by threads that are given up one by one (`dicomseal.archive.find.ahead`).
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable

import msgspec

from ..find import roots
from ..find.ahead import ReadAhead, Reading
from ..find.folder_root import FolderRoot, LargeFilesApart
from ..find.found import Found
from ..find.root import Fetched, Root
from ..ledger.rows import Row
from .hang_watch import HangWatch

_Verify = Callable[[Found, Fetched], Row]


class BatchThread:
    """Verifies the files of one thread of an executor, in another one while they are near.

    Args:
        reading: how files are read.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._helper: _Helper | None = None
        self._ahead: ReadAhead | None = None  # when only threads read

    def __del__(self) -> None:
        if self._helper is not None:
            self._helper.end()

    @property
    def is_worn(self) -> bool:
        """As of `ReadAhead`."""
        ahead = self._helper.ahead if self._helper is not None else self._ahead
        return ahead is not None and ahead.is_worn

    def rows(self, files: list[Found], verify: _Verify) -> list[Row]:
        """Return the rows of files, in their order; errors as `ReadAhead.each`.

        Args:
            files: the files.
            verify: returns the row of one that was fetched.
        """
        work = _Work(files, verify)
        if self._ahead is None:
            if self._helper is None:
                self._helper = _Helper(self._reading)
            hung = self._helper.do(work)
            if hung is None:
                return work.result()
            # its thread is left alone
            self._helper = None
            self._reading = msgspec.structs.replace(self._reading, apart=True)
            self._ahead = ReadAhead(self._reading, kind_of=_kind_of)
            work = work.without(hung, self._ahead)
        work.carry_out(self._ahead)
        return work.result()


class _Work:
    """The files of a batch, and the rows of those that are done."""

    def __init__(
        self, files: list[Found], verify: _Verify, rows: dict[int, Row] | None = None
    ) -> None:
        self._files, self._verify = files, verify
        self._rows = {} if rows is None else rows
        self._lock = threading.Lock()
        self._left = False
        self._error: BaseException | None = None
        self.over = threading.Event()

    def carry_out(self, ahead: ReadAhead) -> None:
        """Verify what has no row, unless this is left meanwhile."""
        numbers = [number for number in range(len(self._files)) if number not in self._rows]
        try:
            with contextlib.closing(ahead.each([self._files[one] for one in numbers])) as each:
                for place, fetched in each:
                    number = numbers[place]
                    row = self._verify(self._files[number], fetched)
                    with self._lock:
                        if self._left:
                            return
                        self._rows[number] = row
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            self._error = error
        self.over.set()

    def without(self, hung: Found, ahead: ReadAhead) -> _Work:
        """Leave this; return the same work, in which a file that hangs is done."""
        with self._lock:
            self._left = True
        rows = dict(self._rows)
        for number, file in enumerate(self._files):
            if file is hung and number not in rows:
                rows[number] = self._verify(file, Fetched(ahead.reads.hung()))
        return _Work(self._files, self._verify, rows)

    def result(self) -> list[Row]:
        """Return all rows, or raise what ended the work."""
        if self._error is not None:
            raise self._error
        return [self._rows[number] for number in range(len(self._files))]


class _Helper:
    """A thread that reads and verifies, and the watch over it."""

    def __init__(self, reading: Reading) -> None:
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._begun: queue.SimpleQueue[tuple[ReadAhead, HangWatch]] = queue.SimpleQueue()
        threading.Thread(
            target=_run, args=(reading, self._work, self._begun), daemon=True,
            name="dicomseal-batches",
        ).start()  # fmt: skip
        self.ahead, self._watch = self._begun.get()

    def do(self, work: _Work) -> Found | None:
        """Have some work done; return the file with which the thread hangs, or None."""
        self._work.put(work)
        while not work.over.wait(self._watch.interval):
            if self._watch.look():
                self.end()  # as soon as it comes back
                return self.ahead.now
        return None

    def end(self) -> None:
        self._work.put(None)


def _run(
    reading: Reading,
    works: queue.SimpleQueue[_Work | None],
    begun: queue.SimpleQueue[tuple[ReadAhead, HangWatch]],
) -> None:
    ahead = ReadAhead(reading, kind_of=_kind_of)
    # what verifies may wait for other things: it has a time limit of its own
    begun.put((ahead, HangWatch(ahead, reading.timeout, None, threading.current_thread())))
    while (work := works.get()) is not None:
        work.carry_out(ahead)


def _kind_of(path: str) -> type[Root]:
    kind = roots.kind_of(path)
    return LargeFilesApart if kind is FolderRoot else kind


_here = threading.local()


def of_this_thread(reading: Reading) -> BatchThread:
    """Return the one of this thread, which keeps its memory and what it has learned."""
    known: tuple[int, Reading, BatchThread] | None = getattr(_here, "known", None)
    if known is None or known[:2] != (os.getpid(), reading):  # threads do not survive a fork
        known = _here.known = os.getpid(), reading, BatchThread(reading)
    return known[2]

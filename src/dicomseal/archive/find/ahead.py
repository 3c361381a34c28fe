"""Reading ahead: files are on their way into memory while the one before them is verified.

A worker waits for a file that is far away (a file server, an object store, a busy disk) longer than
it works on it. So threads read several at once (`reader_threads`), into memory that is bounded by
bytes (`buffers`), and the worker verifies each as it comes. One that does not come in time is an
error, and the others go on.

Files that lie in the page cache are read by the worker itself: to hand each over from another
thread costs 20 to 30 microseconds, a third of what a small one costs. Which of them it is shows in
how long the worker waited (`pace`).

Where the system can read without waiting, threads only open a file, and see to it that its bytes
are in the page cache (`dicomseal.files.opener`). The worker reads it, so that the bytes are in the
caches of the processor that hashes them.
"""

from __future__ import annotations

import collections
import math
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec

from ...errors import SourceError
from ...files.reader import SNAPSHOT
from ..errors import ExecutorLostError, StoreLostError
from . import far_reads, roots
from .buffers import Buffers
from .completions import Completions
from .far_reads import FarReads
from .found import Found
from .openings import Openings
from .pace import Pace
from .reader_threads import ReaderThreads, Task
from .root import Fetched, Root

TIMEOUT, HUNG = far_reads.TIMEOUT, far_reads.HUNG
MOST_AHEAD = 64  # files, unless the user says how many
_FIRST = 16  # files, before it is known how many are worth while
_MOST_UNKNOWN = 16  # files whose size is not known; each may take `SNAPSHOT` bytes
_AFTER_HUNG = 4  # more files at once for each that hangs: those behind it may hang as well
_WORN = 32  # threads that hang, after which a worker is replaced
_MAX_LOST = 64 << 20  # bytes of memory that hanging threads keep, after which it is, too

T = TypeVar("T")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How files are read.

    Attributes:
        ahead: how many a worker reads at once; 0: none ahead. None: as many as are worth while.
        timeout: seconds in which a file, or a piece of a large one, must have been read.
        apart: only threads read, never the worker itself, which would hang with a file.
    """

    ahead: int | None = None
    timeout: float = TIMEOUT
    apart: bool = False


class _InFlight(NamedTuple):
    """A file that is being read, or was: its task, its memory.

    Attributes:
        task: a `Task` of the thread that reads it, or the opening of one that is only opened.
    """

    file: Found
    task: Any
    kind: type[Root]
    buffer: bytearray | None = None
    reserved: int = 0


class ReadAhead:
    """Reads the files of one worker, which may be a thread among others.

    Args:
        reading: how.
        upcoming: returns the files that are asked for next, as they then are; None if that is not
            known yet.
        kind_of: returns the kind of root of a file, by its path.

    Attributes:
        now: the file that the worker reads and verifies itself; or None.
        reads: reads by threads, for what else the worker must not hang with.
    """

    def __init__(
        self,
        reading: Reading,
        upcoming: Callable[[], list[Found] | None] = lambda: None,
        kind_of: Callable[[str], type[Root]] | None = None,
    ) -> None:
        self._reading, self._upcoming = reading, upcoming
        self._kind_of = kind_of
        self._threads = ReaderThreads()
        self.reads = FarReads(self._threads, reading.timeout)
        self._answered = -math.inf  # when a server was last heard of
        self._buffers = Buffers()
        self._pace = Pace()
        self._largest = SNAPSHOT  # of files whose size is not known before, so far
        self._seen = False  # whether there was one
        self._openings = Openings()
        self._done = Completions()
        # by the identity of the file, which the list that is asked for next keeps alive
        self._running: dict[int, _InFlight] = {}
        self._ready: dict[int, _InFlight] = {}  # read, or hung, before they were asked for
        self._waited = self._worked = 0.0  # seconds for a file, to read it and to verify it
        self.now: Found | None = None
        self._lost = 0  # bytes that hanging threads keep

    @property
    def is_worn(self) -> bool:
        """Whether so much hangs, threads or memory, that the process should be replaced."""
        return self._stuck >= _WORN or self._lost >= _MAX_LOST

    @property
    def _stuck(self) -> int:
        """The number of threads that hang."""
        return self._threads.stuck + self._openings.stuck

    def each(self, files: list[Found]) -> Generator[tuple[int, Fetched], None, None]:
        """Yield each file, by its place in the list, when it is there; not in the order of these.

        What was yielded is valid until the next one is asked for.

        Raises:
            LostError: a root no longer answers, or so many reads hang that no more can be begun.
        """
        kind_of = self._kind_of or roots.kind_of
        kinds = [kind_of(file.path) for file in files]
        numbers = collections.deque(range(len(files)))
        ahead = self._must_be_ahead(files[0], kinds[0]) if files else False
        while numbers:
            if not ahead:
                yield from self._by_itself(files, kinds, numbers)
            ahead = False
            try:
                yield from self._at_once(files, kinds, numbers)
            except BaseException:
                self._forget_all()
                raise

    def _by_itself(
        self, files: list[Found], kinds: list[type[Root]], numbers: collections.deque[int]
    ) -> Iterator[tuple[int, Fetched]]:
        """Yield files that the worker reads itself while they are near, and take them out."""
        auto = self._reading.ahead is None
        self._pace.begin()
        try:
            while numbers:
                file, kind = files[numbers[0]], kinds[numbers[0]]
                fetched = kind.near(file)
                if fetched is None:  # it would hang with it
                    return
                self.now = file
                yield numbers.popleft(), fetched
                if self._pace.is_far() and auto:
                    return
        finally:
            self.now = None

    def _kind(self, file: Found) -> type[Root]:
        return (self._kind_of or roots.kind_of)(file.path)

    def _must_be_ahead(self, file: Found, kind: type[Root]) -> bool:
        reading = self._reading
        if reading.ahead is None:
            return self._is_ahead() or not self._may_be_near(file, kind)
        return reading.apart or reading.ahead > 0

    def _is_ahead(self) -> bool:
        """Return whether files were begun before they were asked for."""
        return bool(self._running or self._ready)

    def _at_once(
        self, files: list[Found], kinds: list[type[Root]], numbers: collections.deque[int]
    ) -> Iterator[tuple[int, Fetched]]:
        """Yield files as threads have read them, and take them out.

        When one of them turns out to be near by now, those that no thread has begun with are left.
        """
        places = {id(files[number]): number for number in numbers}
        ready = [key for key in self._ready if key in places]
        waiting = collections.deque(
            number
            for number in numbers
            if id(files[number]) not in self._ready and id(files[number]) not in self._running
        )
        numbers.clear()
        looked, hung = time.monotonic(), 0
        while places:
            if waiting and self._may_be_near(files[waiting[0]], kinds[waiting[0]]):
                # one of them is tried, while threads go on with those that were begun
                del places[id(files[waiting[0]])]
                yield from self._by_itself(files, kinds, collections.deque([waiting.popleft()]))
                if self._pace.is_near():
                    for number in waiting:
                        del places[id(files[number])]
                    numbers += waiting
                    waiting.clear()
                continue
            depth = self._depth() + _AFTER_HUNG * hung
            while waiting and len(self._running) < depth:
                if self._begin(files[waiting[0]], kinds[waiting[0]]):
                    waiting.popleft()
                elif self._running or not self._make_room(places):
                    break
            if not waiting and not numbers and len(self._running) + len(self._ready) < depth:
                self._begin_next(depth)
            key = ready.pop() if ready else self._next()
            now = time.monotonic()
            if key in places:
                one = self._ready.pop(key)
                try:
                    fetched = self._fetched(one)
                    if fetched is None:
                        if key not in self._running:  # nor could it be read so
                            waiting.appendleft(places[key])
                        continue
                    yield places.pop(key), fetched
                    del fetched
                finally:  # its bytes count no more, whatever became of it
                    if not one.task.given_up:
                        self._returned(one)
                self._worked = _mean(self._worked, time.monotonic() - now)
            if now > looked + min(self._reading.timeout / 8, 1):
                looked = now
                late = self._late(now)
                hung += len(late)
                ready += [key for key in late if key in places]

    def _fetched(self, one: _InFlight) -> Fetched | None:
        """Return a file that is there, or hung; None if it must be waited for after all.

        It is then begun once more, or is to be read whole.
        """
        if one.task.given_up:
            self._ask(one)
            return Fetched(self.reads.hung())
        if isinstance(one.task, Task):
            fetched: Fetched = one.task.result()
            self._learn(one, fetched)
            return fetched
        self._waited = _mean(self._waited, one.task.seconds)
        self.now = one.file  # a system that waits here is in error, and noticed as for a near file
        read = self._openings.read(one.file, one.task)
        self.now = None
        if read is None and self._openings.again(one.task):
            self._running[id(one.file)] = one
        return read

    def _make_room(self, places: dict[int, int]) -> bool:
        """Give up a file of the next batch that is there; return whether there was one."""
        for key, one in self._ready.items():
            if key not in places:
                del self._ready[key]
                self._drop(one)
                return True
        return False

    def _may_be_near(self, file: Found, kind: type[Root]) -> bool:
        """Return whether the worker should read a file itself, and see whether that is better."""
        reading = self._reading
        return (
            reading.ahead is None
            and not reading.apart
            and (self._openings.are_soon or not self._is_opened(file, kind))
            and self._pace.is_near()
            and kind.near(file) is not None
        )

    def _begin_next(self, depth: int) -> None:
        """Begin with files that will be asked for next, if there are still to be any ahead."""
        for file in (self._reading.ahead != 0 and self._upcoming()) or ():
            if len(self._running) + len(self._ready) >= depth:
                return
            key = id(file)
            if file.trouble or key in self._running or key in self._ready:
                continue
            kind = self._kind(file)
            if self._may_be_near(file, kind) or not self._begin(file, kind):
                return

    def _depth(self) -> int:
        """Return how many files are read at once: so many that the next one is always there."""
        if self._reading.ahead is not None:
            return max(self._reading.ahead, 1)
        if not self._worked:
            return _FIRST
        return min(math.ceil(1.5 * self._waited / self._worked) + 2, MOST_AHEAD)

    def _learn(self, one: _InFlight, fetched: Fetched) -> None:
        self._waited = _mean(self._waited, one.task.seconds)
        if not one.kind.takes_buffers and isinstance(fetched.source, memoryview):
            self._largest = max(self._largest if self._seen else 0, len(fetched.source))
            self._seen = True

    def _begin(self, file: Found, kind: type[Root]) -> bool:
        """Begin to read a file; return False if that would be too much at once."""
        if self._is_opened(file, kind):
            opening = self._openings.begin(file)
            if opening is not None:
                self._done.opener = self._openings.opener
                self._running[id(file)] = _InFlight(file, opening, kind)
                return True
        buffer, reserved = None, 0
        if file.size > SNAPSHOT:  # read through a window
            pass
        elif kind.takes_buffers:
            buffer = self._buffers.take(file.size)
            if buffer is None:
                return False
        else:
            if not file.size and len(self._running) + len(self._ready) >= _MOST_UNKNOWN:
                return False
            reserved = file.size or self._largest
            if not self._buffers.reserve(reserved):
                return False

        self._openings.passed(file)

        def work() -> Fetched:
            return kind.fetch(file, buffer, self.reads)

        task = self._threads.submit(work, self._done, id(file))
        self._running[id(file)] = _InFlight(file, task, kind, buffer, reserved)
        return True

    def _is_opened(self, file: Found, kind: type[Root]) -> bool:
        """Return whether threads only open a file."""
        return not self._reading.apart and kind.can_be_opened and self._openings.take(file)

    def _next(self) -> int:
        """Return which file has come next, and is ready now; 0 if none came for a while."""
        task = self._done.get(min(self._reading.timeout / 8, 1))
        if task is None:
            return 0
        key: int = task.key
        self._ready[key] = self._running.pop(key)
        return key

    def _late(self, now: float) -> list[int]:
        """Give up what was not read in time, and is ready so; return which files these are."""
        late = [
            key
            for key, one in self._running.items()
            if one.task.since + self._reading.timeout < now and self._forget(one)
        ]
        for key in late:
            self._ready[key] = self._running.pop(key)
        if self._threads.is_exhausted:
            raise ExecutorLostError(
                f"{self._stuck} reads of one process hang, and no more can be begun: the "
                "file server is dead, or the process is to be started anew"
            )
        return late

    def _ask(self, one: _InFlight) -> None:
        """Ask the server of an object that hangs whether it is there: else all of them would.

        Raises:
            LostError: it is not, or does not answer in time either.
        """
        timeout = self._reading.timeout
        if not one.kind.is_served or time.monotonic() < self._answered + timeout:
            return
        try:
            self.reads.within(lambda: one.kind.ask(one.file))
        except SourceError as error:
            raise StoreLostError(f"{one.file.path}: {error}; nor does its server answer") from None
        self._answered = time.monotonic()

    def _drop(self, one: _InFlight) -> None:
        """Give back what a file holds that is there, and that nobody asks for."""
        if not isinstance(one.task, Task):
            one.task.close()
        elif not one.task.given_up:
            self._returned(one)

    def _returned(self, one: _InFlight) -> None:
        if one.buffer is not None:
            self._buffers.give(one.buffer)
        self._buffers.release(one.reserved)

    def _forget(self, one: _InFlight) -> bool:
        """Give a file up; return False if it has come just now, and is in the queue."""
        if not isinstance(one.task, Task):
            return self._openings.give_up(one.task)
        if not self._threads.give_up(one.task):
            return False
        self._buffers.release(one.reserved if one.buffer is None else len(one.buffer))
        self._lost += 0 if one.buffer is None else len(one.buffer)
        return True

    def _forget_all(self) -> None:
        """Give up all that was begun: nobody asks for it any more."""
        for one in self._ready.values():
            self._drop(one)
        for one in self._running.values():
            if not self._forget(one):
                self._drop(one)
        self._ready.clear()
        self._running.clear()
        self._openings.forget()
        self._done = Completions()


def _mean(before: float, value: float) -> float:
    """Return a mean in which the last dozen values count most."""
    return value if not before else before + (value - before) / 8


_here = threading.local()


def reader(reading: Reading) -> ReadAhead:
    """Return the one of this thread, which keeps its memory and what it has learned."""
    known: tuple[int, Reading, ReadAhead] | None = getattr(_here, "known", None)
    if known is None or known[:2] != (os.getpid(), reading):  # threads do not survive a fork
        known = _here.known = os.getpid(), reading, ReadAhead(reading)
    return known[2]

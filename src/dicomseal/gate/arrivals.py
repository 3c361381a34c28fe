"""What arrives in folders that others write to: found at once, and taken when it is complete.

The system tells of files that appear or change (inotify and its like, through watchfiles). It may
forget some, and what another machine writes to a share it never tells, so that from time to time
all is looked through (a sweep). Either way a file is only taken when it has not changed for a
moment and, where the system can tell, nobody has it open for writing.
"""

from __future__ import annotations

import collections
import itertools
import os
import queue
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..archive.find.found import Files, Found
from ..errors import SourceError, UsageError
from ..files.atomic import is_temporary
from ..files.folders import Unreadable, walk

TICK = 0.05  # seconds that is waited for what is not there yet
_MAX_PENDING = 100_000  # files that are waited for; more are left to the next sweep
_AHEAD = 1024  # of those, how many a sweep may bring
_STEP = 2000  # files that a sweep looks at before others have their turn
_SOON = 1.0  # seconds from a sweep to the next, where something may have been missed
_IDLE = 500  # milliseconds after which the thread looks whether it shall end


class State(NamedTuple):
    """What is different after a file was written to or replaced."""

    size: int
    mtime: int
    ctime: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> State:
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class _Waiting(NamedTuple):
    due: float
    path: str
    state: State


class Arrivals:
    """Files that arrive, as long as the context lasts.

    Args:
        folders: absolute paths.
        known: whether a file in this state was taken before.
        wanted: whether a path is meant at all.
        settle: seconds that a file must not have changed for.
        sweep: seconds from the end of a sweep to the next; None: there is one alone.
        once: end after the first sweep, and do not wait for what the system tells.
        trouble: is told of folders that cannot be read.

    Raises:
        UsageError: watchfiles is not installed.
        SourceError: a folder cannot be watched.
    """

    def __init__(
        self,
        folders: Sequence[str],
        known: Callable[[str, State], bool],
        wanted: Callable[[str], bool],
        *,
        settle: float,
        sweep: float | None,
        once: bool = False,
        trouble: Callable[[str, str], object] = lambda *_: None,
    ) -> None:
        self._folders, self._known, self._wanted = tuple(folders), known, wanted
        self._settle, self._every, self._once, self._trouble = settle, sweep, once, trouble
        self._told: queue.SimpleQueue[set[str]] = queue.SimpleQueue()
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._paths: set[str] = set()  # of those
        self._under_way: dict[str, State] = {}
        self._walk: Iterator[os.DirEntry[str] | Unreadable] | None = None
        self._next = 0.0
        self._swept = 0
        self._missed = False
        self._stop = threading.Event()
        self._deaf = threading.Event()
        self._lost: SourceError | None = None
        self._thread: threading.Thread | None = None
        self._leases = False
        self._before: Any = None

    # --- what the system tells -------------------------------------------------------------------

    def __enter__(self) -> Arrivals:
        self._leases = _lease is not None and threading.current_thread() is threading.main_thread()
        if self._leases:  # whoever opens a file for writing while we hold its lease makes one
            self._before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        if self._once:
            return self
        try:
            import watchfiles
        except ImportError:
            raise UsageError("watch needs the extra: pip install dicomseal[gate]") from None
        begun = threading.Event()
        self._thread = threading.Thread(
            target=self._listen, args=(watchfiles.watch, begun), daemon=True, name="dicomseal-watch"
        )
        self._thread.start()
        begun.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()
        if self._leases:
            signal.signal(signal.SIGIO, self._before)

    def stop(self) -> None:
        """Take no more files."""
        self._stop.set()

    def _listen(
        self, watch: Callable[..., Iterator[set[tuple[int, str]]]], begun: threading.Event
    ) -> None:
        """Pass on, in a thread, the events of the system."""
        while not self._stop.is_set():
            try:
                for changes in watch(
                    *self._folders, watch_filter=None, step=20, debounce=200, rust_timeout=_IDLE,
                    yield_on_timeout=True, stop_event=self._stop, raise_interrupt=False,
                ):  # fmt: skip
                    begun.set()
                    if changes:
                        self._told.put({path for change, path in changes if change != _DELETED})
            except (OSError, RuntimeError) as error:
                self._deaf.set()  # a sweep finds what happened meanwhile
                if not str(error).startswith(_NOT_UTF8):
                    self._lost = SourceError(f"the folders cannot be watched: {error}", "watch")
                    break
                begun.set()
                self._stop.wait(TICK)
        begun.set()

    # --- what is taken ---------------------------------------------------------------------------

    def batches(self, most: int) -> Iterator[Files]:
        """Yield files to verify, up to so many at once, until `stop` is called.

        While some are under way and none is ready, an empty one is yielded now and then, so that
        whoever asks can see to those. Each is to be said to be `done`.

        Raises:
            SourceError: the system tells nothing any more.
        """
        yield Files()  # the workers begin at once, and not when the first file is there
        while not self._stop.is_set():
            ready = self._ready(most)
            if ready:
                yield ready
                continue
            if self._lost is not None:
                raise self._lost
            if self._once and self._walk is None and self._swept and not self._waiting:
                return
            if self._under_way:
                yield Files()
            self._listen_for(TICK)

    def done(self, path: str) -> State | None:
        """Take note that a file was verified; the state that it was taken in."""
        return self._under_way.pop(path, None)

    def again(self, path: str) -> None:
        """Wait for a file anew, because it changed while it was verified."""
        self._noticed(path)

    def _listen_for(self, seconds: float) -> None:
        """Wait until the system tells something."""
        try:
            paths = self._told.get(timeout=seconds)
        except queue.Empty:
            return
        for path in paths:
            self._noticed(path)

    def _ready(self, most: int) -> Files:
        while not self._told.empty():
            for path in self._told.get_nowait():
                self._noticed(path)
        self._sweep()
        ready, now = Files(), time.monotonic()
        for _ in range(len(self._waiting)):
            if len(ready) >= most or self._waiting[0].due > now:
                break
            one = self._waiting.popleft()
            self._paths.discard(one.path)
            state = _state(one.path)
            if state is None:
                continue  # it has gone
            if state != one.state or (self._leases and _is_written_to(one.path)):
                self._wait(one.path, state, now + self._settle)
            elif self._under_way.get(one.path) != state and not self._known(one.path, state):
                if one.path in self._under_way:  # in an earlier state; one after the other
                    self._wait(one.path, state, now + self._settle)
                    continue
                self._under_way[one.path] = state
                ready.append(Found(one.path, state.size, state.mtime))
        return ready

    def _noticed(self, path: str) -> None:
        if path in self._paths or not self._wanted(path) or is_temporary(os.path.basename(path)):
            return
        if len(self._waiting) >= _MAX_PENDING:
            self._missed = True  # the next sweep finds it
            self._next = min(self._next, time.monotonic() + _SOON)
            return
        state = _state(path)
        if state is not None:
            self._wait(path, state, time.monotonic() + self._settle)
        elif os.path.isdir(path) and not os.path.islink(path):
            # what was in a new folder before the system began to watch it, it does not tell
            for entry in walk(path, left_out=lambda entry: is_temporary(entry.name)):
                if not isinstance(entry, Unreadable):
                    self._noticed(entry.path)

    def _wait(self, path: str, state: State, due: float) -> None:
        self._paths.add(path)
        self._waiting.append(_Waiting(due, path, state))

    # --- the sweep -------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Look through the folders, a little at a time."""
        if self._deaf.is_set():
            self._deaf.clear()
            self._missed = True
            self._next = min(self._next, time.monotonic() + _SOON)
        if self._walk is None:
            if time.monotonic() < self._next or (self._swept and self._every is None):
                return
            self._missed = False
            self._walk = self._entries()
        looked = 0
        for entry in itertools.islice(self._walk, _STEP):
            if isinstance(entry, Unreadable):
                self._trouble(entry.path, entry.error.strerror or str(entry.error))
            elif entry.path not in self._paths and self._wanted(entry.path):
                self._found(entry.path)
            if len(self._waiting) >= _AHEAD:
                return
            looked += 1
        if looked == _STEP:
            return
        self._walk = None
        self._swept += 1
        pause = _SOON if self._missed else (self._every or 0.0)
        self._next = time.monotonic() + pause

    def _entries(self) -> Iterator[os.DirEntry[str] | Unreadable]:
        for folder in self._folders:
            yield from walk(folder, left_out=lambda entry: is_temporary(entry.name))

    def _found(self, path: str) -> None:
        state = _state(path)
        if state is None or self._known(path, state) or self._under_way.get(path) == state:
            return
        age = time.time() - max(state.mtime, state.ctime) / 1e9
        now = time.monotonic()
        if age > self._settle:
            self._paths.add(path)
            self._waiting.appendleft(_Waiting(now, path, state))
        else:
            self._wait(path, state, now + self._settle)


_DELETED = 3  # watchfiles.Change.deleted
_NOT_UTF8 = "Unable to decode path"  # what watchfiles says of a name, and gives up


def _state(path: str) -> State | None:
    """Return the state of a file; None if it is not there, or is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return State.of(status) if stat.S_ISREG(status.st_mode) else None


def _is_written_to(path: str) -> bool:
    """Return whether somebody has it open for writing; False where the system does not tell.

    Linux grants a read lease only if nobody has, and only to the file's owner or to root.
    """
    if _lease is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        _lease(descriptor, True)
        _lease(descriptor, False)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _chosen() -> Callable[[int, bool], object] | None:
    try:
        import fcntl

        command, taken, given = fcntl.F_SETLEASE, fcntl.F_RDLCK, fcntl.F_UNLCK
    except (ImportError, AttributeError):  # no Linux
        return None
    return lambda descriptor, take: fcntl.fcntl(descriptor, command, taken if take else given)


_lease = _chosen()

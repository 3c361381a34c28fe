"""A large file that a thread reads in blocks, the next one while this one is verified.

In: the descriptor of an open file.
Out: bytes at an offset, or a `SourceError`, also for a read that does not come back.
PS3: none, as this module knows bytes only.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from ...errors import SourceError
from ...files.window import Window, changed, os_error, read_into, state_of
from .reader_threads import ReaderThreads, Task

FIRST_BLOCK, LARGEST_BLOCK = 64 << 10, 1 << 20  # bytes: small after a jump, doubled from there on

_SHORTER = "became shorter while it was read"
T = TypeVar("T")
# the block that a thread reads: its position, the work, and where it comes when it is there
_Begun: TypeAlias = tuple[int, Task[memoryview], queue.SimpleQueue[Task[memoryview]]]


class _SharedDescriptor:
    """A descriptor for several threads, which is closed when the last of them is through with it.

    The system gives the number of a closed one to the next file that is opened: a thread that
    still reads from it would read another file. One that never comes back keeps it open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._users, self._closing = 0, False
        # a window may be collected, and so closed, in the middle of this
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def used(self) -> Iterator[int]:
        """Open a context in which the descriptor stays open.

        Raises:
            SourceError: it was closed before.
        """
        with self._lock:
            if self._closing:
                raise SourceError("was closed while it was read", "unreadable")
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._lock:
                self._users -= 1
                self._close_unused()

    def close(self) -> None:
        with self._lock:
            self._closing = True
            self._close_unused()

    def _close_unused(self) -> None:
        if self._closing and not self._users:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)


class FarWindow(Window):
    """A window on a file that may be far away; memory is that of two blocks.

    Args:
        descriptor: an open file descriptor; the window closes it.
        threads: read for it.
        hung: makes the error for a read that does not come back.
        seconds: after which it does not.
    """

    def __init__(
        self, descriptor: int, threads: ReaderThreads, hung: Callable[[], SourceError],
        seconds: float,
    ) -> None:  # fmt: skip
        self._shared: _SharedDescriptor | None = None
        super().__init__(descriptor, "")
        # the compiled index must not read from it by itself
        self._shared, self.descriptor = _SharedDescriptor(descriptor), -1
        self._threads, self._hung, self._seconds = threads, hung, seconds
        self._start, self._data = 0, memoryview(b"")
        self._block = FIRST_BLOCK
        self._next: _Begun | None = None

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``; errors as `Window.read`, and if a read hangs."""
        done = 0
        while done < len(target):
            position = offset + done
            if not self._start <= position < self._start + len(self._data):
                self._load(position, len(target) - done)
            piece = self._data[position - self._start :][: len(target) - done]
            target[done : done + len(piece)] = piece
            done += len(piece)

    def _load(self, position: int, wanted: int) -> None:
        """Have the block that begins at a position, and begin with the one behind it."""
        if position >= self._length:
            raise SourceError(_SHORTER, "changed")
        follows = position == self._start + len(self._data)
        self._block = min(2 * self._block, LARGEST_BLOCK) if follows else FIRST_BLOCK
        self._data = memoryview(b"")
        begun, self._next = self._next, None
        if begun is None or begun[0] != position:
            begun = self._begun(position, min(max(wanted, self._block), LARGEST_BLOCK))
        _, task, done = begun
        self._start, self._data = position, self._wait(task, done)
        end = position + len(self._data)
        if follows and end < self._length:  # it is read on
            self._next = self._begun(end, min(2 * self._block, LARGEST_BLOCK))

    def _begun(self, position: int, length: int) -> _Begun:
        length = min(length, self._length - position)
        shared = self._of_this_window()

        def read() -> memoryview:
            with shared.used() as descriptor:
                return _read(descriptor, position, length)

        done: queue.SimpleQueue[Task[memoryview]] = queue.SimpleQueue()
        return position, self._threads.submit(read, done), done

    def _wait(self, task: Task[T], done: queue.SimpleQueue[Task[T]]) -> T:
        try:
            return done.get(timeout=self._seconds).result()
        except queue.Empty:
            if not self._threads.give_up(task):
                return done.get().result()
            self._next = None
            self._of_this_window().close()  # it stays open while the thread hangs
            raise self._hung() from None

    def check(self) -> None:
        """Raise a `SourceError` with code ``changed`` if the file has changed."""
        shared = self._of_this_window()

        def look() -> tuple[int, ...]:
            with shared.used() as descriptor:
                return _state(descriptor)

        done: queue.SimpleQueue[Task[tuple[int, ...]]] = queue.SimpleQueue()
        if self._wait(self._threads.submit(look, done), done) != self._state:
            raise _unnamed(changed(""))

    def _of_this_window(self) -> _SharedDescriptor:
        if self._shared is None:
            raise SourceError("is not open", "unreadable")
        return self._shared

    def close(self) -> None:
        """Close the descriptor, as soon as no thread uses it any more; nothing is waited for."""
        self._data = memoryview(b"")
        if self._shared is None:  # it was not even begun
            super().close()
            return
        begun, self._next = self._next, None
        if begun is not None:
            self._threads.give_up(begun[1])
        self._shared.close()


def _read(descriptor: int, position: int, length: int) -> memoryview:
    target = memoryview(bytearray(length))
    done = 0
    try:
        while done < length:
            n = read_into(descriptor, target[done:], position + done)
            if not n:
                raise SourceError(_SHORTER, "changed")
            done += n
    except OSError as error:
        raise _unnamed(os_error("", error)) from None
    return target


def _state(descriptor: int) -> tuple[int, ...]:
    try:
        return state_of(os.fstat(descriptor))
    except OSError as error:
        raise _unnamed(os_error("", error)) from None


def _unnamed(error: SourceError) -> SourceError:
    """Return an error without the path, which the row of the file has."""
    return SourceError(str(error).removeprefix(": "), error.code)

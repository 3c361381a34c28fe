"""A large file that a thread reads in blocks, the next one while this one is verified.

In: the descriptor of an open file.
Out: bytes at an offset, or a `SourceError`, also for a read that does not come back.
PS3: none, as this module knows bytes only.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from ...errors import SourceError
from ...files.window import Window, changed, os_error, read_into, state_of
from .reader_threads import ReaderThreads, Task

FIRST_BLOCK, LARGEST_BLOCK = 64 << 10, 1 << 20  # bytes: small after a jump, doubled from there on

_SHORTER = "became shorter while it was read"
T = TypeVar("T")
# the block that a thread reads: its position, the work, and where it comes when it is there
_Begun: TypeAlias = tuple[int, Task[memoryview], queue.SimpleQueue[Task[memoryview]]]


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
        self._file = -1
        super().__init__(descriptor, "")
        # the compiled index must not read from it by itself
        self._file, self.descriptor = descriptor, -1
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
        descriptor = self._file

        def read() -> memoryview:
            return _read(descriptor, position, length)

        done: queue.SimpleQueue[Task[memoryview]] = queue.SimpleQueue()
        return position, self._threads.submit(read, done), done

    def _wait(self, task: Task[T], done: queue.SimpleQueue[Task[T]]) -> T:
        try:
            return done.get(timeout=self._seconds).result()
        except queue.Empty:
            if not self._threads.give_up(task):
                return done.get().result()
            # a thread that hangs there may still use the descriptor: it is never closed
            self._file, self._next = -1, None
            raise self._hung() from None

    def check(self) -> None:
        """Raise a `SourceError` with code ``changed`` if the file has changed."""
        descriptor = self._file
        done: queue.SimpleQueue[Task[tuple[int, ...]]] = queue.SimpleQueue()
        if self._wait(self._threads.submit(lambda: _state(descriptor), done), done) != (
            self._state
        ):
            raise _unnamed(changed(""))

    def close(self) -> None:
        """Close the descriptor, when no thread uses it any more."""
        descriptor, self._file = self._file, -1
        self._data = memoryview(b"")
        if descriptor >= 0 and self._next is not None:
            _, task, done = self._next
            self._next = None
            try:
                done.get(timeout=self._seconds)
            except queue.Empty:
                self._threads.give_up(task)
                return
        if descriptor >= 0:
            os.close(descriptor)
        super().close()


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

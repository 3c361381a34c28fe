"""A file that is read in pieces, and the check that it is unchanged since it was opened.

In: the descriptor of an open file.
Out: bytes at an offset, or a `SourceError`.
PS3: none, as this module knows bytes only.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from ..errors import SourceError

_TICK = 12_000_000  # ns: a file's times are as coarse as the kernel's timer, 1 to 10 ms


def os_error(path: str, error: OSError) -> SourceError:
    """Return an error of the operating system as a `SourceError`."""
    codes = {FileNotFoundError: "not_found", PermissionError: "permission"}
    message = f"{path}: {error.strerror or error}"
    return SourceError(message, codes.get(type(error), "unreadable"))


def state_of(status: os.stat_result) -> tuple[int, ...]:
    """Return the fields of a status that differ after a file was written, truncated or replaced."""
    s = status
    return s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev


def changed(path: str) -> SourceError:
    """Return the error for a file that has changed."""
    return SourceError(f"{path}: changed while it was read; try again", "changed")


def settle(descriptor: int, status: os.stat_result, path: str) -> None:
    """Wait until the next change of the file must get other times than the last one."""
    age = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    if age < _TICK:
        time.sleep(min(_TICK, _TICK - age) / 1e9)
        if state_of(os.fstat(descriptor)) != state_of(status):
            raise changed(path)


class Origin(NamedTuple):
    """The file that was read: its path, and its status when it was opened."""

    path: str
    status: os.stat_result

    def check(self) -> None:
        """Raise a `SourceError` unless the path still names this file, unchanged."""
        try:
            now = os.stat(self.path)
        except OSError as error:
            raise SourceError(
                f"{self.path}: changed while it was read: {error.strerror or error}", "changed"
            ) from None
        if state_of(now) != state_of(self.status):
            raise changed(self.path)


class Window:
    """A file of any size, read in pieces; an `encoding.record.Source`.

    Args:
        descriptor: an open file descriptor; the window closes it. The compiled index reads from
            it directly.
        path: for messages.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self._path = path
        self._state = self._look()
        self._length = os.fstat(descriptor).st_size

    def _look(self) -> tuple[int, ...]:
        return state_of(os.fstat(self.descriptor))

    def __len__(self) -> int:
        return self._length

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``.

        Raises:
            SourceError: an I/O error, or the file has become shorter.
        """
        target = bytearray(length)
        self.readinto(offset, memoryview(target))
        return bytes(target)

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``; errors as `read`."""
        try:
            done = 0
            while done < len(target):
                n = read_into(self.descriptor, target[done:] if done else target, offset + done)
                if not n:
                    raise SourceError(f"{self._path}: became shorter while it was read", "changed")
                done += n
        except OSError as error:
            raise os_error(self._path, error) from None

    def check(self) -> None:
        """Raise a `SourceError` with code ``changed`` if the file has changed."""
        if self._look() != self._state:
            raise changed(self._path)

    def close(self) -> None:
        """Close the descriptor."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()


def read_into(descriptor: int, target: memoryview, offset: int) -> int:
    """Read bytes from an offset, at most as many as fit; return how many, and 0 at the end."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [target], offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    piece = os.read(descriptor, len(target))
    target[: len(piece)] = piece
    return len(piece)

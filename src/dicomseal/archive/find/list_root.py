"""Lists of paths as roots of an archive: ``@FILE``, and ``-`` for standard input."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from ...errors import UsageError
from .folder_root import FolderRoot, file_at
from .found import EMPTY, EMPTY_LIST, Found
from .root import Root, Walk

STANDARD_INPUT = "-"


def is_list(root: str) -> bool:
    """Return whether a root stands for a list of paths."""
    return root == STANDARD_INPUT or root.startswith("@")


class ListRoot(Root):
    """A list of files.

    The paths in it are read as other files are; a name of another kind is refused.
    """

    is_list = True
    may_hang = True
    is_signable = True
    takes_buffers = True
    near = staticmethod(FolderRoot.near)
    fetch = staticmethod(FolderRoot.fetch)

    def __init__(self, name: str) -> None:
        standard = name == STANDARD_INPUT
        super().__init__(name if standard else f"@{os.path.abspath(name[1:])}")
        self._lines: BinaryIO | None = None
        self._names: Iterator[bytes] = iter(())
        self._empty = True

    @property
    def is_countable(self) -> bool:
        return self.name != STANDARD_INPUT

    @property
    def place(self) -> None:
        return None

    def check(self) -> None:
        """Do nothing: a list is read only once, and an error is reported then."""

    def find(self, walk: Walk) -> Iterator[Found]:
        if self.name == STANDARD_INPUT:
            lines = _standard_input()
        else:
            walk.asks(self.name[1:])
            try:
                # not closed when this ends: a thread that hangs may leave it to another one
                lines = self._lines = open(self.name[1:], "rb")  # noqa: SIM115
            except OSError as error:
                raise self._unreadable(error) from None
        self._names = _paths(lines, walk.null)
        yield from self.rest(walk)

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()

    def _unreadable(self, error: OSError) -> UsageError:
        return UsageError(f"{self.name.removeprefix('@')}: {error.strerror or error}")

    def rest(self, walk: Walk) -> Iterator[Found]:
        """Yield the files whose names were not read yet."""
        while True:
            walk.asks("")  # who writes the list may take its time
            try:
                one = next(self._names, None)
            except OSError as error:
                raise self._unreadable(error) from None
            if one is None:
                break
            name = os.fsdecode(one)
            if not walk.is_path(name):
                raise UsageError(f"{name}: a list names files; name an object store as a root")
            if name:
                self._empty = False
                path = os.path.abspath(name)
                walk.asks(path)
                yield file_at(path)
        if self._empty:  # e.g. the command that makes the list has failed
            yield Found(self.name, trouble=(EMPTY_LIST, EMPTY[EMPTY_LIST]), whole=True)


def _standard_input() -> BinaryIO:
    """Return standard input for a thread that waits for its lines while this process forks.

    `multiprocessing` closes ``sys.stdin`` in a process that it forks. That waits for the lock of
    its buffer, which the thread holds, and which nobody gives back there.
    """
    try:
        number = sys.stdin.fileno()
    except (AttributeError, OSError):  # it is not a file of the system
        return sys.stdin.buffer
    return open(number, "rb", closefd=False)


def _paths(file: BinaryIO, null: bool) -> Iterator[bytes]:
    """Yield the paths in a list, without line ends and the mark that Windows' editors put first."""
    if null:  # written by a program, and exact
        yield from ended_by_null(file)
        return
    for number, line in enumerate(file):
        name = line.rstrip(b"\r\n")
        if not number:
            if name.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in name:
                raise UsageError("a list is in UTF-16: write it in UTF-8")
            name = name.removeprefix(codecs.BOM_UTF8)
        yield name


def ended_by_null(file: BinaryIO) -> Iterator[bytes]:
    """Yield the parts of a file that end with a NUL, or with the file."""
    rest = b""
    while piece := file.read(1 << 16):
        *names, rest = (rest + piece).split(b"\0")
        yield from names
    if rest:
        yield rest

"""Lists of paths as roots of an archive: ``@FILE``, and ``-`` for standard input."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
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
    is_signable = True
    takes_buffers = True
    near = staticmethod(FolderRoot.near)
    fetch = staticmethod(FolderRoot.fetch)

    def __init__(self, name: str) -> None:
        standard = name == STANDARD_INPUT
        super().__init__(name if standard else f"@{os.path.abspath(name[1:])}")

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
            yield from self._listed(_paths(sys.stdin.buffer, walk.null), walk)
            return
        try:
            with open(self.name[1:], "rb") as lines:
                yield from self._listed(_paths(lines, walk.null), walk)
        except OSError as error:
            raise UsageError(f"{self.name[1:]}: {error.strerror or error}") from None

    def _listed(self, names: Iterable[bytes], walk: Walk) -> Iterator[Found]:
        empty = True
        for one in names:
            name = os.fsdecode(one)
            if not walk.is_path(name):
                raise UsageError(f"{name}: a list names files; name an object store as a root")
            if name:
                empty = False
                yield file_at(os.path.abspath(name))
        if empty:  # e.g. the command that makes the list has failed
            yield Found(self.name, trouble=(EMPTY_LIST, EMPTY[EMPTY_LIST]), whole=True)


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

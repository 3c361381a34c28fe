"""Folders and files as roots of an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from ...errors import SourceError, UsageError
from ...files.atomic import is_temporary
from ...files.folders import FolderWalk, Unreadable
from ...files.quick_file import quick_file
from ...files.reader import SNAPSHOT, name_of, open_regular, snapshot
from ...files.window import Window, settle
from .found import EMPTY, EMPTY_FOLDER, Found
from .passed_over import LINK_TO_FOLDER, TEMPORARY
from .root import Fetched, Reads, Root, Walk


class FolderRoot(Root):
    """A folder, or a file."""

    is_signable = True
    may_hang = True
    takes_buffers = True
    can_be_opened = True

    def __init__(self, name: str) -> None:
        super().__init__(os.path.abspath(name))
        self._named = name
        self._below: _Below | None = None

    @property
    def place(self) -> str:
        return os.path.join(self.name, "")

    def check(self) -> None:
        if not os.path.lexists(self.name):
            raise UsageError(f"{self._named}: there is no such file or folder")

    def find(self, walk: Walk) -> Iterator[Found]:
        walk.asks(self.name)
        if os.path.isdir(self.name):
            self._below = _Below(self.name, walk)
            yield from self._below.files()
        else:
            file = file_at(self.name)
            yield msgspec.structs.replace(file, whole=file.trouble is not None)

    def rest(self, walk: Walk) -> Iterator[Found] | None:  # noqa: ARG002 - it is the same walk
        return None if self._below is None else self._below.rest()

    @staticmethod
    def near(file: Found) -> Fetched | None:
        return Fetched(file.path, file.size, file.mtime)

    @staticmethod
    def fetch(file: Found, buffer: bytearray | None, reads: Reads) -> Fetched:
        """Do as `Root.fetch`; what is larger than the buffer by now is read through a window."""
        return _fetched(file, buffer, reads)


class LargeFilesApart(FolderRoot):
    """The same for a worker that cannot be ended: threads read the large files, in blocks."""

    @staticmethod
    def near(file: Found) -> Fetched | None:
        return FolderRoot.near(file) if file.size <= SNAPSHOT else None


class ToBeReplaced(LargeFilesApart):
    """The same for files that will be replaced: every change from the reading on is noticed."""

    can_be_opened = False

    @staticmethod
    def fetch(file: Found, buffer: bytearray | None, reads: Reads) -> Fetched:
        """Do as `Root.fetch`."""
        return _fetched(file, buffer, reads, settled=True)


def _fetched(file: Found, buffer: bytearray | None, reads: Reads, settled: bool = False) -> Fetched:
    path, size, mtime = file.path, file.size, file.mtime
    try:
        source, opened = _content(path, buffer, reads, settled)
        if len(source) != size:  # it was written to since it was listed
            status = os.stat(path)
            size, mtime = status.st_size, status.st_mtime_ns
    except SourceError as error:
        return Fetched(SourceError(str(error).removeprefix(f"{path}: "), error.code))
    except OSError as error:
        return Fetched(SourceError(*reversed(_trouble(error))))
    return Fetched(source, size, mtime, opened)


def _content(
    path: str, buffer: bytearray | None, reads: Reads, settled: bool
) -> tuple[memoryview | Window, os.stat_result | None]:
    name = name_of(path)
    if buffer is not None and quick_file and not settled:
        size = quick_file.snapshot(name, buffer, len(buffer))
        if size >= 0:
            return memoryview(buffer)[:size], None
    descriptor, status = open_regular(name)
    try:
        if settled:
            settle(descriptor, status, name)
        if buffer is not None and status.st_size <= len(buffer):
            return snapshot(descriptor, status, buffer, name), status
        opened, descriptor = descriptor, -1
        return reads.window(opened), status
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def file_at(path: str) -> Found:
    """Return the file at a path, or the reason why it cannot be had."""
    try:
        status = os.stat(path)
    except OSError as error:
        return Found(path, trouble=_trouble(error))
    except ValueError as error:  # a NUL
        return Found(path, trouble=("not_found", str(error)))
    return Found(path, status.st_size, status.st_mtime_ns)


def _trouble(error: OSError) -> tuple[str, str]:
    codes = {FileNotFoundError: "not_found", PermissionError: "permission"}
    return codes.get(type(error), "unreadable"), error.strerror or str(error)


class _Below:
    """The files below a folder, of which some may have been found by a thread that hangs now."""

    def __init__(self, root: str, how: Walk) -> None:
        self._root, self._passed = root, how.passed
        self._walk = FolderWalk(root, how.follow, self._not_entered, self._left_out, how.asks)
        self._empty = True

    def _not_entered(self, path: str) -> None:
        self._passed.add(LINK_TO_FOLDER, path)

    def _left_out(self, entry: os.DirEntry[str]) -> bool:
        """Return whether it is a temporary file, which is being written or was left by a crash."""
        if not is_temporary(entry.name):
            return False
        self._passed.add(TEMPORARY, entry.path)
        return True

    def rest(self) -> Iterator[Found]:
        """Return the files that are still to be found, when a thread that finds them hangs."""
        self._walk = self._walk.rest()
        return self.files()

    def files(self) -> Iterator[Found]:
        """Yield the files that are still to be found."""
        for entry in self._walk.entries():
            if isinstance(entry, Unreadable):
                found = _unreadable(entry, self._root)
            else:
                self._empty = False
                found = _file_of(entry)
            if found is not None:
                self._empty = False
                yield found
        if self._empty:
            yield Found(self._root, trouble=(EMPTY_FOLDER, EMPTY[EMPTY_FOLDER]), whole=True)


def _unreadable(folder: Unreadable, root: str) -> Found | None:
    """Return the entry for an unreadable folder; None if it was removed since it was listed."""
    if not isinstance(folder.error, FileNotFoundError):
        return Found(folder.path, trouble=_trouble(folder.error), whole=True)
    if folder.path != root:
        return None
    return Found(root, trouble=("not_found", "the folder has vanished"), whole=True)


def _file_of(entry: os.DirEntry[str]) -> Found | None:
    """Return the file; None if it has vanished since its folder was listed."""
    if quick_file:
        found = quick_file.status(entry.path)
        if found:
            size, mtime = found
            return Found(entry.path, size, mtime)
    try:
        status = entry.stat()
    except FileNotFoundError:
        if not entry.is_symlink():
            return None
        return Found(entry.path, trouble=("not_found", "a link to nothing"))
    except OSError as error:
        return Found(entry.path, trouble=_trouble(error))
    return Found(entry.path, status.st_size, status.st_mtime_ns)

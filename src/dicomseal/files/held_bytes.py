"""All bytes of a source, read once and held: what was verified is what another reader parses.

How long they are held, and how often:

* A small file is one `bytes`, and what a reader takes out of it are copies.
* Of a large one, which need not stay, the reader's copies would be a second one of all of it. So it
  is held in pages of its own, and a page is given back to the system as soon as it was copied out
  in a large piece (where the system can do that: Linux and macOS; elsewhere it is held twice until
  it was parsed).
"""

from __future__ import annotations

import io
import mmap
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import SourceError
from .reader import SNAPSHOT, name_of, open_regular
from .source import read_all
from .window import changed, os_error, read_into, state_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE = 2 << 20  # bytes that are copied out at once, and the least that are given back
_BLOCK = 1 << 16  # what is read ahead for small pieces


class HeldBytes:
    """The bytes of a source, which nobody else can change.

    Attributes:
        path: of the file that they were read from; empty if they came otherwise.
        modified: when that file was last written to, as `os.stat_result.st_mtime`; None if there
            is none.
    """

    def __init__(
        self, data: bytes | mmap.mmap, path: str = "", modified: float | None = None
    ) -> None:
        self._data: bytes | mmap.mmap | None = data
        self.path, self.modified = path, modified

    @property
    def view(self) -> memoryview:
        """The bytes, not copied."""
        return memoryview(self._held())

    def open(self) -> io.BytesIO | io.BufferedReader:
        """Return the bytes as a binary file. A large one is passed on with it, and held no more.

        It has no name: a reader would ask the system about the file of that name.
        """
        data = self._held()
        if isinstance(data, bytes):
            return io.BytesIO(data)  # shares them
        self._data = None
        return io.BufferedReader(_Emptied(data), _BLOCK)

    def _held(self) -> bytes | mmap.mmap:
        if self._data is None:
            raise SourceError("the bytes were given away to the one reader they were held for")
        return self._data


def hold(source: Any, *, stays: bool) -> HeldBytes:
    """Read all of a path, a bytes-like object or a binary file.

    Args:
        source: what to read. A binary file is read from where it is on.
        stays: whether the bytes are to be read several times, or kept.

    Raises:
        SourceError: it cannot be read, is nothing of these, or changed while it was read.
    """
    if isinstance(source, (str, os.PathLike)):
        return _of_path(name_of(source), stays)
    if isinstance(source, io.BufferedReader) and isinstance(source.raw, io.FileIO):
        return _of_open_file(source, stays)
    if isinstance(source, bytes):
        return HeldBytes(source)
    data = read_all(source)
    if isinstance(data, bytes):
        return HeldBytes(data, _name_of_file(source))
    view = memoryview(data).cast("B")
    if len(view) <= SNAPSHOT or stays:
        return HeldBytes(bytes(view), _name_of_file(source))
    pages = _pages(len(view))
    pages[:] = view
    return HeldBytes(pages, _name_of_file(source))


def _name_of_file(source: Any) -> str:
    """Return what a file object says it is called, if it does."""
    name = getattr(source, "name", None) if hasattr(source, "read") else None
    return name if isinstance(name, str) else ""


def _of_path(name: str, stays: bool) -> HeldBytes:
    descriptor = -1
    try:
        descriptor, status = open_regular(name)
        size = status.st_size
        if size <= SNAPSHOT or stays:
            with io.FileIO(descriptor, closefd=False) as file:
                data: bytes | mmap.mmap = file.readall()
        else:
            data = _pages(size)
            _fill(data, lambda target, at: read_into(descriptor, target, at), name)
        if len(data) != size or state_of(os.fstat(descriptor)) != state_of(status):
            raise changed(name)
    except OSError as error:
        raise os_error(name, error) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return HeldBytes(data, name, status.st_mtime)


def _of_open_file(source: io.BufferedReader, stays: bool) -> HeldBytes:
    """Hold the rest of a file that the caller has opened, from its position on."""
    name = _name_of_file(source)
    try:
        status = os.fstat(source.fileno())
        size = status.st_size - source.tell()
        if size <= SNAPSHOT or stays:
            data: bytes | mmap.mmap = source.read()
        else:
            data = _pages(size)
            _fill(data, lambda target, _: source.readinto(target), name)
    except (OSError, ValueError) as error:  # the latter: it was closed
        raise SourceError(f"the file object cannot be read: {error}") from error
    return HeldBytes(data, name, status.st_mtime if name else None)


def _fill(pages: mmap.mmap, read: Any, name: str) -> None:
    """Fill pages by a function that takes where to read to and from where on."""
    with memoryview(pages) as view:
        done = 0
        while done < len(view):
            n = read(view[done:], done)
            if not n:
                raise changed(name)
            done += n


def _pages(size: int) -> mmap.mmap:
    """Return memory whose pages can be released one by one."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(
            OSError
        ):  # a kernel without huge pages, which are filled in a third of the time
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


class _Emptied(io.RawIOBase):
    """Pages as a file that is read once: behind a large piece they are given back.

    A page that was given back would read as zeros, so whatever was in it is an error from then on.
    """

    name = ""  # pydicom wants one; see `HeldBytes.open`

    def __init__(self, pages: mmap.mmap) -> None:
        super().__init__()
        self._pages, self._at = pages, 0
        self._gone: list[tuple[int, int]] = []

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_CUR: self._at, os.SEEK_END: len(self._pages)}.get(whence, 0)
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, target: Buffer) -> int:
        with memoryview(target).cast("B") as to:
            size = max(min(len(to), _PIECE, len(self._pages) - self._at), 0)
            start, end = self._at, self._at + size
            if any(first < end and start < last for first, last in self._gone):
                raise SourceError("bytes that were read and given back are asked for once more")
            with memoryview(self._pages) as pages:
                to[:size] = pages[start:end]
            self._at = end
            if len(to) >= _PIECE:
                self._give_back(start, end)
        return size

    def _give_back(self, start: int, end: int) -> None:
        """Free whole pages of what was copied; the edges stay until all is freed."""
        first, last = (
            -(-start // mmap.PAGESIZE) * mmap.PAGESIZE,
            end // mmap.PAGESIZE * mmap.PAGESIZE,
        )
        if first >= last or not hasattr(self._pages, "madvise"):
            return
        self._pages.madvise(mmap.MADV_DONTNEED, first, last - first)
        if self._gone and self._gone[-1][1] == first:
            first = self._gone.pop()[0]
        self._gone.append((first, last))

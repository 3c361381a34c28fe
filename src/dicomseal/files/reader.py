"""Opening a file: small ones into a buffer, large ones through a window.

How a file is read, and why:

* Up to `SNAPSHOT` bytes it is read completely into a buffer that the next file reuses. Index and
  hash then see the same bytes, whatever happens to the file afterwards. A file that changes while
  it is copied into the buffer is an error: the buffer must not hold half of each version.
* A larger file is read through a `Window`, a piece at a time, so memory stays flat. The file is
  looked at again when the work is done (`Window.check`): one that was changed, truncated or
  replaced in between is an error, never a verdict.
* A caller that writes a changed copy looks once more (`Part10.check_origin`), at the path this
  time: the file that is replaced must be the one that was read.
* Nothing is mapped: a mapped file that shrinks or fails to read ends the process with SIGBUS.

In: a path.
Out: a `Part10` over a buffer or over a window.
PS3: PS3.10 Section 7.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from ..encoding.limits import Limits
from ..errors import SourceError
from .part10 import Part10
from .quick_file import quick_file
from .window import Origin, Window, changed, os_error, read_into, settle

SNAPSHOT = 8 << 20
_O_FLAGS = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"):  # the last: a FIFO must not block
    _O_FLAGS |= getattr(os, _flag, 0)


class Reader:
    """Opens files one after the other, small ones into one buffer that it keeps.

    A `Part10` from a path is valid until the next `open` of the same reader. One reader per thread.

    Args:
        size: of the buffer at first, in bytes; it grows.
    """

    def __init__(self, size: int = 1 << 20) -> None:
        self._buffer = bytearray(size)

    def open(
        self,
        path: str | os.PathLike[str],
        limits: Limits | None = None,
        *,
        settled: bool = False,
        named: str = "",
    ) -> Part10:
        """Read the file at ``path``.

        Args:
            path: the file.
            limits: what it may cost.
            settled: a file that was written to in the last milliseconds is read a moment later, so
                that every change from then on shows in its times, for `Part10.check_origin`. It is
                for callers that will replace the file.
            named: the Transfer Syntax UID of a data set without File Meta Information.

        Raises:
            SourceError: it cannot be read, or changed while it was read.
            MalformedError: it is not DICOM.
        """
        name = name_of(path)
        if quick_file and not settled:
            size = quick_file.snapshot(name, self._buffer, SNAPSHOT)
            if size >= 0:
                return Part10(memoryview(self._buffer)[:size], size, limits, named)
        descriptor = -1
        try:
            descriptor, status = open_regular(name)
            if settled:
                settle(descriptor, status, name)
            size = status.st_size
            if size > SNAPSHOT:
                source: Any = Window(descriptor, name)
                descriptor = -1
            else:
                if size > len(self._buffer):
                    self._buffer = bytearray(size + (size >> 2))
                source = snapshot(descriptor, status, self._buffer, name)
        except OSError as error:
            raise os_error(name, error) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        part10 = Part10(source, size, limits, named)
        part10.origin = Origin(name, status)
        return part10


def snapshot(descriptor: int, status: os.stat_result, buffer: bytearray, name: str) -> memoryview:
    """Read a file completely into a buffer that holds it; return the part that it fills.

    Args:
        descriptor, status: of the open file.
        buffer: as large as the file, or larger.
        name: its path, for messages.

    Raises:
        SourceError: it was changed while it was read.
        OSError: it cannot be read.
    """
    target = memoryview(buffer)[: status.st_size]
    done = 0
    while done < len(target):
        n = read_into(descriptor, target[done:], done)
        if not n:
            break  # it has become shorter
        done += n
    now = os.fstat(descriptor)
    if (
        done < len(target)
        or now.st_ctime_ns != status.st_ctime_ns
        or now.st_mtime_ns != status.st_mtime_ns
    ):
        raise changed(name)
    return target


def name_of(path: str | os.PathLike[str]) -> str:
    """Return a path as text.

    Raises:
        SourceError: it is not a path, or not one that this machine can have.
    """
    try:
        name = path if type(path) is str else os.fsdecode(path)
        if not name.isascii():
            os.fsencode(name)
    except TypeError:
        raise SourceError(f"a {type(path).__name__} is not a path") from None
    except UnicodeError:
        raise SourceError(f"{path!r} is not a path here", "not_found") from None
    return name


def open_regular(name: str) -> tuple[int, os.stat_result]:
    """Open a regular file; its descriptor, which the caller closes, and its status.

    Raises:
        SourceError: it is something else, or the name holds a NUL.
        OSError: it cannot be opened.
    """
    if "\0" in name:
        raise SourceError(f"{name!r}: a path cannot contain a NUL", "not_found")
    descriptor = os.open(name, _O_FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{name}: not a regular file", "unreadable")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status

"""An object that arrives in pieces: a small one in memory, a large one in a file without a name."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import BinaryIO

from ..errors import SourceError
from ..files.window import Window

MAX_OBJECT = 4 << 30  # bytes of one object


class Spool:
    """The bytes of one object.

    Args:
        in_memory: up to this number of bytes are kept in memory. A larger object goes into a file
            without a name in the folder for temporary files (``TMPDIR``), which disappears with the
            process.
        largest: the maximum number of bytes.
    """

    def __init__(self, in_memory: int, largest: int = MAX_OBJECT) -> None:
        self._in_memory, self._largest = in_memory, largest
        self._data = bytearray()
        self._file: BinaryIO | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append some bytes.

        Raises:
            SourceError: it becomes too large (code ``limit``), or there is no room for it
                (``no_space``).
        """
        self.size += len(data)
        if self.size > self._largest:
            self.close()
            raise SourceError(f"the object has more than {self._largest} bytes", "limit")
        try:
            if self._file is None and self.size > self._in_memory:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is closed by `close`
                _write(self._file, self._data)
                self._data = bytearray()
            if self._file is None:
                self._data += data
            else:
                _write(self._file, data)
        except OSError as error:
            self.close()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise SourceError(
                f"an object of {self.size} bytes and more has no room in the folder for temporary "
                f"files (TMPDIR): {error.strerror or error}",
                "no_space" if full else "unreadable",
            ) from None

    def source(self) -> memoryview | Window:
        """Return what was written, for the verification; the spool is empty afterwards."""
        if self._file is None:
            data, self._data = self._data, bytearray()
            return memoryview(data)
        window = Window(os.dup(self._file.fileno()), "the object")
        self.close()
        return window

    def close(self) -> None:
        """Forget what was written."""
        self._data = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None


def _write(file: BinaryIO, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]

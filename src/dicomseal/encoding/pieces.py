"""An encoded data set that is not in one piece: large values stay where they are.

In: bytes-like objects and parts of binary streams, in their order. Out: a `encoding.record.Source`,
which an index reads through its window.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from ..errors import SourceError
from ..standard.tags import format_tag

_WORDS = {2: "H", 4: "I", 8: "Q"}  # of `array`, by their size


class Stretch:
    """What lies in a binary stream from its position on, or some of it; the position is kept.

    Args:
        stream: seekable, as pydicom takes for a buffered value.
        length: how many bytes; None is up to the end.
        tag: of the element whose value they are, for error messages.

    Raises:
        SourceError: the stream cannot be asked.
    """

    def __init__(self, stream: Any, length: int | None = None, tag: int = 0) -> None:
        self.stream, self._tag = stream, tag
        try:
            self._begin: int = stream.tell()
            if length is None:
                length = stream.seek(0, 2) - self._begin
                stream.seek(self._begin)
        except Exception as error:  # whatever its own code raises
            raise self._unreadable(error) from error
        self._length = max(length, 0)

    def _unreadable(self, error: object) -> SourceError:
        value = (
            f"the buffered value of {format_tag(self._tag)}" if self._tag else "a buffered value"
        )
        return SourceError(f"{value} cannot be read: {error}")

    def __len__(self) -> int:
        return self._length

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; a `SourceError` if there are fewer."""
        target = bytearray(length)
        self.readinto(offset, memoryview(target))
        return bytes(target)

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``; errors as `read`."""
        stream, done = self.stream, 0
        try:
            before = stream.tell()
            try:
                stream.seek(self._begin + offset)
                while done < len(target):
                    piece = stream.read(len(target) - done)
                    if not piece:
                        raise EOFError("it became shorter")
                    target[done : done + len(piece)] = piece
                    done += len(piece)
            finally:
                stream.seek(before)
        except Exception as error:  # whatever its own code raises
            raise self._unreadable(error) from error


class Swapped:
    """Words in the other order of bytes, which are swapped when they are read (PS3.5 Section 7.3).

    Args:
        value: bytes-like, or a `Stretch`.
        width: the size of the words; an incomplete one at the end stays as it is.
    """

    def __init__(self, value: Any, width: int) -> None:
        self._value: Any = value if isinstance(value, Stretch) else memoryview(value).cast("B")
        self._width = width

    def __len__(self) -> int:
        return len(self._value)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; errors as of the value."""
        target = bytearray(length)
        self.readinto(offset, memoryview(target))
        return bytes(target)

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``; errors as `read`."""
        value, width = self._value, self._width
        begin = offset - offset % width
        end = min(-(-(offset + len(target)) // width) * width, len(value))
        read = isinstance(value, Stretch)
        words = value.read(begin, end - begin) if read else bytes(value[begin:end])
        whole = len(words) - len(words) % width
        swapped = array(_WORDS[width], words[:whole])
        swapped.byteswap()
        whole_value = swapped.tobytes() + words[whole:]
        target[:] = whole_value[offset - begin : offset - begin + len(target)]


class Pieces:
    """Bytes-like objects, stretches of streams and swapped words as one source, in their order."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self._pieces: list[Any] = []
        self._starts: list[int] = []
        self._length = 0
        for piece in pieces:
            if length := len(piece):
                self._pieces.append(piece)
                self._starts.append(self._length)
                self._length += length

    def __len__(self) -> int:
        return self._length

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; a `SourceError` if there are fewer."""
        target = bytearray(length)
        self.readinto(offset, memoryview(target))
        return bytes(target)

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``; errors as `read`."""
        if offset + len(target) > self._length:
            raise SourceError(f"bytes up to {offset + len(target)} of a source of {self._length}")
        number, done = bisect_right(self._starts, offset) - 1, 0
        while done < len(target):
            piece = self._pieces[number]
            begin = offset + done - self._starts[number]
            some = min(len(piece) - begin, len(target) - done)
            if isinstance(piece, (Stretch, Swapped)):
                piece.readinto(begin, target[done : done + some])
            else:
                target[done : done + some] = memoryview(piece)[begin : begin + some]
            done += some
            number += 1

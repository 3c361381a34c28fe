"""Inflate a deflated data set into exactly as much memory as it needs.

In: the bytes of a deflated data set, and a limit.
Out: the inflated bytes, and the bytes that follow the stream.
PS3: PS3.5 Annex A.5.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import MalformedError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_AT_ONCE = 4 << 20  # up to this size pieces are kept and joined, which takes twice the memory
# zlib copies the rest of a piece that it does not consume, so the pieces are small
_IN, _OUT = 1 << 16, 1 << 20
_MAX_BEHIND = 1 << 16  # bytes after the stream; the standard allows one NUL
NO_PADDING = "bytes that are not padding follow the deflated data set"


def inflate(packed: bytes, limit: int) -> tuple[Buffer, bytes]:
    """Inflate a raw deflate stream (RFC 1951); return its content and the bytes after its end.

    A large stream is inflated twice, and only counted at first. So a stream beyond the limit takes
    no memory, and another one gets a buffer of exactly its size that need not grow.

    Args:
        packed: the stream, and what follows it.
        limit: bytes that may come out.

    Raises:
        MalformedError: it is not such a stream, is cut short, holds more than the limit, or too
            many bytes follow it.
    """
    kept: list[bytes] = []
    size = 0
    stream = _Stream(packed)
    for piece in stream:
        size += len(piece)
        if size > limit:
            raise MalformedError(f"the data set inflates to more than {limit} bytes", "limit")
        if size <= _AT_ONCE:
            kept.append(piece)
        else:
            kept.clear()
    if size <= _AT_ONCE:
        return b"".join(kept), stream.behind
    target = memoryview(bytearray(size))
    at = 0
    for piece in _Stream(packed):
        target[at : at + len(piece)] = piece
        at += len(piece)
    return target, stream.behind


class _Stream:
    """A deflate stream that is inflated piece by piece.

    Attributes:
        behind: the bytes that follow it, known when all has come out.
    """

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self.behind = b""

    def __iter__(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        for start in range(0, len(self._packed), _IN):
            rest = self._packed[start : start + _IN]
            full = True  # then zlib may have more output, though it has consumed all input
            while (rest or full) and not inflater.eof:
                try:
                    piece = inflater.decompress(rest, _OUT)
                except zlib.error as error:
                    raise MalformedError(
                        f"the deflated data set cannot be inflated: {error}"
                    ) from None
                yield piece
                rest, full = inflater.unconsumed_tail, len(piece) == _OUT
            if inflater.eof:
                end = min(start + _IN, len(self._packed)) - len(inflater.unused_data)
                if len(self._packed) - end > _MAX_BEHIND:
                    raise MalformedError(NO_PADDING)
                self.behind = self._packed[end:]
                return
        raise MalformedError("the deflated data set is cut short", "truncated")

"""Inflation of a deflated data set (PS3.5 Annex A.5) into as much memory as comes out, no more."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import MalformedError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_AT_ONCE = 4 << 20  # up to so many bytes pieces are kept and joined, which takes twice as many
_IN, _OUT = 1 << 16, 1 << 20  # zlib copies what it does not consume of a piece: so it is small
_MOST_BEHIND = 1 << 16  # bytes; a NUL may be
NO_PADDING = "bytes that are no padding follow the deflated data set"


def inflate(packed: bytes, limit: int) -> tuple[Buffer, bytes]:
    """What a raw deflate stream (RFC 1951) holds, and the bytes behind its end.

    A large one is inflated twice, and only counted at first. So one that goes beyond the limit
    takes no memory, and another takes the buffer that it fits and none to grow out of.

    Args:
        packed: the stream, and what follows it.
        limit: bytes that may come out.

    Raises:
        MalformedError: it is no such stream, is cut short, holds more than the limit, or very much
            follows it.
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
    """A deflate stream, inflated a piece at a time.

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
            full = True  # then zlib may have more, though it has consumed all
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
                if len(self._packed) - end > _MOST_BEHIND:
                    raise MalformedError(NO_PADDING)
                self.behind = self._packed[end:]
                return
        raise MalformedError("the deflated data set is cut short", "truncated")

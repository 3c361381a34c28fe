"""The canonical byte stream, written to be read; the compiled twin is fast.

In: elements of a data set: tag, VR, value, and the byte order of the value.
Out: bytes in explicit VR little endian, to the method ``update`` of a hasher.
PS3: PS3.3 C.12.1.1.3.1.1, PS3.5 Section 7.

The stream differs from a file in three ways: sequences and encapsulated values have no length,
items have neither a length nor a delimiter, and every sequence ends with a Sequence Delimitation
tag that has no length either.
"""

from __future__ import annotations

import struct
from typing import Any

from ..errors import EncodingError
from ..standard import terms
from .record import Update

_ITEM = bytes.fromhex("FEFF00E0")
_SEQUENCE_DELIMITATION = bytes.fromhex("FEFFDDE0")


def swap(value: bytes, vr: str) -> bytes:
    """Convert a value from big endian to little endian, by VR (PS3.5 Section 7.3)."""
    width = terms.SWAP_WIDTH.get(vr)
    if width is None:
        return value
    whole = len(value) - len(value) % width
    words = bytearray(whole)
    for k in range(width):
        words[k::width] = value[width - 1 - k : whole : width]
    return bytes(words) + value[whole:]


def padding(vr: str) -> bytes:
    """Return the byte that makes an odd value even (PS3.5 Section 6.2)."""
    return b" " if vr in terms.SPACE_PADDED else b"\0"


class Encoder:
    """Writes canonical bytes to ``update``, the method of a hasher."""

    def __init__(self, update: Update) -> None:
        self._update = update

    def header(self, tag: int, vr: str, length: int) -> None:
        """Write tag, VR, the two reserved bytes if the VR has them, and length."""
        if vr in terms.LONG_VRS:
            self._update(struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), length))
        elif length <= 0xFFFF:
            self._update(struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length))
        else:
            raise EncodingError(
                f"({tag >> 16:04X},{tag & 0xFFFF:04X}) has {length} bytes, "
                f"too many for the VR {vr} in explicit VR"
            )

    def element(self, tag: int, vr: str, value: bytes, big_endian: bool = False) -> None:
        """Write a plain element: its header, and its value made even."""
        pad = padding(vr) if len(value) % 2 else b""
        self.header(tag, vr, len(value) + len(pad))
        self._update(swap(value, vr) if big_endian else value)
        self._update(pad)

    def data(self, value: Any) -> None:
        """Write a piece of a value whose header has been written."""
        self._update(value)

    def open(self, tag: int, vr: str) -> None:
        """Write the start of a sequence, or of an encapsulated value, without a length."""
        self._update(struct.pack("<HH2s2x", tag >> 16, tag & 0xFFFF, vr.encode()))

    def item(self) -> None:
        """Write the start of an item or of a fragment: the tag alone."""
        self._update(_ITEM)

    def fragment(self, value: bytes) -> None:
        """Write a fragment of an encapsulated value, made even, also without a length."""
        self.item()
        self._update(value)
        self._update(b"\0" * (len(value) % 2))

    def close(self) -> None:
        """Write the end of a sequence, or of an encapsulated value."""
        self._update(_SEQUENCE_DELIMITATION)

    def flush(self) -> None:
        """Do nothing: this twin writes at once, and the compiled one collects small pieces."""

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
from collections.abc import Callable, Collection, Iterable
from typing import Any

from ..errors import EncodingError
from ..standard import terms
from ..standard.tags import is_signable_tag

_PLAIN_LONG_VRS = terms.LONG_VRS - {"SQ", "UN"}
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


def _is_plain(element: Any) -> bool:
    """Return whether a raw element can be written as it is: known VR, complete value."""
    tag, vr, length, value = element[:4]
    size = len(value or b"")
    return (
        ((vr in terms.SHORT_VRS and size <= 0xFFFE) or vr in _PLAIN_LONG_VRS)
        and length != terms.UNDEFINED_LENGTH
        and tag != terms.PIXEL_DATA
        and (value is not None or length == 0)
    )


def _indexed(element: Any, index: Callable[[bytes, bool, bool], Any]) -> Any:
    """Return the index of a sequence that was not read into items; None for anything else."""
    if element[1] != "SQ" or type(element[3]) is not bytes:
        return None
    return index(element[3], element[5], not element[6])


class Encoder:
    """Writes canonical bytes to ``update``, the method of a hasher."""

    def __init__(self, update: Callable[[Any], object]) -> None:
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

    def raw_elements(
        self,
        elements: Iterable[tuple[int, Any]],
        raw: type[tuple[Any, ...]],
        wanted: Collection[int] | None,
        other: Callable[[int], bool],
        index: Callable[[bytes, bool, bool], Any],
    ) -> tuple[int, int]:
        """Write those elements of a data set in memory that were read and not yet decoded.

        Args:
            elements: pairs of tag and element, mostly ascending.
            raw: the type of an element that was not decoded: a tuple of tag, VR, length, value,
                offset, implicit VR, little endian, ...
            wanted: the tags to be signed; None means all.
            other: is called, in its turn, with the tag of an element that is not that simple, and
                returns whether it wrote one.
            index: makes an index of a sequence's bytes, given whether they are implicit VR and big
                endian; if it returns None, the element is left to ``other``.

        Returns:
            How many were written, and how many were not though their tag could be signed.
        """
        signed = unsigned = 0
        for tag, element in sorted(elements, key=lambda pair: int(pair[0])):
            if not is_signable_tag(tag):
                continue
            if wanted is not None and tag not in wanted:
                unsigned += 1
                continue
            if isinstance(element, raw) and _is_plain(element):
                self.element(tag, element[1], element[3] or b"", not element[6])
                signed += 1
            elif isinstance(element, raw) and (sequence := _indexed(element, index)) is not None:
                self.open(tag, "SQ")
                sequence.stream_items(self)
                self.close()
                signed += 1
            elif other(tag):
                signed += 1
            else:
                unsigned += 1
        return signed, unsigned

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

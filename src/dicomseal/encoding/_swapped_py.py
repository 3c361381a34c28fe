"""A sequence of big endian, in little endian, written to be read (PS3.5 Section 7.3).

In: the items of a sequence in explicit VR big endian. Out: the same in little endian.
"""

from __future__ import annotations

from ..standard import terms
from ._encoder_py import swap

_LONG = frozenset(name.encode() for name in terms.LONG_VRS)
_KNOWN = _LONG | {name.encode() for name in terms.SHORT_VRS}
_WORDS, _WORDS_AND_LENGTH = (2, 2), (2, 2, 4)


def little_endian(value: bytes) -> bytes | None:
    """Return the items of a sequence in little endian.

    No length changes, so the borders of items need no attention: headers and values follow one
    another. None is for what is not read so: encapsulated values, UN of undefined length, VRs
    that are not known, and what is cut short.

    Args:
        value: the sequence's value.
    """
    swapped, at = bytearray(), 0
    while at < len(value):
        if len(value) - at < 8:
            return None
        if value[at : at + 2] == b"\xff\xfe":
            swapped += _each(value[at : at + 8], _WORDS_AND_LENGTH)
            at += 8
            continue
        vr = value[at + 4 : at + 6]
        if vr not in _KNOWN:
            return None
        head, of_length = (12, 4) if vr in _LONG else (8, 2)
        if len(value) - at < head:
            return None
        length_at = at + head - of_length
        swapped += _each(value[at : at + 4], _WORDS) + value[at + 4 : length_at]
        swapped += value[length_at : at + head][::-1]
        length = int.from_bytes(value[length_at : at + head], "big")
        at += head
        if vr == b"SQ":
            continue  # its items follow
        if length > len(value) - at:
            return None
        swapped += swap(value[at : at + length], vr.decode())
        at += length
    return bytes(swapped)


def _each(value: bytes, sizes: tuple[int, ...]) -> bytes:
    """Return numbers of these sizes in the other order of bytes."""
    swapped, at = b"", 0
    for size in sizes:
        swapped += value[at : at + size][::-1]
        at += size
    return swapped

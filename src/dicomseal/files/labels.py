"""Detect a data set that is in another encoding than the stated one.

In: the first bytes of a data set, and its stated transfer syntax.
Out: the encoding that the bytes show, or an empty string.
PS3: PS3.5 Section 7.1 and Annex A.

Some readers trust the label, some the first element, and some the label until it fails. The bytes
are examined where a data set cannot be read as its label says, or only seems to be readable.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from ..standard import terms, transfer_syntaxes
from ..standard.dictionary import AMBIGUOUS, UNKNOWN, dictionary

Read = Callable[[int, int], Any]  # returns bytes, given an offset and a length

EXPLICIT, IMPLICIT, BIG = "explicit VR", "implicit VR", "explicit VR big endian"
DEFLATED = "deflated explicit VR"
_VRS = frozenset(vr.encode() for vr in terms.LONG_VRS | terms.SHORT_VRS)
_GROUP = 0x0008  # the first group of most data sets
_SWAPPED = 0x0800  # the same with swapped bytes, which is not the first group of any
_DIRECTORY, _DIRECTORY_SWAPPED = 0x0004, 0x0400  # the same for a DICOMDIR
_HEAD = 12
# bytes that are inflated, and of the output those that are examined
_PACKED, _INFLATED = 1 << 12, 64


def stated(transfer_syntax: str) -> str:
    """Return the encoding of a transfer syntax."""
    if transfer_syntax in transfer_syntaxes.DEFLATED:
        return DEFLATED
    if transfer_syntax == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN:
        return BIG
    return IMPLICIT if transfer_syntax == transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN else EXPLICIT


def shown(read: Read, start: int, size: int) -> str:
    """Return the encoding that the first element shows; empty if it shows none.

    Args:
        read, size: the bytes of the file.
        start: where the data set begins.
    """
    found = _shown(bytes(read(start, min(_HEAD, size - start))), size - start)
    if found:
        return found
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        head = inflater.decompress(bytes(read(start, min(_PACKED, size - start))), _INFLATED)
    except zlib.error:
        return ""
    return DEFLATED if _shown(head, len(head)) == EXPLICIT else ""


def _shown(head: bytes, size: int) -> str:
    """Return the encoding if the tag of the head is known and its form fits the tag."""
    if len(head) < 8:
        return ""
    for order, explicit, implicit in (("<", EXPLICIT, IMPLICIT), (">", BIG, "")):
        group, element = struct.unpack(order + "HH", head[:4])
        if group == _DIRECTORY_SWAPPED:
            continue
        if group != _DIRECTORY and not _GROUP <= group < _SWAPPED:
            continue
        if head[4:6] in _VRS:
            return explicit
        tag = group << 16 | element
        known = not group & 1 and (element == 0 or dictionary().public(tag) != UNKNOWN)
        (length,) = struct.unpack("<L", head[4:8])
        if implicit and known and (length <= size - 8 or length == terms.UNDEFINED_LENGTH):
            return implicit
    return ""


def belies(head: bytes, encoding: str) -> bool:
    """Return whether a first element cannot be right as it is read, though it can be read.

    Args:
        head: its first 6 bytes.
        encoding: in which it is read.
    """
    swapped = b"\x08\x00" if encoding == BIG else b"\x00\x08"
    if head[:2] == swapped:
        return True
    if encoding != IMPLICIT or head[4:6] not in _VRS:
        return False
    group, element = struct.unpack("<HH", head[:4])
    vr = dictionary().public(group << 16 | element)
    letters = head[4:6].decode("ascii")
    return group >= _GROUP and not group & 1 and letters in (vr, *AMBIGUOUS.get(vr, ()))

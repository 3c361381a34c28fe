"""Whether bytes that do not begin like a DICOM file are DICOM all the same.

PS3.10 wants DICM at byte 128. Readers want less: told to, or by themselves, they take the first
byte for that of an element, in the encoding that fits. What is so read is an object for them, and
must not be called none here, where nothing would be verified.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import MalformedError
from ..standard import terms
from ..standard.dictionary import UNKNOWN, dictionary

_ENOUGH = 3  # known elements in a row: text and other formats do not have them
_MOST_HEADERS = 64  # that are looked at, in each encoding
_MOST_ZEROS = 1 << 16  # bytes at the start; some readers take zeros for elements, too
_LONG = frozenset(vr.encode() for vr in terms.LONG_VRS)
_SHORT = frozenset(vr.encode() for vr in terms.SHORT_VRS)
_ITEMS = (0xFFFEE000, 0xFFFEE0DD)
Read = Callable[[int, int], Any]  # bytes from an offset, so many


def what_it_is(error: MalformedError, read: Read, size: int, has_meta: bool) -> MalformedError:
    """The error for what is not recognised: whether it is no DICOM, or DICOM that cannot be read.

    Args:
        error: why it is not recognised.
        read, size: the bytes of the file.
        has_meta: whether DICM, or File Meta Information, was found.
    """
    if has_meta:
        return MalformedError(
            "DICM stands at byte 128, and no data set follows it", "malformed", error.offset
        )
    if reads_as_elements(read, size):
        return MalformedError(
            "it reads as DICOM elements from its first byte, and no data set begins so: "
            "nothing says how it is encoded",
            "malformed", 0,
        )  # fmt: skip
    return error


def reads_as_elements(read: Read, size: int) -> bool:
    """Whether elements follow one another from the first byte, in some byte order and encoding."""
    start = _first(read, size)
    return any(
        _Walk(read, size, order, explicit).goes(start)
        for explicit in (True, False)
        for order in "<>"
    )


def _first(read: Read, size: int) -> int:
    """Where something else than elements (0000,0000) without a value begins."""
    head = bytes(read(0, min(size, _MOST_ZEROS)))
    return (len(head) - len(head.lstrip(b"\0"))) // 8 * 8


class _Walk:
    """From header to header in one encoding."""

    def __init__(self, read: Read, size: int, order: str, explicit: bool) -> None:
        self._read, self._size, self._order = read, size, order
        self._headers = self._explicit if explicit else self._implicit
        self._left = _MOST_HEADERS

    def goes(self, position: int, known: frozenset[int] = frozenset()) -> bool:
        """Whether elements begin here; ``known`` are the tags of those before."""
        if len(known) >= _ENOUGH:
            return True
        if position >= self._size:  # its end, or the middle of a value where it was cut
            return len(known) >= (1 if position == self._size else 2)
        self._left -= 1
        if self._left < 0 or self._size - position < 8:
            return False
        head = bytes(self._read(position, min(12, self._size - position)))
        for tag, begin, length, is_known in self._headers(head):
            found = known | {tag} if is_known else known
            behind = position + begin
            if length == terms.UNDEFINED_LENGTH:
                if is_known and self._is_item(behind):
                    return True
            elif self.goes(behind + length, found):
                return True
        return False

    def _is_item(self, position: int) -> bool:
        if self._size - position < 8:
            return False
        group, number = struct.unpack(self._order + "HH", bytes(self._read(position, 4)))
        return group << 16 | number in _ITEMS

    def _explicit(self, head: bytes) -> Iterator[tuple[int, int, int, bool]]:
        """Tag, bytes of the header, length, and whether its VR is one of the standard's.

        Of another VR readers take the length for one of two bytes, or of four.
        """
        group, element, vr, length = struct.unpack(self._order + "HH2sH", head[:8])
        tag = group << 16 | element
        odd = vr.isalpha() and vr.isupper() and vr not in _SHORT and vr not in _LONG
        if vr in _SHORT or odd:
            yield tag, 8, length, not odd
        if (vr in _LONG or odd) and len(head) == 12:
            yield tag, 12, struct.unpack(self._order + "L", head[8:12])[0], not odd

    def _implicit(self, head: bytes) -> Iterator[tuple[int, int, int, bool]]:
        """The same; without a VR only a tag that the standard knows, or a group length, counts."""
        group, element, length = struct.unpack(self._order + "HHL", head[:8])
        tag = group << 16 | element
        if element == 0:
            yield tag, 8, length, length == 4
        else:
            yield tag, 8, length, not group & 1 and dictionary().public(tag) != UNKNOWN

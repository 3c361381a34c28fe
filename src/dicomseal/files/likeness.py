"""Decide whether bytes that do not begin like a DICOM file are DICOM all the same.

In: the first bytes of a file that was not recognised.
Out: the error for it: not DICOM, or DICOM that cannot be read.
PS3: PS3.10 Section 7.1.

PS3.10 requires DICM at byte 128. Readers accept less: by an option or by themselves, they read
elements from the first byte on, in the encoding that fits. For these readers the bytes are an
object, so they must not be called "not DICOM" here, where nothing would be verified.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import MalformedError
from ..standard import terms
from ..standard.dictionary import UNKNOWN, dictionary

_ENOUGH = 3  # known elements in a row; text and other formats do not have as many
_MAX_HEADERS = 64  # headers that are examined in each encoding
_MAX_ZEROS = 1 << 16  # bytes at the start; some readers take zeros for elements, too
_LONG = frozenset(vr.encode() for vr in terms.LONG_VRS)
_SHORT = frozenset(vr.encode() for vr in terms.SHORT_VRS)
_ITEMS = (0xFFFEE000, 0xFFFEE0DD)
Read = Callable[[int, int], Any]  # returns bytes, given an offset and a length


def what_it_is(error: MalformedError, read: Read, size: int, has_meta: bool) -> MalformedError:
    """Return the error for a file that is not recognised: not DICOM, or unreadable DICOM.

    Args:
        error: why it is not recognised.
        read, size: the bytes of the file.
        has_meta: whether DICM, or File Meta Information, was found.
    """
    if has_meta:
        return MalformedError(
            "DICM is at byte 128, and no data set follows it", "malformed", error.offset
        )
    if reads_as_elements(read, size):
        return MalformedError(
            "it reads as DICOM elements from its first byte, and no data set begins so: "
            "nothing says how it is encoded",
            "malformed", 0,
        )  # fmt: skip
    return error


def reads_as_elements(read: Read, size: int) -> bool:
    """Return whether elements follow one another from the first byte, in any encoding."""
    start = _first(read, size)
    return any(
        _Walk(read, size, order, explicit).goes(start)
        for explicit in (True, False)
        for order in "<>"
    )


def _first(read: Read, size: int) -> int:
    """Return the offset after all elements (0000,0000) without a value at the start."""
    head = bytes(read(0, min(size, _MAX_ZEROS)))
    return (len(head) - len(head.lstrip(b"\0"))) // 8 * 8


class _Walk:
    """A walk from header to header in one encoding."""

    def __init__(self, read: Read, size: int, order: str, explicit: bool) -> None:
        self._read, self._size, self._order = read, size, order
        self._headers = self._explicit if explicit else self._implicit
        self._left = _MAX_HEADERS

    def goes(self, position: int, known: frozenset[int] = frozenset()) -> bool:
        """Return whether elements begin here; ``known`` are the tags of those before."""
        if len(known) >= _ENOUGH:
            return True
        if position >= self._size:  # its end, or the middle of a value where the file was cut
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
        """Yield tag, size of the header, length, and whether the VR is one of the standard's.

        For an unknown VR, readers disagree whether the length has two bytes or four; both are
        yielded.
        """
        group, element, vr, length = struct.unpack(self._order + "HH2sH", head[:8])
        tag = group << 16 | element
        odd = vr.isalpha() and vr.isupper() and vr not in _SHORT and vr not in _LONG
        if vr in _SHORT or odd:
            yield tag, 8, length, not odd
        if (vr in _LONG or odd) and len(head) == 12:
            yield tag, 12, struct.unpack(self._order + "L", head[8:12])[0], not odd

    def _implicit(self, head: bytes) -> Iterator[tuple[int, int, int, bool]]:
        """Yield the same; without a VR only a tag of the standard, or a group length, is known."""
        group, element, length = struct.unpack(self._order + "HHL", head[:8])
        tag = group << 16 | element
        if element == 0:
            yield tag, 8, length, length == 4
        else:
            yield tag, 8, length, not group & 1 and dictionary().public(tag) != UNKNOWN

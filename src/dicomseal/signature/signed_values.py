"""Signed values that depend on the character set or the time zone.

In: the index of an object, and the signed elements of its scopes.
Out: whether a signed text, date or time could be read differently.
PS3: PS3.3 C.12.1.1.2; PS3.5 Section 6.1.2.3.

Specific Character Set (0008,0005) and Timezone Offset From UTC (0008,0201) say how text, dates and
times are read. Anyone who can change them changes what is read, unless the signed values do not
depend on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..encoding import record as r
from ..encoding.backend import as_text

if TYPE_CHECKING:
    from ..encoding.backend import Index

_MAX_ELEMENTS = 1_000_000  # if there are more, one is assumed to depend on them
_MAX_TEXT = 1 << 20  # bytes; a longer text is assumed to contain other characters than ASCII's

# PS3.5 6.1.2.3: the VRs to which Specific Character Set applies
_TEXT = frozenset(("SH", "LO", "ST", "LT", "UC", "UT", "PN"))
_TIMES = frozenset(("DA", "TM", "DT"))
_CHARACTER_SET = 0x00080005
# PS3.3 C.12.1.1.2, the defined terms: all of them contain ASCII, except those of JIS X 0201
_NUMBERS = (6, 13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 203)
_TERMS = frozenset(
    ("", "GB18030", "GBK", "ISO_IR 192")
    + tuple(f"ISO_IR {number}" for number in _NUMBERS)
    + tuple(f"ISO 2022 IR {number}" for number in (*_NUMBERS, 58, 87, 149, 159))
)
_JIS_X_0201 = frozenset(("ISO_IR 13", "ISO 2022 IR 13"))
_ASCII = bytes(range(0x80))
_ESCAPE, _NOT_IN_JIS = b"\x1b", b"\\~"  # the latter are a yen sign and an overline there


class Scope(NamedTuple):
    """A data set or item, and its signed elements.

    Attributes:
        record: its number in the index.
        tags: of its signed elements.
    """

    record: int
    tags: Collection[int]


class Values:
    """The signed values of some scopes, read when they are needed.

    Args:
        index: the index of the object.
        scopes: the first one is the one whose character set and time zone may be changed.
    """

    def __init__(self, index: Index, scopes: Sequence[Scope]) -> None:
        self._index, self._scopes = index, scopes

    def text(self) -> bool:
        """Return whether a signed text reads differently in another character set.

        With the defined terms this is a text with an escape sequence, or with anything but ASCII.
        The effect of another term is not known: it may be EBCDIC.
        """
        sensitive = self._sensitive_to()
        for number, length in self._elements(_TEXT):
            if sensitive is None or length > _MAX_TEXT:
                return True
            value = self._index.value(number)
            if value.translate(None, _ASCII) or any(byte in value for byte in sensitive):
                return True
        return False

    def time(self) -> bool:
        """Return whether a date or a time is signed."""
        return any(True for _ in self._elements(_TIMES))

    def _sensitive_to(self) -> bytes | None:
        """Return the ASCII characters that depend on the character set; None if all may."""
        (stored,) = self._index.values(self._scopes[0].record, [_CHARACTER_SET])
        if stored is None:
            return None
        named = {term.strip() for term in as_text(stored).split("\\")}
        if named - _TERMS:
            return None
        return _ESCAPE + (_NOT_IN_JIS if named & _JIS_X_0201 else b"")

    def _elements(self, vrs: Collection[str]) -> Iterator[tuple[int, int]]:
        """Yield the signed elements with one of these VRs and a value, at any depth.

        Each is a record and a length. If there are too many elements, the last one is reported as
        too long a value. Items with a character set of their own do not depend on that of the
        scope.
        """
        index = self._index
        own_set = vrs is _TEXT
        left = _MAX_ELEMENTS
        for scope, tags in self._scopes:
            for child in index.children(scope):
                top = index.record(child)
                if top.tag not in tags:
                    continue
                number = child
                while number < top.next:
                    record = index.record(number)
                    left -= 1
                    if left < 0:
                        yield number, _MAX_TEXT + 1
                        return
                    if (
                        own_set
                        and record.kind == r.ITEM
                        and index.find(number, _CHARACTER_SET) >= 0
                    ):
                        number = record.next
                        continue
                    if record.vr in vrs and record.end > record.value:
                        yield number, record.end - record.value
                    number += 1

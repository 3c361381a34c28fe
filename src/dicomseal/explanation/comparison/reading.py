"""Whether two values that differ in their bytes read the same: padding and character sets."""

from __future__ import annotations

from ...encoding import values
from ...standard import terms
from ..diagnosis import character_set
from .copy import Copy

_TEXT = terms.SPACE_PADDED | {"UI"}
_IN_CHARACTER_SET = frozenset(("SH", "LO", "ST", "LT", "UC", "UT", "PN"))
_MAX_TEXT = 1 << 20  # bytes of a text that is compared


class Reading:
    """The two copies, as a reader of their text sees them."""

    def __init__(self, a: Copy, b: Copy) -> None:
        self._a, self._b = a, b
        self._sets = [_set_of(copy) for copy in (a, b)]

    def same(self, a: int, b: int) -> str:
        """Return why the values of two elements read the same, for people; empty if they do not."""
        one, other = self._a.index.record(a), self._b.index.record(b)
        if one.vr not in _TEXT or other.vr not in _TEXT:
            return ""
        if max(one.end - one.value, other.end - other.value) > _MAX_TEXT:
            return ""
        left = self._a.index.value(a).rstrip(b" \0")
        right = self._b.index.value(b).rstrip(b" \0")
        if left == right:
            return "only the padding is another"
        if one.vr not in _IN_CHARACTER_SET or self._sets[0] == self._sets[1]:
            return ""
        texts = [
            character_set.decoded(value, terms)
            for value, terms in zip((left, right), self._sets, strict=True)
        ]
        if texts[0] is not None and texts[0] == texts[1]:
            return "the same text in another character set"
        return ""


def _set_of(copy: Copy) -> tuple[str, ...]:
    stored = values.text_of(copy.index, 0, character_set.CHARACTER_SET)
    return tuple(term.strip() for term in stored.split("\\")) if stored else ()

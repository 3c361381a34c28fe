"""The elements of an item or a data set, in the form that profiles and signatures need."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from ..encoding.values import text_of
from ..standard import terms

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..encoding.limits import ReadBudget

_WORK_OF_A_RECORD = 1024  # for each record that is looked at, in bytes (see `ReadBudget`)


class Elements:
    """The elements of a data set or item of an index; implements `profiles.Elements`."""

    __slots__ = ("_index", "_present", "_scope", "_text", "_texts", "_work")

    def __init__(self, index: Index, scope: int, work: ReadBudget | None = None) -> None:
        self._index, self._scope, self._work = index, scope, work
        self._present: set[int] | None = None
        self._text: dict[int, str] = {}
        self._texts: dict[tuple[int, int], frozenset[str]] = {}

    def present(self) -> set[int]:
        """Return the tags of its elements."""
        if self._present is None:
            self._present = self._index.present(self._scope)
        return self._present

    def has(self, tag: int) -> bool:
        """Return whether the element exists."""
        if self._present is not None:
            return tag in self._present
        return self._index.find(self._scope, tag) >= 0

    def holds(self, tags: Collection[int]) -> bool:
        """Return whether all of these elements exist."""
        if self._present is not None:
            return self._present.issuperset(tags)
        return self._index.holds(self._scope, tags)

    def text(self, tag: int) -> str:
        """Return the value of a text element; empty if it is absent. It is looked up once."""
        found = self._text.get(tag)
        if found is None:
            found = self._text[tag] = text_of(self._index, self._scope, tag)
        return found

    def texts(self, sequence: int, tag: int) -> frozenset[str]:
        """Return the values of a text element in the items of a sequence, at any depth."""
        found = self._texts.get((sequence, tag))
        if found is None:
            index = self._index
            if self._work is not None:  # nested scopes look at the same records
                size = index.record(self._scope).next - self._scope
                self._work.read(_WORK_OF_A_RECORD * size)
            found = self._texts[sequence, tag] = frozenset(
                text_of(index, item, tag)
                for number in range(self._scope + 1, index.record(self._scope).next)
                if index.record(number).tag == sequence
                for item in index.children(number)
            )
        return found


class Main:
    """Facts about the main data set for the signatures of an object; each is looked up once.

    A look-up reads all elements if one is out of order, and signatures may be very many.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    @cached_property
    def offset(self) -> str:
        """Timezone Offset From UTC (0008,0201)."""
        return text_of(self._index, 0, terms.TIMEZONE_OFFSET_FROM_UTC)

    @cached_property
    def has_pixel_data(self) -> bool:
        """Whether there are Pixel Data (7FE0,0010)."""
        return self._index.find(0, terms.PIXEL_DATA) >= 0

"""Which elements change the meaning of other elements (PS3.3), as data: ``data/meanings.txt``.

A signature over Pixel Data says which bits are there. Other elements say what the bits show: a
Rescale Slope can turn black into white, an Overlay draws a line over the image. If such an element
is not signed, anyone can add it or change it. `unsigned` uses this table to find these elements,
and signing for a profile uses it to choose elements that are signed as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from . import terms
from .tags import parse_tag

# the effects of an element that is not signed
MEANING, ARCHIVE, OTHER = "meaning", "archive", "other"

SUBJECTS = {
    "pixels": frozenset((0x00287FE0, 0x7FE00008, 0x7FE00009, terms.PIXEL_DATA)),
    "waveform": frozenset((0x54000100, 0x54001010)),
    "document": frozenset((terms.ENCAPSULATED_DOCUMENT,)),
    "report": frozenset((terms.CONTENT_SEQUENCE,)),
    "spectrum": frozenset((0x56000020,)),
}
"""The subjects of a data set, and the elements that hold each of them."""
_CREATORS = "creators"


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        name: the class of its elements.
        source: the section of PS3.3 that says what they mean for other elements.
        subjects: the row applies only if one of these is signed.
    """

    name: str
    source: str
    subjects: frozenset[str]

    @property
    def effect(self) -> str:
        """`ARCHIVE` for elements that archives are known to add and that change no meaning."""
        return ARCHIVE if self.name == ARCHIVE else MEANING


class Signed:
    """The signed part of a data set or item, as far as the table needs it.

    Args:
        tags: the tags of the signed elements.
        text: tells whether a signed text reads differently in some character sets; called once.
        time: tells whether a date or a time is signed; called once.
    """

    def __init__(
        self, tags: Iterable[int], text: Callable[[], bool], time: Callable[[], bool]
    ) -> None:
        self._tags = frozenset(tags)
        # computed once: a search for each element is too slow, as there may be millions of both
        self._groups = {tag >> 16 for tag in self._tags}
        self._blocks = {tag >> 8 for tag in self._tags}
        self._met = {name for name, some in SUBJECTS.items() if not self._tags.isdisjoint(some)}
        self._ask = {"text": text, "time": time}

    def has(self, subject: str, tag: int) -> bool:
        """Return whether a subject is signed to which an element with this tag may give meaning."""
        if subject == "content":
            return bool(self._met)
        if subject == "group":
            return tag >> 16 in self._groups
        if subject == "private":  # (gggg,00bb) names the owner of (gggg,bb00) to (gggg,bbFF)
            return (tag >> 16 << 8 | tag & 0xFF) in self._blocks
        if subject in self._ask:
            found = self._ask[subject]()
            self._ask[subject] = lambda: found
            return found
        return subject in self._met or subject == "nothing"


def row_of(tag: int, signed: Signed) -> Row | None:
    """Return the row of an element that is not signed; None if it gives no signed one a meaning."""
    exact, masked, creators = _table()
    rows: tuple[Row, ...] = exact.get(tag, ())
    if tag >> 16 & 1:
        rows = (creators,) if 0x10 <= tag & 0xFFFF <= 0xFF else ()
    elif not rows:
        rows = tuple(row for mask, value, row in masked if tag & mask == value)
    for row in rows:
        if any(signed.has(subject, tag) for subject in row.subjects):
            return row
    return None


def rows() -> Iterator[tuple[Row, str]]:
    """Yield all rows, each with its elements as the table writes them."""
    path = os.path.join(os.path.dirname(__file__), "data", "meanings.txt")
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#") or not line.strip():
                continue
            name, source, subjects, elements = map(str.strip, line.split(";"))
            yield Row(name, source, frozenset(subjects.split("|"))), elements


@lru_cache(maxsize=1)
def _table() -> tuple[dict[int, tuple[Row, ...]], tuple[tuple[int, int, Row], ...], Row]:
    exact: dict[int, tuple[Row, ...]] = {}
    masked = []
    creators = None
    for row, elements in rows():
        for element in elements.split():
            if element == _CREATORS:
                creators = row
            elif "x" in element and "," in element:
                digits = element.replace(",", "")
                mask = int("".join("0" if digit == "x" else "F" for digit in digits), 16)
                masked.append((mask, int(digits.replace("x", "0"), 16), row))
            else:
                tag = parse_tag(element)
                exact[tag] = (*exact.get(tag, ()), row)
    assert creators is not None  # noqa: S101 - the table is ours
    return exact, tuple(masked), creators


def told_by(present: Iterable[int], signed: Signed) -> list[int]:
    """Return, ascending, those of some unsigned elements that say what signed ones mean."""
    found = []
    for tag in present:
        row = row_of(tag, signed)
        if row is not None and row.effect == MEANING:
            found.append(tag)
    return sorted(found)

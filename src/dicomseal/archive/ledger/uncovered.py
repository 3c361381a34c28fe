"""The elements that no signature covers: as text in a row, and as sums for a report.

The text has the classes (see `standard.meanings`), each with the keywords of its first elements, or
their tags if they have no keyword, and how many more there are:
``rescale=RescaleIntercept,RescaleSlope other=PatientComments,00111001+12``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec

from ...report import UncoveredClass
from ...standard.meanings import ARCHIVE, MEANING, OTHER

_MAX_NAMED = 10  # elements of a class in a row, unless all are to be listed


class Uncovered(NamedTuple):
    """One class of a row: its name, its elements by name, and how many more there are."""

    name: str
    elements: tuple[str, ...]
    more: int

    @property
    def total(self) -> int:
        """How many elements the class has."""
        return len(self.elements) + self.more


class UncoveredSum(msgspec.Struct, frozen=True, kw_only=True):
    """A class of elements that no passing signature covers, over a run.

    Attributes:
        name: the class in the table of `standard.meanings`, or ``other``; in a run that signs
            ``meaning`` or ``other``.
        effect: ``meaning``, ``archive`` or ``other``, as in `dicomseal.report.UncoveredClass`.
        objects: how many have such an element.
        elements: how many there are in all of them.
        names: how many objects have each element; counted by the first elements of each object,
            unless the run was to list all.
    """

    name: str
    effect: str
    objects: int
    elements: int
    names: dict[str, int]


def told(classes: Iterable[UncoveredClass], listed: bool = False) -> str:
    """Return the text of a row; ``listed``: with all elements that the report has."""
    return " ".join([_told(one.name, one.elements, one.count, listed) for one in classes])


def left_out(telling: Collection[str], all_left_out: Collection[str]) -> str:
    """Return the text of a row for the elements that a new signature leaves out."""
    others = [name for name in all_left_out if name not in telling]
    parts = ((MEANING, list(telling)), (OTHER, others))
    return " ".join([_told(name, some, len(some), False) for name, some in parts if some])


def _told(name: str, elements: Collection[str], count: int, listed: bool) -> str:
    named = [_short(one) for one in list(elements)[: None if listed else _MAX_NAMED]]
    more = f"+{count - len(named)}" if count > len(named) else ""
    return f"{name}={','.join(named)}{more}"


def _short(element: str) -> str:
    """Shorten ``RescaleSlope (0028,1053)`` to ``RescaleSlope``, ``(0011,1001)`` to ``00111001``."""
    keyword, _, tag = element.rpartition(" ")
    return keyword or tag[1:-1].replace(",", "")


def read(text: str) -> Iterator[Uncovered]:
    """Yield the classes in a row's text."""
    for part in text.split():
        name, _, rest = part.partition("=")
        elements, _, more = rest.partition("+")
        yield Uncovered(name, tuple(filter(None, elements.split(","))), int(more or 0))


def shortened(text: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """Return the same, whether all elements were listed or not: for comparing two rows."""
    return [(one.name, one.total, one.elements[:_MAX_NAMED]) for one in read(text)]


def summed(rows: Iterable[tuple[str, int]], most: int, rest: str) -> list[UncoveredSum]:
    """Return sums over rows: classes that change a meaning first, then the most frequent ones.

    Args:
        rows: texts, and how many rows have each.
        most: how many elements of a class are named; the others are ``rest``.
        rest: the name for the others.
    """
    found: dict[str, UncoveredSum] = {}
    for text, count in rows:
        for one in read(text):
            before = found.get(one.name)
            names = before.names if before else {}
            for element in one.elements:
                name = element if element in names or len(names) < most else rest
                names[name] = names.get(name, 0) + count
            found[one.name] = UncoveredSum(
                name=one.name,
                effect=one.name if one.name in (ARCHIVE, OTHER) else MEANING,
                objects=count + (before.objects if before else 0),
                elements=count * one.total + (before.elements if before else 0),
                names=names,
            )
    order = (MEANING, OTHER, ARCHIVE)
    return sorted(found.values(), key=lambda one: (order.index(one.effect), -one.objects, one.name))

"""The item that a location names, in a file's index or in a data set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..standard import terms
from ..standard.tags import format_tag, keyword, parse_tag

if TYPE_CHECKING:
    from pydicom import Dataset

    from ..encoding.backend import Index

from typing import TYPE_CHECKING

from ..encoding import record as r
from ..errors import SigningError
from ..standard.tags import describe

if TYPE_CHECKING:
    from pydicom import Dataset

    from ..encoding.backend import Index


def find_item(index: Index, location: str) -> int:
    """Return the record of the main data set (0) or of an item.

    Raises:
        SigningError: a step of the location does not exist; the first one is named.
    """
    scope = 0
    walked = "the main data set"
    for tag, number in parse_location(location):
        sequence = index.find(scope, tag)
        if sequence < 0 or index.record(sequence).kind != r.SEQUENCE:
            raise _no_step(walked, tag, location)
        if index.record(sequence).flags & r.UNKNOWN_VR and index.record(sequence).vr == "UN":
            raise SigningError(f"{describe(tag)} in {walked} has the VR UN: it cannot be signed")
        found = list(index.children(sequence))
        if not -len(found) <= number < len(found):
            raise _no_step(walked, tag, location, number, len(found))
        scope = found[number]
        walked = f"item {number} of {describe(tag)}"
    return scope


def _no_step(
    walked: str, tag: int, location: str, number: int | None = None, count: int = 0
) -> SigningError:
    """Return the error for the first step of a location that does not exist."""
    if number is None:
        what = f"{walked} has no sequence {describe(tag)}"
    else:
        what = (
            f"{describe(tag)} in {walked} has {count} items, so none with number {number} "
            "(they count from 0, or from the end with -1)"
        )
    return SigningError(f"{location}: {what}", "location")


def walk_to(dataset: Dataset, location: str) -> Dataset:
    """Return the data set or item; errors as above."""
    scope = dataset
    walked = "the main data set"
    for tag, number in parse_location(location):
        element = scope.get(tag)
        if element is None or element.VR != "SQ":
            raise _no_step(walked, tag, location)
        if not -len(element.value) <= number < len(element.value):
            raise _no_step(walked, tag, location, number, len(element.value))
        scope = element.value[number]
        walked = f"item {number} of {describe(tag)}"
    return scope


_STEP = re.compile(r"(.+?)\[(-?[0-9]{1,9})\]")


def parse_location(text: str) -> list[tuple[int, int]]:
    """Parse a location: ``BeamSequence[0]`` gives [(0x300A00B0, 0)].

    Item numbers count from zero. An empty text is the main data set: [].

    Raises:
        UsageError: a step is not ``TAG[NUMBER]``.
    """
    if not isinstance(text, str):
        raise UsageError(f"{text!r} is not a location of an item, e.g. BeamSequence[0]")
    steps = []
    for step in re.split(r"(?<=\])\.", text) if text else []:
        match = _STEP.fullmatch(step)
        if not match:
            raise UsageError(
                f"{step!r} in location {text!r} is not of the form BeamSequence[0] "
                "(a keyword or gggg,eeee, then an item number in brackets, counted from 0)"
            )
        steps.append((parse_tag(match[1]), int(match[2])))
    return steps


def format_location(steps: Iterable[tuple[int, int]]) -> str:
    """Write a location, the inverse of `parse_location`, with keywords if there are any."""
    return ".".join(f"{keyword(tag) or format_tag(tag)}[{number}]" for tag, number in steps)


def locate(index: Index, scope: int) -> list[tuple[int, int]]:
    """Return the steps from the main data set to an item, as `format_location` takes them."""
    steps = []
    while scope:
        item = index.record(scope)
        sequence = index.record(item.parent)
        steps.append((sequence.tag, item.tag))
        scope = sequence.parent
    return steps[::-1]


class History:
    """The items inside Original Attributes Sequence; each step is looked up once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known = {0: False}

    def __contains__(self, scope: int) -> bool:
        path = []
        while scope not in self._known:
            path.append(scope)
            sequence = self._index.record(self._index.record(scope).parent)
            if sequence.tag == terms.ORIGINAL_ATTRIBUTES_SEQUENCE:
                self._known[scope] = True
                break
            scope = sequence.parent
        for item in path:
            self._known[item] = self._known[scope]
        return self._known[scope]


def is_history(steps: Iterable[tuple[int, int]]) -> bool:
    """Return whether a location is inside Original Attributes Sequence (0400,0561)."""
    return any(tag == terms.ORIGINAL_ATTRIBUTES_SEQUENCE for tag, _ in steps)

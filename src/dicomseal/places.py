"""Where a signature goes: the item that a location names, in a file's index or in a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _record as r
from .errors import SigningError
from .tags import describe, parse_location

if TYPE_CHECKING:
    from pydicom import Dataset

    from .canonical import Index


def find_item(index: Index, location: str) -> int:
    """The record of the main data set (0) or of an item.

    Raises:
        SigningError: a step of the location is not there; the first one is named.
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
    """The first step of a location that is not there."""
    if number is None:
        what = f"{walked} has no sequence {describe(tag)}"
    else:
        what = (
            f"{describe(tag)} in {walked} has {count} items, so none with number {number} "
            "(they count from 0, or from the end with -1)"
        )
    return SigningError(f"{location}: {what}", "location")


def walk_to(dataset: Dataset, location: str) -> tuple[Dataset, tuple[Dataset, ...]]:
    """The data set or item, and the data sets around it from the inside out; errors as above."""
    scope = dataset
    ancestors: list[Dataset] = []
    walked = "the main data set"
    for tag, number in parse_location(location):
        element = scope.get(tag)
        if element is None or element.VR != "SQ":
            raise _no_step(walked, tag, location)
        if not -len(element.value) <= number < len(element.value):
            raise _no_step(walked, tag, location, number, len(element.value))
        ancestors.insert(0, scope)
        scope = element.value[number]
        walked = f"item {number} of {describe(tag)}"
    return scope, tuple(ancestors)

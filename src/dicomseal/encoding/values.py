"""Single values of an indexed data set: text, numbers, a sequence's items (PS3.5 Section 6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import backend

if TYPE_CHECKING:
    from .backend import Index

as_text = backend.as_text


def items_of(index: Index, scope: int, tag: int) -> Iterator[int]:
    """Return the records of the items of a sequence directly inside a scope."""
    sequence = index.find(scope, tag)
    return index.children(sequence) if sequence >= 0 else iter(())


def as_number(value: bytes | None, big_endian: bool) -> int | None:
    """Return a US value as a number; None if the element is absent, or has another length."""
    if value is None or len(value) != 2:
        return None
    return int.from_bytes(value, "big" if big_endian else "little")


def text_of(index: Index, item: int, tag: int) -> str:
    """Return the text of an element directly inside an item; empty if it is absent."""
    return as_text(index.values(item, (tag,))[0])


def number_of(index: Index, item: int, tag: int) -> int | None:
    """Return the US value of an element directly inside an item; None if it is absent."""
    return as_number(index.values(item, (tag,))[0], index.big_endian)

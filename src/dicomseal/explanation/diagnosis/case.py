"""One signature that does not match, and hypotheses about it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ...encoding import record as r
from ...standard.tags import format_tag, is_signable_tag, keyword
from ..edited_stream import Edit, EditedStream
from .cause import CauseCode

if TYPE_CHECKING:
    from ...encoding.backend import Index
    from ...encoding.record import Record
    from ..subject import Explained

MAX_RECORDS = 20_000
"""Elements that are looked at one by one; in a larger object only the first of them."""
MAX_VALUE = 1 << 16
"""Bytes of a value that is guessed at."""


class Hypothesis(NamedTuple):
    """A hypothesis: what may have been different when the object was signed.

    Attributes:
        code: of the cause, if the hypothesis is right.
        elements: which elements it is about.
        message: a sentence for people.
        edits: of the stream, ascending.
        own: the bytes that the signature's own item added, if these were different.
        digest: computes the MAC, if neither of these describes the difference.
        cost: bytes that ``digest`` hashes.
        also: the other cause, if two are tried at once; ``edits`` includes its edits.
    """

    code: CauseCode
    elements: tuple[str, ...]
    message: str
    edits: tuple[Edit, ...] = ()
    own: bytes | None = None
    digest: Callable[[], bytes] | None = None
    cost: int = 0
    also: Hypothesis | None = None


class Leaf(NamedTuple):
    """An element with a value in the stream, at any depth."""

    number: int
    record: Record


def named(tag: int) -> str:
    """Return ``(0010,0010) PatientName``."""
    return f"{format_tag(tag)} {keyword(tag)}".rstrip()


class Case:
    """One signature that does not match.

    Attributes:
        one: the signature.
        stream: its stream, which can be edited.
    """

    def __init__(self, one: Explained) -> None:
        assert one.mac is not None  # noqa: S101 - without it there is nothing to search
        self.one = one
        self.stream = EditedStream(one.index, one.scope, one.elements, one.own, one.mac.algorithm)

    @property
    def index(self) -> Index:
        """The index of the object."""
        return self.one.index

    @property
    def listed(self) -> frozenset[int]:
        """The tags in Data Elements Signed."""
        assert self.one.mac is not None  # noqa: S101 - as above
        return frozenset(self.one.mac.data_elements_signed)

    @cached_property
    def leaves(self) -> list[Leaf]:
        """The elements with a value in the stream, in its order, up to a limit."""
        return list(self._leaves())

    def _leaves(self) -> Iterator[Leaf]:
        index, looked = self.index, 0
        for element in self.one.elements:
            number, stop = element, index.record(element).next
            while number < stop:
                looked += 1
                if looked > MAX_RECORDS:
                    return
                record = index.record(number)
                if record.kind in (r.ELEMENT, r.SEQUENCE, r.ENCAPSULATED) and not is_signable_tag(
                    record.tag
                ):
                    number = record.next
                    continue
                if record.kind == r.ELEMENT:
                    yield Leaf(number, record)
                number += 1

    @cached_property
    def top(self) -> dict[int, int]:
        """The elements directly in the data set or item: tag to record, the first of each."""
        found: dict[int, int] = {}
        for child in self.index.children(self.one.scope):
            found.setdefault(self.index.record(child).tag, child)
        return found

    def place(self, tag: int) -> int:
        """Return the record before which an element with this tag would be."""
        tags, records = self._ascending
        at = bisect_right(tags, tag)
        return records[at] if at < len(records) else self.stream.end

    @cached_property
    def _ascending(self) -> tuple[list[int], list[int]]:
        """The tags of `top`, ascending, and their records."""
        pairs = sorted(self.top.items())
        return [tag for tag, _ in pairs], [record for _, record in pairs]

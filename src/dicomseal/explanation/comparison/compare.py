"""Compare two copies of an object, element by element in the order of their tags.

Values are read a piece at a time, so memory does not grow with the objects. The canonical forms are
compared (PS3.3 C.12.1.1.3.1.1), and the elements that these leave out for their VR. The encoding of
a file makes no difference, and neither do elements that no signature can cover (group lengths,
signatures, File Meta Information).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...encoding import record as r
from ...errors import MalformedError
from ...report import escaped
from ...signature.locations import format_location, locate
from ...standard import terms
from ..diagnosis.case import named
from ..values import abridged
from . import pixels, reading
from .copy import Copy, in_step
from .difference import ADDED, CHANGED, REENCODED, REMOVED, Comparison, Difference

if TYPE_CHECKING:
    from ...encoding.limits import Limits

MAX_LISTED = 10_000
_DIGESTED = 2  # levels of sequences that are first compared as a whole
Pair = tuple[int, int, int]
"""Items that correspond: their records, and how deep they stand."""


def compare(
    a: str | bytes, b: str | bytes, limits: Limits, transfer_syntax: str = ""
) -> Comparison:
    """Compare an object with a copy of it.

    Args:
        a, b: the object and the copy: paths, or files' content.
        limits: the cost that is allowed for each of them.
        transfer_syntax: the Transfer Syntax UID of bare data sets.

    Raises:
        SourceError, MalformedError: one of them cannot be read, or changed meanwhile.
    """
    one = _opened(a, limits, transfer_syntax)
    other = _opened(b, limits, transfer_syntax)
    listed: list[Difference] = []
    more = 0
    for found in _Walk(one, other).run():
        if len(listed) < MAX_LISTED:
            listed.append(found)
        else:
            more += 1
    one.part10.check()
    other.part10.check()
    return Comparison(one.path, other.path, tuple(listed), more, tuple(_notes(one, other)))


def _opened(source: str | bytes, limits: Limits, transfer_syntax: str) -> Copy:
    """Return a copy; an error says which of the two it is about."""
    try:
        return Copy(source, limits, transfer_syntax)
    except MalformedError as error:
        name = escaped(source) if isinstance(source, str) else "standard input"
        raise MalformedError(f"{name}: {error}", error.code, error.offset) from None


def _notes(a: Copy, b: Copy) -> Iterator[str]:
    ours, theirs = a.part10.transfer_syntax, b.part10.transfer_syntax
    if ours != theirs:
        yield f"the transfer syntaxes are {ours or 'not stated'} and {theirs or 'not stated'}"
    if a.is_signed() != b.is_signed():
        yield f"there are {a.is_signed()} signatures in a, and {b.is_signed()} in b"
    for copy in (a, b):
        for doubt in copy.index.ambiguities[:3]:
            yield f"{escaped(copy.path)}: {doubt.sentence()}"


class _Walk:
    """A walk through both copies; it uses a stack, as sequences may be nested very deeply."""

    def __init__(self, a: Copy, b: Copy) -> None:
        self._a, self._b = a, b
        self._reading = reading.Reading(a, b)

    def run(self) -> Iterator[Difference]:
        """Yield the differences, in the order of the elements."""
        stack: list[Iterator[Difference | Pair]] = [self._scope(0, 0, 0)]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
            elif isinstance(step, Difference):
                yield step
            else:
                stack.append(self._scope(*step))

    def _scope(self, a: int, b: int, depth: int) -> Iterator[Difference | Pair]:
        ours, theirs = self._a.elements(a), self._b.elements(b)
        for tag in sorted(ours.keys() | theirs.keys()):
            left, right = ours.get(tag, []), theirs.get(tag, [])
            for one, other in zip(left, right, strict=False):
                yield from self._element(one, other, depth)
            for one in left[len(right) :]:
                yield self._alone(self._a, one, REMOVED)
            for other in right[len(left) :]:
                yield self._alone(self._b, other, ADDED)

    def _alone(self, copy: Copy, number: int, kind: str) -> Difference:
        value, offset = abridged(copy.index, number), copy.index.record(number).start
        where = self._location(copy, number)
        if kind == REMOVED:
            return Difference(where, kind, value, None, offset, None)
        return Difference(where, kind, None, value, None, offset)

    def _location(self, copy: Copy, number: int) -> str:
        record = copy.index.record(number)
        steps = locate(copy.index, record.parent)
        around = format_location(steps) + "." if steps else ""
        return around + named(record.tag)

    def _element(self, a: int, b: int, depth: int) -> Iterator[Difference | Pair]:
        one, other = self._a.index.record(a), self._b.index.record(b)
        if one.kind == other.kind == r.SEQUENCE:
            yield from self._sequence(a, b, depth)
        elif one.tag == terms.PIXEL_DATA and r.ENCAPSULATED in (one.kind, other.kind):
            yield from self._pixels(a, b)
        elif one.kind == other.kind == r.ELEMENT:
            yield from self._plain(a, b)
        elif one.kind == other.kind == r.ENCAPSULATED:
            if not pixels.same_fragments(self._a, a, self._b, b):
                yield self._made(a, b, CHANGED)
        else:
            yield self._made(a, b, CHANGED, note=f"its form is another: {one.vr}, {other.vr}")

    def _made(
        self,
        a: int,
        b: int,
        kind: str,
        first: int | None = None,
        note: str = "",
        found: pixels.Found | None = None,
    ) -> Difference:
        ours, theirs = self._a.index, self._b.index
        one, other = ours.record(a), theirs.record(b)
        left, right = abridged(ours, a), abridged(theirs, b)
        if one.vr != other.vr:
            left, right = f"{one.vr} {left}", f"{other.vr} {right}"
        return Difference(
            self._location(self._a, a), kind, left, right, one.start, other.start, first, note,
            found.frames if found else (), found.samples if found else None,
            found.of_samples if found else None,
        )  # fmt: skip

    def _sequence(self, a: int, b: int, depth: int) -> Iterator[Difference | Pair]:
        if depth < _DIGESTED and self._equal(a, b):
            return
        ours = list(self._a.index.children(a))
        theirs = list(self._b.index.children(b))
        for one, other in zip(ours, theirs, strict=False):
            yield one, other, depth + 1
        for copy, kind, items in (
            (self._a, REMOVED, ours[len(theirs) :]),
            (self._b, ADDED, theirs[len(ours) :]),
        ):
            for item in items:
                yield self._item(copy, item, kind)

    def _item(self, copy: Copy, item: int, kind: str) -> Difference:
        where = format_location(locate(copy.index, item))
        count = sum(1 for _ in copy.index.children(item))
        value, offset = f"an item of {count} elements", copy.index.record(item).start
        if kind == REMOVED:
            return Difference(where, kind, value, None, offset, None)
        return Difference(where, kind, None, value, None, offset)

    def _equal(self, a: int, b: int) -> bool:
        """Return whether two sequences have the same canonical form, without omissions."""
        if self._a.holds_unknown(a) or self._b.holds_unknown(b):
            return False
        digests = []
        for copy, number in ((self._a, a), (self._b, b)):
            hasher = hashlib.sha256()
            stop = copy.index.record(number).next
            copy.index.stream_between(hasher.update, number, stop, 0, 0)
            digests.append(hasher.digest())
        return digests[0] == digests[1]

    def _plain(self, a: int, b: int) -> Iterator[Difference]:
        one, other = self._a.index.record(a), self._b.index.record(b)
        counter = None
        if one.tag == terms.PIXEL_DATA and one.parent == other.parent == 0:
            counter = pixels.counter_of(self._a)
        at, first = 0, None
        for left, right in in_step(self._a.pieces(one), self._b.pieces(other)):
            if left != right and first is None:
                first = at + next(
                    (n for n, (x, y) in enumerate(zip(left, right, strict=False)) if x != y),
                    min(len(left), len(right)),
                )
            at += max(len(left), len(right))
            if counter is not None and len(left) == len(right):
                counter.take(left, right)
            elif first is not None and counter is None:
                break
        if first is None:
            if one.vr != other.vr and self._a.states_vrs() and self._b.states_vrs():
                yield self._made(a, b, REENCODED, note="another VR, the same bytes")
            return
        why = self._reading.same(a, b)
        if why:
            yield self._made(a, b, REENCODED, first, why)
            return
        found = None
        if counter is not None:
            found = pixels.Found(*counter.count, pixels.samples_of(self._a, one))
        yield self._made(a, b, CHANGED, first, found=found)

    def _pixels(self, a: int, b: int) -> Iterator[Difference]:
        """Yield the differences of Pixel Data, at least one of which is encapsulated."""
        if pixels.same_bytes(self._a, a, self._b, b):
            return
        kind, note, found = pixels.compared(self._a, a, self._b, b)
        yield self._made(a, b, kind, note=note, found=found)

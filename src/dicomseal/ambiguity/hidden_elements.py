"""Elements that are hidden in the fragments of an encapsulated value.

In: a file, its index, and a scope that is signed.
Out: the fragments whose end can be read as elements, and the tag of the first such element.
PS3: PS3.3 C.12.1.1.3.1.1, PS3.5 Annex A.4.

The canonical stream has no lengths of fragments. So the elements that were signed after an
encapsulated value can be moved into its last fragment, and the hashed bytes stay the same. It can
be detected: from the mark of the end of a sequence to its last byte, the fragment looks as elements
look in the stream. The check uses the bytes, not Data Elements Signed, which no MAC protects: a
forger removes the hidden elements from that list.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..encoding import limits
from ..encoding import record as _record
from ..standard import terms
from ..standard.tags import is_signable_tag

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10

_PIECE = 1 << 20
_WORK_OF_A_RECORD = 32
_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_MARK = re.compile(b"\xfe\xff\xdd\xe0")
_MARK_SIZE = 4
# The end of a JPEG, JPEG-LS or JPEG 2000 image, and perhaps a byte that makes its size even. If a
# last fragment ends in this way, nothing was moved into it, so most of them need not be read again.
_END_OF_IMAGE = (b"\xff\xd9", b"\xff\xd9\0")
_MAX_HEADER = 16
_WORK_OF_A_STEP = 256
_MAX_KEPT = 100_000  # positions


class Hidden(NamedTuple):
    """Elements that were found in a fragment.

    Attributes:
        within: tag of the element of the scope that the fragment is in, at any depth.
        tag: of the first of the hidden elements.
    """

    within: int
    tag: int


class Suspect(NamedTuple):
    """A fragment that has to be searched, as it holds a mark of the end of a sequence.

    Attributes:
        number: its record.
        within: the record of the encapsulated value.
        nested: whether the value is in an item of the scope.
    """

    number: int
    within: int
    nested: bool


def suspects(
    part10: Part10, index: Index, scope: int, work: limits.ReadBudget
) -> tuple[Suspect, ...]:
    """Return the fragments of a data set or item, at any depth, that may hold elements.

    Args:
        part10: the file.
        index: the index of its elements.
        scope: the record of the data set or item.
        work: is charged with the bytes that are read.

    Raises:
        SourceError: the file cannot be read.
        MalformedError: the limit of the work is reached.
    """
    numbers = index.fragments(scope)
    found: list[Suspect] = []
    place = 0
    while place < len(numbers):
        first = numbers[place]
        within = index.record(first).parent
        value = index.record(within)
        nested = value.parent != scope
        # An element of the scope itself that follows the encapsulated value can only have been
        # moved into the last fragment: there the sequence of the fragment is closed at the level of
        # the value.
        found += [
            Suspect(number, within, nested)
            for number in range(first if nested else value.next - 1, value.next)
            if _is_suspect(part10, index.record(number), nested, work)
        ]
        place += value.next - first
    return tuple(found)


def _is_suspect(
    part10: Part10, fragment: _record.Record, nested: bool, work: limits.ReadBudget
) -> bool:
    work.read(_WORK_OF_A_RECORD)
    if not nested and _ends_as_an_image(part10, fragment):
        return False
    work.read(fragment.end - fragment.value)
    return next(_marks(part10, fragment.value, fragment.end), None) is not None


def hidden(
    part10: Part10, index: Index, scope: int, found: Iterable[Suspect], work: limits.ReadBudget
) -> tuple[Hidden, ...]:
    """Return the hidden elements in fragments, one for each value. The search may take long.

    Args:
        part10, index, scope, work: as for `suspects`.
        found: the fragments.

    Raises:
        SourceError: the file cannot be read.
        MalformedError: the limit of the work is reached.
    """
    top: dict[int, int] = {}
    elements: dict[int, Hidden] = {}
    for suspect in found:
        if suspect.within not in elements:
            tag = _hidden_in(part10, index.record(suspect.number), suspect.nested, work)
            if tag is not None:
                within = _child_of(index, scope, suspect.within, top)
                elements[suspect.within] = Hidden(within, tag)
    return tuple(elements.values())


def _hidden_in(
    part10: Part10, fragment: _record.Record, nested: bool, work: limits.ReadBudget
) -> int | None:
    """Return the tag of the first element at the end of a fragment (0: items only), or None."""
    work.read(fragment.end - fragment.value)
    failed: dict[int, int] = {}
    for mark in _marks(part10, fragment.value, fragment.end):
        tag = _Tail(part10, mark, fragment.end, nested).first_tag(failed, work)
        if tag is not None:
            return tag
    return None


def _ends_as_an_image(part10: Part10, record: _record.Record) -> bool:
    start = max(record.end - 3, record.value)
    return bytes(part10.read(start, record.end - start)).endswith(_END_OF_IMAGE)


def _marks(part10: Part10, start: int, end: int) -> Iterator[int]:
    """Yield the offsets of marks of the end of a sequence, without a length, as they are hashed."""
    while end - start >= _MARK_SIZE:
        piece = part10.read(start, min(_PIECE, end - start))
        for match in _MARK.finditer(piece):
            yield start + match.start()
        start += max(len(piece) - _MARK_SIZE + 1, 1)


def _child_of(index: Index, scope: int, number: int, top: dict[int, int]) -> int:
    """Return the tag of the element of a scope that a record is in."""
    steps = []
    while number not in top:
        steps.append(number)
        record = index.record(number)
        if record.parent == scope:
            top[number] = record.tag
            break
        number = record.parent
    tag = top[number]
    top.update(dict.fromkeys(steps, tag))
    return tag


class _Tail:
    """The rest of a fragment, from a mark on, read as what follows an encapsulated value."""

    def __init__(self, part10: Part10, start: int, end: int, nested: bool) -> None:
        self._part10 = part10
        self._position, self._end = start + _MARK_SIZE, end
        self._nested = nested  # then a sequence, and an item of it, may end here too
        self._depth = 0

    def first_tag(self, failed: dict[int, int], work: limits.ReadBudget) -> int | None:
        """Return the tag of the first element in it (0: no element); None if it is something else.

        Args:
            failed: the positions on the way of earlier attempts that failed, each with its depth.
                An attempt that arrives at such a position, and is not deeper, fails as well. So a
                fragment full of marks is not read once for each mark.
            work: is charged with every step.
        """
        first = None
        passed = []
        while self._position < self._end:
            depth = 0 if self._nested else self._depth  # in a nested value any depth is possible
            if depth <= failed.get(self._position, depth - 1):
                tag = None
            else:
                passed.append((self._position, depth))
                work.read(_WORK_OF_A_STEP)
                tag = self._step()
            if tag is None:
                if len(failed) < _MAX_KEPT:
                    failed.update(passed)
                return None
            if not first:
                first = tag
        return first

    def _step(self) -> int | None:
        """Go past a header and a value, or past a mark, which gives 0; None if it is neither."""
        head = bytes(
            self._part10.read(self._position, min(_MAX_HEADER, self._end - self._position))
        )
        if len(head) < _MARK_SIZE:
            return None
        group, element = struct.unpack_from("<HH", head)
        tag = group << 16 | element
        if tag in (_ITEM, _END):
            if tag == _END:
                self._depth -= 1
            if self._depth < (0 if tag == _END else 1) and not self._nested:
                return None
            self._position += _MARK_SIZE
            return 0
        size = self._size(head)
        if size is None or not is_signable_tag(tag):
            return None
        if self._depth == 0 and not self._nested and tag <= terms.PIXEL_DATA:
            return None
        self._position += size
        return tag if self._position <= self._end else None

    def _size(self, head: bytes) -> int | None:
        """Return the size of the element with this header; of a sequence that of the header."""
        vr = head[4:6].decode("ascii", "replace")
        if vr in terms.SHORT_VRS and len(head) >= 8:
            length: int = struct.unpack_from("<H", head, 6)[0]
            return 8 + length if length % 2 == 0 else None
        if vr == "UN" or vr not in terms.LONG_VRS or head[6:8] != b"\0\0":
            return None
        if vr == "SQ":
            self._depth += 1
            return 8
        if len(head) < 12:
            return None
        (length,) = struct.unpack_from("<L", head, 8)
        if length == 0xE000FFFE and vr in ("OB", "OW"):  # an item, whose end is not known
            return self._end - self._position
        return 12 + length if length % 2 == 0 else None

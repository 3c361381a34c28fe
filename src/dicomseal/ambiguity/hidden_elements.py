"""What the fragments of an encapsulated value may hide.

The canonical stream has no lengths of fragments (PS3.3 C.12.1.1.3.1.1). So what was signed behind
an encapsulated value can be put into its last fragment, and the bytes that are hashed stay the
same. It shows: from the mark of the end of a sequence on, the rest of the fragment is to the last
byte what elements look like in the stream. That is asked of the bytes, not of Data Elements
Signed, which no MAC protects: a forger takes what he hides out of it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
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
# The end of a JPEG, JPEG-LS or JPEG 2000 image, and perhaps a byte that makes its size even.
# Nothing was put behind it: most last fragments need not be read a second time.
_END_OF_IMAGE = (b"\xff\xd9", b"\xff\xd9\0")
_LONGEST_HEADER = 16
_WORK_OF_A_STEP = 256
_MOST_KEPT = 100_000  # positions


class Hidden(NamedTuple):
    """Elements in a fragment.

    Attributes:
        within: tag of the element of the scope that the fragment is in, at any depth.
        tag: of the first of them.
    """

    within: int
    tag: int


def hidden(part10: Part10, index: Index, scope: int, work: limits.ReadBudget) -> tuple[Hidden, ...]:
    """What looks like elements at the end of fragments of a data set or item, or nested in it.

    Args:
        part10: what is indexed.
        index: of its elements.
        scope: the record of the data set or item.
        work: is charged with what is read.

    Raises:
        SourceError: the file cannot be read.
        MalformedError: the limit of the work is reached.
    """
    numbers = index.fragments(scope)
    found = []
    top: dict[int, int] = {}
    place = 0
    while place < len(numbers):
        first = numbers[place]
        within = index.record(first).parent
        value = index.record(within)
        nested = value.parent != scope
        # What lies behind it in the scope itself its last fragment alone can take in: the sequence
        # in which that ends is closed where then the encapsulated value is.
        for number in range(first if nested else value.next - 1, value.next):
            tag = _hidden_in(part10, index.record(number), nested, work)
            if tag is not None:
                found.append(Hidden(_child_of(index, scope, within, top), tag))
                break
        place += value.next - first
    return tuple(found)


def _hidden_in(
    part10: Part10, fragment: _record.Record, nested: bool, work: limits.ReadBudget
) -> int | None:
    """The tag of the first element at the end of a fragment (0: there are items only), or None."""
    work.read(_WORK_OF_A_RECORD)
    if not nested and _ends_as_an_image(part10, fragment):
        return None
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
    """Where marks of the end of a sequence stand, without a length, as they are hashed."""
    while end - start >= _MARK_SIZE:
        piece = part10.read(start, min(_PIECE, end - start))
        for match in _MARK.finditer(piece):
            yield start + match.start()
        start += max(len(piece) - _MARK_SIZE + 1, 1)


def _child_of(index: Index, scope: int, number: int, top: dict[int, int]) -> int:
    """The tag of the element of a scope that a record is in."""
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
        self._nested = nested  # so a sequence, and an item of it, may end here too
        self._depth = 0

    def first_tag(self, failed: dict[int, int], work: limits.ReadBudget) -> int | None:
        """The tag of the first element in it (0: it has none); None if it is something else.

        Args:
            failed: where earlier ones came by that were something else, and how deep. From there on
                it goes the same way: to fail, it is enough to be no deeper. So a fragment full of
                marks is not gone through once for each.
            work: is charged with every step.
        """
        first = None
        passed = []
        while self._position < self._end:
            depth = 0 if self._nested else self._depth  # where it is nested, no depth is too low
            if depth <= failed.get(self._position, depth - 1):
                tag = None
            else:
                passed.append((self._position, depth))
                work.read(_WORK_OF_A_STEP)
                tag = self._step()
            if tag is None:
                if len(failed) < _MOST_KEPT:
                    failed.update(passed)
                return None
            if not first:
                first = tag
        return first

    def _step(self) -> int | None:
        """Go past a header and a value, or a mark: 0. None: neither stands here."""
        head = bytes(
            self._part10.read(self._position, min(_LONGEST_HEADER, self._end - self._position))
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
        """Of the element with this header; of a sequence, and what is encapsulated, of that."""
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
        if length == 0xE000FFFE and vr in ("OB", "OW"):  # an item: nobody can tell where it ends
            return self._end - self._position
        return 12 + length if length % 2 == 0 else None

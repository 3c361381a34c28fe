"""DCMSIGN_BLOCK: what dcmsign leaves out when its block fills up inside nested sequences.

DCMTK collects the stream in a block of 16 KiB. If the block is full in the middle of a nested
sequence, the writer returns, and is called again for the same sequence. It then checks once more
whether that sequence can be signed, and this check moves the current position in the list of items
to the end. So the rest of that sequence is left out, and its end is written (see docs/dcmsign.md).
This module does the same on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...encoding import record as r
from ...standard import terms
from ...standard.mac_algorithms import new_hasher
from ...standard.tags import is_signable_tag
from .case import Case, Hypothesis, named
from .cause import CauseCode

if TYPE_CHECKING:
    from ...encoding.backend import Index
    from ..edited_stream import Update

SIZE = 16384
_ITEM, _END = bytes.fromhex("FEFF00E0"), bytes.fromhex("FEFFDDE0")
_MAX_DEPTH = 64
_MAX_RECORDS = 1_000_000


class _LeftOutError(Exception):
    """The block was full: the rest of the sequence is left out."""


class Block:
    """The stream as dcmsign makes it.

    Args:
        index: of the object.
        scope: the data set or item.
        update: takes the bytes.

    Attributes:
        left_out: the tags of the sequences from which something was left out.
    """

    def __init__(self, index: Index, scope: int, update: Update) -> None:
        self._index, self._scope, self._update = index, scope, update
        self._filled = 0
        self.left_out: list[int] = []

    def element(self, number: int, depth: int = 0) -> None:
        """Write an element.

        Args:
            number: its record.
            depth: how many sequences contain it.
        """
        record = self._index.record(number)
        if record.kind == r.SEQUENCE:
            self._sequence(number, record, depth)
        elif record.kind == r.ENCAPSULATED:
            self._whole(number, record)
        else:
            self._plain(number, record, nested=depth > 1)

    def _room(self, size: int, nested: bool) -> None:
        """Empty the block if it has no room for a part that is not split.

        Raises:
            _LeftOutError: this happens inside a nested sequence, whose rest is then left out.
        """
        if SIZE - self._filled < size:
            self._filled = 0
            if nested:
                raise _LeftOutError

    def _put(self, data: bytes) -> None:
        self._update(data)
        self._filled += len(data)

    def _plain(self, number: int, record: r.Record, nested: bool) -> None:
        head = 12 if record.vr in terms.LONG_VRS else 8
        self._room(head, nested)
        length = record.end - record.value
        length += length % 2
        room = SIZE - self._filled - head
        if length <= room or not nested:
            self._index.stream_between(self._update, number, number + 1, self._scope, self._scope)
            if length <= room:
                self._filled += head + length
            else:
                self._filled = (length - room - 1) % SIZE + 1
            return
        out = bytearray()
        self._index.stream_between(out.extend, number, number + 1, self._scope, self._scope)
        self._put(bytes(out[: head + room]))
        self._filled = 0
        raise _LeftOutError

    def _whole(self, number: int, record: r.Record) -> None:
        """Add encapsulated pixels as a whole; they are usually at the end."""
        self._room(12, nested=False)
        self._index.stream_between(self._update, number, record.next, self._scope, self._scope)
        self._filled = 0

    def _sequence(self, number: int, record: r.Record, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise RecursionError
        self._room(12, nested=depth > 1)
        self._put(_header(record.tag))
        try:
            for item in self._index.children(number):
                self._room(4, nested=depth >= 1)
                self._put(_ITEM)
                for child in self._index.children(item):
                    if is_signable_tag(self._index.record(child).tag):
                        self.element(child, depth + 1)
        except _LeftOutError:
            if depth != 1:
                raise
            self.left_out.append(record.tag)
        self._room(4, nested=depth > 1)
        self._put(_END)


def _header(tag: int) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    return group.to_bytes(2, "little") + element.to_bytes(2, "little") + b"SQ\0\0"


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield the stream of dcmsign, if it differs from that of the standard."""
    index, one = case.index, case.one
    assert one.mac is not None  # noqa: S101 - see `Case`
    if case.stream.behind(0) <= SIZE or len(index) > _MAX_RECORDS:
        return
    hasher = new_hasher(one.mac.algorithm)
    block = Block(index, one.scope, hasher.update)
    try:
        for number in one.elements:
            block.element(number)
    except RecursionError:
        return
    if not block.left_out:
        return
    hasher.update(one.own)
    names = tuple(dict.fromkeys(named(tag) for tag in block.left_out))
    yield Hypothesis(
        CauseCode.DCMSIGN_BLOCK, names,
        f"it was made by DCMTK's dcmsign (3.6.7 to 3.7.0, and perhaps older), which leaves out the "
        f"rest of a nested sequence whenever its block of 16 KiB is full; here that happened "
        f"{len(block.left_out)} times. The object may be whole, but what was left out is not "
        "protected by the signature",
        digest=hasher.digest,
    )  # fmt: skip

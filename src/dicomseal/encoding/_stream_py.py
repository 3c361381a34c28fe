"""The canonical stream from the records of an index, written to be read.

In: the records of an index, and which elements of a scope are to be signed.
Out: calls of an `Encoder`, which writes the canonical bytes.
PS3: PS3.3 C.12.1.1.3.1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from ..standard.tags import is_signable_tag
from . import record as r
from ._encoder_py import Encoder, padding, swap

if TYPE_CHECKING:
    from ._notes_py import Node


class Stream:
    """One pass over the records of an index.

    Args:
        nodes: the records.
        pieces: yields the bytes of the source, given an offset and a length, piece by piece.
        encoder: writes the canonical form.
        legacy: hash the lengths of fragments too, as dcmsign did before 3.5.4.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        pieces: Callable[[int, int], Iterable[bytes]],
        encoder: Encoder,
        legacy: bool,
    ) -> None:
        self._nodes, self._pieces, self._encoder, self._legacy = nodes, pieces, encoder, legacy

    def scope(
        self, scope: int, tags: Collection[int] | None, without: Collection[int]
    ) -> r.Coverage:
        """Write the elements directly inside a data set or item that are to be signed."""
        wanted = None if tags is None else frozenset(tags)
        signed = unsigned = 0
        unknown = []
        number = scope + 1
        while number < self._nodes[scope].next:
            node = self._nodes[number]
            if is_signable_tag(node.tag) and node.tag not in without:
                listed = wanted is None or node.tag in wanted
                if listed and not node.flags & r.UNKNOWN_VR:
                    signed += 1
                    self.emit(number, node.next)
                else:
                    unsigned += 1
                    if listed and wanted is not None:
                        unknown.append(node.tag)
            number = node.next
        return r.Coverage(signed, unsigned, tuple(unknown))

    def emit(self, number: int, stop: int, open_until: Sequence[int] = ()) -> None:
        """Write some records, with everything inside them.

        Args:
            number, stop: the range of records.
            open_until: where the sequences around the first of them end, the outermost first.
        """
        encoder = self._encoder
        ends = [*open_until]
        while True:
            if ends and number == ends[-1]:
                encoder.close()
                ends.pop()
                continue
            if number >= stop:
                return
            node = self._nodes[number]
            if node.kind in (r.ITEM, r.FRAGMENT):
                encoder.item()
                if node.kind == r.FRAGMENT:
                    self._fragment(node)
            elif not is_signable_tag(node.tag):
                number = node.next
                continue
            elif node.kind == r.ELEMENT:
                self._value(node)
            else:
                encoder.open(node.tag, node.vr)
                ends.append(node.next)
            number += 1

    def _fragment(self, node: Node) -> None:
        length = node.end - node.value
        if self._legacy:
            self._encoder.data(struct.pack("<L", length + length % 2))
        for piece in self._pieces(node.value, length):
            self._encoder.data(piece)
        if length % 2:
            self._encoder.data(b"\0")

    def _value(self, node: Node) -> None:
        length = node.end - node.value
        swapped = self._nodes[node.parent].big_endian
        self._encoder.header(node.tag, node.vr, length + length % 2)
        for piece in self._pieces(node.value, length):
            self._encoder.data(swap(piece, node.vr) if swapped else piece)
        if length % 2:
            self._encoder.data(padding(node.vr))

"""The walk of the pure index: where every element, item and fragment lies.

In: the bytes of a data set, and whether they are implicit VR and big endian.
Out: records (`Node`) in the order of the bytes, and notes on what is ambiguous or odd.
PS3: PS3.5 Sections 6.2, 7.1, 7.5 and Annex A.4.

Nothing is copied and nothing recurses, so a hostile depth costs memory in proportion only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ..errors import MalformedError, SourceError
from ..standard import terms
from ..standard.compressed_images import BEGINNING, MAX_BEGINNING
from ..standard.dictionary import resolved
from . import record as r
from ._headers_py import Headers
from ._notes_py import Node
from .limits import Limits

_CHUNK = 1 << 16


class Walk(Headers):
    """The walk that makes the records of an encoded data set; `_index_py.Index` looks them up."""

    def __init__(
        self,
        source: Any,
        start: int = 0,
        stop: int | None = None,
        *,
        implicit: bool = False,
        big_endian: bool = False,
        root: int = r.ITEM,
        limits: Limits | None = None,
        level: int = 0,
        pixel_representation: int | None = None,
    ) -> None:
        super().__init__(source, limits or Limits(), level)
        if hasattr(source, "readinto"):
            self._read = source.read
            length = len(source)
        else:
            view = memoryview(source).cast("B")
            self._read = lambda offset, n: bytes(view[offset : offset + n])
            length = len(view)
        stop = length if stop is None else stop
        if not start <= stop <= length:
            raise SourceError(f"bytes {start} to {stop} of a source of {length}")
        self.scopes: list[int] = []
        self.trailing = 0
        self.fragmented = False
        self._not_zero = -1
        self._guesses: list[tuple[int, str]] = []
        self._hints: dict[tuple[int, int], int] = {}
        if pixel_representation is not None:
            self._hints[0, terms.PIXEL_REPRESENTATION] = pixel_representation
        node = Node(0, "SQ" if root == r.SEQUENCE else "", root, 0, start, start, stop, 0)
        node.implicit, node.big_endian = implicit, big_endian
        self.implicit, self.big_endian = implicit, big_endian
        self._nodes.append(node)
        self._walk(node)
        self._check_group_lengths()
        self._check_macros()
        self.guessed = frozenset(kind for _, kind in self._guesses)
        self._resolve()

    # --- the walk -------------------------------------------------------------------------------

    def _walk(self, root: Node) -> None:
        stack = [(0, root)]
        position = root.start
        while stack:
            number, top = stack[-1]
            try:
                if position == top.stop:
                    if top.flags & r.UNDEFINED:
                        self._without_delimiter(number, top, position)
                    self._close(stack, position)
                elif top.kind == r.ITEM:
                    position = self._element(stack, number, top, position)
                else:
                    position = self._item(stack, number, top, position)
            except MalformedError as error:
                position = self._give_up(stack, error)

    def _without_delimiter(self, number: int, top: Node, position: int) -> None:
        """Accept Pixel Data that end with the file and without a delimiter: their end is clear.

        Some devices write Pixel Data in this way. DCMTK refuses the file, pydicom shows no pixels,
        and GDCM shows the last fragment twice.
        """
        at_end = position == self._nodes[0].stop and top.parent == 0
        if top.kind != r.ENCAPSULATED or top.tag != terms.PIXEL_DATA or not at_end or (
            top.last + 1 < r.MIN_OPEN
        ):  # fmt: skip
            raise self._error("delimiter", position, top, position)
        self._note("open", top.tag, number)

    def _give_up(self, stack: list[tuple[int, Node]], error: MalformedError) -> int:
        """Treat a sequence as UN if only a private dictionary calls it one and it cannot be read.

        The notes from inside it are dropped, and the walk goes on after it.
        """
        while error.code != "limit" and stack:
            number, node = stack.pop()
            if node.before:
                del self._nodes[number + 1 :]
                *counts, self.noted, self.free, self.fragmented = node.before
                for noted, count in zip(self._noted_things(), counts, strict=True):
                    del noted[count:]
                while self._hints and next(reversed(self._hints))[0] > number:
                    self._hints.popitem()
                node.kind, node.vr, node.end = r.ELEMENT, "UN", node.stop
                node.flags = r.UNKNOWN_VR | (r.REWRITE if (node.stop - node.value) % 2 else 0)
                node.next = len(self._nodes)
                self._spread(stack, r.UNKNOWN_VR)
                # another reader may have the same dictionary, and see another end of the items
                if node.stop - node.value >= 8 and self._begins_with_item(node, node.value):
                    self._note("items", node.tag, number)
                return node.stop
        raise error

    def _noted_things(self) -> tuple[list[Any], ...]:
        return (
            self.scopes, self.ambiguities, self.oddities, self._guesses, self._lengths,
            self._macros,
        )  # fmt: skip

    def _close(self, stack: list[tuple[int, Node]], position: int) -> None:
        _, node = stack.pop()
        node.end = position
        node.next = len(self._nodes)

    def _add(self, node: Node) -> int:
        if len(self._nodes) >= self._limits.records:
            holder = self._nodes[node.parent]
            raise self._error("records", node.start, holder, detail=self._limits.records)
        node.number = len(self._nodes)
        self._nodes.append(node)
        node.next = len(self._nodes)
        return node.number

    def _open(self, stack: list[tuple[int, Node]], node: Node, length: int) -> int:
        """Enter a sequence, encapsulated value or item; its content comes next."""
        parent = stack[-1][1]
        number = self._add(node)
        if length == terms.UNDEFINED_LENGTH:
            node.flags |= r.UNDEFINED
            node.stop = parent.stop
        else:
            node.stop = node.value + length
            if node.stop > parent.stop:
                tag = terms.ITEM if node.kind == r.ITEM else node.tag
                raise self._error("overrun", node.start, parent, parent.stop, tag)
        node.end = node.stop
        if (len(stack) - 1) // 2 >= self._limits.depth:
            raise self._error("depth", node.start, parent, detail=self._limits.depth)
        stack.append((number, node))
        return node.value

    def _item(self, stack: list[Any], number: int, top: Node, position: int) -> int:
        """Read an item of a sequence, a fragment of an encapsulated value, or the end of either."""
        tag, length = self._tag_and_length(position, top)
        if tag == terms.SEQUENCE_DELIMITATION and top.flags & r.UNDEFINED:
            return self._end(stack, position, length)
        if tag != terms.ITEM:
            raise self._error("no item", position, top, tag=tag)
        top.last += 1
        if top.kind == r.SEQUENCE:
            node = Node(top.last, "", r.ITEM, 0, position, position + 8, 0, number)
            node.implicit, node.big_endian = top.implicit, top.big_endian
            return self._open(stack, node, length)
        end = position + 8 + length
        if length == terms.UNDEFINED_LENGTH or end > top.stop:
            raise self._error("overrun", position, top, top.stop, tag)
        flags = r.REWRITE if length % 2 else 0
        if BEGINNING.match(self._read(position + 8, min(length, MAX_BEGINNING))):
            flags |= r.IMAGE
        self._add(Node(top.last, "", r.FRAGMENT, flags, position, position + 8, end, number))
        self.fragmented = True
        return end

    def _element(self, stack: list[Any], number: int, top: Node, position: int) -> int:
        """Read one element of a data set or item, or the end of it."""
        outermost = len(stack) == 1
        if outermost and self._only_zeros(position, top.stop):
            self.trailing = top.stop - position
            top.stop = position
            return position
        tag, length = self._tag_and_length(position, top)
        if tag == terms.ITEM_DELIMITATION and top.flags & r.UNDEFINED:
            return self._end(stack, position, length)
        if tag >> 16 == 0xFFFE:
            raise self._error("stray", position, top, tag=tag)
        if tag <= top.last:
            self._note("duplicate" if tag == top.last else "order", tag)
        first, top.last = top.last < 0, max(tag, top.last)
        if not top.implicit:
            header = self._explicit_header(position, top, tag)
        else:
            # some readers guess the encoding by the first element of a data set, or of an item of
            # UN
            tells = first and (outermost or not self.implicit)
            header = self._implicit_header(position, top, tag, length, tells)
        kind, header = self._kind(position, top, header)
        self._check_form(outermost, tag, header.vr, header.length)
        node = Node(tag, header.vr, kind, header.flags, position, header.value, 0, number)
        if header.guess:
            self._guesses.append((len(self._nodes), header.guess))
        for flag in (r.UNKNOWN_VR, r.PRIVATE):
            if header.flags & flag:
                self._spread(stack, flag)
        if kind == r.ELEMENT:
            return self._plain(number, top, node, header.length)
        return self._nested(stack, node, header.length)

    def _plain(self, number: int, top: Node, node: Node, length: int) -> int:
        """Go past the value of an element that is not a sequence."""
        tag, node.end = node.tag, node.value + length
        if node.end > top.stop:
            raise self._error("value", node.start, top, top.stop, tag)
        self._check_length(top, tag, node.vr, length)
        if length % 2:
            node.flags |= r.REWRITE
        if tag & 0xFFFF == 0 or tag == terms.LENGTH_TO_END:
            self._lengths.append(len(self._nodes))
        if top.implicit:
            if (node.vr == "UN" or tag >> 16 & 1) and length >= 8:
                self._check_items(node.value, node.end, top, tag)
            self._hint(number, top, node, length)
        self._add(node)
        return node.end

    def _nested(self, stack: list[Any], node: Node, length: int) -> int:
        """Enter a sequence or an encapsulated value."""
        number, top = stack[-1]
        if node.flags & r.PRIVATE and length != terms.UNDEFINED_LENGTH:
            counts = [len(noted) for noted in self._noted_things()]
            node.before = (*counts, self.noted, self.free, self.fragmented)
        if node.tag == terms.DIGITAL_SIGNATURES_SEQUENCE and self.scopes[-1:] != [number]:
            self.scopes.append(number)
        if node.tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE):
            self._macros.append(len(self._nodes))
        # PS3.5 Section 6.2.2: the content of a UN sequence is implicit VR little endian
        node.implicit = top.implicit or node.vr == "UN"
        node.big_endian = top.big_endian and node.vr != "UN"
        return self._open(stack, node, length)

    def _end(self, stack: list[tuple[int, Node]], position: int, length: int) -> int:
        """Check a delimiter, which has no length (PS3.5 Section 7.5); a length is not skipped."""
        if length:
            number, node = stack[-1]
            owner = self._nodes[node.parent] if node.kind == r.ITEM else node
            self._note("delimiter", owner.tag, number)
        self._close(stack, position + 8)
        return position + 8

    def _check_items(self, value: int, end: int, top: Node, tag: int) -> None:
        """Check a value that begins as items do, though nothing here says that it is a sequence.

        Another dictionary may say that it is one; then it matters where its items end.
        """
        if not self._begins_with_item(top, value):
            return
        try:
            if self._level >= r.MAX_LEVELS:
                raise MalformedError("a sequence in a value in a value ...", "limit")
            inside = type(self)(
                self._source, value, end, implicit=True, big_endian=top.big_endian,
                root=r.SEQUENCE, limits=self._limits, level=self._level + 1,
            )  # fmt: skip
            ends_elsewhere = "items" in inside.noted
        except MalformedError:
            ends_elsewhere = True
        if ends_elsewhere:
            self._note("items", tag)

    def _spread(self, stack: list[tuple[int, Node]], flag: int) -> None:
        """Mark every sequence around an unknown VR as not signable; likewise for a guessed VR."""
        for _, node in reversed(stack):
            if node.kind == r.SEQUENCE:
                if node.flags & flag:
                    break
                node.flags |= flag

    def _hint(self, number: int, top: Node, node: Node, length: int) -> None:
        """Remember the values that later elements need to find their VR."""
        if node.tag >> 16 & 1 and 0x10 <= node.tag & 0xFFFF <= 0xFF:
            creator = self._read(node.value, min(length, 64))
            top.creators[(node.tag >> 16) << 8 | node.tag & 0xFF] = creator
        elif node.tag in (terms.PIXEL_REPRESENTATION, terms.LUT_DESCRIPTOR) and length >= 2:
            order = ">H" if top.big_endian else "<H"
            (self._hints[number, node.tag],) = struct.unpack(order, self._read(node.value, 2))

    def _only_zeros(self, position: int, stop: int) -> bool:
        if position <= self._not_zero:
            return False  # this part was checked before
        for piece in self._pieces(position, stop - position):
            rest = piece.lstrip(b"\0")
            if rest:
                self._not_zero = position + len(piece) - len(rest)
                return False
            position += len(piece)
        return True

    def _resolve(self) -> None:
        """Set the VRs that implicit VR leaves open by the rules of `dictionary`."""
        near: dict[int, int | None] = {}
        for number, kind in self._guesses:
            node = self._nodes[number]
            known = None
            if kind == "xs":
                known = self._nearest(node.parent, near)
            elif kind == "lt":
                known = self._hints.get((node.parent, terms.LUT_DESCRIPTOR))
            node.vr = resolved(kind, node.end - node.value, known)

    def _nearest(self, number: int, near: dict[int, int | None]) -> int | None:
        """Return the nearest Pixel Representation, from the data set outwards; read each once."""
        passed = []
        while number not in near:
            passed.append(number)
            found = self._hints.get((number, terms.PIXEL_REPRESENTATION))
            if found is not None or not number:
                break
            number = self._nodes[number].parent
        else:
            found = near[number]
        near.update(dict.fromkeys(passed, found))
        return found

    def _pieces(self, offset: int, length: int) -> Iterator[bytes]:
        for begin in range(offset, offset + length, _CHUNK):
            yield self._read(begin, min(_CHUNK, offset + length - begin))

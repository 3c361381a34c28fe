"""A data set as a tree of elements, and back into bytes in any encoding (PS3.5 Section 7).

Nothing here is shared with the package: what builds a forgery must not have its bugs. It reads only
what `originals` makes, which is well-formed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA, PADDING = 0x7FE00010, 0xFFFCFFFC


class Style(NamedTuple):
    """How elements are encoded."""

    implicit: bool = False
    big: bool = False

    def header(self, tag: int, vr: bytes, length: int) -> bytes:
        """The bytes before a value; a length that does not fit is cut."""
        order = ">" if self.big else "<"
        start = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        if self.implicit or tag >> 16 == 0xFFFE:
            return start + struct.pack(order + "L", length & UNDEFINED)
        if vr in LONG:
            return start + vr + b"\0\0" + struct.pack(order + "L", length & UNDEFINED)
        return start + vr + struct.pack(order + "H", length & 0xFFFF)

    def element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """An element; the value is bytes in the order of the style."""
        return self.header(tag, vr, len(value)) + value

    def end(self, tag: int, length: int = 0) -> bytes:
        """A delimiter."""
        return self.header(tag, b"", length)


EXPLICIT, IMPLICIT, BIG = Style(), Style(implicit=True), Style(big=True)
STYLES = (EXPLICIT, IMPLICIT, BIG)
WIDTHS = {
    b"US": 2, b"SS": 2, b"OW": 2, b"AT": 2, b"UL": 4, b"SL": 4, b"FL": 4, b"OF": 4, b"OL": 4,
    b"FD": 8, b"OD": 8, b"SV": 8, b"UV": 8, b"OV": 8,
}  # fmt: skip


def swapped(value: bytes, vr: bytes) -> bytes:
    """A value in the other byte order."""
    width = WIDTHS.get(vr, 1)
    if width == 1:
        return value
    out = bytearray(value)
    for at in range(width):
        out[at::width] = value[width - 1 - at :: width]
    return bytes(out)


@dataclass
class Node:
    """An element: a value in little endian, or items; encapsulated pixels are fragments."""

    tag: int
    vr: bytes
    value: bytes = b""
    items: list[list[Node]] | None = None
    fragments: list[bytes] | None = None
    undefined: bool = False  # whether the sequence and its items had delimiters


@dataclass
class Raw:
    """Bytes that stand where an element may stand."""

    data: bytes
    tag: int = -1
    vr: bytes = field(default=b"")


Nodes = list["Node | Raw"]


def parse(data: bytes, style: Style, sequences: frozenset[int] = frozenset()) -> list[Node]:
    """A well-formed data set; in implicit VR ``sequences`` says which tags are sequences."""
    return _Parser(data, style, sequences).elements(0, len(data))[0]


class _Parser:
    def __init__(self, data: bytes, style: Style, sequences: frozenset[int]) -> None:
        self.data, self.style, self.sequences = data, style, sequences
        self.order = ">" if style.big else "<"

    def tag(self, at: int) -> tuple[int, int]:
        group, element, length = struct.unpack_from(self.order + "HHL", self.data, at)
        return group << 16 | element, length

    def elements(self, at: int, stop: int) -> tuple[list[Node], int]:
        """Until an item's delimiter, or the stop."""
        found: list[Node] = []
        while at < stop:
            tag, length = self.tag(at)
            if tag == ITEM_END:
                return found, at + 8
            vr, value = b"", at + 8
            if not self.style.implicit:
                vr = self.data[at + 4 : at + 6]
                if vr in LONG:
                    (length,) = struct.unpack_from(self.order + "L", self.data, at + 8)
                    value = at + 12
                else:
                    (length,) = struct.unpack_from(self.order + "H", self.data, at + 6)
            node = Node(tag, vr, undefined=length == UNDEFINED)
            if tag == PIXEL_DATA and length == UNDEFINED:
                node.fragments, at = self.fragments(value)
            elif vr == b"SQ" or tag in self.sequences or length == UNDEFINED:
                node.vr = b"SQ"
                node.items, at = self.items(value, stop if node.undefined else value + length)
            else:
                node.value, at = self.data[value : value + length], value + length
                if self.style.big:
                    node.value = swapped(node.value, vr)
            found.append(node)
        return found, at

    def items(self, at: int, stop: int) -> tuple[list[list[Node]], int]:
        found = []
        while at < stop:
            tag, length = self.tag(at)
            if tag == SEQUENCE_END:
                return found, at + 8
            item, at = self.elements(at + 8, stop if length == UNDEFINED else at + 8 + length)
            found.append(item)
        return found, at

    def fragments(self, at: int) -> tuple[list[bytes], int]:
        found = []
        while True:
            tag, length = self.tag(at)
            if tag == SEQUENCE_END:
                return found, at + 8
            found.append(self.data[at + 8 : at + 8 + length])
            at += 8 + length


def emit(nodes: Nodes, style: Style, undefined: bool | None = None) -> bytes:
    """The bytes of elements.

    Args:
        nodes: the elements, in order.
        style: how they are encoded.
        undefined: whether sequences and items get delimiters; None keeps each as it was.
    """
    out = bytearray()
    for node in nodes:
        if isinstance(node, Raw):
            out += node.data
        elif node.fragments is not None:
            out += style.header(node.tag, node.vr or b"OB", UNDEFINED)
            for fragment in node.fragments:
                out += style.end(ITEM, len(fragment)) + fragment
            out += style.end(SEQUENCE_END)
        elif node.items is not None:
            open_ended = node.undefined if undefined is None else undefined
            content = bytearray()
            for item in node.items:
                inner = emit(list(item), style, undefined)
                content += style.end(ITEM, UNDEFINED if open_ended else len(inner)) + inner
                content += style.end(ITEM_END) if open_ended else b""
            out += style.header(node.tag, b"SQ", UNDEFINED if open_ended else len(content))
            out += content + (style.end(SEQUENCE_END) if open_ended else b"")
        else:
            value = swapped(node.value, node.vr) if style.big else node.value
            out += style.element(node.tag, node.vr, value)
    return bytes(out)

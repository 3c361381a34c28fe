"""Bytes that two readers take for two things: a header with two readings, and what follows it.

A *reading* of a header is where its value begins and how long it is. Where two readings end at
different places, one reader goes on where the other still passes over a value: there a second
data set fits, and behind it a header that makes the second reader pass over the rest.
"""

from __future__ import annotations

import random
import struct
from typing import NamedTuple

from .originals import MALLORY, PLANS
from .tree import BIG, EXPLICIT, IMPLICIT, LONG, PADDING, UNDEFINED, Node, Style, emit

SHORT_VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
LONG_VRS = sorted(LONG)
# no VRs, VRs that are newer than some reader, and what DCMTK uses inside
ODD_VRS = b"zz ZZ ?? AA OX QQ ox xs lt na up UQ A\xff Z\0 \0\0 OV SV UV OL OD UC UR pi ps LX".split(
    b" "
)
LARGEST = 0x5C00  # what a VR says as a length is less
LONGEST = 0x28000  # of a value; a mutant has to be small
WRAPS = ((PADDING, b"OB"), (PADDING, b"OB"), (0xFFFD0010, b"UN"), (0x7FE1FF10, b"OB"))


class Reading(NamedTuple):
    """Where a value begins, counted from its header, and its length."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


class Face(NamedTuple):
    """A header with the reading of one's own encoding, and that of another."""

    header: bytes
    mine: Reading
    other: Reading
    style: Style  # of the other reading


def reading(header: bytes, style: Style, wide: bool | None = None) -> Reading:
    """How a style reads 12 bytes; ``wide`` is a length of 32 bits in spite of the VR."""
    order = ">" if style.big else "<"
    if style.implicit:
        return Reading(8, struct.unpack_from(order + "L", header, 4)[0])
    if wide or (wide is None and header[4:6] in LONG):
        return Reading(12, struct.unpack_from(order + "L", header, 8)[0])
    return Reading(8, struct.unpack_from(order + "H", header, 6)[0])


def face(dice: random.Random, style: Style, tag: int, room: int) -> Face:
    """A header in a style that another style, or another table of VRs, reads otherwise.

    Args:
        dice: where all choices come from.
        style: that of the data set.
        tag: of the element.
        room: how many bytes have to fit between both ends.
    """
    odd = not style.implicit and dice.random() < 0.35
    vr = dice.choice(ODD_VRS if odd else dice.choice((SHORT_VRS, LONG_VRS, [b"OB", b"UN", b"LO"])))
    order = ">" if style.big else "<"
    start = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    large = LARGEST + room + dice.randrange(0, 64, 2)
    small = dice.choice((0, 0, 2, 8, 16, 128))
    if style.implicit:
        others = (EXPLICIT, EXPLICIT, EXPLICIT, BIG)
        upper = dice.choice((b"\0\0", b"\0\0", b"\0\1"))
        header = start + vr + upper + struct.pack("<L", dice.choice((small, large, UNDEFINED)))
        return _face(dice, header, style, others, odd)
    if vr in LONG or (odd and dice.random() < 0.5):
        reserved = struct.pack(order + "H", dice.choice((0, 0, 0, 0, 1, small)))
        header = (
            start + vr + reserved + struct.pack(order + "L", dice.choice((large, large, small)))
        )
    else:
        length = struct.pack(order + "H", dice.choice((0, 0, small, large & 0xFFFF)))
        header = start + vr + length + struct.pack(order + "L", dice.choice((small, large)))
    others = (BIG if style is EXPLICIT else EXPLICIT, IMPLICIT, IMPLICIT, IMPLICIT)
    return _face(dice, header, style, others, odd)


def _face(
    dice: random.Random, header: bytes, style: Style, others: tuple[Style, ...], odd: bool
) -> Face:
    wide = header[4:6] in LONG
    if odd and dice.random() < 0.7:  # the same style, another width of the length
        mine = dice.random() < 0.5
        return Face(header, reading(header, style, mine), reading(header, style, not mine), style)
    other = dice.choice(others)
    mine_wide = wide if not odd else dice.random() < 0.5
    return Face(
        header, reading(header, style, mine_wide), reading(header, other, wide), other
    )  # fmt: skip


def evil(dice: random.Random, kind: str, style: Style) -> bytes:
    """A second data set of the kind of an original, or some elements of one."""
    make = PLANS[kind][0] if dice.random() < 0.8 else PLANS["image"][0]
    nodes: list[Node] = make(*MALLORY, 999)  # type: ignore[no-untyped-call]
    how = dice.random()
    if how < 0.25:
        nodes = [node for node in nodes if node.tag >> 16 in (0x0010, 0x7FE0)]
    elif how < 0.35:
        nodes = [node for node in nodes if node.tag == 0x00100010]
    return emit(nodes, style, dice.random() < 0.5)


def followed(
    dice: random.Random, face: Face, style: Style, second: bytes, after: int, cover: int
) -> bytes | None:
    """A face and what follows it, so that the other reader finds ``second``; None: no room.

    Args:
        dice: where all choices come from.
        made: the header and its readings.
        style: of one's own reading.
        second: bytes for the other reader, in its encoding.
        after: how many bytes follow, for it to pass over.
        cover: the tag of an element that hides ``second`` where one's own reading ends earlier.
    """
    header, mine, other, theirs = face
    if mine.end < other.start:  # the other's length is what stands where one's own reading goes on
        (length,) = struct.unpack(
            ">L" if style.big else "<L", style.end(cover)[:4]
        )  # fmt: skip
        other = Reading(other.start, length)
    if max(mine.length, other.length) > LONGEST or other.end < mine.start:
        return None
    rest = after if dice.random() < 0.75 else 0  # else it goes on where the first reader does
    wrap = dice.choice(WRAPS)
    size = len(theirs.header(*wrap, 0))
    if other.end + size + len(second) <= mine.end:
        gap = mine.end - other.end - len(second) - size
        tail = second + theirs.header(*wrap, gap + rest) + bytes(gap)
        return _filled(header, other.end) + tail
    outer = len(style.header(cover, b"OB", 0))
    gap = other.end - mine.end - outer
    if gap < 0:
        return None
    tail = bytes(gap) + second + theirs.header(*wrap, rest)
    return _filled(header, mine.end) + style.header(cover, b"OB", len(tail)) + tail


def _filled(header: bytes, size: int) -> bytes:
    return (header + bytes(max(0, size - len(header))))[:size]

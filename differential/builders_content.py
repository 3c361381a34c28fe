"""A second value of what is signed: twice, out of order, at other tags, in other words."""

from __future__ import annotations

import random

from .builders import builder
from .builders_encoding import kind
from .faces import LONG_VRS, SHORT_VRS, evil
from .originals import MALLORY, PLANS, Original
from .places import place
from .tree import (
    IMPLICIT,
    ITEM,
    ITEM_END,
    PADDING,
    SEQUENCE_END,
    STYLES,
    UNDEFINED,
    Node,
    Nodes,
    emit,
)  # fmt: skip

GROUPS = (
    0x0009, 0x0011, 0x0019, 0x0021, 0x0027, 0x0029, 0x003F, 0x0041, 0x0071, 0x0073, 0x01F1, 0x2001,
    0x2005, 0x4FFD, 0x4FFF, 0x5001, 0x6001, 0x7FDF, 0x7FE1, 0xFFF9, 0xFFFB, 0xFFFD,
)  # fmt: skip
# whose elements readers know from dictionaries of their own, or treat in their own way
CREATORS = (
    b"GEMS_IDEN_01", b"SIEMENS CSA HEADER", b"Philips Imaging DD 001", b"ELSCINT1", b"X ",
    b"Philips MR Imaging DD 005", b"SIEMENS MR HEADER", b"GEMS_PETD_01", b"PMOD_1", b"AGFA",
    b"SIEMENS MED NM", b"SPI-P-Private_ICS Release 1", b"CARDIO-D.R. 1.0",
)  # fmt: skip


@builder
def duplicate(dice: random.Random, original: Original) -> bytes | None:
    """A signed element once more, with another value, before or behind it, or in an item."""
    forged: list[Node] = PLANS[kind(original)][0](*MALLORY, 999)  # type: ignore[no-untyped-call]
    put = dice.choice([n for n in forged if n.tag in original.signed])
    nodes: Nodes = list(original.nodes)
    same = [n for n, node in enumerate(original.nodes) if node.tag == put.tag]
    at = dice.choice((*same, *[n + 1 for n in same], 0, len(nodes), dice.randint(0, len(nodes))))
    nodes.insert(at, put)
    return original.file(emit(nodes, original.style, dice.choice((None, True, False))))


@builder
def order(dice: random.Random, original: Original) -> bytes | None:
    """Elements change places; a second data set follows the first or goes before it."""
    nodes: Nodes = list(original.nodes)
    if dice.random() < 0.5:
        one = dice.randrange(len(nodes))
        nodes.insert(dice.randrange(len(nodes)), nodes.pop(one))
        return original.file(emit(nodes, original.style))
    second = evil(dice, kind(original), original.style)
    wrap = original.style.header(PADDING, b"OB", len(original.body))
    return original.file(dice.choice((
        second + original.body, original.body + second, second + wrap + original.body,
    )))  # fmt: skip


@builder
def never_signed(dice: random.Random, original: Original) -> bytes | None:
    """What no signature can cover, with values of all kinds: group lengths, groups 0001 to 0007."""
    spot = place(original, dice)
    style = spot.style
    second = evil(dice, kind(original), dice.choice(STYLES))
    vr = dice.choice((b"UL", b"UN", b"OB", b"LO", b"SQ", b"UI", b"US", b"UT", b"OW"))
    item = style.end(ITEM, len(second)) + second
    value = dice.choice((second, item, second + item, b"\0" * 4, b"\0" * 6, b"", second[:4]))
    tag = dice.choice((
        0x00000000, 0x00000100, 0x00010010, 0x00020010, 0x00030000, 0x00041220, 0x00050000,
        0x00060010, 0x00070001, 0x00080000, 0x00080001, 0x00100000, 0x04000000, 0x4FFE0000,
        0x4FFE0002, 0xFFFA0000, 0xFFFAFFFB, 0xFFFAFFFA, 0xFFFCFFFC, 0x7FE00000, 0x00280000,
    ))  # fmt: skip
    return spot.file(style.header(tag, vr, len(value)) + value)


@builder
def private(dice: random.Random, original: Original) -> bytes | None:
    """Private creators and private elements: another creator for a signed block, nested blocks."""
    spot = place(original, dice)
    style = spot.style
    rows: list[tuple[int, bytes, bytes]] = []
    for _ in range(dice.randint(1, 4)):
        group = dice.choice((0x0009, 0x0009, 0x0011, 0x0019, 0x0029, 0x2005, 0x7FE1))
        element = dice.choice((0x0010, 0x0011, 0x1001, 0x1002, 0x1003, 0x1010, 0x1102, 0x0001))
        vr = dice.choice((b"LO", b"LO", b"UN", b"SQ", b"OB", b"US", b"SH", b"UL"))
        value = dice.choice(CREATORS) if element < 0x100 else b"\4\0\0\0"
        if vr == b"SQ":
            inner = style.element(0x00090010, b"LO", dice.choice(CREATORS))
            value = style.end(ITEM, len(inner)) + inner
        rows.append((group << 16 | element, vr, value))
    if dice.random() < 0.7:
        rows.sort(key=lambda row: row[0])
    return spot.file(b"".join(style.element(*row) for row in rows))


@builder
def carrier(dice: random.Random, original: Original) -> bytes | None:
    """A well-formed element that nobody signed, in its place, with a second data set as value."""
    spots = [place(original, dice, 0.2) for _ in range(8)]
    fitting = [
        (s, g) for s in spots for g in GROUPS if s.low < g << 16 and g << 16 | 0xFFFF < s.high
    ]
    if not fitting:
        return None
    spot, group = dice.choice(fitting)
    style = spot.style
    inner = dice.choice((style, style, *STYLES))
    second = evil(dice, kind(original), inner)
    ends = style.end(ITEM_END) + style.end(SEQUENCE_END)
    vr = dice.choice((*LONG_VRS, *LONG_VRS, *SHORT_VRS))
    items = style.end(ITEM, len(second)) + second
    opened = style.end(ITEM, UNDEFINED) + second + style.end(ITEM_END)
    value = dice.choice((
        second, items, opened, items * 2, ends + second, ends * 2 + second, original.file(second),
        original.data, second + ends, style.end(ITEM, 0) + items, b"\xff\xff\xff\xff" + second,
        style.end(SEQUENCE_END) * 2 + second, second * (1 + 0xFF00 // len(second)),
    ))  # fmt: skip
    if vr == b"SQ":
        value = dice.choice((items, opened, items + opened, b""))
    value += b"\0" * (len(value) % 2)
    if vr not in LONG_VRS:
        value = value[:0xFFFE]
    block = dice.choice((0x10, 0x11, 0x20, 0xFF))
    creator = dice.choice((*CREATORS, b"TEST"))
    raw = style.element(group << 16 | block, b"LO", creator + b" " * (len(creator) % 2))
    tag = group << 16 | block << 8 | dice.choice((0, 0x01, 0x10, 0x40, 0x5F, 0x80, 0xFF))
    if dice.random() < 0.2:
        raw, tag = b"", dice.choice((0x00420011, 0x00281201, 0x00283006, 0x00880200, 0x54000110,
                                     0x00091027, 0x66660010, 0x00142002, 0x50003000))  # fmt: skip
    if vr in (b"SQ", b"UN") and dice.random() < 0.5:
        value = dice.choice((items, opened))
        if vr == b"UN":
            second = evil(dice, kind(original), IMPLICIT)
            value = IMPLICIT.end(ITEM, len(second)) + second
        return spot.file(raw + style.header(tag, vr, UNDEFINED) + value + style.end(SEQUENCE_END))
    return spot.file(raw + style.element(tag, vr, value))


@builder
def unsigned_items(dice: random.Random, original: Original) -> bytes | None:
    """Elements that can be signed, put into signed items, into MAC Parameters, into signatures."""
    spot = place(original, dice, 0.95)
    style = spot.style
    forged: list[Node] = PLANS[kind(original)][0](*MALLORY, 999)  # type: ignore[no-untyped-call]
    chosen: Nodes = [dice.choice(forged)]
    if dice.random() < 0.5:
        content = emit(chosen, style)
        item = style.end(ITEM, len(content)) + content + style.end(ITEM_END)
        return spot.file(style.header(0x00090001, b"UN", len(item)) + item)
    if dice.random() < 0.3:
        node = chosen[0]
        assert isinstance(node, Node)
        value = node.value or emit(chosen, style)
        return spot.file(style.element(node.tag, b"UN", value))
    return spot.file(emit(chosen, style))


@builder
def digital_signatures(dice: random.Random, original: Original) -> bytes | None:
    """Signature sequences twice, moved into items, with more items, of other VRs, empty."""
    nodes: Nodes = list(original.nodes)
    numbers = [n for n, node in enumerate(original.nodes) if node.tag in (0x4FFE0001, 0xFFFAFFFA)]
    number = dice.choice(numbers)
    node = original.nodes[number]
    assert node.items is not None
    how = dice.randrange(5)
    if how == 0:
        nodes[number] = Node(node.tag, node.vr, items=[*node.items, *node.items])
    elif how == 1:
        nodes.insert(number, Node(node.tag, node.vr, items=dice.choice(([], node.items))))
    elif how == 2:
        forged: list[Node] = PLANS[kind(original)][0](*MALLORY, 999)  # type: ignore[no-untyped-call]
        nodes[number] = Node(node.tag, node.vr, items=[[*forged[:3], *node.items[0]]])
    elif how == 3:
        nodes[number] = Node(node.tag, node.vr, items=[[*node.items[0], *node.items[0]]])
    else:
        put = Node(0x0040A730, b"SQ", items=[[*original.nodes]])
        nodes = [n for n in [*PLANS[kind(original)][0](*MALLORY, 999)] if n.tag != put.tag]  # type: ignore[no-untyped-call]
        nodes = sorted([*nodes, put], key=lambda n: n.tag)
    return original.file(emit(nodes, original.style, dice.choice((None, True, False))))

"""Offset tables, fragments and frames: which pixels belong to which picture."""

from __future__ import annotations

import random
import struct

from .builders import builder
from .faces import evil
from .originals import RLE_UID, SIZE, Original, frames, meta, rle, with_head
from .places import place
from .tree import (
    ITEM,
    ITEM_END,
    PADDING,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Node,
    Nodes,
    Raw,
    emit,
)  # fmt: skip


def _pixels(original: Original) -> tuple[int, list[bytes]] | None:
    """Where Pixel Data stand, and their fragments; none if they are not encapsulated."""
    for number, node in enumerate(original.nodes):
        if node.tag == PIXEL_DATA and node.fragments is not None:
            return number, node.fragments
    return None


def _changed(original: Original, number: int, *put: Node | Raw, before: Nodes = ()) -> bytes:  # type: ignore[assignment]
    nodes = [*original.nodes[:number], *before, *put, *original.nodes[number + 1 :]]
    return original.file(emit(nodes, original.style))


def _tables(dice: random.Random, fragments: list[bytes]) -> tuple[list[int], list[int]]:
    """Offsets and lengths of the frames, in another order, or some of them."""
    starts, at = [], 0
    for fragment in fragments[1:]:
        starts.append(at)
        at += 8 + len(fragment)
    lengths = [len(f) for f in fragments[1:]]
    order = list(range(len(starts)))
    how = dice.random()
    if how < 0.5:
        dice.shuffle(order)
    elif how < 0.7:
        order = [dice.choice(order) for _ in order]
    elif how < 0.8:
        order = order[::-1]
    starts, lengths = [starts[n] for n in order], [lengths[n] for n in order]
    if dice.random() < 0.2:
        starts = [s + dice.choice((0, 2, 8, -8)) if s else s for s in starts]
    if dice.random() < 0.2:
        lengths = [max(0, n + dice.choice((0, 2, -2, 8))) for n in lengths]
    return [max(0, s) for s in starts], lengths


@builder
def extended_offset_table(dice: random.Random, original: Original) -> bytes | None:
    """An Extended Offset Table, which nobody signed, says which frame is which."""
    found = _pixels(original)
    if found is None:
        return None
    number, fragments = found
    starts, lengths = _tables(dice, fragments)
    tables: Nodes = [Node(0x7FE00001, b"OV", struct.pack(f"<{len(starts)}Q", *starts))]
    if dice.random() < 0.8:
        tables.append(Node(0x7FE00002, b"OV", struct.pack(f"<{len(starts)}Q", *lengths)))
    if dice.random() < 0.3:
        tables.append(Node(0x7FE00003, b"UV", struct.pack("<Q", dice.choice((1, 100, 1 << 40)))))
    return _changed(original, number, original.nodes[number], before=tables)


@builder
def basic_offset_table(dice: random.Random, original: Original) -> bytes | None:
    """The Basic Offset Table is filled, emptied, permuted, cut or left out."""
    found = _pixels(original)
    if found is None:
        return None
    number, fragments = found
    starts, _ = _tables(dice, fragments)
    table = struct.pack(f"<{len(starts)}L", *starts)
    new = dice.choice((
        [table, *fragments[1:]], [table[:4], *fragments[1:]], [b"", *fragments[1:]], fragments[1:],
        [table[:-2], *fragments[1:]], [b"", *fragments], [fragments[0], b"", *fragments[1:]],
    ))  # fmt: skip
    node = original.nodes[number]
    return _changed(original, number, Node(PIXEL_DATA, node.vr, fragments=new, undefined=True))


@builder
def fragments_merged(dice: random.Random, original: Original) -> bytes | None:
    """Fragments become one or two; item tags come into values, or go out of them."""
    found = _pixels(original)
    if found is None:
        return None
    number, fragments = found
    node, style = original.nodes[number], original.style
    tag = style.end(ITEM)[:4]
    new = list(fragments)
    for _ in range(dice.choice((1, 1, 2))):
        at = dice.randrange(len(new))
        if dice.random() < 0.6 and at + 1 < len(new):
            joint = dice.choice((tag, tag, b"", style.end(ITEM, len(new[at + 1]))))
            new[at : at + 2] = [new[at] + joint + new[at + 1]]
        else:
            cut = dice.randrange(0, len(new[at]) + 1, 2)
            inner = new[at].find(tag)
            one, two = new[at][:cut], new[at][cut:]
            if inner >= 0 and dice.random() < 0.5:
                one, two = new[at][:inner], new[at][inner + 4 :]
            new[at : at + 1] = [one, two]
    if dice.random() < 0.2:
        dice.shuffle(new)
    if dice.random() < 0.2:
        new.insert(dice.randint(0, len(new)), b"")
    return _changed(original, number, Node(PIXEL_DATA, node.vr, fragments=new, undefined=True))


@builder
def fragment_delimiters(dice: random.Random, original: Original) -> bytes | None:
    """Delimiters of encapsulated pixels with lengths, twice, early, none; odd fragments."""
    found = _pixels(original)
    if found is None:
        return None
    number, fragments = found
    node, style = original.nodes[number], original.style
    other = [rle(p) for p in frames(999, max(1, len(fragments) - 1))]
    raw = style.header(PIXEL_DATA, dice.choice((node.vr, node.vr, b"OW", b"UN")), UNDEFINED)
    extra = b"".join(style.end(ITEM, len(o)) + o for o in other)
    at = dice.randrange(len(fragments) + 1)
    for count, fragment in enumerate(fragments):
        if count == at and dice.random() < 0.5:
            raw += style.end(SEQUENCE_END, dice.choice((0, len(extra), 4))) + extra
        value = fragment
        if value[-1:] == b"\0" and dice.random() < 0.4:
            value = value[:-1]
        raw += style.end(ITEM, len(value)) + value
    raw += dice.choice((
        style.end(SEQUENCE_END), style.end(SEQUENCE_END, len(extra)) + extra, extra,
        style.end(SEQUENCE_END, 4), style.end(SEQUENCE_END, UNDEFINED), b"",
        style.end(SEQUENCE_END) + extra + style.end(SEQUENCE_END),
        style.end(SEQUENCE_END) + style.header(0x7FE10010, b"OB", len(extra)) + extra,
    ))  # fmt: skip
    return _changed(original, number, Raw(raw))


@builder
def second_pixels(dice: random.Random, original: Original) -> bytes | None:
    """Other pixel data beside the signed ones, before or behind them, and what describes them."""
    numbers = [n for n, node in enumerate(original.nodes) if node.tag == PIXEL_DATA]
    if not numbers:
        return None
    node = original.nodes[numbers[0]]
    grey = b"".join(frames(999, 3))
    count = SIZE * SIZE * 3
    others: list[Node] = [
        Node(0x7FE00008, b"OF", struct.pack(f"<{count}f", *[9.0] * count)),
        Node(0x7FE00009, b"OD", struct.pack(f"<{count}d", *[9.0] * count)),
        Node(0x7FE00010, b"OW", grey), Node(0x7FE10010, b"OW", grey),
        Node(0x7FE00010, b"OB", fragments=[b"", rle(grey[: len(grey) // 3])]),
        Node(0x00FF4AA5, b"OW", grey), Node(0x60003000, b"OW", grey),
        Node(0x7FE00000, b"UL", grey[:4]), Node(0x00280010, b"US", b"\4\0"),
        Node(0x00280008, b"IS", b"2 "), Node(0x00281053, b"DS", b"-1"),
        Node(0x7FE11060, b"OB", fragments=[b"", grey]), Node(0x7FE00020, b"OW", grey),
    ]  # fmt: skip
    put = dice.choice(others)
    fitting = [n for n, other in enumerate(original.nodes) if other.tag > put.tag]
    at = fitting[0] if fitting and dice.random() < 0.8 else dice.randint(0, len(original.nodes))
    nodes: Nodes = [*original.nodes[:at], put, *original.nodes[at:]]
    if dice.random() < 0.1:
        nodes = [n for n in nodes if n is not node]
    return original.file(emit(nodes, original.style))


@builder
def pixels_under_another_label(dice: random.Random, original: Original) -> bytes | None:
    """Native pixels under a compressed label, and encapsulated ones under a native one."""
    labels = (
        RLE_UID, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.1.98",
        "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
    )  # fmt: skip
    if original.style.implicit or original.style.big:
        return None
    return with_head(meta(dice.choice(labels))) + original.body


@builder
def icon(dice: random.Random, original: Original) -> bytes | None:
    """Encapsulated pixels in an item that nobody signed: their fragments hold a delimiter."""
    tag = 0x00880200
    holders = [s for s in (place(original, dice, 0.1) for _ in range(12)) if s.low < tag]
    fitting = [s for s in holders if s.low < tag < s.high] or holders
    if not fitting:
        return None
    spot = dice.choice(fitting)
    if dice.random() < 0.3:
        tag = (max(spot.low >> 16, 8) | 1) << 16 | 0x1010
    style = spot.style
    opened = dice.random() < 0.6
    ends = (style.end(ITEM_END) + style.end(SEQUENCE_END)) if opened else b""
    stop = style.end(SEQUENCE_END, dice.choice((0, 0, 0, 8)))
    second = stop + ends + spot.closing + evil(dice, original.name.partition("-")[0], style)
    rest = 8 + len(ends) + spot.after
    wrapped = style.header(PADDING, b"OB", rest if dice.random() < 0.8 else 8)
    fragment = dice.choice((b"", bytes(8), bytes(7))) + second + wrapped
    pixels = style.header(PIXEL_DATA, dice.choice((b"OB", b"OB", b"OW")), UNDEFINED)
    pixels += style.end(ITEM, 0) + style.end(ITEM, len(fragment)) + fragment
    pixels += style.end(SEQUENCE_END)
    described = emit(
        [Node(0x00280010, b"US", b"\4\0"), Node(0x00280011, b"US", b"\4\0")], style
    )  # fmt: skip
    content = described + pixels
    item = style.end(ITEM, UNDEFINED if opened else len(content)) + content
    item += style.end(ITEM_END) if opened else b""
    raw = style.header(tag, b"SQ", UNDEFINED if opened else len(item)) + item
    return spot.file(raw + (style.end(SEQUENCE_END) if opened else b""))

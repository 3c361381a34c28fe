"""Lengths: odd, wrong, of delimiters; reserved bytes; numbers that are cut."""

from __future__ import annotations

import random
import struct

from .builders import builder
from .builders_encoding import kind
from .faces import LONG_VRS, evil
from .originals import Original
from .places import FRONT, place
from .tree import (
    EXPLICIT,
    ITEM,
    ITEM_END,
    PADDING,
    SEQUENCE_END,
    UNDEFINED,
    WIDTHS,
    Node,
    Raw,
    Style,
    emit,
)


def _positions(original: Original) -> list[int]:
    """Elements of the main data set that have a value."""
    return [n for n, node in enumerate(original.nodes) if node.items is None and node.value]


def _replaced(original: Original, number: int, raw: bytes) -> bytes:
    nodes = [*original.nodes[:number], Raw(raw), *original.nodes[number + 1 :]]
    return original.file(emit(nodes, original.style))


@builder
def odd_length(dice: random.Random, original: Original) -> bytes | None:
    """The padding of signed values is taken away, or one byte of a value."""
    chosen = [n for n in _positions(original) if original.nodes[n].value[-1:] in (b" ", b"\0")]
    every = dice.random() < 0.2
    numbers = chosen if every else [dice.choice(chosen or _positions(original))]
    nodes: list[Node | Raw] = list(original.nodes)
    for number in numbers:
        node = original.nodes[number]
        cut = dice.choice((1, 1, 1, 2, 3)) if not every else 1
        nodes[number] = Raw(original.style.element(node.tag, node.vr, node.value[:-cut]))
    return original.file(emit(nodes, original.style, dice.choice((None, True))))


@builder
def odd_shift(dice: random.Random, original: Original) -> bytes | None:
    """An odd value; the next header is another one for who goes on a byte later or earlier."""
    spot = place(original, dice)
    style = spot.style
    if style.big:
        return None
    later = dice.random() < 0.5
    tag = spot.tag(dice)
    size = dice.choice((1, 3, 5, 7, 9, 13))
    first_vr = dice.choice((b"LO", b"OB", b"UN", b"SH", b"UT", b"US", b"UL"))
    first = style.header(tag, first_vr, size) + b"\0" * size
    second = spot.closing + evil(dice, kind(original), style)
    if later:
        # mine: tag, VR, length; theirs, from its second byte on: another tag, VR and length
        length = 0x48 | dice.choice((0x30, 0x40)) << 8
        mine = struct.pack("<HH", tag >> 16, (tag & 0xFFFF) + 1)
        mine += (
            b"CS" + struct.pack("<H", length) if not style.implicit else struct.pack("<L", 0x3000)
        )
        theirs = (mine + b"\0" * 8)[1:9]
        skip = int.from_bytes(theirs[6:8], "little") if not style.implicit else (
            int.from_bytes(theirs[4:8], "little")
        )  # fmt: skip
        total = length if not style.implicit else 0x3000
        begin = 1 + skip
    else:
        # theirs begins with the last byte of the value
        mine = struct.pack("<HH", tag >> 16, (tag & 0xFFFF) + 1)
        total = 0x4F4C if style.implicit else 0x3050
        mine += struct.pack("<L", total) if style.implicit else b"LO" + struct.pack("<H", total)
        theirs = first[-1:] + mine[:7]
        skip = int.from_bytes(theirs[6:8], "little") if not style.implicit else (
            int.from_bytes(theirs[4:8], "little")
        )  # fmt: skip
        begin = skip - 1
    wrap = len(style.header(PADDING, b"OB", 0))
    gap = total - begin - len(second) - wrap
    if begin < 0 or gap < 0:
        return None
    tail = second + style.header(PADDING, b"OB", gap + spot.after) + bytes(gap)
    return spot.file(first + mine + bytes(begin) + tail)


@builder
def delimiter_with_length(dice: random.Random, original: Original) -> bytes | None:
    """Delimiters with a length, in sequences that nobody signed or in signed ones, or alone."""
    spot = place(original, dice)
    style = spot.style
    second = spot.closing + evil(dice, kind(original), style)
    second += style.header(PADDING, b"OB", spot.after if dice.random() < 0.8 else 0)
    size = dice.choice((len(second), 4, 8, 12, UNDEFINED, len(second) + 8, 2))
    end = dice.choice((ITEM_END, SEQUENCE_END, ITEM))
    how = dice.random()
    if how < 0.3:
        raw = style.end(end, size)
        raw += second if dice.random() < 0.5 else b""
    else:
        opened = style.header(spot.tag(dice), dice.choice((b"SQ", b"SQ", b"UN", b"OB")), UNDEFINED)
        opened += style.end(ITEM, UNDEFINED)
        one, two = dice.choice(((size, 0), (0, size), (size, size)))
        raw = opened + style.end(ITEM_END, one) + style.end(SEQUENCE_END, two)
        if dice.random() < 0.5:  # who skips the value passes over what another reads
            raw += style.header(0xFFF90012, b"OB", len(second)) + second
        elif dice.random() < 0.5:
            raw += second
    return spot.file(raw)


@builder
def signed_delimiters(dice: random.Random, original: Original) -> bytes | None:
    """The delimiters of signed sequences get lengths, change places or are left out."""
    body = emit(list(original.nodes), original.style, True)
    style = original.style
    marks = []
    for tag in (ITEM_END, SEQUENCE_END):
        mark, at = style.end(tag), -1
        while (at := body.find(mark, at + 1)) >= 0:
            marks.append((at, tag))
    if not marks:
        return None
    at, tag = dice.choice(marks)
    put = dice.choice((
        style.end(tag, dice.choice((2, 4, 8, 12, UNDEFINED, 0x100, 0x1000))),
        style.end(ITEM_END if tag == SEQUENCE_END else SEQUENCE_END), b"",
        style.end(tag) * 2, style.end(ITEM_END) + style.end(SEQUENCE_END),
    ))  # fmt: skip
    return original.file(body[:at] + put + body[at + 8 :])


@builder
def reserved_bytes(dice: random.Random, original: Original) -> bytes | None:
    """The two reserved bytes of a header hold a length."""
    style = original.style
    if style.implicit:
        return None
    order = ">" if style.big else "<"
    reserved = struct.pack(order + "H", dice.choice((1, 2, 8, 0x100, 0xFFFF, 0x2020, 0x40)))
    if dice.random() < 0.5:
        numbers = [
            n
            for n, node in enumerate(original.nodes)
            if node.vr in LONG_VRS and node.tag != 0xFFFAFFFA
        ]
        node = original.nodes[dice.choice(numbers)]
        raw = bytearray(emit([node], style))
        raw[6:8] = reserved
        return _replaced(original, original.nodes.index(node), bytes(raw))
    spot = place(original, dice)
    second = spot.closing + evil(dice, kind(original), style)
    second += style.header(PADDING, b"OB", spot.after)
    header = bytearray(style.header(spot.tag(dice), dice.choice(LONG_VRS), len(second) + 8))
    header[6:8] = reserved
    return spot.file(bytes(header) + bytes(8) + second)


@builder
def number_width(dice: random.Random, original: Original) -> bytes | None:
    """A number whose length is no multiple of its width."""
    numbers = [n for n in _positions(original) if original.nodes[n].vr in WIDTHS]
    if not numbers or (original.style.implicit and dice.random() < 0.5):
        numbers = _positions(original)
    number = dice.choice(numbers)
    node = original.nodes[number]
    order = ">" if original.style.big else "<"
    del order
    value = dice.choice((
        node.value[:1], node.value[:-1], node.value + b"\0", node.value + b"\0\0", node.value * 2,
        node.value[:3], b"",
    ))  # fmt: skip
    raw = original.style.element(node.tag, node.vr, value)
    if dice.random() < 0.3:
        spot = place(original, dice)
        vr = dice.choice([*WIDTHS])
        return spot.file(
            spot.style.element(spot.tag(dice), vr, bytes(dice.choice((1, 3, 5, 6, 7, 9))))
        )
    return _replaced(original, number, raw)


@builder
def container_lengths(dice: random.Random, original: Original) -> bytes | None:
    """Sequences and items whose length disagrees with their content."""
    nodes = original.nodes
    style = original.style
    if dice.random() < 0.5:
        numbers = [n for n, node in enumerate(nodes) if node.items]
        number = dice.choice(numbers)
        raw = bytearray(emit([nodes[number]], style, dice.choice((False, True))))
        at = len(style.header(nodes[number].tag, b"SQ", 0)) - 4
        item = at + 4 + 4
        where = dice.choice((at, item))
        order = "big" if style.big else "little"
        length = int.from_bytes(raw[where : where + 4], order)
        if length == UNDEFINED:
            length = len(raw) - where - 4
        changed = dice.choice((
            length + 2, length - 2, length + 8, length - 8, 0, UNDEFINED, length * 2,
            length + len(emit(nodes[number + 1 :], style)),
        ))  # fmt: skip
        raw[where : where + 4] = (changed & UNDEFINED).to_bytes(4, order)
        return _replaced(original, number, bytes(raw))
    spot = place(original, dice)
    second = evil(dice, kind(original), style)
    wrap = style.header(PADDING, b"OB", spot.after if dice.random() < 0.7 else 0)
    inner = style.element(0x00080104, b"LO", b"Sequence")
    length = len(inner) + dice.choice((0, 2, 8, len(second), len(second) + len(wrap), -2, -8))
    item = style.end(ITEM, dice.choice((length, len(inner), UNDEFINED))) + inner
    outer = len(item) + dice.choice((0, 0, 8, -8, len(second), len(second) + len(wrap)))
    vr = dice.choice((b"SQ", b"SQ", b"UN"))
    raw = style.header(spot.tag(dice), vr, dice.choice((outer, UNDEFINED))) + item
    hidden = dice.choice((
        second + wrap, style.header(0xFFF90012, b"OB", len(second + wrap)) + second + wrap,
        style.end(ITEM, len(second)) + second, style.end(ITEM_END) + style.end(SEQUENCE_END),
    ))  # fmt: skip
    return spot.file(raw + hidden)


@builder
def mixed_lengths(dice: random.Random, original: Original) -> bytes | None:
    """Sequences and items with a length or a delimiter each, by chance; some have both."""
    both = dice.random() < 0.5
    return original.file(_mixed(dice, list(original.nodes), original.style, both))


def _mixed(dice: random.Random, nodes: list[Node], style: Style, both: bool) -> bytes:
    out = b""
    for node in nodes:
        if node.items is None:
            out += emit([node], style)
            continue
        content = b""
        for item in node.items:
            inner = _mixed(dice, item, style, both)
            ending = style.end(ITEM_END)
            if dice.random() < 0.5:
                content += style.end(ITEM, UNDEFINED) + inner + ending
            else:
                inner += ending if both and dice.random() < 0.3 else b""
                content += style.end(ITEM, len(inner)) + inner
        ending = style.end(SEQUENCE_END)
        if dice.random() < 0.5:
            out += style.header(node.tag, b"SQ", UNDEFINED) + content + ending
        else:
            content += ending if both and dice.random() < 0.3 else b""
            out += style.header(node.tag, b"SQ", len(content)) + content
    return out


@builder
def undefined_length(dice: random.Random, original: Original) -> bytes | None:
    """Undefined length where it may not be: of text, of numbers, of OB outside Pixel Data."""
    spot = place(original, dice)
    style = spot.style
    vr = dice.choice((b"OB", b"OW", b"UT", b"UN", b"UC", b"UR", b"OF", b"OD", b"OL", b"SV", b"SQ"))
    second = spot.closing + evil(dice, kind(original), style)
    ends = style.end(ITEM_END) + style.end(SEQUENCE_END)
    content = dice.choice((
        b"text", second, style.end(ITEM, 4) + b"text", style.end(ITEM, UNDEFINED) + second,
        style.end(ITEM, UNDEFINED) + second + ends + second, ends + second,
        style.end(ITEM, len(second)) + second,
    ))  # fmt: skip
    stop = dice.choice((style.end(SEQUENCE_END), ends, b"", style.end(ITEM_END)))
    wrap = style.header(PADDING, b"OB", spot.after) if dice.random() < 0.5 else b""
    return spot.file(style.header(spot.tag(dice), vr, UNDEFINED) + content + wrap + stop)


@builder
def trailing(dice: random.Random, original: Original) -> bytes | None:
    """Bytes behind the data set: padding, a cut header, a second data set, a whole file."""
    style = original.style
    second = evil(dice, kind(original), style)
    whole = original.head + second
    padding = style.element(PADDING, dice.choice((b"OB", b"UN", b"OW")), second)
    more = dice.choice((
        bytes(dice.choice((1, 2, 7, 8, 12, 100))), second, whole, padding, padding + second,
        style.end(ITEM_END) + second, style.end(SEQUENCE_END),
        style.end(ITEM, len(second)) + second,
        style.header(PADDING, b"OB", UNDEFINED) + second, style.header(PADDING, b"OB", 8) + second,
        EXPLICIT.header(dice.choice(FRONT), b"OB", len(second)) + second, second[:6], second[:9],
    ))  # fmt: skip
    return original.file(original.body + more)

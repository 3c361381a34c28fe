"""What readers "repair": lengths and tags that stand in their sources as known mistakes of others.

GDCM: a length of 13 in implicit VR is 10; of a UL in group 0009 a length of 6 is 4; (01F7,1070) is
7 bytes shorter; (00FF,4AA5) is Pixel Data up to the end of the file; items with swapped tags; and
after an error the whole file is read once more, with other rules for UN and for VRs. DCMTK: VRs
that are its own. pydicom: VRs that are no upper-case letters switch to implicit VR.
"""

from __future__ import annotations

import random
import struct

from .builders import builder
from .builders_encoding import kind
from .faces import ODD_VRS, evil, face, followed
from .originals import Original, frames
from .places import FRONT, front, place
from .tree import BIG, EXPLICIT, IMPLICIT, ITEM, ITEM_END, PADDING, SEQUENCE_END, UNDEFINED


@builder
def thirteen(dice: random.Random, original: Original) -> bytes | None:
    """13 bytes in implicit VR, or in a UN: GDCM reads 10, and goes on 3 bytes earlier."""
    spot = front(original) if dice.random() < 0.6 else place(original, dice)
    tag = spot.tag(dice)
    start, end, wrapper = b"", b"", tag
    if not original.style.implicit:
        if original.style.big:
            return None
        start = EXPLICIT.header(tag, b"UN", UNDEFINED) + EXPLICIT.end(ITEM, UNDEFINED)
        end = EXPLICIT.end(ITEM_END) + EXPLICIT.end(SEQUENCE_END)
        wrapper = dice.choice((0x00091001, 0x00080001, 0x00010010))
    # GDCM's next header: the last 3 bytes and 5 of mine, whose length it takes from my tag
    length = 0x3000
    mine = struct.pack("<HHL", wrapper >> 16, (wrapper & 0xFFFF) + 1, length)
    last = struct.pack("<H", dice.choice((0x0009, 0x0001, 0x0029))) + bytes(
        [dice.choice((0, 0, 1))]
    )
    skip = int.from_bytes((last + mine[:5])[4:8], "little")
    # where its value ends, counted from the beginning of mine
    begin = skip + 10 + 8 - 13 - 8
    second = end + spot.closing + evil(dice, kind(original), original.style)
    wrap = len(original.style.header(PADDING, b"OB", 0))
    gap = length - begin - len(second) - wrap
    if begin < 0 or gap < 0:
        return None
    rest = gap + len(end) + spot.after
    tail = second + original.style.header(PADDING, b"OB", rest) + bytes(gap)
    value = b"\0" * 10 + last
    raw = IMPLICIT.header(wrapper, b"", 13) + value + mine + bytes(begin) + tail
    return spot.file(start + raw + end)


@builder
def thirteen_of_text(dice: random.Random, original: Original) -> bytes | None:
    """A signed value of 13 bytes, odd, in implicit VR."""
    nodes = [
        n for n in original.nodes if n.items is None and len(n.value) in (14, 12, 10) and n.value
    ]
    if not nodes or not original.style.implicit:
        return None
    node = dice.choice(nodes)
    raw = original.style.element(node.tag, node.vr, node.value)
    value = (node.value + b"\0" * 4)[:13]
    return original.file(
        original.body.replace(raw, original.style.element(node.tag, node.vr, value), 1)
    )


@builder
def six_of_four(dice: random.Random, original: Original) -> bytes | None:
    """A UL of 6 bytes in group 0009: GDCM reads 4, and goes on 2 bytes earlier."""
    if original.style.implicit:
        return None
    spot = place(original, dice)
    style = original.style
    order = ">" if style.big else "<"
    # the next header: 2 bytes of the value, and then my tag, whose element is its VR
    vr = dice.choice((b"LO", b"SH", b"OB", b"UN", b"CS"))
    element = int.from_bytes(vr, "big" if style.big else "little")
    length = 0x6000
    own = dice.choice((b"LO", b"OB", b"UN", b"SH"))
    header = style.header(0x00090000 | element, own, length)
    second = spot.closing + evil(dice, kind(original), style)
    # after my tag it reads my VR as a length (16 bits), or passes over it (32 bits)
    if vr in (b"OB", b"UN"):
        skip, start = struct.unpack_from(order + "L", header + bytes(8), 6)[0], 10
    else:
        skip, start = struct.unpack_from(order + "H", header, 4)[0], 6
    begin = start + skip - len(header)
    gap = length - begin - len(second) - 12
    if begin < 0 or gap < 0:
        return None
    tail = second + style.header(PADDING, b"OB", gap + spot.after) + bytes(gap)
    value = b"\0" * 4 + struct.pack(order + "H", dice.choice((9, 0x29)))
    return spot.file(style.element(0x00091001, b"UL", value) + header + bytes(begin) + tail)


@builder
def pixels_to_the_end(dice: random.Random, original: Original) -> bytes | None:
    """(00FF,4AA5), which GDCM takes for Pixel Data up to the end of the file."""
    style = original.style
    pixels = b"".join(frames(999, 3))
    value = pixels if dice.random() < 0.7 else evil(dice, kind(original), style)
    element = style.element(0x00FF4AA5, dice.choice((b"OB", b"OW", b"UN", b"LO")), value[:0x8000])
    at = dice.choice([n for n, node in enumerate(original.nodes)])
    ordered = [n for n, node in enumerate(original.nodes) if node.tag > 0x00FF4AA5]
    numbers = [n for n, node in enumerate(original.nodes) if node.tag == 0x7FE00010]
    at = dice.choice((at, ordered[0], *numbers))
    spot = front(original)
    from .tree import Raw, emit

    nodes = [*original.nodes[:at], Raw(element), *original.nodes[at:]]
    return spot.original.file(emit(nodes, style))


@builder
def seven_shorter(dice: random.Random, original: Original) -> bytes | None:
    """(01F7,1070), of which GDCM reads 7 bytes less."""
    spot = place(original, dice)
    style = spot.style
    second = spot.closing + evil(dice, kind(original), style)
    first = style.header(PADDING, b"OB", spot.after)
    length = dice.choice((7, 8, 14, 15, 6, 4, 0x107))
    value = bytes(length - 7) if length > 7 else b""
    # the last 7 bytes begin a header that ends in the next one
    start = style.header(0x00091001, b"OB", 0x00010002)[:7]
    raw = style.header(0x01F71070, dice.choice((b"OB", b"UN", b"LO")), length)
    raw += (value + start)[:length]
    return spot.file(raw + style.header(0x01F71071, b"OB", len(second + first)) + second + first)


@builder
def read_once_more(dice: random.Random, original: Original) -> bytes | None:
    """An error in a UN lets GDCM read all once more by other rules, for which a face waits."""
    spot = front(original)
    style = spot.style
    if style is not EXPLICIT:
        return None
    tag = dice.choice(FRONT)
    inner = face(dice, IMPLICIT, dice.choice((0x00080001, 0x00091001)), 4000)
    ends = style.end(ITEM_END) + style.end(SEQUENCE_END)
    second = ends + evil(dice, kind(original), EXPLICIT)
    opened = style.header(0x00090010, b"UN", UNDEFINED) + style.end(ITEM, UNDEFINED)
    # what one reads as implicit VR, and GDCM does not: a length of 13, a delimiter too early,
    # explicit VR, nothing at all
    wrong = dice.choice((
        IMPLICIT.element(0x00091002, b"", b"\0" * 13),
        IMPLICIT.element(0x00091002, b"", b"\xff" * 13),
        IMPLICIT.header(0x00091002, b"", UNDEFINED) + style.end(ITEM, 4) + b"\xff" * 4 + ends[8:],
        EXPLICIT.element(0x00091002, b"UL", b"\0" * 4), style.end(SEQUENCE_END)[:4] + b"\0" * 8,
        IMPLICIT.header(0x00091002, b"", UNDEFINED) + style.end(ITEM, UNDEFINED)
        + IMPLICIT.element(0x00091003, b"", b"\xfe\xff\xdd\xe0" * 4 + b"\0") + ends,
        b"",
    ))  # fmt: skip
    error = opened + wrong + ends if dice.random() < 0.9 else b""
    after = spot.after + len(error)
    raw = followed(dice, inner, IMPLICIT, second, len(ends) + after, 0x00090002)
    if raw is None:
        return None
    first = style.header(tag, b"UN", UNDEFINED) + style.end(ITEM, UNDEFINED) + raw + ends
    return spot.file(first + error)


@builder
def swapped_items(dice: random.Random, original: Original) -> bytes | None:
    """Items whose tags have the other byte order, in private sequences, as Philips wrote them."""
    spot = place(original, dice)
    style = spot.style
    other = BIG if not style.big else EXPLICIT
    second = spot.closing + evil(dice, kind(original), dice.choice((style, other)))
    inner = dice.choice((other, style)).element(0x00080104, b"LO", b"Text")
    undefined = dice.random() < 0.5
    item = other.end(ITEM, UNDEFINED if undefined else len(inner)) + inner
    item += other.end(ITEM_END) if undefined else b""
    item += dice.choice((b"", other.end(SEQUENCE_END), style.end(SEQUENCE_END)))
    if dice.random() < 0.5:
        item = struct.pack("<HH", 0x3F3F, 0x3F00) + item[4:]
    content = item + (second if dice.random() < 0.5 else b"")
    tag = dice.choice((0x2001105F, 0x2001E05F, 0x20051080, 0x2005E080, spot.tag(dice)))
    length = dice.choice((len(item), len(content), UNDEFINED))
    raw = style.header(tag, dice.choice((b"SQ", b"UN", b"OB")), length) + content
    return spot.file(raw + style.header(PADDING, b"OB", spot.after) * (dice.random() < 0.3))


@builder
def switched_to_implicit(dice: random.Random, original: Original) -> bytes | None:
    """VRs that are none: pydicom goes on in implicit VR, DCMTK and GDCM in their own ways."""
    spot = place(original, dice)
    style = spot.style
    if style.implicit:
        return None
    order = ">" if style.big else "<"
    tag = spot.tag(dice)
    vr = dice.choice((*ODD_VRS, b"a\0", b"\x10\0", b"\0\x10", b"[[", b"@A", b"A@", b"  ", b"1A"))
    second = spot.closing + evil(dice, kind(original), dice.choice((style, IMPLICIT)))
    second += style.header(PADDING, b"OB", spot.after)
    upper = struct.pack(order + "H", dice.choice((0, 0, 1, 8, len(second) & 0xFFFF)))
    lower = struct.pack(order + "L", dice.choice((0, len(second), len(second) + 8, 8)))
    start = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr + upper + lower
    cover = style.header(tag + 1, b"OB", len(second)) if dice.random() < 0.6 else b""
    return spot.file(start + cover + second)

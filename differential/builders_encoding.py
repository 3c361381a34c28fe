"""Labels, byte orders and VRs: what looks like another encoding, whole or in part."""

from __future__ import annotations

import functools
import random
import struct
import zlib

from pydicom._private_dict import private_dictionaries

from .builders import builder
from .faces import SHORT_VRS, evil, face, followed
from .originals import (
    BIG_UID,
    DEFLATED_UID,
    ENCODINGS,
    EXPLICIT_UID,
    IMPLICIT_UID,
    JPEG_UID,
    RLE_UID,
    SECONDARY_CAPTURE,
    SR,
    Original,
    deflate,
    meta,
    with_head,
)  # fmt: skip
from .originals import STYLES as ENCODED
from .places import FRONT, Place, front, place
from .tree import BIG, EXPLICIT, PADDING, STYLES, Style, emit

# labels that some reader does not know, or knows by another name
LABELS = (
    "", "1.2.3.4", "1.2.840.10008.1.20", "1.2.840.113619.5.2", "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205",
    "1.2.840.10008.1.2.8.1", "1.3.46.670589.33.1.4.1", "1.2.826.0.1.3680043.9.7133.1.1.1",
    "1.2.840.10008.1.2 ", " 1.2.840.10008.1.2", "1.2.840.10008.1.2.1\\1.2.840.10008.1.2",
    "1.2.840.10008.1.2\\1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2.", "1.2.840.10008.1.2.01",
    "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2",
    "1.2.840.10008.1.2.7.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98",
    EXPLICIT_UID, IMPLICIT_UID, BIG_UID, DEFLATED_UID, JPEG_UID, RLE_UID,
)  # fmt: skip


def sop_class(original: Original) -> str:
    return SR if original.name.startswith("report") else SECONDARY_CAPTURE


def kind(original: Original) -> str:
    return original.name.partition("-")[0]


@builder
def face_in_place(dice: random.Random, original: Original) -> bytes | None:
    """An element that another encoding, or another table of VRs, reads with another length."""
    spot = front(original) if dice.random() < 0.5 else place(original, dice)
    tag = spot.tag(dice)
    second_room = 4000
    shown = face(dice, spot.style, tag, second_room)
    second = spot.closing + evil(dice, kind(original), shown.style)
    cover = tag + 1 if dice.random() < 0.7 else PADDING
    raw = followed(dice, shown, spot.style, second, spot.after, cover)
    return None if raw is None else spot.file(raw)


@builder
def command_set_first(dice: random.Random, original: Original) -> bytes | None:
    """Group 0000 in front, in any encoding; what looks at the first element sees another."""
    spot = front(original)
    first_style = dice.choice((*STYLES, original.style))
    tags = ((0, b"UL", b"\x38\0\0\0"), (2, b"UI", b"1.2.840.113\0"), (0x100, b"US", b"\1\0"))
    rows = [row for row in tags if dice.random() < 0.6] or [tags[1]]
    command = b"".join(first_style.element(*row) for row in rows)
    shown = face(dice, dice.choice(STYLES), dice.choice(FRONT), 4000)
    second = evil(dice, kind(original), shown.style)
    raw = followed(dice, shown, original.style, second, spot.after, 0x00010002) or b""
    if dice.random() < 0.2:
        raw = second + shown.style.header(PADDING, b"OB", spot.after)
    return spot.file(command + raw)


@builder
def other_label(dice: random.Random, original: Original) -> bytes | None:
    """A label that readers take for different encodings, and a first element that fits two."""
    spot = front(original)
    label = dice.choice(LABELS)
    rows = meta(label, sop_class(original))
    if not label or dice.random() < 0.1:
        rows = [row for row in rows if row[0] != 0x00020010]
    head = with_head(rows)
    if dice.random() < 0.15:
        return head + (original.body if dice.random() < 0.5 else deflate(original.body))
    tag = dice.choice(FRONT)
    shown = face(dice, original.style, tag, 4000)
    second = evil(dice, kind(original), shown.style)
    raw = followed(dice, shown, original.style, second, spot.after, tag + 1)
    return None if raw is None else head + raw + original.body


@builder
def other_order(dice: random.Random, original: Original) -> bytes | None:
    """The first element short in one byte order and long in the other, without a label or with."""
    big = original.style.big
    theirs = EXPLICIT if big else BIG
    high = dice.choice((0x1000, 0x0800, 0x3004, 0x2800))
    group = dice.choice((b"\0\1", b"\0\3", b"\0\5", b"\0\7", b"\0\6", b"\1\1", b"\0\x08"))
    length = high.to_bytes(2, "big" if big else "little")
    start = group if big else group[::-1]
    header = start + dice.choice((b"\1\1", b"\0\1", b"\x10\x10")) + dice.choice(SHORT_VRS) + length
    second = evil(dice, kind(original), theirs)
    other = int.from_bytes(length, "little" if big else "big")
    gap = high - other - len(second) - 12
    if gap < 0:
        return None
    value = bytes(other) + second + theirs.header(PADDING, b"OB", gap + len(original.body))
    body = header + value + bytes(gap) + original.body
    how = dice.random()
    if how < 0.4:
        rows = meta("", sop_class(original))
        return with_head([row for row in rows if row[0] != 0x00020010]) + body
    if how < 0.7:
        group_length = dice.choice((0, 14, 30, 66))
        return original.head[:140] + struct.pack("<L", group_length) + original.head[144:] + body
    return original.file(body)


@builder
def deflated_data_set(dice: random.Random, original: Original) -> bytes | None:
    """A deflate stream that reads as an explicit data set as well (RFC 1951, stored blocks)."""
    size = 0xB0B3  # its complement is "LO"
    start = b"\x02\x20" + struct.pack("<HH", size, ~size & 0xFFFF)
    inner = b"\6\0\x10\x10LO" + struct.pack("<H", size - 8)
    if dice.random() < 0.3:
        inner = dice.choice((b"\1\0", b"\7\0", b"\5\0")) + inner[2:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = packer.compress(original.body) + packer.flush()
    second = evil(dice, kind(original), EXPLICIT)
    gap = size - 8 - len(second) - 12
    odd = (len(start) + size + len(tail)) % 2
    rest = gap + len(tail) + odd
    value = second + EXPLICIT.header(PADDING, b"OB", rest) + bytes(gap)
    stream = start + inner + value + tail + bytes(odd)
    label = dice.choice((
        DEFLATED_UID, DEFLATED_UID, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205",
        "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98", EXPLICIT_UID,
    ))  # fmt: skip
    head = with_head(meta(label, sop_class(original)))
    if dice.random() < 0.4:
        head = head[:140] + struct.pack("<L", dice.choice((0, 14, 30, 66))) + head[144:]
    return head + stream if original.style is EXPLICIT else None


@builder
def behind_deflate(dice: random.Random, original: Original) -> bytes | None:
    """Bytes behind the end of a deflate stream, or another stream, or a zlib header."""
    if not original.deflated:
        return None
    stream = deflate(original.body)
    second = evil(dice, kind(original), EXPLICIT)
    more = dice.choice((
        second, deflate(second), bytes(2), bytes(100), zlib.compress(second), b"\0" + second,
    ))  # fmt: skip
    how = dice.random()
    if how < 0.6:
        return original.head + stream + more
    if how < 0.8:
        return original.head + zlib.compress(original.body) + more
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    cut = dice.randrange(len(original.body))
    parts = packer.compress(original.body[:cut]) + packer.flush(zlib.Z_FULL_FLUSH)
    return original.head + parts + packer.compress(original.body[cut:] + more) + packer.flush()


@builder
def item_in_another_encoding(dice: random.Random, original: Original) -> bytes | None:
    """Items, or all elements from one on, in another encoding than the data set."""
    nodes = original.nodes
    number = dice.choice([n for n, node in enumerate(nodes) if node.items] or [0])
    other: Style = dice.choice([s for s in STYLES if s != original.style])
    node = nodes[number]
    if dice.random() < 0.3 or not node.items:
        cut = dice.randrange(len(nodes))
        return original.file(emit(nodes[:cut], original.style) + emit(nodes[cut:], other))
    content = b""
    for item in node.items:
        inner = emit(list(item), other)
        order = other if dice.random() < 0.3 else original.style
        content += order.end(0xFFFEE000, len(inner)) + inner
    header = original.style.header(node.tag, dice.choice((b"SQ", b"UN")), len(content))
    before = emit(nodes[:number], original.style)
    return original.file(before + header + content + emit(nodes[number + 1 :], original.style))


@builder
def recoded(dice: random.Random, original: Original) -> tuple[bytes, str] | None:
    """The signed content in another encoding, whole: VRs come from dictionaries then."""
    what, encoding, signer = original.name.split("-")
    if original.style.implicit or encoding == "compressed":
        return None
    other = dice.choice([name for name in ENCODINGS if name != encoding])
    syntax = ENCODINGS[other]
    style = ENCODED.get(syntax, EXPLICIT)
    body = emit(list(original.nodes), style, dice.choice((None, True)))
    head = with_head(meta(syntax, sop_class(original)))
    data = head + (deflate(body) if syntax == DEFLATED_UID else body)
    return data, f"{what}-{other}-{signer}"


@builder
def dictionary(dice: random.Random, original: Original) -> bytes | None:
    """Tags that another dictionary calls a sequence; the items are longer than the element."""
    spot = place(original, dice)
    tag = dice.choice((
        spot.tag(dice), 0x00081111, 0x0008113A, 0x00189346, 0x00400275, 0x00540016, 0x00741000,
        0x00142002, 0x300A00B0, 0x30020041, 0x40080050, 0x00880200, 0x20300010, 0x00280200,
        0x00091110, 0x20011010, 0x2001105F, 0x20051080, 0x00191080, 0x00211080, 0x00291140,
        0x00880904, 0x00760001, 0x00821001, 0x00681001, 0x34010001, 0x00460014,
    ))  # fmt: skip
    return spot.file(_overrunning(dice, original, spot, tag))


@builder
def private_dictionary(dice: random.Random, original: Original) -> bytes | None:
    """A private element that a dictionary of a vendor's calls a sequence."""
    creator, group, element = dice.choice(private_sequences())
    spots = [place(original, dice, 0.2) for _ in range(8)]
    fitting = [s for s in spots if s.low < group << 16 | 0x10 and group << 16 | 0xFFFF < s.high]
    if not fitting and dice.random() < 0.9:
        return None
    spot = dice.choice(fitting or spots)
    name = creator.encode() + b" " * (len(creator) % 2)
    first = spot.style.element(group << 16 | 0x10, b"LO", name)
    raw = _overrunning(dice, original, spot, group << 16 | 0x1000 | element)
    return spot.file(first + raw)


@functools.cache
def private_sequences() -> list[tuple[str, int, int]]:
    """Creator, group and element of the private sequences that pydicom's dictionary has."""
    return sorted(
        (creator, int(tag[:4], 16), int(tag[-2:], 16))
        for creator, tags in private_dictionaries.items()
        for tag, row in tags.items()
        if row[0] == "SQ" and "x" not in tag[:4] and creator.isascii()
    )


def _overrunning(dice: random.Random, original: Original, spot: Place, tag: int) -> bytes:
    """An element whose item says that it ends behind it, in a value that covers a data set."""
    style = spot.style
    second = spot.closing + evil(dice, kind(original), style)
    size = dice.choice((0, 8, 64, 256))
    wrap = style.header(PADDING, b"OB", spot.after if dice.random() < 0.8 else 0)
    cover = second + wrap
    outer = style.header(tag + 1, b"OB", len(cover))
    # in the item an element passes over the header of the value
    fill = style.header(0x00080104, b"UT", size + len(outer))
    length = len(fill) + size + len(outer) + dice.choice((0, 0, 0, 0, 8))
    inner = style.end(0xFFFEE000, length) + fill + bytes(size)
    vr = dice.choice((b"UN", b"OB", b"SQ", b"LT", b"UT", b"OW"))
    return style.header(tag, vr, len(inner)) + inner + outer + cover

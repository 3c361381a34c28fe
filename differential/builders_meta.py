"""File Meta Information that readers end, skip or read in different ways (PS3.10 Section 7.1)."""

from __future__ import annotations

import random
import struct

from .builders import builder
from .builders_encoding import LABELS, kind, sop_class
from .faces import LONG_VRS, ODD_VRS, SHORT_VRS, evil, face, followed
from .originals import (
    BIG_UID,
    DEFLATED_UID,
    EXPLICIT_UID,
    IMPLICIT_UID,
    Original,
    meta,
    uid,
    with_head,
)  # fmt: skip
from .places import FRONT, front
from .tree import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    PADDING,
    SEQUENCE_END,
    STYLES,
    UNDEFINED,
)  # fmt: skip

PREAMBLE = b"\0" * 128 + b"DICM"
SYNTAX = 0x00020010
# of SOP Classes, which GDCM reads the pixels by
CLASSES = (
    "2", "4", "128", "481.2", "20", "6.1", "3.1", "7.1", "7.2", "7.3", "2.1", "4.1", "66.4",
    "12.1", "1", "1.1", "77.1.6", "88.11", "104.1", "30", "481.1", "129", "130", "12.1.1", "5",
)  # fmt: skip


def _group_length(rows: bytes, length: int | None = None, vr: bytes = b"UL") -> bytes:
    size = len(rows) if length is None else length
    return EXPLICIT.element(0x00020000, vr, struct.pack("<L", size & 0xFFFFFFFF))


@builder
def meta_unknown_vr(dice: random.Random, original: Original) -> bytes | None:
    """An element whose length has 16 bits for one reader and 32 for another, in group 0002."""
    vr = dice.choice((*ODD_VRS, b"zz", b"ZZ", b"UN", b"OB", b"UT", b"OV", b"SV"))
    tag = dice.choice((0x00020005, 0x00020013, 0x00020016, 0x00020099, 0x00020100))
    own = meta(original.syntax, sop_class(original))
    theirs = dice.choice((original.style, EXPLICIT, EXPLICIT))
    label = {EXPLICIT: EXPLICIT_UID, IMPLICIT: IMPLICIT_UID, BIG: BIG_UID}[theirs]
    second = evil(dice, kind(original), theirs)
    second += theirs.header(PADDING, b"OB", len(original.body))
    if dice.random() < 0.8:
        second = b"".join(EXPLICIT.element(*r) for r in meta(label, sop_class(original))) + second
    header = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + b"\0\0"
    if dice.random() < 0.6:
        # 16 bits: empty. 32 bits: the length is the tag of the next header
        rows = own[dice.choice((0, 0, 1)) :]
        if dice.random() < 0.3:
            rows = [row for row in rows if row[0] in (rows[0][0], SYNTAX)]
        before, after = b"", b"".join(EXPLICIT.element(*row) for row in rows)
        length = int.from_bytes(after[:4], "little")
        cover = original.style.header(0x00030001, b"OB", 0)
        gap = length - (len(after) - 4) - len(cover)
        if gap < 0:
            return None
        hidden = bytes(gap) + second
        body = original.style.header(0x00030001, b"OB", len(hidden)) + hidden + original.body
        whole = len(header) + 4 + length + len(second)
    else:
        # 32 bits: all is inside. 16 bits: empty, and the next header is the length
        own = [row for row in own if row[0] < tag]
        before, after = b"".join(EXPLICIT.element(*row) for row in own), b""
        if tag < SYNTAX:
            after = EXPLICIT.element(SYNTAX, b"UI", uid(original.syntax))
        length = dice.choice((0x00010002, 0x00020002, 0x00001002))
        value = b"LO\x08\0" + bytes(8) + second
        if len(value) > length:
            return None
        after = struct.pack("<L", length) + value + bytes(length - len(value)) + after
        body, whole = original.body, len(before) + len(header) + len(after)
    rows_size = len(before) + len(header) + len(after)
    size = dice.choice((rows_size, whole, whole, 0))
    group = _group_length(b"", size)
    if original.deflated:
        return None
    return PREAMBLE + group + before + header + after + body


@builder
def meta_sequence(dice: random.Random, original: Original) -> bytes | None:
    """A sequence in group 0002 whose items two readers read in two encodings."""
    rows = meta(original.syntax, sop_class(original))
    label = dice.choice((original.syntax, EXPLICIT_UID))
    tag, vr = dice.choice((0x00020099, 0x00020102, 0x00020005)), dice.choice((b"UN", b"SQ", b"OB"))
    inner = dice.choice((IMPLICIT, EXPLICIT))
    start = EXPLICIT.header(tag, vr, UNDEFINED) + EXPLICIT.end(ITEM, UNDEFINED)
    end = EXPLICIT.end(ITEM_END) + EXPLICIT.end(SEQUENCE_END)
    shown = face(dice, inner, dice.choice((0x00020010, 0x00080001, 0x00020102)), 4000)
    theirs = EXPLICIT if label == EXPLICIT_UID else original.style
    second = end
    if dice.random() < 0.6:
        second += EXPLICIT.element(SYNTAX, b"UI", uid(label))
    second += evil(dice, kind(original), theirs)
    late = b"".join(EXPLICIT.element(*row) for row in rows if row[0] > tag)
    rest = len(end) + len(late) + len(original.body)
    raw = followed(dice, shown._replace(style=theirs), inner, second, rest, 0x00020103)
    if raw is None or original.deflated:
        return None
    early = b"".join(EXPLICIT.element(*row) for row in rows if row[0] < tag)
    group = early + start + raw + end + late
    size = dice.choice((None, None, len(early), 0))
    return PREAMBLE + _group_length(group, size) + group + original.body


@builder
def meta_group_length(dice: random.Random, original: Original) -> bytes | None:
    """A group length that is wrong, absent, late or double; what it leaves out is hidden."""
    rows = meta(original.syntax, sop_class(original))
    extra = [
        (0x00020013, b"SH", b"TEST"), (0x00020016, b"AE", b"HERE"),
        (SYNTAX, b"UI", uid(dice.choice((IMPLICIT_UID, EXPLICIT_UID, BIG_UID, DEFLATED_UID)))),
        (0x00020102, b"OB", b"\0" * 20), (0x00020003, b"UI", uid("2.25.666")),
    ]  # fmt: skip
    rows += [row for row in extra if dice.random() < 0.25]
    if dice.random() < 0.3:
        dice.shuffle(rows)
    elif dice.random() < 0.4:
        rows.sort(key=lambda row: row[0])
    encoded = [EXPLICIT.element(*row) for row in rows]
    whole = b"".join(encoded)
    ends = [sum(len(e) for e in encoded[:n]) for n in range(len(encoded) + 1)]
    length = dice.choice((*ends, len(whole) + 8, 0, 0xFFFFFFFF, 0x7FFFFFFF, ends[1] + 2))
    first = _group_length(whole, length, dice.choice((b"UL", b"UL", b"UL", b"UN", b"US", b"SL")))
    how = dice.random()
    if how < 0.1:
        first = b""
    elif how < 0.2:
        first += _group_length(whole)
    elif how < 0.3:
        first, whole = b"", whole + first
    body = original.body
    if dice.random() < 0.5:
        label = dice.choice(STYLES)
        tag = dice.choice(FRONT)
        shown = face(dice, original.style, tag, 4000)
        second = evil(dice, kind(original), dice.choice((label, shown.style)))
        raw = followed(dice, shown, original.style, second, len(body), tag + 1)
        if raw is None:
            return None
        body = raw + body
    return PREAMBLE + first + whole + (original.file(body, b"") if original.deflated else body)


@builder
def meta_syntaxes(dice: random.Random, original: Original) -> bytes | None:
    """Two labels, one that is empty, with another VR, padded, late, or with a second value."""
    label = dice.choice(LABELS)
    own, other = uid(original.syntax), uid(label)
    vrs = (b"UI", b"UI", b"UN", b"LO", b"OB", b"SH", b"zz", b"UT", b"UR")
    one = (SYNTAX, dice.choice(vrs), own)
    two = (SYNTAX, dice.choice(vrs), other)
    rest = [row for row in meta("", sop_class(original)) if row[0] != SYNTAX]
    rows = dice.choice((
        [one, two], [two, one], [one], [two],
        [(SYNTAX, b"UI", original.syntax.encode() + dice.choice((b"\0\0", b" ", b"\0 ", b"\n")))],
        [(SYNTAX, b"UI", own.rstrip(b"\0") + b"\\" + other)],
        [(SYNTAX, b"UI", b""), one], [one, (SYNTAX, b"UI", b"")],
    ))  # fmt: skip
    at = dice.randint(0, len(rest))
    rows = [*rest[:at], *rows, *rest[at:]] if dice.random() < 0.4 else [*rest[:3], *rows, *rest[3:]]
    head = with_head(rows)
    if dice.random() < 0.3:
        cut = dice.choice((14, 30, 66, len(head) - 144))
        head = head[:140] + struct.pack("<L", cut) + head[144:]
    body = original.body
    if dice.random() < 0.6:
        tag = dice.choice(FRONT)
        shown = face(dice, original.style, tag, 4000)
        second = evil(dice, kind(original), shown.style)
        raw = followed(dice, shown, original.style, second, len(body), tag + 1)
        if raw is None:
            return None
        body = raw + body
    return original.file(body, head)


@builder
def meta_encoding(dice: random.Random, original: Original) -> bytes | None:
    """Meta information in implicit VR or big endian, in part or in whole; or none; no preamble."""
    rows = meta(original.syntax, sop_class(original))
    if dice.random() < 0.3:
        rows = [row for row in rows if row[0] != SYNTAX]
    style = dice.choice((IMPLICIT, IMPLICIT, BIG, EXPLICIT))
    cut = dice.choice((0, 0, 0, dice.randint(0, len(rows))))
    group = b"".join(EXPLICIT.element(*row) for row in rows[:cut])
    group += b"".join(style.element(*row) for row in rows[cut:])
    first = dice.choice((EXPLICIT, style)).element(
        0x00020000, b"UL", struct.pack(">L" if style.big else "<L", len(group))
    )  # fmt: skip
    beginning = dice.choice((PREAMBLE, PREAMBLE, b"", b"DICM", b"\0" * 64 + b"DICM"))
    how = dice.random()
    if how < 0.2:
        first = b""
    elif how < 0.4:
        first, group = b"", b""
    body = original.body
    if dice.random() < 0.6:
        tag = dice.choice(FRONT)
        shown = face(dice, original.style, tag, 4000)
        second = evil(dice, kind(original), shown.style)
        raw = followed(dice, shown, original.style, second, len(body), tag + 1)
        body = body if raw is None else raw + body
    return beginning + first + group + original.file(body, b"")


@builder
def meta_in_data_set(dice: random.Random, original: Original) -> bytes | None:
    """Elements of group 0002 behind the group's length, in the encoding of the data set or not."""
    spot = front(original)
    style = dice.choice((original.style, original.style, EXPLICIT, IMPLICIT))
    label = dice.choice((EXPLICIT_UID, IMPLICIT_UID, BIG_UID, DEFLATED_UID, "1.2.3.4"))
    rows = [(SYNTAX, b"UI", uid(label)), (0x00020003, b"UI", uid("2.25.666")),
            (0x00020102, b"OB", b"\0" * 40), (0x00020000, b"UL", b"\0\0\0\0")]  # fmt: skip
    put = b"".join(style.element(*row) for row in rows if dice.random() < 0.5)
    if dice.random() < 0.7:
        tag = dice.choice((0x00020099, 0x00020100, *FRONT))
        shown = face(dice, original.style, tag, 4000)
        theirs = dice.choice((shown.style, *STYLES))
        second = evil(dice, kind(original), theirs)
        raw = followed(dice, shown, original.style, second, spot.after, tag + 1)
        put += raw or b""
    return spot.file(put)


@builder
def meta_sop_class(dice: random.Random, original: Original) -> bytes | None:
    """Another SOP Class or Instance UID than that of the data set; who believes which?"""
    named = f"1.2.840.10008.5.1.4.1.1.{dice.choice(CLASSES)}"
    rows = [
        (tag, vr, uid(named) if tag == 0x00020002 else value)
        for tag, vr, value in meta(original.syntax, sop_class(original))
    ]
    if dice.random() < 0.2:
        rows = [(t, vr, uid("2.25.666") if t == 0x00020003 else value) for t, vr, value in rows]
    if dice.random() < 0.1:
        rows = [row for row in rows if row[0] not in (0x00020002, 0x00020003)]
    return original.file(original.body, with_head(rows))


@builder
def preamble_is_data_set(dice: random.Random, original: Original) -> bytes | None:
    """A preamble that is elements itself, for those who do not look for the prefix."""
    style = dice.choice((EXPLICIT, IMPLICIT))
    second = evil(dice, kind(original), style)
    short = style.element(0x00080005, b"CS", b"ISO_IR 100")
    room = 128 - len(short) - 12
    mark = style.element(0x00100010, b"PN", b"Mallory^Evil")
    start = short + mark
    start += style.header(0x00100012, b"OB", 128 - len(start) - len(style.header(0, b"OB", 0)) + 4)
    preamble = (start + bytes(room))[:128]
    rows = original.head[132:]
    prefix = dice.choice((b"DICM", b"DICM", b"dicm", b"\0\0\0\0"))
    tail = second if dice.random() < 0.3 else b""
    return preamble + prefix + rows + original.file(original.body, b"") + tail


@builder
def meta_long_values(dice: random.Random, original: Original) -> bytes | None:
    """Group 0002 with private information, unknown elements and VRs with long and short lengths."""
    rows = meta(original.syntax, sop_class(original))
    second = evil(dice, kind(original), dice.choice(STYLES))
    vr = dice.choice((*SHORT_VRS, *LONG_VRS))
    value = dice.choice((second, second[:256], b"\0" * 8, b"", EXPLICIT.end(0xFFFEE000) + second))
    tag = dice.choice((0x00020102, 0x00020100, 0x00020017, 0x00020026, 0x0002FFFF, 0x00020031))
    length = dice.choice((len(value), len(value), 0xFFFFFFFF, 0))
    encoded = b"".join(EXPLICIT.element(*row) for row in rows)
    encoded += EXPLICIT.header(tag, vr, length) + value
    if length == 0xFFFFFFFF:
        encoded += EXPLICIT.end(0xFFFEE0DD)
    size = dice.choice((None, None, len(encoded) - len(value)))
    return PREAMBLE + _group_length(encoded, size) + encoded + original.file(original.body, b"")

"""Changes to an input by one who knows what DICOM looks like; half of them leave it readable."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from .forms import BIG, IMPLICIT, UNDEFINED, Form, Token, tokens

Parse = Callable[[bytes], Form]

VRS = (
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR "
    b"US UT UV ZZ ox xs A\0 \0\0"
).split(b" ")
TAGS = (
    0x00020010, 0x00080000, 0x00080001, 0x00080005, 0x00080016, 0x00080201, 0x00090010, 0x00091001,
    0x00143050,
    0x00091027, 0x00100010, 0x00280103, 0x00280106, 0x00283002, 0x00283006, 0x04000005, 0x04000010,
    0x04000015, 0x04000020, 0x04000100, 0x04000115, 0x04000120, 0x04000561, 0x4FFE0001, 0x50003000,
    0x60003000, 0x7FE00010, 0x7FE00008, 0xFFFAFFFA, 0xFFFCFFFC, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD,
    0xFFFFFFFF, 0x00000000,
)  # fmt: skip
LENGTHS = (0, 1, 2, 3, 4, 8, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED)


def mutate(
    data: bytes, parse: Parse, dice: random.Random, other: bytes = b"", most: int = 1 << 14
) -> bytes:
    """A changed copy of an input, mostly by one change, sometimes by several.

    Args:
        data: the input.
        parse: what takes such an input apart.
        dice: where all choices come from.
        other: another input, to take elements from.
        most: how many bytes the copy may have.
    """
    for _ in range(1 + min(int(dice.expovariate(0.9)), 6)):
        if dice.random() < 0.1:
            data = _bytes(data, dice)
            continue
        form = parse(data)
        if not form.body:
            return data + bytes(dice.choices(range(256), k=8))
        found = tokens(form)
        change = dice.choice(CHANGES) if found else _damage
        body = change(form, found, dice, parse(other) if other else form)
        if len(body) < most:
            data = form.join(body)
    return data[:most]


def _bytes(data: bytes, dice: random.Random) -> bytes:
    """Anywhere: a bit, a byte, a cut."""
    if not data:
        return b"\0"
    at = dice.randrange(len(data))
    how = dice.randrange(4)
    if how == 0:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
    if how == 1:
        return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    if how == 2:
        return data[:at]
    return data[:at] + bytes(dice.choices(range(256), k=dice.randint(1, 4))) + data[at:]


def _edit(form: Form, found: list[Token], dice: random.Random, at: int, drop: int,
          put: bytes) -> bytes:  # fmt: skip
    """Replace bytes, and mostly make the lengths of what is around them right again."""
    body = bytearray(form.body)
    delta = len(put) - drop
    if delta and dice.random() < 0.8:
        for token in found:
            if token.stop and token.value <= at and at + drop <= token.stop:
                _set_length(body, form, token, max(0, token.stop - token.value + delta))
    body[at : at + drop] = put
    return bytes(body)


def padded(form: Form, found: list[Token], token: Token, pad: bytes) -> bytes:
    """The body with a value made longer, and all lengths right; used to undo an odd length."""
    body = bytearray(form.body)
    for outer in found:
        if outer.stop and outer.value <= token.start and token.end <= outer.stop:
            _set_length(body, form, outer, outer.stop - outer.value + len(pad))
    _set_length(body, form, token, token.end - token.value + len(pad))
    body[token.end : token.end] = pad
    return bytes(body)


def _set_length(body: bytearray, form: Form, token: Token, length: int) -> None:
    size = token.width
    raw = (length & ((1 << 8 * size) - 1)).to_bytes(size, "big" if form.big else "little")
    body[token.length_at : token.length_at + size] = raw


def _tag(form: Form, tag: int) -> bytes:
    return struct.pack(">HH" if form.big else "<HH", tag >> 16, tag & 0xFFFF)


def _piece(form: Form, found: list[Token], dice: random.Random) -> bytes:
    """Some neighbouring elements."""
    first = dice.randrange(len(found))
    last = min(len(found) - 1, first + min(int(dice.expovariate(0.5)), 8))
    stop = max(found[last].end, min(found[last].stop, len(form.body)))
    return form.body[found[first].start : stop]


def _delete(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    token = dice.choice(found)
    return _edit(form, found, dice, token.start, max(token.end, token.stop) - token.start, b"")


def _duplicate(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    piece = _piece(form, found, dice)
    at = dice.choice(found).start if dice.random() < 0.5 else dice.choice(found).end
    return _edit(form, found, dice, at, 0, piece)


def _move(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    one, two = sorted(dice.choices(found, k=2))
    if one.end > two.start:
        return _damage(form, found, dice, form)
    body = form.body
    return (
        body[: one.start] + body[two.start : two.end] + body[one.end : two.start]
        + body[one.start : one.end] + body[two.end :]
    )  # fmt: skip


def _splice(form: Form, found: list[Token], dice: random.Random, other: Form) -> bytes:
    theirs = tokens(other)
    piece = _piece(other, theirs, dice) if theirs else other.body[:64]
    return _edit(form, found, dice, dice.choice(found).start, 0, piece)


def _length(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    token = dice.choice(found)
    body = bytearray(form.body)
    now = (token.stop or token.end) - token.value
    length = dice.choice(LENGTHS) if dice.random() < 0.5 else now + dice.randint(-9, 9)
    _set_length(body, form, token, max(0, length))
    return bytes(body)


def _retag(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    token = dice.choice(found)
    tag = dice.choice(TAGS)
    if dice.random() < 0.3:
        near = form.body[dice.choice(found).start :][:4]
        return form.body[: token.start] + near + form.body[token.start + len(near) :]
    return form.body[: token.start] + _tag(form, tag) + form.body[token.start + 4 :]


def _revr(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    """Another VR; the header gets the size that it asks for, or keeps the wrong one."""
    token = dice.choice(found)
    vr = dice.choice(VRS)
    if form.encoding == IMPLICIT or dice.random() < 0.4:
        return form.body[: token.start + 4] + vr + form.body[token.start + 6 :]
    put = _header(form, form.body[token.start : token.start + 4], vr, token.end - token.value)
    return _edit(form, found, dice, token.start, token.value - token.start, put)


def _header(form: Form, tag: bytes, vr: bytes, length: int) -> bytes:
    order = ">" if form.big else "<"
    if form.encoding == IMPLICIT:
        return tag + struct.pack(order + "L", length)
    if (vr[:1] in (b"O", b"U", b"Z") and vr not in (b"UI", b"UL", b"US")) or vr in (b"SQ", b"SV"):
        return tag + vr + b"\0\0" + struct.pack(order + "L", length)
    return tag + vr + struct.pack(order + "H", length & 0xFFFF)


def _value(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    """A longer, shorter or other value, with the length that it has."""
    token = dice.choice(found)
    value = form.body[token.value : token.end]
    how = dice.randrange(5)
    if how == 0:
        value = value[: dice.randint(0, len(value))]
    elif how == 1:
        value += bytes(dice.choices((0, 32, 65, 255), k=dice.randint(1, 140)))
    elif how == 2:
        value = _bytes(value, dice)
    elif how == 3:
        value = value.rstrip(b"\0 ")
    else:
        value += b" " if dice.random() < 0.5 else b"\0"
    body = bytearray(_edit(form, found, dice, token.value, token.end - token.value, value))
    if not token.stop and token.end > token.start + 8:
        _set_length(body, form, token, len(value))
    return bytes(body)


def _nest(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    """Put some elements into an item of a sequence, of defined or undefined length."""
    start = dice.choice(found)
    last = found[min(len(found) - 1, found.index(start) + dice.randint(0, 4))]
    content = form.body[start.start : last.end]
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        content = _enclosed(form, content, dice)
    return _edit(form, found, dice, start.start, last.end - start.start, content)


def _enclosed(form: Form, content: bytes, dice: random.Random) -> bytes:
    order = ">" if form.encoding == BIG else "<"
    item, item_end, end = (_tag(form, t) for t in (0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD))
    if dice.random() < 0.5:
        content = item + struct.pack(order + "L", len(content)) + content
    else:
        content = item + b"\xff" * 4 + content + item_end + b"\0" * 4
    tag = _tag(form, dice.choice((0x00081140, 0x0040A730, 0x00091010, 0xFFFAFFFA, 0x04000561,
                                  0x4FFE0001, 0x7FE00010)))  # fmt: skip
    vr = dice.choice((b"SQ", b"SQ", b"SQ", b"UN", b"OB"))
    if dice.random() < 0.5:
        return _header(form, tag, vr, len(content)) + content
    return _header(form, tag, vr, UNDEFINED) + content + end + b"\0" * 4


def _undefine(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    """A container of defined length becomes one of undefined length; the content stays."""
    closed = [t for t in found if t.stop and t.stop <= len(form.body)]
    if not closed:
        return _nest(form, found, dice, form)
    token = dice.choice(closed)
    is_item = form.body[token.start : token.start + 4] == _tag(form, 0xFFFEE000)
    end = _tag(form, 0xFFFEE00D if is_item else 0xFFFEE0DD) + b"\0" * 4
    body = bytearray(_edit(form, found, dice, token.stop, 0, end))
    _set_length(body, form, token, UNDEFINED)
    return bytes(body)


def _harmless(form: Form, found: list[Token], dice: random.Random, _other: Form) -> bytes:
    """What no signature protects: group lengths, private unknowns, trailing padding."""
    if dice.random() < 0.3:
        return form.body + bytes(dice.choice((1, 2, 12, 100)))
    tag, vr, value = dice.choice((
        (0x00080000, b"UL", b"\x2a\0\0\0"), (0x00100000, b"UL", b"\x2a\0\0\0"),
        (0x00091001, b"UN", b"abcd"), (0xFFFCFFFC, b"OB", b"\0\0"), (0x00080001, b"UL", b"1234"),
    ))  # fmt: skip
    put = _header(form, _tag(form, tag), vr, len(value)) + value
    return _edit(form, found, dice, dice.choice(found).start, 0, put)


def _damage(form: Form, _found: list[Token], dice: random.Random, _other: Form) -> bytes:
    return _bytes(form.body, dice)


CHANGES = (
    _delete, _duplicate, _move, _splice, _length, _retag, _revr, _value, _nest, _undefine,
    _harmless, _damage,
)  # fmt: skip

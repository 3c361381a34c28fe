"""UN of undefined length, and values that one reader searches and another walks through."""

from __future__ import annotations

import random

from .builders import builder
from .faces import evil, face, followed
from .originals import Original
from .places import Place, front, place
from .tree import EXPLICIT, IMPLICIT, ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, Style


def _opened(style: Style, tag: int, vr: bytes, depth: int, inner: Style) -> tuple[bytes, bytes]:
    """The headers of sequences of undefined length in each other, and what ends them."""
    start, end = b"", b""
    for number in range(depth):
        outer = style if number == 0 else inner
        name = vr if number == 0 else b"SQ"
        start += outer.header(tag if number == 0 else 0x00081111, name, UNDEFINED)
        start += outer.end(ITEM, UNDEFINED)
        end = outer.end(ITEM_END) + outer.end(SEQUENCE_END) + end
    return start, end


@builder
def un_items(dice: random.Random, original: Original) -> bytes | None:
    """A UN of undefined length (PS3.5 6.2.2): its items implicit for one, not for another."""
    spot = front(original) if dice.random() < 0.4 else place(original, dice)
    return _sequence(dice, spot, dice.choice((b"UN", b"UN", b"UN", b"SQ")))


def _sequence(dice: random.Random, spot: Place, vr: bytes) -> bytes | None:
    style = spot.style
    inner = IMPLICIT if vr == b"UN" and not style.implicit and dice.random() < 0.8 else style
    tag = spot.tag(dice)
    start, end = _opened(style, tag, vr, dice.choice((1, 1, 1, 2, 3)), inner)
    shown = face(dice, inner, dice.choice((0x00080001, 0x00010001, 0x00091001, 0x00080000)), 4000)
    second = end + spot.closing + evil(dice, _kind(spot.original), shown.style)
    raw = followed(dice, shown, inner, second, len(end) + spot.after, 0x00090002)
    return None if raw is None else spot.file(start + raw + end)


def _kind(original: Original) -> str:
    return original.name.partition("-")[0]


@builder
def searched_delimiter(dice: random.Random, original: Original) -> bytes | None:
    """A delimiter inside a fragment, where nobody signed it: one walks, another searches."""
    spot = place(original, dice)
    style = spot.style
    vr = dice.choice((b"OB", b"OW", b"UT", b"UN", b"OF", b"UC", b"OV", b"SQ"))
    stop = style.end(SEQUENCE_END, dice.choice((0, 0, 0, 4)))
    second = stop + spot.closing + evil(dice, _kind(original), style)
    rest = spot.after + 8 if dice.random() < 0.8 else 8
    second += style.header(0xFFFCFFFC, b"OB", rest)
    fragments = style.end(ITEM, 0) if dice.random() < 0.5 else b""
    fragments += style.end(ITEM, len(second)) + second
    raw = style.header(spot.tag(dice), vr, UNDEFINED) + fragments + style.end(SEQUENCE_END)
    return spot.file(raw)


@builder
def un_in_un(dice: random.Random, original: Original) -> bytes | None:
    """A UN of undefined length in an item of another; who goes back to explicit VR, and when?"""
    spot = place(original, dice)
    style = spot.style
    start, end = _opened(style, spot.tag(dice), b"UN", 1, IMPLICIT)
    first = dice.choice((EXPLICIT, IMPLICIT))
    start += first.header(0x00091010, b"UN", UNDEFINED) + first.end(ITEM, UNDEFINED)
    inner_end = first.end(ITEM_END) + first.end(SEQUENCE_END)
    mine = dice.choice((EXPLICIT, IMPLICIT))
    shown = face(dice, mine, 0x00080001, 4000)
    second = inner_end + end + spot.closing + evil(dice, _kind(original), shown.style)
    tail = inner_end + end
    raw = followed(dice, shown, mine, second, len(tail) + spot.after, 0x00090002)
    return None if raw is None else spot.file(start + raw + tail)


@builder
def un_of_length(dice: random.Random, original: Original) -> bytes | None:
    """A UN of defined length that holds items, or a public tag as UN; its content is hostile."""
    spot = place(original, dice)
    style = spot.style
    inner = dice.choice((IMPLICIT, EXPLICIT, style))
    content = evil(dice, _kind(original), inner)
    item = inner.end(ITEM, UNDEFINED) + content + inner.end(ITEM_END)
    ends = b"".join(
        dice.choice((inner.end(ITEM_END), inner.end(SEQUENCE_END), spot.closing, content))
        for _ in range(dice.randint(0, 4))
    )
    tag = dice.choice((spot.tag(dice), 0x00081111, 0x00081140, 0x0040A730, 0x00400275, 0x00100010))
    value = dice.choice((item, item + inner.end(SEQUENCE_END), content, item + ends))
    vr = dice.choice((b"UN", b"UN", b"OB", b"UT"))
    return spot.file(style.header(tag, vr, len(value) + dice.choice((0, 0, 0, 2, -8))) + value)

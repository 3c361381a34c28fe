"""Two canonical streams of one object: where they differ, and in what (PS3.3 C.12.1.1.3.1.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dicomseal.standard.tags import format_tag

from .tree import LONG, PIXEL_DATA

ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
MAC_ID_NUMBER = 0x04000005  # the first element of the signature's own item
_OWN = struct.pack("<HH", MAC_ID_NUMBER >> 16, MAC_ID_NUMBER & 0xFFFF) + b"US\x02\0"
AGREEING = 24  # bytes that have to be the same behind a piece that is left out


class Element(NamedTuple):
    """One element of a stream.

    Attributes:
        place: the tags and item numbers that lead to it, and its own tag.
        vr: its VR.
        value: its bytes; empty for a sequence.
    """

    place: tuple[int, ...]
    vr: str
    value: bytes

    @property
    def name(self) -> str:
        """Its place as people write it."""
        *steps, tag = self.place
        inner = (
            f"{format_tag(step)}[{number}]."
            for step, number in zip(steps[::2], steps[1::2], strict=True)
        )
        return "".join(inner) + format_tag(tag)


class Difference(NamedTuple):
    """One element that two streams have otherwise.

    Attributes:
        kind: in what: ``VR``, ``padding``, ``value``, ``left out`` or ``added``.
        detail: the VRs, where it is those.
        name: the place of the element.
        private: whether it is private.
        nested: whether it stands in a sequence that both have.
    """

    kind: str
    detail: str
    name: str
    private: bool
    nested: bool


class UnreadableStreamError(ValueError):
    """A stream is no series of elements."""


def differences(signed: bytes, found: bytes) -> list[Difference]:
    """What elements have otherwise in the second stream; of a sequence that is left out, only that.

    Raises:
        UnreadableStreamError: one of them is no canonical stream.
    """
    old, new = _by_place(signed), _by_place(found)
    said = []
    outer: tuple[int, ...] = ()
    for place in [*old, *(place for place in new if place not in old)]:
        one, two = old.get(place), new.get(place)
        if one == two or (outer and place[: len(outer)] == outer):
            continue
        outer = place if one is None or two is None else ()
        kind, detail = _difference(one, two)
        element = one or two
        assert element is not None
        said.append(
            Difference(kind, detail, element.name, bool(place[-1] >> 16 & 1), len(place) > 1)
        )
    return said


def _by_place(stream: bytes) -> dict[tuple[int, ...], Element]:
    placed: dict[tuple[int, ...], Element] = {}
    for element in elements(stream):
        if element.place in placed:
            raise UnreadableStreamError("an element occurs twice")
        placed[element.place] = element
    return placed


def _difference(one: Element | None, two: Element | None) -> tuple[str, str]:
    if one is None or two is None:
        return ("added" if one is None else "left out"), ""
    if one.vr != two.vr:
        return "VR", f"{one.vr} as {two.vr}"
    if one.value.rstrip(b" \0") == two.value.rstrip(b" \0"):
        return "padding", ""
    return "value", ""


def pieces_left_out(whole: bytes, part: bytes) -> list[tuple[int, int]] | None:
    """Where a stream is another one without some pieces: their offsets and lengths in the whole.

    None if it is anything else. It takes the first continuation that fits: where content repeats
    itself, that may be the wrong one, and then the answer is None as well.
    """
    found = []
    at = here = 0
    while here < len(part):
        same = _common(whole, at, part, here)
        at, here = at + same, here + same
        if here == len(part):
            break
        again = whole.find(part[here : here + AGREEING], at)
        if again < 0:
            return None
        found.append((at, again - at))
        at = again
    if at < len(whole):
        found.append((at, len(whole) - at))
    return found


def _common(one: bytes, at: int, two: bytes, here: int) -> int:
    """How many bytes are the same from two offsets on."""
    low, high = 0, min(len(one) - at, len(two) - here)
    while low < high:
        middle = (low + high + 1) // 2
        if one[at + low : at + middle] == two[here + low : here + middle]:
            low = middle
        else:
            high = middle - 1
    return low


def data_set(stream: bytes) -> bytes:
    """A stream without the signature's own item, which is at its end; it need not be readable."""
    end = stream.rfind(_OWN)
    return stream if end < 0 else stream[:end]


def elements(stream: bytes) -> Iterator[Element]:
    """The elements of a data set, without those of the signature's own item behind it.

    Raises:
        UnreadableStreamError: it is no canonical stream.
    """
    at, outer, numbers = 0, list[int](), list[int]()
    while at < len(stream):
        start = stream[at : at + 4]
        if start == ITEM and numbers:
            numbers[-1] += 1
            at += 4
            continue
        if start == SEQUENCE_END and numbers:
            outer.pop()
            numbers.pop()
            at += 4
            continue
        element, at, opens = _element(stream, at, _place(outer, numbers))
        if not numbers and element.place[-1] == MAC_ID_NUMBER:
            return
        yield element
        if opens:
            outer.append(element.place[-1])
            numbers.append(-1)
    if numbers:
        raise UnreadableStreamError("it ends inside a sequence")


def _place(outer: Sequence[int], numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(step for pair in zip(outer, numbers, strict=True) for step in pair)


def _element(stream: bytes, at: int, place: tuple[int, ...]) -> tuple[Element, int, bool]:
    """The element at an offset, where the next begins, and whether it opens a sequence."""
    try:
        group, number = struct.unpack_from("<HH", stream, at)
        vr = stream[at + 4 : at + 6]
        place = (*place, group << 16 | number)
        if vr == b"SQ":
            return Element(place, "SQ", b""), at + 8, True
        if place[-1] == PIXEL_DATA and vr in (b"OB", b"OW") and stream[at + 8 : at + 12] == ITEM:
            end = _end_of_fragments(stream, at + 8, len(place) > 1)
            return Element(place, vr.decode(), stream[at + 8 : end]), end, False
        wide = vr in LONG
        (length,) = struct.unpack_from("<L" if wide else "<H", stream, at + (8 if wide else 6))
    except struct.error:
        raise UnreadableStreamError("it ends within a header") from None
    if not vr.isalpha() or not vr.isupper():
        raise UnreadableStreamError("an element has no VR")
    start = at + (12 if wide else 8)
    if start + length > len(stream):
        raise UnreadableStreamError("a value is cut short")
    return Element(place, vr.decode(), stream[start : start + length]), start + length, False


def _end_of_fragments(stream: bytes, at: int, nested: bool) -> int:
    """Where encapsulated Pixel Data end: fragments have no lengths in a canonical stream.

    They may hold the bytes of a delimiter, so those of the main data set end at the last one.
    """
    found = stream.find(SEQUENCE_END, at)
    if not nested:
        found = max(found, stream.rfind(SEQUENCE_END + _OWN))
    if found < at:
        raise UnreadableStreamError("no delimiter ends its fragments")
    return found + len(SEQUENCE_END)

"""The elements that a signature covers, each with its place in the stream, and the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from ..encoding import record as r
from ..standard import meanings, terms
from ..standard.tags import describe, format_tag, is_signable_tag, keyword
from .values import abridged

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from .subject import Explained

MAX_LISTED = 200_000
"""Elements that are listed of all signatures of an object together."""
_LONG_HEADER, _SHORT_HEADER, _TAG = 12, 8, 4  # bytes
_COUNTED = 1 << 26  # bytes of a sequence that are counted by making its stream
# what else must be said by name: whose it is, and what it is a picture of
_MATTERS = (
    ("patient", (0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040)),
    ("identity", (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID, terms.STUDY_INSTANCE_UID,
                  terms.SERIES_INSTANCE_UID)),
    ("frames", (terms.NUMBER_OF_FRAMES, 0x00280009, 0x52009229, 0x52009230)),
    ("dimensions", (terms.ROWS, terms.COLUMNS, terms.BITS_ALLOCATED, 0x00280101, 0x00280102,
                    terms.PIXEL_REPRESENTATION, terms.SAMPLES_PER_PIXEL, 0x00280004, 0x00280006)),
)  # fmt: skip
_NAMES = {
    "patient": "whose it is",
    "identity": "which object, series and study it is",
    "frames": "how many frames there are, and which is which",
    "dimensions": "how the bytes of the pixels are read",
    "pixels": "the pixels themselves",
    "waveform": "the waveform itself",
    "document": "the document itself",
    "report": "the content of the report",
    "spectrum": "the spectrum itself",
}


class Covered(msgspec.Struct, frozen=True):
    """One element in the stream of a signature.

    Attributes:
        tag: e.g. ``(0010,0010)``.
        keyword: that of the standard; empty if it has none.
        vr: as it is signed.
        length: bytes of its value in the stream; None for a sequence or encapsulated pixels, which
            have no length there.
        offset, bytes: where it begins in the stream, and how long it is there.
        value: shortened, for people; None unless a list was requested.
    """

    tag: str
    keyword: str
    vr: str
    length: int | None
    offset: int
    bytes: int
    value: str | None = None


class Coverage(msgspec.Struct, frozen=True):
    """The elements of its data set or item that a signature covers.

    Attributes:
        elements: in the order of the stream.
        listed: how many tags Data Elements Signed has.
        present: how many elements could be signed by their tag.
        absent: listed tags of elements that do not exist.
        lost: listed tags of existing elements whose VR is UN or lost.
        left_out: the elements that are not covered, although their tag could be signed.
        warnings: sentences about those of them that matter.
        size: bytes of the stream of the data set or item.
        cut: how many elements are not in ``elements``, as there are too many for a list.
    """

    elements: tuple[Covered, ...]
    listed: int
    present: int
    absent: tuple[int, ...]
    lost: tuple[int, ...]
    left_out: tuple[int, ...]
    warnings: tuple[str, ...]
    size: int
    cut: int = 0


def coverage_of(one: Explained, with_values: bool = False, room: int = MAX_LISTED) -> Coverage:
    """Return what a signature covers.

    Args:
        one: the signature.
        with_values: whether values are shown.
        room: how many elements may be listed.
    """
    index, scope = one.index, one.scope
    listed = () if one.mac is None else one.mac.data_elements_signed
    wanted = set(listed)
    there = index.present(scope)
    signable = set(filter(is_signable_tag, there))
    lost = tuple(sorted(one.lost))
    found: list[Covered] = []
    size = cut = 0
    with one.chosen_vrs():
        for number in one.elements:
            covered = _covered(index, number, scope, size, with_values, one.form == "legacy")
            size += covered.bytes
            if len(found) < room:
                found.append(covered)
            else:
                cut += 1
    left_out = tuple(sorted(signable - wanted)) + lost
    return Coverage(
        tuple(found), len(wanted), len(signable), tuple(sorted(wanted - there)), lost,
        left_out, tuple(_warnings(left_out, signable - set(left_out), scope == 0)), size, cut,
    )  # fmt: skip


def _covered(
    index: Index, number: int, scope: int, offset: int, with_values: bool, legacy: bool
) -> Covered:
    record = index.record(number)
    length: int | None = None
    if record.kind == r.ELEMENT:
        length = record.end - record.value
        length += length % 2
        size = length + (_LONG_HEADER if record.vr in terms.LONG_VRS else _SHORT_HEADER)
    else:
        size = canonical_size(index, number, scope, legacy)
    return Covered(
        format_tag(record.tag), keyword(record.tag), record.vr, length, offset, size,
        abridged(index, number) if with_values else None,
    )  # fmt: skip


def canonical_size(index: Index, number: int, scope: int, legacy: bool = False) -> int:
    """Return how many bytes an element, with everything inside it, has in the stream.

    Args:
        index, number: the element.
        scope: the data set or item that it belongs to.
        legacy: see `Index.stream`.
    """
    record = index.record(number)
    if record.kind == r.SEQUENCE and record.end - record.start <= _COUNTED:
        counter = _Counter()
        index.stream_between(counter.take, number, record.next, scope, scope)
        return counter.count
    size, at = 0, number
    while at < record.next:
        inside = index.record(at)
        length = inside.end - inside.value
        if inside.kind == r.ITEM:
            size += _TAG
        elif inside.kind == r.FRAGMENT:
            size += _TAG + length + length % 2 + _TAG * legacy
        elif not is_signable_tag(inside.tag):
            at = inside.next
            continue
        elif inside.kind == r.ELEMENT:
            size += length + length % 2
            size += _LONG_HEADER if inside.vr in terms.LONG_VRS else _SHORT_HEADER
        else:
            size += _SHORT_HEADER + _TAG  # it has no length, but a delimiter
        at += 1
    return size


class _Counter:
    def __init__(self) -> None:
        self.count = 0

    def take(self, piece: bytes | memoryview) -> None:
        self.count += len(piece)


def _warnings(left_out: Iterable[int], signed: Iterable[int], main: bool) -> Iterator[str]:
    """Yield a sentence for each kind of elements that are not covered and that matter."""
    classes: dict[str, list[int]] = {}
    known = dict(_classed())
    told = meanings.Signed(signed, lambda: True, lambda: True)
    for tag in left_out:
        name = known.get(tag)
        if name is None:
            row = meanings.row_of(tag, told)
            if row is None or row.effect != meanings.MEANING:
                continue
            name = row.name
        classes.setdefault(name, []).append(tag)
    for name, tags in classes.items():
        named = ", ".join(describe(tag) for tag in tags[:5])
        more = f" and {len(tags) - 5} more" if len(tags) > 5 else ""
        what = _NAMES.get(name, f"{name}, which says what signed elements mean")
        yield f"not covered: {what} ({named}{more}). Anyone can change it unnoticed"
    if not main:
        yield (
            "the signature is in an item and covers that item alone: nothing around it, "
            "neither the patient nor the pixels"
        )


def _classed() -> Iterator[tuple[int, str]]:
    for name, tags in (*_MATTERS, *((name, tags) for name, tags in meanings.SUBJECTS.items())):
        for tag in tags:
            yield tag, name

"""Possible causes, from signs in the object, if no hypothesis is proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...encoding import record as r
from ...encoding import values
from ...report import INTACT
from ...standard import terms
from ...standard.tags import is_signable_tag
from ...verification import missing
from . import foreign, transcoded
from .case import named
from .cause import POSSIBLE, Cause, CauseCode

if TYPE_CHECKING:
    from ..subject import Explained, Subject

_PIECE, _MAX_LOOKED = 1 << 20, 256 << 20
_CUT = frozenset(("truncated",))


def examine(one: Explained) -> Iterator[Cause]:
    """Yield possible causes of a signature that does not match."""
    found = list(foreign.examine(one))
    yield from found
    if found or one.report.integrity is None:
        return
    yield from transcoded.possible(one)
    if one.report.integrity == INTACT or one.mac is None or one.signed == one.computed:
        return
    yield from _lost(one)
    yield from _removed(one)
    yield from _short(one)


def _lost(one: Explained) -> Iterator[Cause]:
    """Yield a cause for the listed elements with the VR UN."""
    lost = sorted(one.lost)
    if lost:
        yield Cause(
            CauseCode.LOST_VR, POSSIBLE, tuple(named(tag) for tag in lost),
            "the VR of elements that are listed as signed is UN or was lost, so what was signed "
            "cannot be rebuilt",
        )  # fmt: skip


def _removed(one: Explained) -> Iterator[Cause]:
    """Yield a cause for absent listed elements, which says whether their headers occur anywhere."""
    assert one.mac is not None  # noqa: S101 - asked before
    there = one.index.present(one.scope)
    gone = [
        tag for tag in one.mac.data_elements_signed if tag not in there and is_signable_tag(tag)
    ]
    if not gone:
        return
    elsewhere = _found(one, gone)
    nowhere = [tag for tag in gone if tag not in elsewhere]
    if nowhere:
        yield Cause(
            CauseCode.REMOVED, POSSIBLE, tuple(named(tag) for tag in nowhere),
            "listed as signed and not there, and the bytes of their headers are nowhere in the "
            "object: they were removed, unless they never were there",
        )  # fmt: skip
    if elsewhere:
        yield Cause(
            CauseCode.REMOVED, POSSIBLE, tuple(named(tag) for tag in gone if tag in elsewhere),
            "listed as signed and not there; the same tags are elsewhere in the object, in an item "
            "or inside a value, so they may have been moved",
        )  # fmt: skip


def _found(one: Explained, tags: list[int]) -> set[int]:
    """Return those tags whose bytes occur anywhere in the object, except in the list itself."""
    part10 = one.subject.part10
    assert part10 is not None  # noqa: S101 - there is no signature without an object
    index = one.index
    found = {tag for tag in index.tags(0, min(len(index), 1_000_000)) if tag in set(tags)}
    order: Any = "big" if part10.big_endian else "little"
    headers = {
        tag: (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order) for tag in tags
    }
    skipped = [
        (index.record(n).value, index.record(n).end)
        for scope in index.scopes
        for item in values.items_of(index, scope, terms.MAC_PARAMETERS_SEQUENCE)
        if (n := index.find(item, terms.DATA_ELEMENTS_SIGNED)) >= 0
    ]
    size = min(len(part10.source), _MAX_LOOKED)
    if len(tags) > 64:
        return found
    for tag, header in headers.items():
        if tag not in found and _is_in(part10, header, size, skipped):
            found.add(tag)
    return found


def _is_in(part10: Any, header: bytes, size: int, skipped: list[tuple[int, int]]) -> bool:
    at = part10.start
    while at < size:
        piece = bytes(part10.read(at, min(_PIECE + 3, size - at)))
        place = piece.find(header)
        while place >= 0:
            if not any(begin <= at + place < end for begin, end in skipped):
                return True
            place = piece.find(header, place + 1)
        at += _PIECE
    return False


def _short(one: Explained) -> Iterator[Cause]:
    """Yield a cause if native Pixel Data have fewer bytes than the object says."""
    index = one.index
    number = index.find(one.scope, terms.PIXEL_DATA)
    if number < 0 or index.record(number).kind != r.ELEMENT:
        return
    rows, columns, samples, bits = (
        values.number_of(index, one.scope, tag)
        for tag in (terms.ROWS, terms.COLUMNS, terms.SAMPLES_PER_PIXEL, terms.BITS_ALLOCATED)
    )
    text = values.text_of(index, one.scope, terms.NUMBER_OF_FRAMES)
    frames = int(text) if text.isdecimal() and len(text) < 10 else 1
    if not (rows and columns and samples and bits):
        return
    want = (rows * columns * samples * frames * bits + 7) // 8
    has = index.record(number).end - index.record(number).value
    if has < want:
        yield Cause(
            CauseCode.TRUNCATED, POSSIBLE, (named(terms.PIXEL_DATA),),
            f"Pixel Data have {has:,} bytes, and {frames} frames of {rows} by {columns} pixels "
            f"take {want:,}: the end is missing",
        )  # fmt: skip


def examine_object(subject: Subject) -> tuple[Cause, ...]:
    """Return what is wrong with an object as a whole."""
    error = subject.report.error
    if error is not None and error.code in _CUT:
        return (
            Cause(
                CauseCode.TRUNCATED, POSSIBLE, (),
                f"{error.message}. Signatures stand at the end of an object, behind the pixels, so "
                "they are lost with it",
            ),
        )  # fmt: skip
    part10, index = subject.part10, subject.index
    if subject.report.signatures or part10 is None or index is None:
        return ()
    # that a signature is required says nothing about the object: it may never have had one
    lacking = missing.evidence(part10, index)
    if lacking.reason is not None:
        left = any(one.startswith(missing.ORPHANS) for one in lacking.sentences)
        what = (
            "it was signed once, and it was cut, or its signatures were taken out"
            if left
            else "it was cut, or not read to its end; were there signatures, they are lost with it"
        )
        return (
            Cause(CauseCode.TRUNCATED, POSSIBLE, (), f"a part of the object is missing: {what}"),
        )
    return ()

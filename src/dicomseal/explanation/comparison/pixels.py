"""Pixel Data of two copies: which frames differ, and whether other bytes show the same pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ...encoding import record as r
from ...encoding import values
from ...standard import terms
from ..pixels.decoding import MAX_BYTES, Decoded, decoded
from .copy import Copy, in_step
from .difference import CHANGED, REENCODED
from .samples import Counter

if TYPE_CHECKING:
    from ...encoding.record import Record

_MAX_FRAMES = 1000


class Found(NamedTuple):
    """The frames and samples that differ.

    Attributes:
        frames: the numbers of the frames, counted from 1.
        samples, of_samples: how many samples differ, and how many there are; None if not known.
    """

    frames: tuple[int, ...]
    samples: int | None
    of_samples: int | None


def _numbers(copy: Copy) -> tuple[int, int, int]:
    """Return the bytes of a frame (0 if not known), the bytes of a sample, and the frames."""
    index = copy.index
    rows, columns, samples, bits = (
        values.number_of(index, 0, tag)
        for tag in (terms.ROWS, terms.COLUMNS, terms.SAMPLES_PER_PIXEL, terms.BITS_ALLOCATED)
    )
    text = values.text_of(index, 0, terms.NUMBER_OF_FRAMES)
    frames = int(text) if text.isdecimal() and 0 < len(text) < 10 else 1
    width = (bits or 16) // 8
    if width not in (1, 2, 4, 8):
        return 0, 1, frames
    if not (rows and columns and samples):
        return 0, width, frames
    return rows * columns * samples * width, width, frames


def counter_of(copy: Copy) -> Counter:
    """Return a counter for the native pixels of a copy."""
    frame, width, _ = _numbers(copy)
    return Counter(frame, width)


def samples_of(copy: Copy, record: Record) -> int:
    """Return how many samples native Pixel Data have."""
    return (record.end - record.value) // _numbers(copy)[1]


def same_fragments(a: Copy, one: int, b: Copy, other: int) -> bool:
    """Return whether encapsulated values have the same canonical form."""
    ours, theirs = a.fragments(one), b.fragments(other)
    if len(ours) != len(theirs):
        return False
    return all(_equal(a, x, b, y) for x, y in zip(ours, theirs, strict=True))


def same_bytes(a: Copy, one: int, b: Copy, other: int) -> bool:
    """Return the same for values of which only one may be encapsulated."""
    kinds = a.index.record(one).kind, b.index.record(other).kind
    return kinds == (r.ENCAPSULATED, r.ENCAPSULATED) and same_fragments(a, one, b, other)


def _equal(a: Copy, one: Record, b: Copy, other: Record) -> bool:
    return all(x == y for x, y in in_step(a.pieces(one), b.pieces(other)))


def compared(a: Copy, one: int, b: Copy, other: int) -> tuple[str, str, Found | None]:
    """Return the kind, the note and the numbers of a difference in Pixel Data."""
    same_syntax = a.part10.transfer_syntax == b.part10.transfer_syntax
    kinds = a.index.record(one).kind, b.index.record(other).kind
    both = kinds == (r.ENCAPSULATED, r.ENCAPSULATED)
    if both and same_syntax and _same_stream(a, one, b, other):
        return REENCODED, "the fragments or the offset table are cut otherwise", None
    left, right = decoded(a.part10), decoded(b.part10)
    if left is not None and right is not None and len(left.frames) == len(right.frames):
        found = _decoded(left, right)
        if not found.frames:
            return REENCODED, "decoded, the pixels are the same", None
        return CHANGED, "compared after decoding", found
    frames = _frames(a, one, b, other) if both and same_syntax else ()
    why = (
        f"more than {MAX_BYTES >> 20} MiB"
        if a.part10.size > MAX_BYTES
        else "nothing here decodes both"
    )
    note = f"whether they show the same is not known: {why}"
    return CHANGED, note, Found(frames, None, None) if frames else None


def _same_stream(a: Copy, one: int, b: Copy, other: int) -> bool:
    """Return whether the compressed bytes are the same in total, without offset tables."""

    def stream(copy: Copy, number: int) -> Iterator[bytes]:
        return itertools.chain.from_iterable(map(copy.pieces, copy.fragments(number)[1:]))

    return all(x == y for x, y in in_step(stream(a, one), stream(b, other)))


def _decoded(left: Decoded, right: Decoded) -> Found:
    frames, count, whole = [], 0, 0
    for number, pair in enumerate(zip(left.frames, right.frames, strict=True), 1):
        one, other = pair
        if right.planar != left.planar and left.samples > 1:
            other = right._replace(frames=[other]).ordered(left.planar)
        whole += len(one) // left.width
        size = min(len(one), len(other))
        counter = Counter(0, left.width)
        counter.take(one[:size], other[:size])
        differing = counter.count.samples + abs(len(one) - len(other)) // left.width
        if differing:
            count += differing
            frames.append(number)
    return Found(tuple(frames[:_MAX_FRAMES]), count, whole)


def _frames(a: Copy, one: int, b: Copy, other: int) -> tuple[int, ...]:
    """Return which frames differ, if each frame is one fragment."""
    ours, theirs = a.fragments(one)[1:], b.fragments(other)[1:]
    if len(ours) != len(theirs) or len(ours) != _numbers(a)[2]:
        return ()
    differing = (
        number
        for number, (x, y) in enumerate(zip(ours, theirs, strict=True), 1)
        if not _equal(a, x, b, y)
    )
    return tuple(itertools.islice(differing, _MAX_FRAMES))

"""The frames of encapsulated Pixel Data: whether readers agree on their fragments.

In: a file and its index.
Out: sentences about fragments that readers may group into other frames.
PS3: PS3.5 Annex A.4; RLE: Annex A.4.2.

The causes are an offset table that does not name the first fragments in their order, a second
table, or fragments that are not one for each frame where the standard requires that.
`merged_fragments` detects two fragments that were joined into one, where the hashed bytes stay the
same.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from ..standard import terms, transfer_syntaxes
from ..standard.tags import format_tag

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10


def doubts(part10: Part10, index: Index) -> list[str]:
    """Return a sentence for each Pixel Data whose fragments and frames do not fit together.

    Args:
        part10: the file.
        index: the index of its elements.

    Raises:
        SourceError: the file cannot be read.
    """
    found = []
    numbers = index.fragments(0)
    scopes = set()
    place = 0
    while place < len(numbers):
        value = index.record(numbers[place]).parent
        record = index.record(value)
        if record.tag == terms.PIXEL_DATA and record.parent not in scopes:
            # a second Pixel Data is a duplicate, which is reported elsewhere
            scopes.add(record.parent)
            why = _why(index, value, record.parent, part10.transfer_syntax)
            if why:
                found.append(
                    f"Pixel Data {format_tag(record.tag)} {why}: readers may make other frames "
                    "of it"
                )
        place += record.next - value - 1
    return found


def _why(index: Index, value: int, scope: int, syntax: str) -> str:
    first, *fragments = index.starts(value)
    extended, number = index.values(scope, (terms.EXTENDED_OFFSET_TABLE, terms.NUMBER_OF_FRAMES))
    frames = _number(number)
    if frames is None or not fragments:
        return ""
    # the first item is the Basic Offset Table; if it is too large for the frames, it is not a table
    table = fragments[0] - first - 8
    offsets = _offsets(index.value(value + 1), 4) if table <= 4 * frames else []
    if extended is not None:
        if offsets:
            return "has two offset tables"
        offsets = _offsets(extended, 8)
    if offsets and frames > 1 and not transfer_syntaxes.is_video(syntax):
        return _wrong_offsets(offsets, fragments, frames)
    if syntax in transfer_syntaxes.ONE_FRAGMENT_PER_FRAME and len(fragments) != frames:
        return f"has {len(fragments)} fragments for {frames} frames"
    return ""


def _number(value: bytes | None) -> int | None:
    """Return Number of Frames: 1 if it is absent or empty, None if it is not a number."""
    text = (value or b"").strip(b" \0")
    if not text:
        return 1
    return int(text) if text.isdigit() and len(text) <= 12 else None


def _offsets(table: bytes, size: int) -> list[int]:
    count = len(table) // size
    return list(struct.unpack_from(f"<{count}{'L' if size == 4 else 'Q'}", table))


def _wrong_offsets(offsets: list[int], fragments: list[int], frames: int) -> str:
    """Check that offsets name the first fragment of each frame, from the first frame on."""
    if len(offsets) != frames:
        return f"has an offset table for {len(offsets)} and not {frames} frames"
    known = [start - fragments[0] for start in fragments]
    if offsets == known:
        return ""  # a frame is nearly always one fragment
    ascending = all(one < other for one, other in pairwise(offsets))
    if offsets[0] or not ascending or not set(known).issuperset(offsets):
        return "has an offset table that does not name its fragments in their order"
    return ""

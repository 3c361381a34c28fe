"""Which fragments of encapsulated Pixel Data are which frame (PS3.5 Annex A.4).

In: a file and its index. Out: sentences, where readers may make other frames of the fragments: an
offset table that does not name them in their order, a second table, or fragments that are not one
for each frame where the standard wants that (RLE: PS3.5 Annex A.4.2). That two fragments were
joined into one, where the hashed bytes stay the same, `merged` looks for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ..standard import terms, transfer_syntaxes
from ..standard.tags import format_tag

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10


def doubts(part10: Part10, index: Index) -> list[str]:
    """Why fragments and frames do not fit together, one sentence for each Pixel Data.

    Args:
        part10: what is indexed.
        index: of its elements.

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
            scopes.add(record.parent)  # if there are more, they occur twice, which is said already
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
    # the first item is the Basic Offset Table; one that is too large for the frames is no table
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
    """Number of Frames: 1 where it is absent or empty, None where it is no number."""
    text = (value or b"").strip(b" \0")
    if not text:
        return 1
    return int(text) if text.isdigit() and len(text) <= 12 else None


def _offsets(table: bytes, size: int) -> list[int]:
    whole = len(table) - len(table) % size
    return [int.from_bytes(table[k : k + size], "little") for k in range(0, whole, size)]


def _wrong_offsets(offsets: list[int], fragments: list[int], frames: int) -> str:
    """They name the first fragment of each frame, ascending, from that of the first on."""
    if len(offsets) != frames:
        return f"has an offset table for {len(offsets)} and not {frames} frames"
    known = {start - fragments[0] for start in fragments}
    ascending = all(one < other for one, other in pairwise(offsets))
    if offsets[0] or not ascending or not known.issuperset(offsets):
        return "has an offset table that does not name its fragments in their order"
    return ""

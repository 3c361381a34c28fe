"""Whether fragments of encapsulated Pixel Data were merged, so that frames are where none was.

The canonical stream has no lengths of fragments (PS3.3 C.12.1.1.3.1.1): two of them, one behind the
other, are the same bytes as one with an item tag in its middle. Readers take a fragment for a frame
(PS3.5 A.4), so whoever merges two takes a frame away, or puts the second in the place of the third.

Where each frame begins in a fragment of its own, as it must, that shows: fewer fragments begin as
an image than there are frames, or the Basic Offset Table has another size; and in a fragment stands
an item tag with the beginning of an image behind it, which compressed data do not hold by chance.
Two fragments of one frame may be merged all the same: the picture is damaged, no frame is moved.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..encoding import limits, record
from ..encoding.backend import as_text
from ..standard import terms

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10

_PIECE = 1 << 20
_WORK_OF_A_RECORD = 32
_LONGEST = 16  # bytes of a beginning, with the item tag
# JPEG and JPEG-LS, JPEG 2000 (codestream, file), JPEG XL (codestream, file), RLE (PS3.5 G.5: up to
# 15 segments, of which the first stands behind the header)
_BEGINNING = (
    rb"\xff\xd8\xff|\xff\x4f\xff\x51|\0\0\0\x0cjP  |\xff\x0a|\0\0\0\x0cJXL |"
    rb"[\x01-\x0f]\0\0\0\x40\0\0\0"
)
_BEGINS = re.compile(_BEGINNING, re.DOTALL)
_MERGED = re.compile(rb"\xfe\xff\x00\xe0(?:" + _BEGINNING + rb")", re.DOTALL)


def merged(part10: Part10, index: Index, work: limits.ReadBudget) -> bool:
    """Whether fragments of the main data set's Pixel Data that are frames were merged.

    Args:
        part10: what is indexed.
        index: of its elements.
        work: is charged with what is read.

    Raises:
        SourceError: the file cannot be read.
        MalformedError: the limit of the work is reached.
    """
    number = index.find(0, terms.PIXEL_DATA)
    if number < 0 or index.record(number).kind != record.ENCAPSULATED:
        return False
    fragments = list(index.children(number))
    if not fragments:
        return False
    frames = _frames(index)
    table, *rest = (index.record(one) for one in fragments)
    size = table.end - table.value
    if size not in (0, 4 * frames) and _holds(part10, table, work):
        return True
    if frames <= 1 and len(rest) <= 1:
        return False
    work.read(_WORK_OF_A_RECORD * len(rest))
    begun = sum(1 for one in rest if _BEGINS.match(_head(part10, one)))
    if not begun or begun >= frames:  # if none is an image that is known, nothing can be told
        return False
    return any(_holds(part10, one, work) for one in rest)


def _frames(index: Index) -> int:
    (stored,) = index.values(0, (terms.NUMBER_OF_FRAMES,))
    text = as_text(stored)
    return int(text) if text.isdecimal() and len(text) < 10 else 1


def _head(part10: Part10, fragment: record.Record) -> bytes:
    length = min(_LONGEST, fragment.end - fragment.value)
    return bytes(part10.read(fragment.value, length))


def _holds(part10: Part10, fragment: record.Record, work: limits.ReadBudget) -> bool:
    """Whether there is an item tag in it, and behind that an image."""
    start, end = fragment.value, fragment.end
    work.read(end - start)
    while end - start >= _LONGEST // 2:
        piece = part10.read(start, min(_PIECE, end - start))
        for match in _MERGED.finditer(piece):
            if (start + match.start() - fragment.value) % 2 == 0:  # fragments have even lengths
                return True
        start += max(len(piece) - _LONGEST, _LONGEST)
    return False

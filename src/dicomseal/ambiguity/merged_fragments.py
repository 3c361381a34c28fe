"""Fragments of encapsulated Pixel Data that were merged, so that a frame is lost or moved.

In: a file and its index.
Out: whether fragments that are frames were merged.
PS3: PS3.3 C.12.1.1.3.1.1, PS3.5 Annex A.4.

The canonical stream has no lengths of fragments: two of them in a row are the same bytes as one
with an item tag in its middle. Readers take a fragment for a frame, so a forger who merges two
removes a frame, or moves the second one to the place of the third.

If each frame begins in a fragment of its own, as it must, a merge can be detected: fewer fragments
begin as an image than there are frames, or the Basic Offset Table has another size; and a fragment
contains an item tag that is followed by the beginning of an image, which does not occur in
compressed data by chance. If two fragments of one frame are merged, this is not reported: the
picture is damaged, but no frame is moved.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..encoding import limits, record
from ..encoding.backend import as_text
from ..standard import terms
from ..standard.compressed_images import BEGINNINGS, MAX_BEGINNING

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10

_PIECE = 1 << 20
_WORK_OF_A_RECORD = 32
_MAX_MERGED = 4 + MAX_BEGINNING  # bytes, with the item tag
_MERGED = re.compile(rb"\xfe\xff\x00\xe0(?:" + BEGINNINGS + rb")", re.DOTALL)


def merged(part10: Part10, index: Index, work: limits.ReadBudget) -> bool:
    """Return whether fragments of the main data set's Pixel Data that are frames were merged.

    Args:
        part10: the file.
        index: the index of its elements.
        work: is charged with the bytes that are read.

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
    table = index.record(fragments[0])
    size = table.end - table.value
    if size not in (0, 4 * frames) and _holds(part10, table, work):
        return True
    if frames <= 1 and len(fragments) <= 2:
        return False
    work.read(_WORK_OF_A_RECORD * len(fragments))
    begun = index.images(number)
    if not begun or begun >= frames:  # without a known kind of image nothing can be decided
        return False
    return any(_holds(part10, index.record(one), work) for one in fragments[1:])


def _frames(index: Index) -> int:
    (stored,) = index.values(0, (terms.NUMBER_OF_FRAMES,))
    text = as_text(stored)
    return int(text) if text.isdecimal() and len(text) < 10 else 1


def _holds(part10: Part10, fragment: record.Record, work: limits.ReadBudget) -> bool:
    """Return whether a fragment contains an item tag that is followed by an image."""
    start, end = fragment.value, fragment.end
    work.read(end - start)
    while end - start >= _MAX_MERGED // 2:
        piece = part10.read(start, min(_PIECE, end - start))
        for match in _MERGED.finditer(piece):
            if (start + match.start() - fragment.value) % 2 == 0:  # fragments have even lengths
                return True
        start += max(len(piece) - _MAX_MERGED, _MAX_MERGED)
    return False

"""What the last fragment of an encapsulated value may hide.

The canonical stream has no lengths of fragments (PS3.3 C.12.1.1.3.1.1). So the elements that were
signed behind an encapsulated value can be put into its last fragment, and the bytes that are hashed
stay the same: there, the mark of the end of a sequence is followed by the header of the next one.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from . import _record

if TYPE_CHECKING:
    from .canonical import Index
    from .part10 import Part10

_PIECE = 1 << 20
_WORK_OF_A_RECORD = 32
_HEADER = 10  # the mark, a tag, a VR
# Sequence Delimitation Item (FFFE,E0DD) without a length, as it is hashed, then a tag and a VR
_BEHIND_THE_END = re.compile(rb"(?=\xfe\xff\xdd\xe0(.{4})[A-Z]{2})", re.DOTALL)


def hidden_tags(part10: Part10, index: Index, scope: int, work: _record.Work) -> frozenset[int]:
    """The tags of what looks like elements inside the fragments of a data set or item.

    Args:
        part10: what is indexed.
        index: of its elements.
        scope: the record of the data set or item; what is nested in it is looked at too.
        work: is charged with what is read.

    Raises:
        SourceError: the file cannot be read.
        MalformedError: the limit of the work is reached.
    """
    found = set()
    for number in index.fragments(scope):
        record = index.record(number)
        work.read(_WORK_OF_A_RECORD + record.end - record.value)
        found.update(_tags(part10, record.value, record.end))
    return frozenset(found)


def _tags(part10: Part10, start: int, end: int) -> set[int]:
    found = set()
    while end - start >= _HEADER:
        piece = part10.read(start, min(_PIECE, end - start))
        for match in _BEHIND_THE_END.finditer(piece):
            group, element = struct.unpack("<HH", match[1])
            found.add(group << 16 | element)
        start += max(len(piece) - _HEADER + 1, 1)
    return found

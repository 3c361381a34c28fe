"""The directory of a medium (DICOMDIR, PS3.3 Annex F): it lists objects, and is none to sign.

All of it stands in group 0004, which no signature can cover (PS3.3 C.12.1.1.3.1.1). What it holds
decides, not what it calls itself: an object that claims to be one and holds anything that could be
signed is judged as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ambiguity import parser_differentials
from ...errors import MalformedError, SourceError
from ...files.part10 import Part10
from ...files.reader import Reader
from ...files.window import Window
from ...report import ObjectReport
from ...standard.terms import DIRECTORY_RECORD_SEQUENCE

if TYPE_CHECKING:
    from ...encoding.backend import Index
    from ...encoding.limits import Limits

_GROUP = 0x0004


def is_directory(part10: Part10, index: Index) -> bool:
    """Whether an object is one."""
    if parser_differentials.doubts(part10, index, signed=False):
        return False
    if any(index.record(child).tag >> 16 != _GROUP for child in index.children(0)):
        return False
    records = index.find(0, DIRECTORY_RECORD_SEQUENCE)
    return records >= 0 and index.record(records).vr == "SQ"


def was_directory(made: ObjectReport, source: str | memoryview | Window, limits: Limits) -> bool:
    """Whether what a report is on is one; only what may be one is read once more."""
    if (
        made.sop_class_uid  # of nearly all others
        or made.error
        or made.signatures
        or made.covered_elements
        or made.uncovered_elements
    ):
        return False
    try:
        if isinstance(source, str):
            part10 = Reader().open(source, limits)
        else:
            part10 = Part10(source, len(source), limits)
        return is_directory(part10, part10.index())
    except (MalformedError, SourceError):  # it has changed meanwhile
        return False

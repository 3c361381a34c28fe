"""The directory of a medium (DICOMDIR, PS3.3 Annex F): it lists objects, and cannot be signed.

All of it is in group 0004, which no signature can cover (PS3.3 C.12.1.1.3.1.1). Its content
decides, not its label: an object that claims to be a directory and holds anything that could be
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
    """Return whether an object is a directory."""
    if parser_differentials.doubts(part10, index, signed=False):
        return False
    if any(index.record(child).tag >> 16 != _GROUP for child in index.children(0)):
        return False
    records = index.find(0, DIRECTORY_RECORD_SEQUENCE)
    return records >= 0 and index.record(records).vr == "SQ"


def was_directory(
    object_report: ObjectReport, source: str | memoryview | Window, limits: Limits
) -> bool:
    """Return whether a report is on a directory; only a file that may be one is read again."""
    if (
        object_report.sop_class_uid  # true of nearly all others
        or object_report.error
        or object_report.signatures
        or object_report.covered_elements
        or object_report.uncovered_elements
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

"""Files of a folder that are no DICOM objects, or only directories: counted, and no failure.

In: a report, and the file that it is on.
Out: the report with the verdict `NOT_DICOM` or `DIRECTORY` where that is what the file is.
PS3: PS3.10 Section 8, PS3.3 Annex F.

What a name says to be DICOM and is not was emptied, cut or overwritten: it stays an error.

A directory of a medium (DICOMDIR) lists objects, and cannot be signed. All of it is in group 0004,
which no signature can cover (PS3.3 C.12.1.1.3.1.1). Its content decides, not its label: an object
that claims to be a directory and holds anything that could be signed is judged as any other.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from .. import report
from ..ambiguity import parser_differentials
from ..errors import MalformedError, SourceError
from ..files.part10 import Part10
from ..files.reader import Reader
from ..files.window import Window
from ..report import ErrorReport, ObjectReport
from ..standard.terms import DIRECTORY_RECORD_SEQUENCE

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..encoding.limits import Limits

NOT_DICOM, DIRECTORY = "not_dicom", "directory"
OTHERS = frozenset({NOT_DICOM, DIRECTORY})
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
NO_OBJECT = frozenset({"not_dicom", "empty"})  # codes of errors
_GROUP = 0x0004
# names that say DICOM: by their ending; as on media (PS3.10 Section 8) and by storescp; a UID
_DICOM_NAME = re.compile(
    r".*\.(?:dcm|dicom|dic|dc3|dcm30|ima|acr)|dicomdir|(?:[a-z]{2,8}\.)?[0-2](?:\.\d+){4,}(?:\.\w+)?",
    re.IGNORECASE | re.DOTALL,
)


def in_a_folder(object_report: ObjectReport, path: str, limits: Limits) -> ObjectReport:
    """Return the report on a file that nobody named, but a folder or a list holds.

    Args:
        object_report: as `verify` returns it.
        path: of the file.
        limits: with which it was verified.
    """
    error = object_report.error
    if error is None:
        if not was_directory(object_report, path, limits):
            return object_report
        return ObjectReport(
            path=object_report.path, verdict=DIRECTORY, bytes=object_report.bytes,
            sop_class_uid=MEDIA_STORAGE_DIRECTORY,
        )  # fmt: skip
    if error.code not in NO_OBJECT:
        return object_report
    verdict, sentence = on_no_dicom(path, error.message)
    return msgspec.structs.replace(
        object_report, verdict=verdict, error=ErrorReport(error.code, sentence)
    )


def on_no_dicom(path: str, sentence: str) -> tuple[str, str]:
    """Return verdict and sentence on a file that is not a DICOM object, also by its name.

    If the name says that it is DICOM, the object was emptied, cut or overwritten, and can no longer
    be read.
    """
    if _DICOM_NAME.fullmatch(os.path.basename(path)):
        return report.ERROR, f"{sentence}, though its name says DICOM"
    return NOT_DICOM, sentence


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

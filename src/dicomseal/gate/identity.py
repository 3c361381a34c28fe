"""Which object it is: the UIDs by which an archive files it, and names for files made of them."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

import msgspec

from ..encoding import values
from ..encoding.limits import Limits
from ..errors import DicomSealError
from ..files.part10 import Part10
from ..files.reader import Reader
from ..standard import terms

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PATIENT_ID = 0x00100020
_NAMES = (
    terms.SOP_CLASS_UID,
    terms.SOP_INSTANCE_UID,
    terms.STUDY_INSTANCE_UID,
    terms.SERIES_INSTANCE_UID,
    _PATIENT_ID,
)
# leading zeros are not allowed (PS3.5 Section 9.1), occur, and do no harm in a name
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_MAX_UID = 64


class Identity(msgspec.Struct, frozen=True):
    """The UIDs of an object as its data set has them; empty where it has none.

    Attributes:
        sop_class: SOP Class UID (0008,0016).
        sop_instance: SOP Instance UID (0008,0018).
        study: Study Instance UID (0020,000D).
        series: Series Instance UID (0020,000E).
        transfer_syntax: Transfer Syntax UID.
        patient: Patient ID (0010,0020), for a log that may name patients.
    """

    sop_class: str = ""
    sop_instance: str = ""
    study: str = ""
    series: str = ""
    transfer_syntax: str = ""
    patient: str = ""

    @property
    def names(self) -> tuple[str, str, str]:
        """Names of folders and a file for study, series and instance, see `safe_name`."""
        return safe_name(self.study), safe_name(self.series), safe_name(self.sop_instance)


def identify(source: str | os.PathLike[str] | Buffer, limits: Limits | None = None) -> Identity:
    """Return the UIDs of an object, which need not be a good one; of a bad one nothing is known.

    Args:
        source: a path, or a file's content.
        limits: what it may cost.
    """
    try:
        if isinstance(source, (str, os.PathLike)):
            part10 = Reader().open(source, limits)
        else:
            part10 = Part10.from_bytes(source, limits)
        found = [values.as_text(one) for one in part10.index().values(0, _NAMES)]
    except DicomSealError:
        return Identity()
    return Identity(found[0], found[1], found[2], found[3], part10.transfer_syntax, found[4])


def safe_name(uid: str) -> str:
    """Return a name for a file or folder: the UID itself where it is one.

    The value comes from a stranger: anything else than a UID becomes a name made of its hash, so
    that no name leaves its folder, none is special anywhere, and two values never share a name.
    """
    if len(uid) <= _MAX_UID and _UID.fullmatch(uid):
        return uid
    if not uid:
        return "none"
    return "x" + hashlib.sha256(uid.encode("utf-8", "backslashreplace")).hexdigest()[:40]

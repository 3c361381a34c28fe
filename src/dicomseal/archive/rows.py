"""What the ledger keeps of one object, and how it is written for the hash chain.

A row is smaller than a report: what an auditor asks for a year later, no more.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from .. import report
from ..certificate import Signer
from ..report import ObjectReport, SignatureReport

# verdict on a file that is no DICOM object: counted, and no failure
NOT_DICOM = "not_dicom"
VERDICTS = (
    report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR, NOT_DICOM,
)  # fmt: skip
_NO_OBJECT = {"not_dicom", "empty"}


class SignatureRow(msgspec.Struct, frozen=True, array_like=True):
    """One signature; the words are those of `SignatureReport`.

    Attributes:
        reason: code of why it is not intact, else of why it is not trusted; or empty.
        sentence: the same for people.
        judged_at: the time that counted for its certificate, ISO 8601; empty if it was not judged.
        timestamp: the time of its Certified Timestamp, ISO 8601; empty if there is none.
        weak: algorithms and keys in it that are no longer strong, separated by ``; ``.
    """

    location: str
    uid: str
    datetime: str
    integrity: str
    trust: str
    mac_algorithm: str
    reason: str
    sentence: str
    judged_at: str
    timestamp: str
    weak: str
    signer: Signer | None


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One object.

    Attributes:
        path: absolute; as `os.fsencode` gives it where it is no UTF-8.
        size: in bytes.
        mtime: last modification, in nanoseconds since 1970.
        verdict: one of `VERDICTS`.
        reason: code of the first reason for it; empty if there is none.
        sentence: the same for people.
        reasons: all codes, separated by spaces, the object's and its signatures'.
        time: when it was verified, in seconds since 1970.
    """

    path: Any  # str or bytes; msgspec decodes no union of the two
    size: int
    mtime: int
    sop_class_uid: str
    sop_instance_uid: str
    verdict: str
    reason: str
    sentence: str
    reasons: str
    time: float
    signatures: tuple[SignatureRow, ...] = ()


def path_of(path: str) -> str | bytes:
    """A path as rows have it: SQLite's text is UTF-8, file names need not be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def shown(path: str | bytes) -> str:
    """A path for people and JSON: what is no UTF-8 in it is escaped."""
    if isinstance(path, bytes):
        return path.decode("utf-8", "backslashreplace")
    return path


def row_of(made: ObjectReport, path: str, size: int, mtime: int, time: float) -> Row:
    """What is kept of a report."""
    codes = [reason.code for reason in made.reasons]
    sentences = [reason.message for reason in made.reasons]
    signatures = []
    for one in made.signatures:
        if one.integrity is None:  # history
            continue
        why = one.integrity_reason or one.trust_reason
        if why:
            codes.append(why.code)
            sentences.append(why.message)
        signatures.append(_signature(one))
    verdict = made.verdict
    if made.error:
        if made.error.code in _NO_OBJECT:
            verdict = NOT_DICOM
        codes.insert(0, made.error.code)
        sentences.insert(0, made.error.message)
    return Row(
        path=path_of(path),
        size=size,
        mtime=mtime,
        sop_class_uid=_text(made.sop_class_uid),
        sop_instance_uid=_text(made.sop_instance_uid),
        verdict=verdict,
        reason=codes[0] if codes else "",
        sentence=_text(sentences[0]) if sentences else "",
        reasons=" ".join(dict.fromkeys(codes)),
        time=time,
        signatures=tuple(signatures),
    )


def _signature(made: SignatureReport) -> SignatureRow:
    why = made.integrity_reason or made.trust_reason
    return SignatureRow(
        location=made.location,
        uid=_text(made.uid),
        datetime=_text(made.datetime),
        integrity=made.integrity or "",
        trust=made.trust,
        mac_algorithm=_text(made.mac_algorithm),
        reason=why.code if why else "",
        sentence=_text(why.message) if why else "",
        judged_at=made.judged_at or "",
        timestamp=(made.timestamp.time or "") if made.timestamp else "",
        weak=_text("; ".join(made.weak)),
        signer=made.signer,
    )


def _text(text: str) -> str:
    """Text that SQLite takes and gives back as it was: objects and file names are strangers'."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")

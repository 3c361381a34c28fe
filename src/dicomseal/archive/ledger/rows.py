"""The row of an object in the ledger, and its packed form for the hash chain.

A row is smaller than a report: it has what an auditor needs a year later, no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ... import report
from ...report import CertificateInfo, ErrorReport, ObjectReport, Reason, SignatureReport
from ...verification.other_files import (
    DIRECTORY,
    MEDIA_STORAGE_DIRECTORY,
    NO_OBJECT,
    NOT_DICOM,
    on_no_dicom,
)  # fmt: skip
from ..find.found import path_of
from .uncovered import told

VERDICTS = (
    report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR, NOT_DICOM,
    DIRECTORY,
)  # fmt: skip
# verdicts of a run that signs: the object now has a signature of its key, it had one already, or it
# cannot be signed as requested
SIGNED, ALREADY_SIGNED, REFUSED = "signed", "already_signed", "refused"
SIGN_VERDICTS = (SIGNED, ALREADY_SIGNED, REFUSED, report.ERROR, NOT_DICOM, DIRECTORY)
FAILURES = frozenset({report.FAILED, report.ERROR, REFUSED})
# codes of errors that say nothing about the content of a file
NOT_READ = (
    "not_found", "permission", "unreadable", "changed", "crashed", "empty_folder", "empty_list",
    "nothing_selected", "no_space", "store", "time", "incomplete", "media_type", "other_object",
    "redirected", "hung",
)  # fmt: skip
_NOT_JUDGED = "no trust anchor was named, so the signer is not known"


class SignatureRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One signature; the words are those of `SignatureReport`.

    Attributes:
        reason: code of why it is not intact, else of why it is not trusted; or empty.
        sentence: the same for people.
        judged_at: the time that counted for its certificate, ISO 8601; empty if it was not judged.
        judged_by: where that time came from; empty if it was not judged.
        timestamp: the time of its Certified Timestamp, ISO 8601; empty if there is none.
        proof: the run and the ledger that proved that time, if one did; else empty.
        weak: algorithms and keys in it that are no longer strong, separated by semicolons.
        digest: distinguishes it from other signatures (`dicomseal.signature.digests`); empty
            unless it is intact.
        content: digest of the elements it covers, by its MAC algorithm; empty unless intact.
        elements: digest of the list of them; contents are comparable only if it is the same.
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
    judged_by: str
    timestamp: str
    proof: str
    weak: str
    digest: bytes
    content: bytes
    elements: bytes
    signer: CertificateInfo | None


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One object.

    Attributes:
        path: absolute; as `os.fsencode` returns it if it is not UTF-8.
        size: in bytes.
        mtime: last modification, in nanoseconds since 1970.
        modality: Modality (0008,0060); empty if it is absent.
        content: SHA-256 over all its content that can be signed; empty if not requested.
        verdict: one of `VERDICTS`; of `SIGN_VERDICTS` in a run that signs.
        reason: code of the first reason for it; empty if there is none.
        sentence: the same for people.
        reasons: all codes, separated by spaces, the object's and its signatures'.
        uncovered: how many elements no passing signature covers, of an object with an intact one;
            in a run that signs, how many the new signature leaves out.
        uncovered_classes: the same by class, see `archive.ledger.uncovered`; empty if none.
        time: when it was verified, in seconds since 1970.
    """

    path: Any  # str or bytes; msgspec cannot decode a union of the two
    size: int
    mtime: int
    sop_class_uid: str
    sop_instance_uid: str
    modality: str
    content: bytes
    verdict: str
    reason: str
    sentence: str
    reasons: str
    uncovered: int
    uncovered_classes: str
    time: float
    signatures: tuple[SignatureRow, ...] = ()


# rows as a worker sends them, and as the chain hashes them
pack: Callable[[list[Row]], bytes] = msgspec.msgpack.Encoder().encode
unpack: Callable[[bytes], list[Row]] = msgspec.msgpack.Decoder(list[Row]).decode


def row_of(
    object_report: ObjectReport,
    path: str,
    size: int,
    mtime: int,
    time: float,
    directory: bool = False,
) -> Row:
    """Return the row for a report; ``directory``: it is on the directory of a medium."""
    if directory:
        object_report = ObjectReport(
            path=path, verdict=DIRECTORY, sop_class_uid=MEDIA_STORAGE_DIRECTORY
        )
    why: list[Reason | ErrorReport] = [*object_report.reasons]
    signatures = []
    for one in object_report.signatures:
        if one.integrity is None:  # history
            continue
        reason = one.integrity_reason or one.trust_reason
        if reason:
            why.append(reason)
        signatures.append(_signature(one, reason))
    verdict = object_report.verdict
    if object_report.error:
        error = object_report.error
        if error.code in NO_OBJECT:
            verdict, sentence = on_no_dicom(path, error.message)
            error = ErrorReport(error.code, sentence)
        why.insert(0, error)
    sentence = why[0].message if why else ""
    if verdict == report.INDETERMINATE and not why:
        sentence = next(iter(object_report.messages), _NOT_JUDGED)
    # positional arguments, here and below: so many keywords would take longer than all the rest
    return Row(
        path_of(path),
        size,
        mtime,
        as_stored(object_report.sop_class_uid),
        as_stored(object_report.sop_instance_uid),
        as_stored(object_report.modality),
        bytes.fromhex(object_report.content_digest) if object_report.content_digest else b"",
        verdict,
        why[0].code if why else "",
        as_stored(sentence),
        " ".join(dict.fromkeys([one.code for one in why])) if why else "",
        sum([one.count for one in object_report.uncovered_classes])
        if object_report.uncovered_classes
        else 0,
        told(object_report.uncovered_classes, bool(object_report.uncovered))
        if object_report.uncovered_classes
        else "",
        time,
        tuple(signatures),
    )


def _signature(signature_report: SignatureReport, why: Reason | None) -> SignatureRow:
    digests, proof = signature_report.digests, signature_report.proof
    return SignatureRow(
        signature_report.location,
        as_stored(signature_report.uid),
        as_stored(signature_report.datetime),
        signature_report.integrity or "",
        signature_report.trust,
        as_stored(signature_report.mac_algorithm),
        why.code if why else "",
        as_stored(why.message) if why else "",
        signature_report.judged_at or "",
        signature_report.judged_by or "",
        (signature_report.timestamp.time or "") if signature_report.timestamp else "",
        as_stored(f"run {proof.run} of {proof.ledger}") if proof else "",
        as_stored("; ".join(signature_report.weak)) if signature_report.weak else "",
        bytes.fromhex(digests.signature) if digests else b"",
        bytes.fromhex(digests.content) if digests else b"",
        bytes.fromhex(digests.elements) if digests else b"",
        signature_report.signer,
    )


def as_stored(text: str) -> str:
    """Return text that SQLite stores unchanged: objects and file names come from strangers."""
    if text.isprintable():  # then nothing in it needs a closer look
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")

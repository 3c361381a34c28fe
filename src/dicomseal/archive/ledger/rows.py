"""What the ledger keeps of one object, and how it is written for the hash chain.

A row is smaller than a report: what an auditor asks for a year later, no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import msgspec

from ... import report
from ...report import CertificateInfo, ErrorReport, ObjectReport, Reason, SignatureReport
from ..find.found import path_of
from .uncovered import told

# verdict on a file that is no DICOM object: counted, and no failure
NOT_DICOM = "not_dicom"
# on the directory of a medium, in which nothing can be signed: the same
DIRECTORY, MEDIA_STORAGE_DIRECTORY = "directory", "1.2.840.10008.1.3.10"
VERDICTS = (
    report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR, NOT_DICOM,
    DIRECTORY,
)  # fmt: skip
# verdicts of a run that signs: there is a signature of its key now, there was one already, or the
# object cannot be signed as asked
SIGNED, ALREADY_SIGNED, REFUSED = "signed", "already_signed", "refused"
SIGN_VERDICTS = (SIGNED, ALREADY_SIGNED, REFUSED, report.ERROR, NOT_DICOM, DIRECTORY)
FAILURES = frozenset({report.FAILED, report.ERROR, REFUSED})
NO_OBJECT = {"not_dicom", "empty"}
# codes of errors that say nothing of what a file holds
NOT_READ = (
    "not_found", "permission", "unreadable", "changed", "crashed", "empty_folder", "empty_list",
    "nothing_selected", "no_space", "store", "time", "incomplete", "media_type", "other_object",
    "redirected",
)  # fmt: skip
_NOT_JUDGED = "no trust anchor was named, so nobody can say who signed it"
# names that say DICOM: how they end; as media (PS3.10 Section 8) and storescp have them; a UID
_DICOM_NAME = re.compile(
    r".*\.(?:dcm|dicom|dic|dc3|dcm30|ima|acr)|dicomdir|(?:[a-z]{2,8}\.)?[0-2](?:\.\d+){4,}(?:\.\w+)?",
    re.IGNORECASE | re.DOTALL,
)


class SignatureRow(msgspec.Struct, frozen=True, array_like=True):
    """One signature; the words are those of `SignatureReport`.

    Attributes:
        reason: code of why it is not intact, else of why it is not trusted; or empty.
        sentence: the same for people.
        judged_at: the time that counted for its certificate, ISO 8601; empty if it was not judged.
        judged_by: where that time came from; empty if it was not judged.
        timestamp: the time of its Certified Timestamp, ISO 8601; empty if there is none.
        proof: which run of which ledger proved that time, if one did; else empty.
        weak: algorithms and keys in it that are no longer strong, separated by ``; ``.
        digest: what tells it from other signatures (`dicomseal.signature.digests`); empty unless
            it is intact.
        content: digest of the elements it covers, by its MAC algorithm; empty unless intact.
        elements: digest of the list of them; contents compare only where it is the same.
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


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One object.

    Attributes:
        path: absolute; as `os.fsencode` gives it where it is no UTF-8.
        size: in bytes.
        mtime: last modification, in nanoseconds since 1970.
        modality: Modality (0008,0060); empty if it is absent.
        content: SHA-256 over all its content that can be signed; empty if that was not asked for.
        verdict: one of `VERDICTS`; of `SIGN_VERDICTS` in a run that signs.
        reason: code of the first reason for it; empty if there is none.
        sentence: the same for people.
        reasons: all codes, separated by spaces, the object's and its signatures'.
        uncovered: how many elements no passing signature covers, of an object with an intact one;
            in a run that signs, how many the new signature leaves out.
        uncovered_classes: the same by class, see `archive.ledger.uncovered`; empty if none.
        time: when it was verified, in seconds since 1970.
    """

    path: Any  # str or bytes; msgspec decodes no union of the two
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


# rows as a worker sends them, and as the chain is over them
pack: Callable[[list[Row]], bytes] = msgspec.msgpack.Encoder().encode
unpack: Callable[[bytes], list[Row]] = msgspec.msgpack.Decoder(list[Row]).decode


def on_no_dicom(path: str, sentence: str) -> tuple[str, str]:
    """Verdict and sentence on a file that is no DICOM object, by what its name says it should be.

    An object that was emptied, cut or overwritten is one that cannot be read any more.
    """
    if _DICOM_NAME.fullmatch(os.path.basename(path)):
        return report.ERROR, f"{sentence}, though its name says DICOM"
    return NOT_DICOM, sentence


def row_of(
    made: ObjectReport, path: str, size: int, mtime: int, time: float, directory: bool = False
) -> Row:
    """What is kept of a report; ``directory``: it is on the directory of a medium."""
    if directory:
        made = ObjectReport(path=path, verdict=DIRECTORY, sop_class_uid=MEDIA_STORAGE_DIRECTORY)
    why: list[Reason | ErrorReport] = [*made.reasons]
    signatures = []
    for one in made.signatures:
        if one.integrity is None:  # history
            continue
        reason = one.integrity_reason or one.trust_reason
        if reason:
            why.append(reason)
        signatures.append(_signature(one, reason))
    verdict = made.verdict
    if made.error:
        error = made.error
        if error.code in NO_OBJECT:
            verdict, sentence = on_no_dicom(path, error.message)
            error = ErrorReport(error.code, sentence)
        why.insert(0, error)
    sentence = why[0].message if why else ""
    if verdict == report.INDETERMINATE and not why:
        sentence = next(iter(made.messages), _NOT_JUDGED)
    # by position, here and below: so many names would take longer than all the rest
    return Row(
        path_of(path),
        size,
        mtime,
        as_stored(made.sop_class_uid),
        as_stored(made.sop_instance_uid),
        as_stored(made.modality),
        bytes.fromhex(made.content_digest) if made.content_digest else b"",
        verdict,
        why[0].code if why else "",
        as_stored(sentence),
        " ".join(dict.fromkeys([one.code for one in why])) if why else "",
        sum([one.count for one in made.uncovered_classes]) if made.uncovered_classes else 0,
        told(made.uncovered_classes, bool(made.uncovered)) if made.uncovered_classes else "",
        time,
        tuple(signatures),
    )


def _signature(made: SignatureReport, why: Reason | None) -> SignatureRow:
    digests, proof = made.digests, made.proof
    return SignatureRow(
        made.location,
        as_stored(made.uid),
        as_stored(made.datetime),
        made.integrity or "",
        made.trust,
        as_stored(made.mac_algorithm),
        why.code if why else "",
        as_stored(why.message) if why else "",
        made.judged_at or "",
        made.judged_by or "",
        (made.timestamp.time or "") if made.timestamp else "",
        as_stored(f"run {proof.run} of {proof.ledger}") if proof else "",
        as_stored("; ".join(made.weak)) if made.weak else "",
        bytes.fromhex(digests.signature) if digests else b"",
        bytes.fromhex(digests.content) if digests else b"",
        bytes.fromhex(digests.elements) if digests else b"",
        made.signer,
    )


def as_stored(text: str) -> str:
    """Text that SQLite takes and gives back as it was: objects and file names are strangers'."""
    if text.isprintable():  # so there is nothing in it that needs another look
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")

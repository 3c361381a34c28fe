"""The rows of a run that signs: what became of each file."""

from __future__ import annotations

import time

from ... import report
from ...encoding import values
from ...encoding.backend import Index
from ...errors import DicomSealError
from ...report import CertificateInfo
from ...signature import certificate, digital_signature, mac_parameters
from ...standard import terms
from ...verification.other_files import DIRECTORY, MEDIA_STORAGE_DIRECTORY
from ..find.found import Found, path_of
from ..ledger.rows import Row, SignatureRow, as_stored


def said(file: Found, error: DicomSealError) -> str:
    """Return what an error says, without the path, which the row has."""
    return str(error).removeprefix(f"{file.path}: ")


def row_of_file(
    file: Found,
    verdict: str,
    why: tuple[str, str] | None = None,
    index: Index | None = None,
    signature: SignatureRow | None = None,
    left: tuple[int, str] = (0, ""),
) -> Row:
    """Return the row of a file.

    Args:
        file: the file.
        verdict: what became of it.
        why: code and sentence, where it was not signed.
        index: of the object, if it is one.
        signature: by this key, if there is one now.
        left: how many elements it leaves out, and their classes.
    """
    code, sentence = why or ("", "")
    kind = MEDIA_STORAGE_DIRECTORY if verdict == DIRECTORY else ""
    instance = modality = ""
    if index is not None:
        found = index.values(0, (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID, terms.MODALITY))
        kind, instance, modality = (as_stored(values.as_text(value)) for value in found)
    return Row(
        path=path_of(file.path),
        size=file.size,
        mtime=file.mtime,
        sop_class_uid=kind,
        sop_instance_uid=instance,
        modality=modality,
        content=b"",
        verdict=verdict,
        reason=code,
        sentence=as_stored(sentence),
        reasons=code,
        uncovered=left[0],
        uncovered_classes=left[1],
        time=time.time(),
        signatures=(signature,) if signature else (),
    )


def stored_signature(
    index: Index, stored: digital_signature.DigitalSignature, _: int
) -> SignatureRow:
    """Return the row of an existing signature."""
    algorithm = ""
    for mac_id, item in mac_parameters.read_ids(index, 0):
        if mac_id == stored.mac_id:
            algorithm = mac_parameters.read(index, item).algorithm
            break
    when = digital_signature.parse_datetime(stored.datetime)
    return signature_row(
        stored.uid,
        when.isoformat() if when else stored.datetime,
        algorithm,
        certificate.parse(stored.certificate).signer,
    )


def signature_row(uid: str, when: str, algorithm: str, signer: CertificateInfo) -> SignatureRow:
    """Return the row of a new signature, neither intact nor trusted, as nothing was verified."""
    return SignatureRow(
        location="", uid=as_stored(uid), datetime=as_stored(when), integrity="",
        trust=report.NOT_CHECKED, mac_algorithm=as_stored(algorithm), reason="", sentence="",
        judged_at="", judged_by="", timestamp="", proof="", weak="", digest=b"", content=b"",
        elements=b"", signer=signer,
    )  # fmt: skip

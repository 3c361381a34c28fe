"""Certified Timestamps in two steps, for a timestamp authority that is reached by other means.

In: a signed file, and later the response of an authority.
Out: a request, and later the file with the timestamp.
PS3: PS3.3 C.12.1.1.3.1.3, PS3.15 Section C.1.

Both files are those of ``openssl ts`` and of dcmsign. Every other byte of the object is kept.
"""

from __future__ import annotations

import os
import struct

from ..ambiguity import parser_differentials
from ..editing.splice import Splice
from ..encoding import values
from ..encoding.backend import Index
from ..errors import SigningError
from ..files.part10 import Part10
from ..files.reader import Reader
from ..signature import certificate as certificates
from ..signature import digital_signature, items, locations
from ..signature.digital_signature import DigitalSignature
from ..standard import terms, transfer_syntaxes
from .protocol import TimestampRequest, accept


def query_file(
    source: str | os.PathLike[str],
    uid: str | None = None,
    *,
    algorithm: str = "SHA256",
    policy: str | None = None,
    nonce: bool = True,
    certificate: bool = True,
) -> tuple[str, bytes]:
    """Make a timestamp request (RFC 3161) for a signature in a file.

    Args:
        source: the signed file.
        uid: Digital Signature UID; may be None if there is only one signature.
        algorithm: hash of the imprint: SHA256, SHA384 or SHA512.
        policy: OID of the policy that the authority shall follow, or None.
        nonce: whether the response must repeat a random number.
        certificate: whether the authority shall put its certificate into the token.

    Returns:
        The Digital Signature UID, and the request in DER.

    Raises:
        SigningError: there is no such signature, or it has a timestamp already.
        UsageError: for algorithm and policy. SourceError, MalformedError: for the file.
    """
    _, index = _open(source)
    _, stored = _without_timestamp(index, os.fsdecode(source), uid)
    request = TimestampRequest.make(unpadded(stored), algorithm, policy, nonce, certificate)
    return stored.uid, request.encode()


def insert_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    response: bytes,
    uid: str | None = None,
    *,
    request: bytes | None = None,
) -> str:
    """Insert the response of a timestamp authority into a signed file.

    Args:
        source, target: as for `sign_file`; they may be the same.
        response: the response, or the bare token, in DER.
        uid: Digital Signature UID; may be None if there is only one signature.
        request: the request in DER; with it nonce and policy are compared too.

    Returns:
        The Digital Signature UID.

    Raises:
        TimestampError: the response does not belong to this signature, or does not verify; nothing
            was written.
        SigningError, SourceError, MalformedError: as for `query_file`.
    """
    part10, index = _open(source, settled=True)
    doubts = parser_differentials.doubts(part10, index)
    if doubts:
        raise SigningError(f"{doubts[0]}; repair the object first", "ambiguous")
    item, stored = _without_timestamp(index, os.fsdecode(source), uid)
    sent = TimestampRequest.parse(request) if request is not None else None
    token = accept(response, unpadded(stored), sent)
    elements: items.Item = [
        items.text(terms.CERTIFIED_TIMESTAMP_TYPE, "CS", terms.CMS_TSP),
        items.binary(terms.CERTIFIED_TIMESTAMP, token),
    ]
    splice = Splice(part10, index)
    data = items.encode(elements, part10.implicit, part10.big_endian)
    splice.insert_element(item, terms.CERTIFIED_TIMESTAMP_TYPE, data)
    splice.save(target)
    return stored.uid


def unpadded(stored: DigitalSignature) -> bytes:
    """Return the Signature value for a timestamp, without the NUL that made its length even.

    Raises:
        CertificateError: the certificate, which tells the kind of signature, cannot be read.
    """
    key = certificates.parse(stored.certificate).public_key
    return certificates.unpadded_signature(key, stored.signature)


def _open(source: str | os.PathLike[str], settled: bool = False) -> tuple[Part10, Index]:
    part10 = Reader().open(source, settled=settled)
    return part10, part10.index()


def _without_timestamp(index: Index, name: str, uid: str | None) -> tuple[int, DigitalSignature]:
    """Return the record and the content of the signature that is to get a timestamp."""
    history = locations.History(index)
    found = [
        (item, digital_signature.read(index, item))
        for scope in index.scopes
        if scope not in history
        for item in values.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE)
    ]
    if not found:
        raise SigningError(f"{name}: there is no signature", "not_found")
    chosen = [one for one in found if uid is None or one[1].uid == uid]
    if not chosen:
        raise SigningError(f"{name}: no signature has the UID {uid}", "not_found")
    if len(chosen) > 1:
        raise SigningError(
            f"{name}: there are {len(chosen)} signatures; say which by its UID: "
            + ", ".join(stored.uid for _, stored in chosen),
            "several",
        )
    item, stored = chosen[0]
    if stored.timestamp or index.find(item, terms.CERTIFIED_TIMESTAMP) >= 0:
        raise SigningError(f"{name}: the signature {stored.uid} has a timestamp already", "present")
    if not stored.signature.strip(b"\0"):
        raise SigningError(f"{name}: the signature {stored.uid} has no value", "not_found")
    return item, stored


def encode_uid(uid: str) -> bytes:
    """Return a UID file, by which dcmsign knows the signature that a response belongs to.

    It is a DICOM file (PS3.10) with nothing in it but Digital Signature UID (0400,0100).
    """
    syntax = items.text(
        terms.TRANSFER_SYNTAX_UID, "UI", transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
    )
    meta = items.encode([syntax])
    length = items.encode([(0x00020000, "UL", struct.pack("<L", len(meta)))])
    data = items.encode([items.text(terms.DIGITAL_SIGNATURE_UID, "UI", uid)])
    return b"\0" * 128 + b"DICM" + length + meta + data


def read_uid(path: str | os.PathLike[str]) -> str:
    """Read the Digital Signature UID in a UID file of dcmsign.

    Raises:
        SigningError: it has none. SourceError, MalformedError: for the file.
    """
    _, index = _open(path)
    uid = values.text_of(index, 0, terms.DIGITAL_SIGNATURE_UID)
    if not uid:
        raise SigningError(
            f"{os.fsdecode(path)}: no Digital Signature UID (0400,0100)", "not_found"
        )
    return uid

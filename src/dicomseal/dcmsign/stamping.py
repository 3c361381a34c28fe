"""Certified timestamps by file: ``--timestamp-file`` and ``--insert-timestamp`` (RFC 3161)."""

from __future__ import annotations

import hashlib
import io
import secrets

from ..editing.splice import Splice
from ..encoding import values
from ..encoding.backend import Index
from ..errors import DicomSealError, SigningError
from ..files.part10 import Part10
from ..signature import digital_signature, items, locations
from ..signature.digital_signature import DigitalSignature
from ..standard import mac_algorithms, terms
from ..timestamps import protocol, request_files
from . import files
from .exits import Exit, ExitError
from .job import Job
from .log import Log


def write_query(job: Job, data: bytes, uid: str, log: Log) -> None:
    """Write the query for a new signature, and the file with its UID.

    Raises:
        DicomSealError: the policy is not an OID.
        ExitError: a file cannot be written.
    """
    _, _, stored = _find(data, uid)
    signature = request_files.unpadded(stored)
    query = protocol.TimestampRequest.make(
        signature, "SHA256", job.stamp_policy, False, job.stamp_certificate
    )
    # weak hashes are for old authorities; a timestamp with one of them proves nothing here
    name = mac_algorithms.MAC_ALGORITHMS[job.stamp_mac]
    imprint = hashlib.new(name, signature, usedforsecurity=False).digest()
    nonce = secrets.randbits(63) | 1 << 63 if job.stamp_nonce else None
    query = query._replace(algorithm=_OIDS.get(name, name), imprint=imprint, nonce=nonce)
    for path, content, what in (
        (job.stamp_query, query.encode(), "timestamp query"),
        (job.stamp_uid, request_files.encode_uid(uid), "UID"),
    ):
        if not path:
            log.warn(f"no name for the {what} file: it is not written")
            continue
        try:
            files.write_support(path, content, f"unable to write timestamp file '{path}'")
        except ExitError as ended:  # dcmsign has no exit code for these
            raise ExitError(Exit.CREATION_FAILED, str(ended), "error") from None


_OIDS = {"ripemd160": "1.3.36.3.2.1"}  # asn1crypto has no name for it


def insert(job: Job, data: bytes, log: Log) -> bytes:
    """Return the object with a timestamp in the signature that the UID file names.

    Raises:
        ExitError: a file cannot be read, there is no such signature, or the response is not for
            it.
    """
    log.info("inserting certified timestamp.")
    query_file, response_file, uid_file = job.insert
    try:
        query = protocol.TimestampRequest.parse(_read(query_file))
    except (DicomSealError, ExitError):
        raise ExitError(
            Exit.CANNOT_READ_TSQ_FILE, f"Unable to load timestamp query file '{query_file}'",
            "error",
        ) from None  # fmt: skip
    try:
        response = _read(response_file)
        protocol.token_of(response)
    except (DicomSealError, ExitError) as error:
        # a refusal is a valid response, which contains no timestamp for this signature
        if getattr(error, "code", "") != "refused":
            raise ExitError(
                Exit.CANNOT_READ_TSR_FILE,
                f"Unable to load timestamp response file '{response_file}'",
                "error",
            ) from None
    try:
        uid = request_files.read_uid(uid_file)
    except DicomSealError as error:
        raise ExitError(Exit.CANNOT_READ_UID_FILE, str(error), "error") from None
    data = files.converted(job, data)
    try:
        part10, item, stored = _find(data, uid)
    except SigningError:
        raise ExitError(
            Exit.UID_NOT_FOUND, f"signature with UID '{uid}' not found.", "error"
        ) from None
    try:
        token = protocol.accept(response, request_files.unpadded(stored), query)
    except DicomSealError as error:
        raise ExitError(Exit.TS_CONSISTENCY, str(error), "error") from None
    return files.converted(job, _put(part10, item, token))


def _read(path: str) -> bytes:
    if not path:
        raise ExitError(Exit.CANNOT_READ_INPUT)
    return files.read(path)


def _find(data: bytes, uid: str) -> tuple[Part10, int, DigitalSignature]:
    part10 = Part10.from_bytes(data)
    index = part10.index()
    for scope in index.scopes:
        if locations.is_history(locations.locate(index, scope)):
            continue
        for item in values.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE):
            stored = digital_signature.read(index, item)
            if stored.uid == uid:
                return part10, item, stored
    raise SigningError(f"no signature has the UID {uid}", "not_found")


def _put(part10: Part10, item: int, token: bytes) -> bytes:
    index: Index = part10.index()
    splice = Splice(part10, index)
    for tag in (terms.CERTIFIED_TIMESTAMP_TYPE, terms.CERTIFIED_TIMESTAMP):
        number = index.find(item, tag)
        if number >= 0:  # a new timestamp replaces the old one
            splice.cut(number)
    timestamp_elements: items.Item = [
        items.text(terms.CERTIFIED_TIMESTAMP_TYPE, "CS", "CMS_TSP"),
        items.binary(terms.CERTIFIED_TIMESTAMP, token),
    ]
    encoded = items.encode(timestamp_elements, part10.implicit, part10.big_endian)
    # after the cut: an edit must not begin inside another one
    splice.insert_element(item, terms.CERTIFIED_TIMESTAMP, encoded)
    output = io.BytesIO()
    splice.write(output)
    return output.getvalue()

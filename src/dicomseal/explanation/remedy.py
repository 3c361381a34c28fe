"""What to do about an object that did not pass: one place, for text, JSON and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import report
from ..report import ObjectReport, ReasonCode
from .diagnosis.cause import PROVEN, Cause, CauseCode

if TYPE_CHECKING:
    from ..report import SignatureReport

_BY_CAUSE = {
    CauseCode.VALUE_PADDING: (
        "have what receives objects keep values as they are (DCMTK: storescp +B), and send the "
        "original again; compare: dicomseal explain FILE --against ORIGINAL"
    ),
    CauseCode.COERCED: (
        "the archive changed it and kept the old values; verify what the device sent, or have the "
        "archive sign what it changed: dicomseal sign IN OUT --key FILE --cert FILE"
    ),
    CauseCode.LEGACY_FRAGMENTS: (
        "if you trust who kept it: dicomseal verify --accept-legacy-format FILE"
    ),
    CauseCode.DCMSIGN_BLOCK: (
        "sign it anew, as part of the content is not protected: "
        "dicomseal sign IN OUT --key FILE --cert FILE"
    ),
    CauseCode.TRANSCODED: (
        "verify the copy in the transfer syntax in which it was signed; to sign this one: "
        "dicomseal sign IN OUT --key FILE --cert FILE"
    ),
    CauseCode.TRUNCATED: (
        "fetch the object again, and compare: dicomseal explain FILE --against COPY"
    ),
}
_BY_CODE = {
    ReasonCode.NO_CERTIFICATE_CHAIN_FOUND: (
        "name what is missing: dicomseal verify --trust ROOT.pem --intermediate CA.pem FILE"
    ),
    ReasonCode.OUT_OF_BOUNDS_NO_POE: (
        "judge it at a time that you can prove: dicomseal verify --trust ROOT.pem --at TIME FILE"
    ),
    ReasonCode.TRY_LATER: (
        "bring newer revocation data: dicomseal verify --trust ROOT.pem --crl FILE FILE"
    ),
    ReasonCode.SIG_CONSTRAINTS_FAILURE: (
        "see what is not covered: dicomseal verify --list-uncovered FILE"
    ),
    ReasonCode.UNSIGNED_CONTENT: (
        "compare with the original, or accept it: dicomseal verify --unsigned accept FILE"
    ),
    ReasonCode.ENCODING_NOT_STATED: (
        "state the encoding: dicomseal verify --transfer-syntax UID FILE"
    ),
    ReasonCode.HASH_FAILURE: (
        "compare it with the original: dicomseal explain FILE --against ORIGINAL"
    ),
}
_TRUST = "name whom you trust: dicomseal verify --trust CA.pem FILE"
_UNSIGNED = "to have it signed: dicomseal sign IN OUT --key FILE --cert FILE"
_UNREADABLE = "see what the file is: dcmdump FILE, and fetch it again"
_OTHER = "find the original, and compare: dicomseal explain FILE --against ORIGINAL"


def remedy_of(made: ObjectReport, causes: Sequence[Sequence[Cause]] = ()) -> str | None:
    """What to do, a sentence with a command; None for an object that passed.

    Args:
        made: the report.
        causes: what was found of each signature that does not match.
    """
    if made.verdict == report.PASSED:
        return None
    if made.verdict == report.UNSIGNED:
        return _UNSIGNED
    if made.verdict == report.ERROR:
        return _UNREADABLE
    for found in causes:
        for cause in found:
            if cause.certainty == PROVEN and cause.code in _BY_CAUSE:
                return _BY_CAUSE[cause.code]
    for code in _codes(made):
        if code in _BY_CODE:
            return _BY_CODE[code]
    if any(_untold(one) for one in made.signatures):
        return _TRUST
    return _OTHER


def _codes(made: ObjectReport) -> list[ReasonCode]:
    reasons = list(made.reasons)
    for one in made.signatures:
        reasons += [reason for reason in (one.integrity_reason, one.trust_reason) if reason]
    return [reason.code for reason in reasons]


def _untold(one: SignatureReport) -> bool:
    return one.trust == report.NOT_CHECKED and one.integrity == report.INTACT

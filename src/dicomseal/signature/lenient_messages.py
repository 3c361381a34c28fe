"""Timestamp tokens and OCSP responses with the lenient certificates and names.

Everything else is asn1crypto's, so pyHanko and the validating library accept them as their own
types.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from asn1crypto import cms, ocsp

from .lenient_certificate import AsRead, Certificate, Name, moment


def _with(fields: list[Any], *replacements: type) -> list[Any]:
    """Return the fields of a structure, some of them with a subclass as their type."""
    return [
        (field[0], next((new for new in replacements if _replaces(new, field[1])), field[1]),
         *field[2:])
        for field in fields
    ]  # fmt: skip


def _replaces(new: type, old: Any) -> bool:
    return isinstance(old, type) and issubclass(new, old)


class _IssuerAndSerialNumber(cms.IssuerAndSerialNumber):  # type: ignore[misc]
    _fields = _with(cms.IssuerAndSerialNumber._fields, Name)


class _SignerIdentifier(cms.SignerIdentifier):  # type: ignore[misc]
    _alternatives = _with(cms.SignerIdentifier._alternatives, _IssuerAndSerialNumber)


class _SignerInfo(cms.SignerInfo):  # type: ignore[misc]
    _fields = _with(cms.SignerInfo._fields, _SignerIdentifier)


class _SignerInfos(cms.SignerInfos):  # type: ignore[misc]
    _child_spec = _SignerInfo


class _CertificateChoices(cms.CertificateChoices):  # type: ignore[misc]
    _alternatives = _with(cms.CertificateChoices._alternatives, Certificate)


class _CertificateSet(cms.CertificateSet):  # type: ignore[misc]
    _child_spec = _CertificateChoices


class SignedData(cms.SignedData):  # type: ignore[misc]
    """Signed data with lenient certificates."""

    _fields = _with(cms.SignedData._fields, _CertificateSet, _SignerInfos)


class ContentInfo(cms.ContentInfo):  # type: ignore[misc]
    """The outer structure of a token."""

    _oid_specs: ClassVar[dict[str, Any]] = {**cms.ContentInfo._oid_specs, "signed_data": SignedData}


class _ResponderId(ocsp.ResponderId):  # type: ignore[misc]
    _alternatives = _with(ocsp.ResponderId._alternatives, Name)


class _ResponseData(AsRead, ocsp.ResponseData):  # type: ignore[misc]
    _fields = _with(ocsp.ResponseData._fields, _ResponderId)


class _Certificates(ocsp.Certificates):  # type: ignore[misc]
    _child_spec = Certificate


class _BasicOCSPResponse(ocsp.BasicOCSPResponse):  # type: ignore[misc]
    _fields = _with(ocsp.BasicOCSPResponse._fields, _ResponseData, _Certificates)


class _ResponseBytes(ocsp.ResponseBytes):  # type: ignore[misc]
    _oid_specs: ClassVar[dict[str, Any]] = {"basic_ocsp_response": _BasicOCSPResponse}


class OCSPResponse(ocsp.OCSPResponse):  # type: ignore[misc]
    """The answer of an OCSP responder."""

    _fields = _with(ocsp.OCSPResponse._fields, _ResponseBytes)


def read_ocsp(der: bytes) -> tuple[str, datetime | None]:
    """Read an OCSP response that `cryptography` refuses.

    Returns:
        Its status, ``successful`` or another, and the nextUpdate of its first answer.

    Raises:
        ValueError and others of `lenient.UNREADABLE`: it is not an OCSP response, or a part of it
            that has an effect has a wrong form.
    """
    response = OCSPResponse.load(der, strict=True)
    status = str(response["response_status"].native)
    if status != "successful":
        return status, None
    basic = response["response_bytes"]["response"].parsed
    basic["signature_algorithm"].native, basic["signature"].native
    until: list[datetime | None] = []
    for one in basic["tbs_response_data"]["responses"]:
        moment(one["this_update"])
        given = one["next_update"].native is not None
        until.append(moment(one["next_update"]) if given else None)
        one["cert_id"]["serial_number"].native, one["cert_status"].name
    return status, until[0] if until else None

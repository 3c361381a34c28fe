"""CRLs that `cryptography` refuses, read as far as they have an effect (RFC 5280 Section 5).

In: the DER of a CRL. Out: the CRL, with the names of `lenient_certificate`; an extension that
decides nothing may have any content.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asn1crypto import crl

from .lenient_certificate import UNREADABLE, AsRead, moment, with_names


def is_known(reason: Any) -> bool:
    """Return whether a reason for a revocation is known; replace an unknown one.

    A listed certificate is revoked: the reason is optional, and a reader need not know it (RFC 5280
    Section 5.3.1). The signed bytes stay as they are.

    Args:
        reason: an `asn1crypto.crl.CRLReason`.
    """
    try:
        return reason.native is not None
    except UNREADABLE:
        reason._native = "unspecified"  # the parsed value, while the bytes stay
        return False


_DECIDES_NOTHING = frozenset(("crl_reason", "invalidity_date", "crl_number", "issuer_alt_name"))


def _set_extensions(structure: Any, extensions: Iterable[Any]) -> None:
    """Do as asn1crypto in its own method, but accept unreadable extensions without effect."""
    structure._critical_extensions = set()
    for extension in extensions:
        name = extension["extn_id"].native
        if extension["critical"].native:
            structure._critical_extensions.add(name)
        attribute = f"_{name}_value"
        if not hasattr(structure, attribute):
            continue
        try:
            value = extension["extn_value"].parsed
            if name != "crl_reason" or is_known(value):
                value.native  # noqa: B018
        except UNREADABLE:
            if name not in _DECIDES_NOTHING:
                raise
        else:
            setattr(structure, attribute, value)
    structure._processed_extensions = True


class _Revoked(crl.RevokedCertificate):  # type: ignore[misc]
    def _set_extensions(self) -> None:
        _set_extensions(self, self["crl_entry_extensions"])


class _AllRevoked(crl.RevokedCertificates):  # type: ignore[misc]
    _child_spec = _Revoked


class TbsCertList(AsRead, crl.TbsCertList):  # type: ignore[misc]
    """The signed part of a CRL."""

    _fields = [  # noqa: RUF012
        (field[0], _AllRevoked, *field[2:]) if field[1] is crl.RevokedCertificates else field
        for field in with_names(crl.TbsCertList._fields)
    ]


class CertificateList(AsRead, crl.CertificateList):  # type: ignore[misc]
    """A CRL."""

    _fields = [("tbs_cert_list", TbsCertList), *crl.CertificateList._fields[1:]]  # noqa: RUF012

    def _set_extensions(self) -> None:
        _set_extensions(self, self["tbs_cert_list"]["crl_extensions"])


def read_crl(der: bytes) -> CertificateList:
    """Read a CRL that `cryptography` refuses.

    Raises:
        ValueError and others of `UNREADABLE`: it is not a CRL, or a part of it that has an effect
            has a wrong form.
    """
    certificate_list: CertificateList = CertificateList.load(der, strict=True)
    tbs = certificate_list["tbs_cert_list"]
    if tbs["signature"].dump() != certificate_list["signature_algorithm"].dump():
        raise ValueError("its inner and outer signature algorithms differ")
    moment(tbs["this_update"].chosen)
    if tbs["next_update"].native is not None:
        moment(tbs["next_update"].chosen)
    certificate_list.issuer.hashable, certificate_list["signature"].native
    for extension in tbs["crl_extensions"] or ():
        extension["extn_id"].dotted, extension["extn_value"].contents
    return certificate_list

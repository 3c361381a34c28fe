"""One CRL, or one answer of an OCSP response: its dates, and the certificates that it covers.

In: the DER of a CRL or an OCSP response.
Out: its dates and hash, and whether it is about a certificate.
PS3: none; RFC 5280 Section 5 and RFC 6960.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import core
from cryptography import x509
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from ..signature import lenient_crl
from ..signature.lenient_certificate import Certificate

_EXPIRED_CERTS_ON_CRL = "2.5.29.60"
# Without nextUpdate newer information is always available (RFC 6960 Section 2.4; RFC 5280 does not
# allow it at all): the library then accepts an age of half an hour.
_HALF_AN_HOUR = timedelta(minutes=30)


class _Tbs(lenient_crl.TbsCertList):
    """Has an empty list for the library, while the signed bytes are those of the full one."""

    def __getitem__(self, key: Any) -> Any:
        return [] if key == "revoked_certificates" else super().__getitem__(key)


class _WithoutEntries(lenient_crl.CertificateList):
    _fields = [("tbs_cert_list", _Tbs), *lenient_crl.CertificateList._fields[1:]]  # noqa: RUF012


# RFC 3161 Section 4: a revocation for one of these reasons leaves older timestamps valid:
# unspecified, affiliationChanged, superseded, cessationOfOperation (RFC 5280 Section 5.3.1)
_ORDERLY = frozenset((0, 3, 4, 5))

_NEVER_CRITICAL = frozenset(
    ("authority_information_access", "authority_key_identifier", "crl_number", "freshest_crl")
)


# nonce, extended revoke; archive cutoff, and those of entries (RFC 6960 Section 4.4)
_OF_RESPONSES = frozenset(("1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.48.1.9"))
# reason, hold instruction, invalidity date, certificate issuer (RFC 5280 Section 5.3)
_OF_ENTRIES = frozenset(("2.5.29.21", "2.5.29.23", "2.5.29.24", "2.5.29.29"))
_OF_ANSWERS = frozenset(("1.3.6.1.5.5.7.48.1.6", *_OF_ENTRIES))
# an OID that is none of these, TRUE, and the beginning of a value: among 100,000 entries a search
# for it takes a fraction of reading them
_CRITICAL = re.compile(rb"(?<!\x06\x03\x55\x1d[\x15\x17\x18\x1d])\x01\x01[^\x00]\x04", re.DOTALL)


class Crl:
    """A certificate revocation list, complete or delta.

    Attributes:
        flaw: why it is not good news, or "".
        unusable: why it tells nothing at all, or "".
    """

    kind = "CRL"

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.asn1 = lenient_crl.CertificateList.load(der)
        tbs = self.asn1["tbs_cert_list"]
        self.issued: datetime = tbs["this_update"].native
        self.until: datetime = tbs["next_update"].native or self.issued + _HALF_AN_HOUR
        self.issuer = self.asn1.issuer
        self._name = self.issuer.hashable
        self.is_delta = self.asn1.delta_crl_indicator_value is not None
        scope = self.asn1.issuing_distribution_point_value
        self._indirect = bool(scope is not None and scope["indirect_crl"].native)
        self.is_partial = scope is not None and scope["only_some_reasons"].native is not None
        self.signer = b""  # SHA-256 of the authority's certificate that is known to have signed it
        self._short: CRLContainer | None = None
        self._quick = _quick(der)
        self._entries: dict[int, Any] = {}
        self.keeps_since = self._expired_certs_on_crl()
        self.hash = _hash_of(self.asn1["signature_algorithm"])
        self.flaw = self._flaw()
        self.unusable = self._unusable()

    def _unusable(self) -> str:
        """Return whether an entry, for any certificate, has an unknown critical extension.

        Then the CRL must not be used for any certificate (RFC 5280 Section 5.3).
        """
        listed = self.asn1["tbs_cert_list"]["revoked_certificates"]
        if not listed.contents or _CRITICAL.search(listed.contents) is None:
            return ""
        for entry in listed:
            unknown = _unknown_critical(entry["crl_entry_extensions"], _OF_ENTRIES)
            if unknown:
                return f"must not be used: an entry has {unknown}"
        return ""

    def _flaw(self) -> str:
        """Return why it cannot be good news (RFC 5280 Section 5.2), or ""."""
        for extension in self.asn1["tbs_cert_list"]["crl_extensions"]:
            if extension["critical"].native and extension["extn_id"].native in _NEVER_CRITICAL:
                name = extension["extn_id"].native.replace("_", " ")
                return f"has a critical extension that must not be: {name}"
        return ""

    def is_about(self, cert: Certificate) -> bool:
        """Return whether it may be about a certificate (RFC 5280 Section 6.3.3 b 1).

        It is by the authority that issued the certificate; or it is indirect, and the certificate
        names its issuer. The library requires less: it would accept a CRL by any certificate of
        that authority, so that a sub-CA, or any signer, could speak for its siblings.
        """
        if self._name == cert.issuer.hashable:
            return True
        return self._indirect and self._name in _crl_issuers_of(cert)

    def container(self, cert: Certificate) -> CRLContainer:
        """Return the CRL for the library, which needs a second to search 100,000 entries.

        If a quick search finds no entry, the library gets the same CRL without entries.
        """
        if self._indirect or self.lists(cert):
            return CRLContainer(self.asn1)
        if self._short is None:
            self._short = CRLContainer(_WithoutEntries.load(self.der))
        return self._short

    def lists(self, cert: Certificate) -> bool:
        """Return whether there is an entry with a certificate's serial number."""
        if cert["tbs_certificate"]["serial_number"].dump() not in self.der:
            return False  # a search for bytes takes a fraction of the time for the entries
        if self._quick is None:
            return self._entry(cert) is not None
        number = cert.serial_number
        return self._quick.get_revoked_certificate_by_serial_number(number) is not None

    def _entry(self, cert: Certificate) -> Any:
        """Return that entry, by asn1crypto, or None; used for the few that are listed."""
        if self._indirect:
            return None
        if not self._entries:
            listed = self.asn1["tbs_cert_list"]["revoked_certificates"] or ()
            self._entries = {one["user_certificate"].native: one for one in listed}
        return self._entries.get(cert.serial_number)

    def invalid_since(self, cert: Certificate) -> datetime | None:
        """Return the invalidity date in its entry (RFC 5280 Section 5.3.2), or None."""
        entry = self._entry(cert) if self.lists(cert) else None
        if entry is None or entry.invalidity_date_value is None:
            return None
        when: datetime = entry.invalidity_date_value.native
        return when

    def leaves_timestamps_good(self, cert: Certificate) -> bool:
        """Return whether the reason in a timestamp authority's entry spares older timestamps.

        Without a reason, with an unknown one, or with one such as a compromise, all timestamps are
        lost (RFC 3161 Section 4).
        """
        entry = self._entry(cert) if self.lists(cert) else None
        if entry is None or entry.crl_reason_value is None:
            return False
        return int(entry.crl_reason_value) in _ORDERLY

    def speaks_of(self, cert: Certificate) -> bool:
        """Return whether it would list the certificate if revoked, though that may have expired."""
        expired: datetime = cert.not_valid_after
        if expired >= self.issued:
            return True
        return self.keeps_since is not None and self.keeps_since <= expired

    def _expired_certs_on_crl(self) -> datetime | None:
        for extension in self.asn1["tbs_cert_list"]["crl_extensions"]:
            if extension["extn_id"].dotted == _EXPIRED_CERTS_ON_CRL:
                when: datetime = core.GeneralizedTime.load(extension["extn_value"].contents).native
                return when
        return None


class Ocsp:
    """One answer of an OCSP response."""

    kind = "OCSP response"
    is_delta = False
    flaw = ""

    def __init__(self, container: OCSPContainer) -> None:
        self.asn1 = container
        single: Any = container.extract_single_response()
        basic: Any = container.extract_basic_ocsp_response()
        self.issued: datetime = single["this_update"].native
        self.until: datetime = single["next_update"].native or self.issued + _HALF_AN_HOUR
        self.serial = single["cert_id"]["serial_number"].native
        self.certificates = list(basic["certs"]) if basic["certs"] else []
        self.hash = _hash_of(basic["signature_algorithm"])
        self.named_by = str(single["cert_id"]["hash_algorithm"]["algorithm"].native)
        self.issuer = basic["tbs_response_data"]["responder_id"]
        unknown = _unknown_critical(
            basic["tbs_response_data"]["response_extensions"], _OF_RESPONSES
        ) or _unknown_critical(single["single_extensions"], _OF_ANSWERS)
        self.unusable = f"must not be used: it has {unknown}" if unknown else ""
        status = single["cert_status"]
        if status.name == "revoked":
            lenient_crl.is_known(status.chosen["revocation_reason"])

    def speaks_of(self, cert: Certificate) -> bool:
        """Return True: it names the certificate."""
        del cert
        return True

    def leaves_timestamps_good(self, cert: Certificate) -> bool:
        """Return the same as `Crl.leaves_timestamps_good`."""
        del cert
        single: Any = self.asn1.extract_single_response()
        status = single["cert_status"]
        if status.name != "revoked":
            return False
        reason = status.chosen["revocation_reason"]
        return not isinstance(reason, core.Void) and int(reason) in _ORDERLY

    def invalid_since(self, cert: Certificate) -> datetime | None:
        """Return None: an OCSP response has no invalidity date."""
        del cert
        return None


def _unknown_critical(extensions: Iterable[Any], known: frozenset[str]) -> str:
    """Return the first critical extension that is none of the known ones, or ""."""
    for extension in extensions or ():
        if extension["critical"].native and extension["extn_id"].dotted not in known:
            return f"the critical extension {extension['extn_id'].dotted}, which is unknown here"
    return ""


def _quick(der: bytes) -> x509.CertificateRevocationList | None:
    """Return a CRL for a search among many entries; None if `cryptography` refuses it."""
    try:
        return x509.load_der_x509_crl(der)
    except ValueError:
        return None


def _crl_issuers_of(cert: Certificate) -> set[str]:
    """Return the issuers of CRLs for a certificate, by its CRL Distribution Points."""
    return {
        name.chosen.hashable
        for point in cert.crl_distribution_points_value or ()
        for name in point["crl_issuer"] or ()
        if name.name == "directory_name"
    }


def _hash_of(algorithm: Any) -> str:
    try:
        return str(algorithm.hash_algo)
    except ValueError:
        return str(algorithm["algorithm"].native)

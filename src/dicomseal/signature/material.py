"""The verification material of a signature: MAC Parameters and certificate, checked once.

In: the stored MAC Parameters and the DER of the certificate.
Out: a `VerificationMaterial`, the same object for the same bytes.
PS3: PS3.3 Table C.12-6 and C.12.1.1.3.1.2; PS3.15 Section C.1.

The objects of one device have the same material. Everything that follows from it alone is computed
for the first object and remembered for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import report
from ..encoding.limits import USUAL_CERTIFICATE
from ..encoding.record import RawMac
from ..errors import CertificateError
from ..report import Digests, ReasonCode
from ..standard import mac_algorithms, terms, transfer_syntaxes
from ..standard.mac_algorithms import new_hasher
from ..standard.tags import format_tag
from . import certificate, digests, mac_parameters
from .failure import Broken, altered, unverifiable
from .mac_parameters import MacParameters

if TYPE_CHECKING:
    import hashlib

_MAX_KEPT = 512
# longer material is not kept, as a hostile object could fill the memory with it
_MAX_LIST, _MAX_TERM = 4096, 64  # bytes


class VerificationMaterial:
    """MAC Parameters and a Certificate of Signer.

    Attributes:
        mac: the MAC Parameters; None if the signature has none.
        listed: Data Elements Signed (0400,0020) as stored.
        certificate: the certificate; None if it is absent or cannot be parsed.
        notes: deviations that its parser reported.
        messages: deviations of the MAC Parameters.
        weak: the parts of both that are no longer strong.
        trouble: why nothing can be verified with them, as `Broken` takes it; or None.
        verifies: tells whether the key made a Signature value over a MAC, see
            `certificate.verifier`.
        effort: the cost of that, see `certificate.effort_of`.
        key_kind: the kind of the key, see `certificate.kind_of`; empty without a certificate.
        full_profiles: the profiles of a signature over all of a main data set with neither purpose
            nor timestamp; None until the first such signature was verified.
    """

    __slots__ = (
        "_elements", "_empty", "_padded", "certificate", "effort", "full_profiles", "key_kind",
        "listed", "mac", "messages", "notes", "trouble", "verifies", "weak",
    )  # fmt: skip

    def __init__(self, raw: RawMac | None, big_endian: bool, kind: str, der: bytes) -> None:
        self.mac: MacParameters | None = None
        self.listed = b""
        self.certificate: certificate.Certificate | None = None
        self.notes: tuple[str, ...] = ()
        self.messages: tuple[str, ...] = ()
        self.trouble: tuple[str, ReasonCode, str] | None = None
        self._elements = ""
        self._empty: hashlib._Hash | None = None
        self.full_profiles: tuple[str, ...] | None = None
        if raw is not None:
            self.mac = mac_parameters.decode(raw, big_endian)
            self.listed = raw[3]
        unparsable = ""
        if der:
            try:
                self.certificate = certificate.parse(der)
                self.notes = self.certificate.notes
            except CertificateError as error:
                unparsable = str(error)
        try:
            if self.mac is not None:
                self._check_mac_parameters(self.mac)
            self._check_certificate(kind, der, unparsable)
        except Broken as broken:
            self.trouble = broken.integrity, broken.reason.code, broken.reason.message
        self.weak = self._weaknesses()
        self.key_kind = certificate.kind_of(self.certificate.public_key) if self.certificate else ""
        self.verifies: Callable[[bytes, bytes], bool] = _never
        self._padded = True
        self.effort = 0
        if self.trouble is None and self.certificate and self.mac:
            key = self.certificate.public_key
            self.verifies = certificate.verifier(key, self.mac.algorithm)
            self._padded = certificate.may_be_padded(key)
            self.effort = certificate.effort_of(key)

    @property
    def signer(self) -> report.CertificateInfo | None:
        """The certificate information for reports."""
        return None if self.certificate is None else self.certificate.signer

    def _weaknesses(self) -> tuple[str, ...]:
        found = []
        if self.mac and self.mac.algorithm in mac_algorithms.WEAK_MAC_ALGORITHMS:
            found.append(f"MAC {self.mac.algorithm}")
        if self.certificate and self.certificate.weak:
            found.append(self.certificate.weak)
        return tuple(found)

    def _check_mac_parameters(self, mac: MacParameters) -> None:
        if not mac.algorithm or not mac.transfer_syntax:
            missing = "MAC Algorithm (0400,0015)"
            if mac.algorithm:
                missing = "MAC Calculation Transfer Syntax UID (0400,0010)"
            raise altered(ReasonCode.FORMAT_FAILURE, f"its MAC Parameters have no {missing}")
        if not mac.data_elements_signed:
            raise altered(
                ReasonCode.FORMAT_FAILURE, "Data Elements Signed (0400,0020) lists nothing"
            )
        repeated = mac.repeated()
        if repeated is not None:
            self.messages = (
                f"Data Elements Signed lists {format_tag(repeated)} twice; it is hashed once",
            )
        unsignable = mac.unsignable()
        if unsignable is not None:
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                f"Data Elements Signed lists {format_tag(unsignable)}, which can never be signed",
            )
        syntax = mac.transfer_syntax
        if not transfer_syntaxes.is_uid(syntax):
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                f"its MAC Calculation Transfer Syntax UID (0400,0010) {syntax!r} is not a UID",
            )
        if not transfer_syntaxes.may_be_for_mac(syntax):
            raise altered(
                ReasonCode.FORMAT_FAILURE,
                f"its MAC Calculation Transfer Syntax {syntax} is not explicit VR little endian",
            )
        if syntax not in transfer_syntaxes.TRANSFER_SYNTAXES:
            self.messages += (f"its MAC Calculation Transfer Syntax {syntax} is not known",)
        if mac.algorithm not in mac_algorithms.MAC_ALGORITHMS:
            raise unverifiable(
                ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
                f"the MAC Algorithm {mac.algorithm!r} is not known",
            )

    def _check_certificate(self, kind: str, der: bytes, unparsable: str) -> None:
        if not der:
            raise altered(
                ReasonCode.NO_SIGNING_CERTIFICATE_FOUND,
                "Certificate of Signer (0400,0115) is absent",
            )
        if kind != terms.CERTIFICATE_TYPE_X509:
            raise unverifiable(
                ReasonCode.NO_SIGNING_CERTIFICATE_FOUND,
                f"the Certificate Type {kind!r} is not known",
            )
        if self.certificate is None:
            raise unverifiable(ReasonCode.NO_SIGNING_CERTIFICATE_FOUND, unparsable)
        if self.certificate.pss_only:
            raise altered(
                ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
                f"the key in the certificate {certificate.FOR_PSS_ALONE}: it made none of these",
            )
        if not certificate.is_supported(self.certificate.public_key):
            raise unverifiable(
                ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
                f"a key of the kind {self.certificate.signer.key} is not known to sign DICOM",
            )

    def digests(self, computed: bytes, content: bytes, signature: bytes) -> Digests | None:
        """Return the digests of an intact signature; None if there are none.

        Args:
            computed: its MAC.
            content: the digest of the elements it covers.
            signature: its value, padded or not.
        """
        mac, signer = self.mac, self.certificate
        if mac is None or signer is None:
            return None
        if not self._elements:
            self._elements = digests.elements_digest(mac.data_elements_signed).hex()
        if self._padded:
            signature = certificate.unpadded_signature(signer.public_key, signature)
        return Digests(
            digests.signature_digest(mac.algorithm, computed, signer.der, signature).hex(),
            content[: digests.CONTENT_BYTES].hex(),
            self._elements,
        )

    def empty_hasher(self) -> hashlib._Hash:
        """Return a new hasher of the MAC Algorithm. A copy costs a fraction of a new one.

        Raises:
            UsageError: this hash is not available.
        """
        if self._empty is None:
            self._empty = new_hasher(self.mac.algorithm if self.mac else "")
        return self._empty.copy()


def material_for(
    raw: RawMac | None, big_endian: bool, kind: str, der: bytes
) -> VerificationMaterial:
    """Return the material of a signature.

    Args:
        raw: its MAC Parameters, from `Index.mac_parameters`; None if it has none.
        big_endian: whether the object is in big endian.
        kind: Certificate Type (0400,0110).
        der: Certificate of Signer (0400,0115), without padding.
    """
    key = raw, big_endian, kind, der
    found = _known.get(key)
    if found is None:
        found = VerificationMaterial(*key)
        if _is_usual(raw, kind, der):
            if len(_known) >= _MAX_KEPT:
                _known.clear()
            _known[key] = found
    return found


_known: dict[Any, VerificationMaterial] = {}


def _is_usual(raw: RawMac | None, kind: str, der: bytes) -> bool:
    _, syntax, algorithm, listed = raw or (None, b"", b"", b"")
    return (
        len(der) <= USUAL_CERTIFICATE
        and len(kind) <= _MAX_TERM
        and len(syntax or b"") <= _MAX_TERM
        and len(algorithm or b"") <= _MAX_TERM
        and len(listed) <= _MAX_LIST
    )


def _never(_digest: bytes, _signature: bytes) -> bool:
    return False

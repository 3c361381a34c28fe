"""The Certificate of Signer, and the verification of a signature over a MAC by its key.

In: the DER of a certificate; a MAC and a Signature value.
Out: a `Certificate`; whether the value is a signature of its key over the MAC.
PS3: PS3.15 Section C.1 and PS3.3 C.12.1.1.3.1.2.

RSA is PKCS#1 v1.5 over a DigestInfo. DSA and ECDSA are outside the DICOM profiles, but dcmsign
writes them. Certificates are parsed once per distinct DER.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa, utils
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import PublicKeyAlgorithmOID

from ..encoding.limits import USUAL_CERTIFICATE
from ..errors import CertificateError
from ..report import CertificateInfo
from ..standard.mac_algorithms import DIGEST_INFO
from .der import der_length, without_padding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

_UNPARSABLE = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion)
_PREHASHED = {
    "MD5": utils.Prehashed(hashes.MD5()),  # noqa: S303
    "SHA1": utils.Prehashed(hashes.SHA1()),  # noqa: S303
    "SHA256": utils.Prehashed(hashes.SHA256()),
    "SHA384": utils.Prehashed(hashes.SHA384()),
    "SHA512": utils.Prehashed(hashes.SHA512()),
}
# cryptography does not have RIPEMD-160: RSA gets the complete DigestInfo, and for DSA and ECDSA a
# digest is a number, whatever hash of 160 bits it came from
_NO_DIGEST_INFO = utils.NoDigestInfo()
_PREHASHED_FOR_DSA = _PREHASHED | {"RIPEMD160": _PREHASHED["SHA1"]}
# in SubjectPublicKeyInfo: the key cannot make a PKCS#1 v1.5 signature (RFC 4055 Section 1.2)
RSASSA_PSS = PublicKeyAlgorithmOID.RSASSA_PSS
FOR_PSS_ALONE = (
    "is for RSASSA-PSS alone (RFC 4055), and the RSA signatures of DICOM are PKCS#1 v1.5 "
    "(PS3.15 Annex C)"
)
_PKCS1 = padding.PKCS1v15()
_MAX_MODULUS = 16384


class Certificate:
    """A parsed certificate.

    Attributes:
        der: its DER.
        x509: the same as `cryptography.x509.Certificate`; None if `cryptography` refuses it for a
            detail that has no effect, such as the spelling of a name.
        public_key: its key.
        signer: the certificate information for reports.
        not_before, not_after: its validity, aware, both bounds inclusive.
        weak: why its key is weak, or an empty string.
        pss_only: whether its key is for RSASSA-PSS only, so it cannot make a DICOM signature.
        notes: deviations that the parser reported and accepted.
    """

    __slots__ = (
        "der", "not_after", "not_before", "notes", "pss_only", "public_key", "signer", "weak",
        "x509",
    )  # fmt: skip

    def __init__(self, der: bytes) -> None:
        if not der:
            raise CertificateError("there is no certificate")
        if der_length(der) > len(der):
            raise CertificateError(
                f"the certificate is cut short: {len(der)} of {der_length(der)} bytes"
            )
        self.x509: x509.Certificate | None = None
        try:
            with warnings.catch_warnings(record=True) as complaints:
                warnings.simplefilter("always")
                x509_certificate = x509.load_der_x509_certificate(der)
                self.public_key: Any = x509_certificate.public_key()
                subject = x509_certificate.subject.rfc4514_string()
                issuer = x509_certificate.issuer.rfc4514_string()
                serial = x509_certificate.serial_number
                self.pss_only = x509_certificate.public_key_algorithm_oid == RSASSA_PSS
                self.not_before = x509_certificate.not_valid_before_utc
                self.not_after = x509_certificate.not_valid_after_utc
                self.x509 = x509_certificate
            notes = [
                str(complaint.message).partition(". ")[0]  # the rest is for programmers
                for complaint in complaints
                if issubclass(complaint.category, CryptographyDeprecationWarning)
            ]
        except _UNPARSABLE as error:
            trouble = plain(error)
            notes = [trouble]
            found = _read_leniently(der, trouble)
            subject, issuer, serial = found.subject, found.issuer, found.serial
            self.public_key, self.pss_only = found.public_key, found.pss_only
            self.not_before, self.not_after = found.not_before, found.not_after
        self.der = der
        self.notes = tuple(f"the certificate is odd: {one}" for one in dict.fromkeys(notes))
        self.signer = CertificateInfo(
            subject,
            issuer,
            f"{serial:X}",
            hashlib.sha256(der).hexdigest(),
            describe_key(self.public_key).replace("RSA", "RSASSA-PSS")
            if self.pss_only
            else describe_key(self.public_key),
            self.not_before.isoformat(),
            self.not_after.isoformat(),
        )
        size = getattr(self.public_key, "key_size", 0)
        least = (
            0
            if not kind_of(self.public_key)
            else 224
            if isinstance(self.public_key, ec.EllipticCurvePublicKey)
            else 2048
        )
        self.weak = f"key {self.signer.key}" if size < least else ""

    def bare_key(self) -> CertificateInfo:
        """Return the information for a report if only the key is trusted, not the certificate."""
        sha256 = hashlib.sha256(spki_der(self.public_key)).hexdigest()
        return CertificateInfo("", "", "", sha256, self.signer.key, "", "")

    def not_valid_at(self, moment: datetime) -> str:
        """Return why a signature at a moment would not be trusted, for people; or ""."""
        if self.not_before <= moment <= self.not_after:
            return ""
        return (
            f"the certificate of {self.signer.subject} is valid from {self.signer.not_before} to "
            f"{self.signer.not_after}: a signature that is made now would not be trusted"
        )


def spki_der(public_key: PublicKeyTypes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a public key (RFC 5280 Section 4.1.2.7)."""
    # imported here: a verification without trust does not need it
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der: bytes = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


class _Lenient(NamedTuple):
    subject: str
    issuer: str
    serial: int
    public_key: Any
    pss_only: bool
    not_before: datetime
    not_after: datetime


def _read_leniently(der: bytes, trouble: str) -> _Lenient:
    """Read a certificate that `cryptography` refuses for a detail that has no effect.

    Raises:
        CertificateError: it cannot be read by asn1crypto either.
    """
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    from . import lenient_certificate

    try:
        lenient = lenient_certificate.read(der)
        key = load_der_public_key(lenient.public_key)
    except (*lenient_certificate.UNREADABLE, UnsupportedAlgorithm):
        raise CertificateError(f"the certificate cannot be parsed: {trouble}") from None
    return _Lenient(
        lenient.subject, lenient.issuer, lenient.serial, key, lenient.algorithm == "rsassa_pss",
        lenient.not_before, lenient.not_after,
    )  # fmt: skip


def plain(error: Exception) -> str:
    """Return the message of `cryptography` for bytes that it cannot parse, for people."""
    text = str(error)
    kind = re.search(r"ParseError \{ kind: (\w+)", text)
    if kind is None:
        return text
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind[1]).lower()
    path = re.findall(r'"\w+::(\w+)"', text)
    where = f", at {'/'.join(path)}" if path else ""
    return f"it is not DER of its kind ({words}{where})"


_kinds: dict[type, str] = {}


def kind_of(key: Any) -> str:
    """Return ``RSA``, ``ECDSA`` or ``DSA``; empty for a kind that does not sign DICOM.

    Args:
        key: a public or private key of `cryptography`.
    """
    kind = _kinds.get(type(key))
    # cached, as it is called for every signature, and isinstance of abstract classes is slow
    if kind is None:
        kind = ""
        if isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
            kind = "RSA"
        elif isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
            kind = "ECDSA"
        elif isinstance(key, (dsa.DSAPublicKey, dsa.DSAPrivateKey)):
            kind = "DSA"
        _kinds[type(key)] = kind
    return kind


def describe_key(key: Any) -> str:
    """Return kind and size of a public key."""
    kind = kind_of(key)
    if kind:
        return f"{kind} {key.curve.name if kind == 'ECDSA' else key.key_size}"
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey")


def parse(der: bytes) -> Certificate:
    """Return the certificate in a DER, parsed once unless it is very long.

    Raises:
        CertificateError: it cannot be parsed, or is cut short.
    """
    return _parsed(der) if len(der) <= USUAL_CERTIFICATE else Certificate(der)


_parsed = lru_cache(maxsize=1024)(Certificate)


def is_supported(key: PublicKeyTypes) -> bool:
    """Return whether signatures by this kind of key can be verified here."""
    return bool(kind_of(key))


def may_be_padded(key: Any) -> bool:
    """Return whether Signature values of a key can have an odd length and need a NUL."""
    return kind_of(key) != "RSA" or (key.key_size + 7) // 8 % 2 == 1


def unpadded_signature(key: Any, signature: bytes) -> bytes:
    """Return a Signature value without the NUL that made its length even."""
    if kind_of(key) == "RSA":
        size = (key.key_size + 7) // 8
        padded = size % 2 == 1 and len(signature) == size + 1 and signature[-1] == 0
        return signature[:size] if padded else signature
    return without_padding(signature)


def verify_mac(key: Any, digest: bytes, algorithm: str, signature: bytes) -> bool:
    """Return whether the private key that belongs to ``key`` signed this MAC.

    Args:
        key: an RSA, DSA or EC public key of `cryptography`.
        digest: the MAC.
        algorithm: the defined term of its MAC Algorithm.
        signature: the Signature value, padded or not.
    """
    return verifier(key, algorithm)(digest, signature)


def effort_of(key: Any) -> int:
    """Return about how many nanoseconds the verification of a signature takes.

    An RSA exponent may be as long as the modulus up to 3072 bits, and has at most 64 bits beyond;
    more than 16384 bits are refused.
    """
    kind = kind_of(key)
    size: int = key.key_size if kind else 0
    words = (size + 63) // 64
    if kind == "RSA" and size <= _MAX_MODULUS:
        exponent: int = key.public_numbers().e.bit_length()
        return 10_000 + words * words * min(exponent, size if size <= 3072 else 64)
    if kind == "ECDSA":
        return 80_000 if key.curve.name == "secp256r1" else 50_000 + 4 * size * size
    if kind == "DSA":
        return 50_000 + words * words * 256
    return 10_000


def _scheme(kind: str, algorithm: str) -> tuple[bytes, tuple[Any, ...]]:
    """Return what stands before a MAC that a key signs, and how `cryptography` is to sign it."""
    if kind == "RSA":
        before = b"" if algorithm in _PREHASHED else DIGEST_INFO[algorithm]
        return before, (_PKCS1, _PREHASHED.get(algorithm, _NO_DIGEST_INFO))
    prehashed = _PREHASHED_FOR_DSA[algorithm]
    return b"", (ec.ECDSA(prehashed),) if kind == "ECDSA" else (prehashed,)


def verifier(key: Any, algorithm: str) -> Callable[[bytes, bytes], bool]:
    """Return `verify_mac` for many MACs, as a function of the MAC and the Signature value."""
    before, how = _scheme(kind_of(key), algorithm)
    padded = may_be_padded(key)
    verify = key.verify

    def verifies(digest: bytes, signature: bytes) -> bool:
        if padded:
            signature = unpadded_signature(key, signature)
        try:
            verify(signature, before + digest, *how)
        except InvalidSignature:
            return False
        return True

    return verifies


def signed_digest(key: Any, algorithm: str, signature: bytes) -> bytes | None:
    """Return the MAC in an RSA signature; None if it is not a signature of this key.

    It distinguishes a changed content from a damaged signature. DSA and ECDSA do not reveal it.
    """
    if kind_of(key) != "RSA":
        return None
    try:
        info = key.recover_data_from_signature(unpadded_signature(key, signature), _PKCS1, None)
    except InvalidSignature:
        return None
    prefix = DIGEST_INFO[algorithm]
    # its last byte is the digest's length; a value with bytes after the digest is not a signature
    # of this key: for a small exponent anyone can find such a value
    whole = len(info) == len(prefix) + prefix[-1]
    return info[len(prefix) :] if whole and info.startswith(prefix) else None


def sign_mac(key: PrivateKeyTypes, digest: bytes, algorithm: str) -> bytes:
    """Return the Signature value over a MAC, by a private key of `cryptography`."""
    return mac_signer(key, algorithm)(digest)


def mac_signer(key: Any, algorithm: str) -> Callable[[bytes], bytes]:
    """Return `sign_mac` for many MACs, as a function of the MAC."""
    kind = kind_of(key)
    if not kind:
        raise TypeError(type(key).__name__)
    before, how = _scheme(kind, algorithm)
    sign: Callable[..., bytes] = key.sign
    return lambda digest: sign(before + digest, *how)

"""A private key with its certificate: from files or objects, and whether they match.

Nothing of a key or a password leaves this module except through the key object itself: no message
repeats a secret that was read or given, and none of our exceptions carries another one (as its
context) that does. So errors are raised outside the ``except`` blocks that notice them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from ..errors import CertificateError, KeyFileError, TrustError
from ..signature import certificate
from ..signature.certificate import Certificate, spki_der
from ..trust.formats import AnyCertificate, der_of
from ..trust.loading import load_certificates
from ..trust.trust_settings import NOT_TRUSTED
from .key_files import Password, load_key
from .secret_files import _shown


class DigestSigner(Protocol):
    """A key that is kept elsewhere: an HSM, a key management service."""

    def sign(self, digest: bytes, algorithm: str) -> bytes:
        """Return the signature value over a MAC.

        Args:
            digest: the MAC itself; it must not be hashed again.
            algorithm: its MAC Algorithm: RIPEMD160, MD5, SHA1, SHA256, SHA384 or SHA512.

        Returns:
            For RSA PKCS#1 v1.5 over the DigestInfo; for ECDSA and DSA the DER of r and s.
        """


KeySource: TypeAlias = "str | os.PathLike[str] | PrivateKeyTypes | DigestSigner"
CertificateSource: TypeAlias = "str | os.PathLike[str] | bytes | AnyCertificate | None"


class SigningKey:
    """A private key, its certificate, and the check that they belong together.

    Args:
        key: a `cryptography` private key, a path to one, a ``pkcs11:`` URI, or a `DigestSigner`.
        certificate: a `cryptography` certificate, its DER, or a path; None if ``key`` is a
            PKCS#12 file or a PKCS#11 token that holds it.
        password: of an encrypted key file: text, bytes, or a function that is called if needed.

    Raises:
        KeyFileError: the key cannot be read, or does not belong to the certificate.
        CertificateError: the certificate cannot be read.
    """

    def __init__(
        self, key: KeySource, certificate: CertificateSource = None, password: Password = None
    ) -> None:
        if isinstance(key, str) and key.startswith("pkcs11:"):
            from .pkcs11 import Pkcs11Key

            key = Pkcs11Key(key, password)
            certificate = key.certificate() if certificate is None else certificate
        elif isinstance(key, (str, os.PathLike)):
            key, included = load_key(key, password)
            certificate = included if certificate is None else certificate
        self.certificate = _certificate(certificate)
        if not hasattr(key, "sign"):
            raise KeyFileError(
                f"a {type(key).__name__} is not a private key: it has no sign(digest, algorithm)"
            )
        if isinstance(key, _PRIVATE):
            if spki_der(key.public_key()) != spki_der(self.certificate.public_key):
                raise KeyFileError(
                    "the private key is not the one of the certificate of "
                    f"{self.certificate.signer.subject}"
                )
        elif type(key).__module__.startswith("cryptography."):
            kind = certificate_kind(cast("PrivateKeyTypes", key).public_key())
            raise KeyFileError(f"a key of the kind {kind} cannot sign DICOM: take RSA, EC or DSA")
        self._key = key
        self._is_in_memory = isinstance(key, _PRIVATE)
        self._signers: dict[str, Callable[[bytes], bytes]] = {}  # by MAC Algorithm
        self._proven: set[str] = (
            set()
        )  # algorithms by which this key made a signature that verifies

    def sign(self, digest: bytes, algorithm: str) -> bytes:
        """Return the Signature value over a MAC, checked against the certificate before.

        Of a key in memory only the first value is checked: to verify one of ECDSA takes longer than
        to make it.

        Raises:
            KeyFileError: the key refuses, or its signature does not verify.
        """
        try:
            if self._is_in_memory:
                value = self._signer(algorithm)(digest)
            else:
                value = bytes(cast("DigestSigner", self._key).sign(digest, algorithm))
        except KeyFileError:
            raise
        except Exception as error:  # any exception of an HSM's own code, in its own words
            raise KeyFileError(f"the key cannot sign a {algorithm} MAC: {error}") from error
        if algorithm in self._proven:
            return value
        if not certificate.verify_mac(self.certificate.public_key, digest, algorithm, value):
            raise KeyFileError(
                "the signature that the key made does not verify with the certificate of "
                f"{self.certificate.signer.subject}: they do not belong together"
            )
        if self._is_in_memory:
            # it was compared with the certificate, and the code that signs does not change; what
            # an HSM or a service returns is verified each time
            self._proven.add(algorithm)
        return value

    def _signer(self, algorithm: str) -> Callable[[bytes], bytes]:
        """Return what signs by the key in memory: it is asked for every object of an archive."""
        found = self._signers.get(algorithm)
        if found is None:
            found = self._signers[algorithm] = certificate.mac_signer(self._key, algorithm)
        return found


_PRIVATE = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, dsa.DSAPrivateKey)


def certificate_kind(public_key: PublicKeyTypes) -> str:
    """Return kind and size of a public key, as reports name it."""
    return certificate.describe_key(public_key)


def _certificate(source: CertificateSource) -> Certificate:
    if source is None:
        raise CertificateError(
            "there is no certificate: none was given, and none is beside the key"
        )
    if isinstance(source, (str, os.PathLike)):
        source = _certificate_file(source)
    if isinstance(source, x509.Certificate):
        source = der_of(source)
    if not isinstance(source, (bytes, Certificate)):
        raise CertificateError(f"a {type(source).__name__} is not a certificate")
    parsed = source if isinstance(source, Certificate) else certificate.parse(source)
    if parsed.pss_only:
        raise CertificateError(
            f"the certificate of {parsed.signer.subject} cannot sign DICOM: its key "
            f"{certificate.FOR_PSS_ALONE}"
        )
    if not certificate.is_supported(parsed.public_key):
        raise CertificateError(
            f"a certificate with a key of the kind {parsed.signer.key} cannot sign DICOM: "
            "take RSA, EC or DSA"
        )
    return parsed


def _certificate_file(path: str | os.PathLike[str]) -> AnyCertificate:
    if _shown(path) != os.fsdecode(path):  # perhaps the text of certificate and key
        raise CertificateError(f"{_shown(path)}: this is not a path of a certificate")
    try:
        return load_certificates(path, wanted=NOT_TRUSTED)[0]
    except TrustError as error:
        raise CertificateError(str(error)) from None

"""Private keys and the certificates that go with them: files, objects, and whether they match."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from . import certificate
from .certificate import Certificate
from .errors import CertificateError, KeyFileError, TrustError
from .trust import load_certificates

Password: TypeAlias = "bytes | str | Callable[[], bytes | str | None] | None"  # noqa: S105


class DigestSigner(Protocol):
    """A key that lives elsewhere: an HSM, a key management service."""

    def sign(self, digest: bytes, algorithm: str) -> bytes:
        """The signature value over a MAC.

        Args:
            digest: the MAC itself; it must not be hashed again.
            algorithm: its MAC Algorithm: RIPEMD160, MD5, SHA1, SHA256, SHA384 or SHA512.

        Returns:
            For RSA PKCS#1 v1.5 over the DigestInfo, for ECDSA and DSA the DER of r and s.
        """


class SigningKey:
    """A private key, its certificate, and the check that they belong together.

    Args:
        key: a `cryptography` private key, a path to one, a ``pkcs11:`` URI, or a `DigestSigner`.
        certificate: a `cryptography` certificate, its DER, or a path; None where ``key`` is a
            PKCS#12 file or a PKCS#11 token that holds it.
        password: of an encrypted key file: text, bytes, or a function that is called if needed.

    Raises:
        KeyFileError: the key cannot be read, or is not the one of the certificate.
        CertificateError: the certificate cannot be read.
    """

    def __init__(self, key: Any, certificate: Any = None, password: Password = None) -> None:
        if isinstance(key, str) and key.startswith("pkcs11:"):
            from .pkcs11_key import Pkcs11Key

            key = Pkcs11Key(key, password)
            certificate = key.certificate() if certificate is None else certificate
        elif isinstance(key, (str, os.PathLike)):
            key, included = load_key(key, password)
            certificate = included if certificate is None else certificate
        self._key = key
        self.certificate = _certificate(certificate)
        if not hasattr(key, "sign"):
            raise KeyFileError(
                f"a {type(key).__name__} is no private key: it has no sign(digest, algorithm)"
            )
        if isinstance(key, _PRIVATE):
            if _public_bytes(key.public_key()) != _public_bytes(self.certificate.public_key):
                raise KeyFileError(
                    "the private key is not the one of the certificate of "
                    f"{self.certificate.signer.subject}"
                )
        elif type(key).__module__.startswith("cryptography."):
            kind = certificate_kind(key.public_key())
            raise KeyFileError(f"a key of the kind {kind} cannot sign DICOM: take RSA, EC or DSA")

    def sign(self, digest: bytes, algorithm: str) -> bytes:
        """The Signature value over a MAC, checked against the certificate before it is returned.

        Raises:
            KeyFileError: the key refuses, or its signature does not verify.
        """
        try:
            if isinstance(self._key, _PRIVATE):
                value = certificate.sign_mac(self._key, digest, algorithm)
            else:
                value = bytes(self._key.sign(digest, algorithm))
        except KeyFileError:
            raise
        except Exception as error:  # whatever an HSM's own code raises
            raise KeyFileError(f"the key cannot sign a {algorithm} MAC: {error}") from error
        if not certificate.verify_mac(self.certificate.public_key, digest, algorithm, value):
            raise KeyFileError(
                "the signature that the key made does not verify with the certificate of "
                f"{self.certificate.signer.subject}: they do not belong together"
            )
        return value


_PRIVATE = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, dsa.DSAPrivateKey)


def certificate_kind(public_key: Any) -> str:
    """Kind and size of a public key, as reports name it."""
    return certificate.describe_key(public_key)


def _public_bytes(key: Any) -> bytes:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(serialization.Encoding.DER, spki)
    return data


def _certificate(source: Any) -> Certificate:
    if source is None:
        raise CertificateError(
            "there is no certificate: none was given, and none is beside the key"
        )
    if isinstance(source, (str, os.PathLike)):
        try:
            source = load_certificates(source)[0]
        except TrustError as error:
            raise CertificateError(str(error)) from None
    if isinstance(source, x509.Certificate):
        source = source.public_bytes(serialization.Encoding.DER)
    if isinstance(source, Certificate):
        return source
    if not isinstance(source, bytes):
        raise CertificateError(f"a {type(source).__name__} is no certificate")
    made = certificate.parse(source)
    if not certificate.is_supported(made.public_key):
        raise CertificateError(
            f"a certificate with a key of the kind {made.signer.key} cannot sign DICOM: "
            "take RSA, EC or DSA"
        )
    return made


def load_key(
    path: str | os.PathLike[str], password: Password = None
) -> tuple[Any, x509.Certificate | None]:
    """The private key in a file (PEM, DER, PKCS#8 encrypted or not, PKCS#12).

    Returns:
        The key, and the certificate beside it if the file is PKCS#12.

    Raises:
        KeyFileError: it cannot be read, or the password is wrong or missing.
    """
    name = os.fsdecode(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        raise KeyFileError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return _load(data, None)
    except _NeedsPassword:
        given = password() if callable(password) else password
        if given is None:
            raise KeyFileError(
                f"{name}: the key is encrypted; give its password", "password"
            ) from None
    except ValueError:
        raise KeyFileError(
            f"{name}: no private key in it (PEM, DER, PKCS#8 and PKCS#12 are understood)"
        ) from None
    try:
        return _load(data, given.encode() if isinstance(given, str) else given)
    except (ValueError, _NeedsPassword):
        raise KeyFileError(f"{name}: the password is wrong", "password") from None


class _NeedsPassword(Exception):  # noqa: N818
    """The key is encrypted."""


def _load(data: bytes, password: bytes | None) -> tuple[Any, x509.Certificate | None]:
    loaders: list[Callable[[bytes, bytes | None], Any]]
    if b"-----BEGIN" in data:
        loaders = [serialization.load_pem_private_key]
    else:
        loaders = [serialization.load_der_private_key, pkcs12.load_key_and_certificates]
    needs_password = False
    for loader in loaders:
        try:
            loaded = loader(data, password)
        except TypeError:
            needs_password = True
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from None
        except ValueError as error:
            # PKCS#12 says the same for a wrong password as for none
            needs_password |= "password" in str(error).lower() and password is None
        else:
            if not isinstance(loaded, tuple):
                return loaded, None
            if loaded[0] is not None:
                return loaded[0], loaded[1]
    if needs_password:
        raise _NeedsPassword
    raise ValueError("no private key")

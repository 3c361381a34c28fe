"""Private keys and the certificates that go with them: files, objects, and whether they match.

Nothing of a key or a password leaves this module but through the key object itself: no message
repeats what was read or given, and no exception of ours carries another one (as its context) that
does. So errors are raised outside the ``except`` blocks that notice them.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from . import certificate
from .anchors import AnyCertificate, load_certificates, trouble_of_pkcs12
from .certificate import Certificate
from .errors import CertificateError, KeyFileError, KeyFileWarning, TrustError
from .trust_settings import NOT_TRUSTED

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
        except Exception as error:  # whatever an HSM's own code raises, in its own words
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
        source = _certificate_file(source)
    if isinstance(source, x509.Certificate):
        source = source.public_bytes(serialization.Encoding.DER)
    if not isinstance(source, (bytes, Certificate)):
        raise CertificateError(f"a {type(source).__name__} is no certificate")
    made = source if isinstance(source, Certificate) else certificate.parse(source)
    if made.pss_only:
        raise CertificateError(
            f"the certificate of {made.signer.subject} cannot sign DICOM: its key "
            f"{certificate.FOR_PSS_ALONE}"
        )
    if not certificate.is_supported(made.public_key):
        raise CertificateError(
            f"a certificate with a key of the kind {made.signer.key} cannot sign DICOM: "
            "take RSA, EC or DSA"
        )
    return made


def _certificate_file(path: str | os.PathLike[str]) -> AnyCertificate:
    if _shown(path) != os.fsdecode(path):  # a text with certificate and key, perhaps
        raise CertificateError(f"{_shown(path)}: this is no path of a certificate")
    try:
        return load_certificates(path, wanted=NOT_TRUSTED)[0]
    except TrustError as error:
        raise CertificateError(str(error)) from None


def load_key(
    path: str | os.PathLike[str], password: Password = None
) -> tuple[Any, x509.Certificate | None]:
    """The private key in a file (PEM, DER, PKCS#8 encrypted or not, PKCS#12).

    Returns:
        The key, and the certificate beside it if the file is PKCS#12.

    Raises:
        KeyFileError: it cannot be read, or the password is wrong or missing.

    Warns:
        KeyFileWarning: others than the file's owner may read or write it.
    """
    name = _shown(path)
    try:
        data = read_secret(path)
        trouble = ""
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        trouble = getattr(error, "strerror", None) or str(error)
    if trouble:
        raise KeyFileError(f"{name}: {trouble}")
    try:
        found = _load(data, None)
        if found is _LOCKED:
            given = password() if callable(password) else password
            if given is None:
                raise KeyFileError(f"{name}: the key is encrypted; give its password", "password")
            found = _load(data, _in_bytes(given))
            if found is _LOCKED or found is None:
                raise KeyFileError(f"{name}: the password is wrong", "password")
    except _Odd as error:
        raise KeyFileError(f"{name}: {error}") from None
    if found is None:
        raise KeyFileError(
            f"{name}: no private key in it (PEM, DER, PKCS#8 and PKCS#12 are understood)"
        )
    if isinstance(found[0], rsa.RSAPrivateKey) and _is_for_pss(data):
        raise KeyFileError(f"{name}: the key {certificate.FOR_PSS_ALONE}")
    return found


def _is_for_pss(data: bytes) -> bool:
    """Whether a PKCS#8 says that its RSA key is for RSASSA-PSS alone; `cryptography` does not tell.

    Of an encrypted one that is not seen: the certificate decides.
    """
    from asn1crypto import keys, pem

    try:
        der = pem.unarmor(data)[2] if pem.detect(data) else data
        algorithm = keys.PrivateKeyInfo.load(der)["private_key_algorithm"]["algorithm"]
        return bool(algorithm.native == "rsassa_pss")
    except (ValueError, TypeError, KeyError):
        return False  # another form, which has no place to say so


def read_secret(path: str | os.PathLike[str]) -> bytes:
    """What is in a file with a key or a password; warns if others may read or write that file.

    The warning comes once for a file and a process.

    Raises:
        OSError, ValueError: as `open`.

    Warns:
        KeyFileWarning: see there. Only for regular files of POSIX systems; the permissions of a
            pipe say nothing.
    """
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read()
    exposed = os.name == "posix" and stat.S_ISREG(mode) and mode & _OTHERS
    if exposed and (os.fsdecode(path), mode) not in _warned:
        _warned.add((os.fsdecode(path), mode))
        who = "every user" if mode & 0o006 else "its group"
        warnings.warn(
            f"{_shown(path)}: {who} can {'read' if mode & 0o044 else 'write'} this file, and it "
            f"holds a secret (mode {stat.S_IMODE(mode):04o}; chmod 600 shuts them out)",
            KeyFileWarning,
            stacklevel=2,
        )
    return data


_OTHERS = 0o066  # read or write, group or everyone
_LONGEST_SHOWN = 255
# Python's own "once" does not last: whoever uses warnings.catch_warnings() starts it anew
_warned: set[tuple[str, int]] = set()


def _shown(path: str | os.PathLike[str]) -> str:
    """A path for messages; not what is no path at all, but the text of a key given by mistake."""
    name = os.fsdecode(path)
    if name.isprintable() and len(name) <= _LONGEST_SHOWN:
        return name
    return f"(a text of {len(name)} characters that is not shown)"


def _in_bytes(password: bytes | str) -> bytes | None:
    """None for what cannot be a password, so cannot be the right one."""
    if isinstance(password, bytes):
        return password
    try:
        return password.encode()
    except (AttributeError, UnicodeEncodeError):
        return None


class _Odd(Exception):  # noqa: N818
    """A file that holds a key, and cannot be used all the same; never leaves the module."""


_LOCKED: tuple[Any, None] = (object(), None)  # what `_load` returns if the key is encrypted


def _load(data: bytes, password: bytes | None) -> tuple[Any, x509.Certificate | None] | None:
    """Key and certificate; `_LOCKED`; None if there is no key or the password is wrong."""
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
        except UnsupportedAlgorithm:
            return None
        except ValueError as error:
            # PKCS#12 says the same for a wrong password as for none
            needs_password |= "password" in str(error).lower() and password is None
            trouble = trouble_of_pkcs12(data, error) if loader is not loaders[0] else ""
            if trouble:
                raise _Odd(trouble) from None
        else:
            if not isinstance(loaded, tuple):
                return loaded, None
            if loaded[0] is not None:
                return loaded[0], loaded[1]
    return _LOCKED if needs_password else None

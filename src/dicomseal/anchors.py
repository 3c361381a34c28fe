"""Certificates, public keys, CRLs and OCSP responses from files and folders.

PEM (one or several in a file), DER, PKCS#7 and PKCS#12; folders, also those that OpenSSL's
``c_rehash`` fills with links. What is named and cannot be used is an error, never left out quietly:
only a folder may hold other things beside.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509 import ocsp

from .certificate import FOR_PSS_ALONE, plain
from .errors import TrustError

Path = str | os.PathLike[str]
_T = TypeVar("_T")

LARGEST = 1 << 28  # bytes of a file; the largest CRLs of public CAs are some tens of MB

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_BAD = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion)


def load_certificates(path: Path, password: str | bytes | None = None) -> list[x509.Certificate]:
    """The certificates in a file, or in the files of a folder; each once.

    From a PKCS#12 file that holds a private key, the certificate of that key is left out: whoever
    names it wants the authorities that stand beside it.

    Args:
        path: PEM, DER, PKCS#7, PKCS#12; or a folder of such files.
        password: of a PKCS#12 file.

    Raises:
        TrustError: it cannot be read, a certificate in it cannot be parsed, the password is wrong,
            or there is no certificate in it.
    """
    return _load(path, lambda data: _certificates(data, password, False), "certificate")


def load_signers(path: Path, password: str | bytes | None = None) -> list[Any]:
    """Certificates or public keys of signers, as `cryptography` objects; each once.

    Raises:
        TrustError: as `load_certificates`.
    """
    return _load(path, lambda data: _signers(data, password), "certificate or public key")


def load_crls(path: Path) -> list[bytes]:
    """The DER of certificate revocation lists, PEM or DER, in a file or a folder.

    Raises:
        TrustError: it cannot be read, a CRL in it cannot be parsed, or there is none in it.
    """
    return _load(path, _crls, "certificate revocation list (CRL)")


def load_ocsps(path: Path) -> list[bytes]:
    """The DER of OCSP responses, in a file or a folder.

    Raises:
        TrustError: as `load_crls`.
    """
    return _load(path, _ocsps, "OCSP response")


def _load(path: Path, parse: Callable[[bytes], list[_T]], what: str) -> list[_T]:
    name = os.fsdecode(path)
    found: dict[Any, _T] = {}
    try:
        for file, named in _files(path):
            try:
                some = parse(_read(file))
            except _Unusable as error:
                where = name if named else os.fsdecode(file)
                raise TrustError(f"{where}: {error}") from None
            for one in some:
                found.setdefault(one if isinstance(one, bytes) else _identity(one), one)
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        raise TrustError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if not found:
        raise TrustError(f"{name}: no {what} in it")
    return list(found.values())


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """The files of a folder, or the one that is named; and whether it is named."""
    if not os.path.isdir(path):
        yield path, True
        return
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_file():
                yield entry.path, False


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise _Unusable(f"larger than {LARGEST >> 20} MiB")
    return data


class _Unusable(Exception):  # noqa: N818
    """A file's content that was meant and cannot be used; the message says why."""


def _identity(one: Any) -> bytes:
    if isinstance(one, x509.Certificate):
        return one.public_bytes(serialization.Encoding.DER)
    return spki(one)


def spki(key: Any) -> bytes:
    """The DER SubjectPublicKeyInfo of a public key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(serialization.Encoding.DER, form)
    return data


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Label and text of every PEM block."""
    for match in _PEM.finditer(data):
        yield match[1], match[0]


def _parse(load: Callable[[bytes], _T], data: bytes, what: str) -> _T:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cryptography merely complains of, it accepts
        try:
            return load(data)
        except _BAD as error:
            raise _Unusable(f"{what} cannot be parsed: {plain(error)}") from None


def _certificates(
    data: bytes, password: str | bytes | None, with_own: bool
) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    if b"-----BEGIN " in data:
        for label, text in _blocks(data):
            if label in (b"CERTIFICATE", b"X509 CERTIFICATE"):
                plain = text.replace(b"X509 CERTIFICATE", b"CERTIFICATE")
                number = f"certificate {len(found) + 1}"
                found.append(_parse(x509.load_pem_x509_certificate, plain, number))
            elif label == b"TRUSTED CERTIFICATE":
                raise _Unusable(
                    "a TRUSTED CERTIFICATE of OpenSSL cannot be read; make it a plain one with "
                    "openssl x509"
                )
            elif label in (b"PKCS7", b"CMS"):
                plain = text.replace(b" CMS-----", b" PKCS7-----")
                found += _parse(pkcs7.load_pem_pkcs7_certificates, plain, "the PKCS#7")
        return found
    if data[:1] != b"\x30":
        return []
    try:
        return [_parse(x509.load_der_x509_certificate, data, "the certificate")]
    except _Unusable as error:
        trouble = error
    for load in (_pkcs7, lambda some: _pkcs12(some, password, with_own)):
        try:
            return load(data)
        except _BAD:
            continue
    if _is_other(data):
        return []
    raise trouble


def _pkcs7(data: bytes) -> list[x509.Certificate]:
    return pkcs7.load_der_pkcs7_certificates(data)


def _pkcs12(data: bytes, password: str | bytes | None, with_own: bool) -> list[x509.Certificate]:
    secret = password.encode() if isinstance(password, str) else password
    try:
        made = pkcs12.load_pkcs12(data, secret)
    except ValueError as error:
        if "password" in str(error).lower():
            given = "the password is wrong" if password is not None else "it needs a password"
            raise _Unusable(f"PKCS#12: {given}") from None
        raise
    found = [entry.certificate for entry in made.additional_certs]
    if made.cert is not None and (with_own or made.key is None):
        found.insert(0, made.cert.certificate)
    return found


def _is_other(data: bytes) -> bool:
    """Whether a DER is something else that may well lie beside certificates."""
    others: tuple[Callable[[bytes], Any], ...] = (
        x509.load_der_x509_crl,
        x509.load_der_x509_csr,
        serialization.load_der_public_key,
        ocsp.load_der_ocsp_response,
        lambda some: serialization.load_der_private_key(some, None),
    )
    for load in others:
        try:
            load(data)
        except TypeError:
            return True  # an encrypted private key
        except (ValueError, UnsupportedAlgorithm):
            continue
        return True
    return False


def _signers(data: bytes, password: str | bytes | None) -> list[Any]:
    keys: list[Any] = []
    if b"-----BEGIN " in data:
        for label, text in _blocks(data):
            if label.endswith(b"PUBLIC KEY"):
                keys.append(_public_key(text))
        return [*_certificates(data, password, True), *keys]
    try:
        key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return list(_certificates(data, password, True))
    _check_purpose(data)
    return [key]


def _public_key(text: bytes) -> Any:
    from asn1crypto import pem

    key = _parse(serialization.load_pem_public_key, text, "the public key")
    _check_purpose(pem.unarmor(text)[2])
    return key


def _check_purpose(der: bytes) -> None:
    """Refuse an RSA key that is for RSASSA-PSS alone: it makes no signature that DICOM knows.

    `cryptography` does not tell it from others.
    """
    from asn1crypto import keys

    try:
        algorithm = keys.PublicKeyInfo.load(der).algorithm
    except (ValueError, TypeError, KeyError):
        return  # the older form of an RSA key, which has no place to say so
    if algorithm == "rsassa_pss":
        raise _Unusable(f"the public key {FOR_PSS_ALONE}")


def _crls(data: bytes) -> list[bytes]:
    if b"-----BEGIN " in data:
        made = [
            _parse(x509.load_pem_x509_crl, text, "the CRL")
            for label, text in _blocks(data)
            if label == b"X509 CRL"
        ]
        return [one.public_bytes(serialization.Encoding.DER) for one in made]
    if data[:1] != b"\x30":
        return []
    try:
        _parse(x509.load_der_x509_crl, data, "the CRL")
    except _Unusable:
        if _is_certificate(data) or _is_other(data):
            return []
        raise
    return [data]


def _ocsps(data: bytes) -> list[bytes]:
    if data[:1] != b"\x30":
        return []
    try:
        made = _parse(ocsp.load_der_ocsp_response, data, "the OCSP response")
    except _Unusable:
        if _is_certificate(data) or _is_other(data):
            return []
        raise
    if made.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _Unusable(
            f"the OCSP responder answered {made.response_status.name.lower()}, "
            "not with the state of a certificate"
        )
    return [data]


def _is_certificate(data: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(data)
    except _BAD:
        return False
    return True

"""Certificates, public keys, CRLs and OCSP responses in the bytes of one file.

In: PEM (one or several), DER, PKCS#7 or PKCS#12.
Out: its content, as `cryptography` reads it, or else leniently; `Unusable` for content that is
of the right kind and cannot be used.
PS3: none; RFC 7468, RFC 5652, RFC 7292.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509 import ocsp

from ..errors import CertificateError, TrustError
from ..signature.certificate import FOR_PSS_ALONE, Certificate, parse, plain, spki_der
from . import trust_settings
from .outside import BAD, Unsuccessful, Unusable, check_crl, check_ocsp, der_in, parsed
from .trust_settings import Wanted

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
AnyCertificate = x509.Certificate | Certificate
AnySigner = AnyCertificate | PublicKeyTypes  # a public key is trusted by itself


class Troubles(list[str]):
    """Sentences why certificates of a file cannot be used, and notes on those that can."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []


def der_of(certificate: AnyCertificate) -> bytes:
    """Return the DER of a certificate, by whichever library it was read."""
    if isinstance(certificate, Certificate):
        return certificate.der
    return certificate.public_bytes(serialization.Encoding.DER)


def identity(one: AnySigner) -> bytes:
    """Return the DER, which distinguishes a certificate or public key from others."""
    return der_of(one) if isinstance(one, AnyCertificate) else spki_der(one)


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield label and text of every PEM block."""
    for match in _PEM.finditer(data):
        yield match[1], match[0]


def _certificate(load: Callable[[bytes], x509.Certificate], data: bytes) -> AnyCertificate:
    """Read a certificate by `cryptography`, or else leniently.

    Raises:
        Unusable: neither can read it.
    """
    try:
        return parsed(lambda some: _with_names(load(some)), data, "the certificate")
    except Unusable as error:
        try:
            return parse(der_in(data))
        except (CertificateError, ValueError):
            raise error from None


def _with_names(certificate: x509.Certificate) -> x509.Certificate:
    """Return the certificate; ValueError if its names, which are parsed lazily, cannot be read."""
    certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    return certificate


def read_certificates(
    data: bytes,
    password: str | bytes | None,
    with_own: bool,
    troubles: Troubles,
    wanted: Wanted,
) -> list[AnyCertificate]:
    found: list[AnyCertificate] = []
    if b"-----BEGIN " in data:
        number = 0
        for label, text in _blocks(data):
            if label in (b"CERTIFICATE", b"X509 CERTIFICATE", trust_settings.LABEL):
                number += 1
                try:
                    found.append(_of_pem(label, text, f"certificate {number}", troubles, wanted))
                except Unusable as error:
                    which = str(error).removeprefix("the certificate")
                    troubles.append(f"certificate {number}{which}")
            elif label in (b"PKCS7", b"CMS"):
                whole = text.replace(b" CMS-----", b" PKCS7-----")
                found += _pkcs7(_unarmored(whole))
        return found
    if data[:1] != b"\x30":
        return []
    try:
        return [_certificate(x509.load_der_x509_certificate, data)]
    except Unusable as error:
        trouble = error
    try:
        return _pkcs7(data)
    except Unusable:
        pass
    try:
        return _pkcs12(data, password, with_own)
    except BAD:
        pass
    if not _is_other(data):
        troubles.append(str(trouble))
    return []


def _of_pem(
    label: bytes, text: bytes, which: str, troubles: Troubles, wanted: Wanted
) -> AnyCertificate:
    """Return the certificate in a block of PEM.

    Raises:
        Unusable: it cannot be read, or its trust settings do not allow the intended use.
    """
    if label != trust_settings.LABEL:
        whole = text.replace(b"X509 CERTIFICATE", b"CERTIFICATE")
        return _certificate(x509.load_pem_x509_certificate, whole)
    try:
        settings = trust_settings.read(der_in(text))
    except (TrustError, ValueError) as error:
        raise Unusable(f"the certificate cannot be parsed: {error}") from None
    trouble = settings.trouble(wanted)
    if trouble:
        raise Unusable(f"the certificate {trouble}")
    certificate = _certificate(x509.load_der_x509_certificate, settings.certificate)
    if settings.unused(wanted):
        troubles.notes.append(f"{which}: {settings.unused(wanted)}")
    return certificate


def _unarmored(text: bytes) -> bytes:
    try:
        return der_in(text)
    except ValueError as error:
        raise Unusable(f"the PKCS#7 cannot be parsed: {error}") from None


def _pkcs7(data: bytes) -> list[AnyCertificate]:
    """Return the certificates in a PKCS#7.

    Raises:
        Unusable: it is not a PKCS#7, or one of the certificates cannot be read.
    """
    # not imported at the top, here and below: it imports a mail client's modules, and few need it
    from cryptography.hazmat.primitives.serialization import pkcs7

    try:
        return list(parsed(pkcs7.load_der_pkcs7_certificates, data, "the PKCS#7"))
    except Unusable as error:
        from ..signature.lenient_certificate import UNREADABLE, certificates_of_pkcs7

        try:
            return [parse(der) for der in certificates_of_pkcs7(data)]
        except (CertificateError, *UNREADABLE):
            raise error from None


def _pkcs12(data: bytes, password: str | bytes | None, with_own: bool) -> list[AnyCertificate]:
    from cryptography.hazmat.primitives.serialization import pkcs12

    secret = password.encode() if isinstance(password, str) else password
    try:
        bundle = pkcs12.load_pkcs12(data, secret)
    except ValueError as error:
        if "password" in str(error).lower():
            given = "the password is wrong" if password is not None else "it needs a password"
            raise Unusable(f"PKCS#12: {given}") from None
        trouble = trouble_of_pkcs12(data, error)
        if trouble:
            raise Unusable(trouble) from None
        raise
    found: list[AnyCertificate] = [entry.certificate for entry in bundle.additional_certs]
    if bundle.cert is not None and (with_own or bundle.key is None):
        found.insert(0, bundle.cert.certificate)
    return found


def trouble_of_pkcs12(data: bytes, error: Exception) -> str:
    """Return why a PKCS#12 whose password is right cannot be used; "" if it is not a PKCS#12.

    `cryptography` reads all of it or nothing, and no certificate leniently.
    """
    from asn1crypto import pkcs12 as asn1

    if "ParseError" not in str(error):
        return ""
    try:
        if asn1.Pfx.load(data, strict=True)["version"].native != "v3":
            return ""
    except (ValueError, TypeError, KeyError):
        return ""
    return (
        f"PKCS#12: a certificate in it cannot be parsed ({plain(error)}); convert it to "
        "PEM, with which this works: openssl pkcs12 -in FILE -nodes"
    )


def _is_other(data: bytes) -> bool:
    """Return whether a DER is of another kind that is often stored beside certificates."""
    others: tuple[Callable[[bytes], object], ...] = (
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


def read_signers(
    data: bytes, password: str | bytes | None, troubles: Troubles, wanted: Wanted
) -> list[AnySigner]:
    keys: list[AnySigner] = []
    if b"-----BEGIN " in data:
        for label, text in _blocks(data):
            if label.endswith(b"PUBLIC KEY"):
                keys.append(_public_key(text))
        return [*read_certificates(data, password, True, troubles, wanted), *keys]
    try:
        key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return list(read_certificates(data, password, True, troubles, wanted))
    _check_purpose(data)
    return [key]


def _public_key(text: bytes) -> PublicKeyTypes:
    key = parsed(serialization.load_pem_public_key, text, "the public key")
    _check_purpose(der_in(text))
    return key


def _check_purpose(der: bytes) -> None:
    """Refuse an RSA key for RSASSA-PSS only: it cannot make a signature that DICOM knows.

    `cryptography` does not distinguish it from others.
    """
    from asn1crypto import keys

    try:
        algorithm = keys.PublicKeyInfo.load(der).algorithm
    except (ValueError, TypeError, KeyError):
        return  # the older form of an RSA key, which cannot have this restriction
    if algorithm == "rsassa_pss":
        raise Unusable(f"the public key {FOR_PSS_ALONE}")


def read_crls(data: bytes) -> list[bytes]:
    if b"-----BEGIN " in data:
        return [_crl(text) for label, text in _blocks(data) if label == b"X509 CRL"]
    if data[:1] != b"\x30":
        return []
    try:
        return [_crl(data)]
    except Unusable:
        if _is_certificate(data) or _is_other(data):
            return []
        raise


def _crl(data: bytes) -> bytes:
    """Return the DER of a CRL that can be read.

    Raises:
        Unusable: it cannot be read.
    """
    try:
        der = der_in(data)
    except ValueError as error:
        raise Unusable(f"the CRL cannot be parsed: {error}") from None
    try:
        check_crl(der)
    except TrustError as error:
        raise Unusable(str(error)) from None
    return der


def read_ocsps(data: bytes) -> list[bytes]:
    if data[:1] != b"\x30":
        return []
    try:
        check_ocsp(data)
    except Unsuccessful as error:
        raise Unusable(str(error)) from None
    except TrustError as error:
        if _is_certificate(data) or _is_other(data):
            return []
        raise Unusable(str(error)) from None
    return [data]


def _is_certificate(data: bytes) -> bool:
    try:
        parse(data)
    except CertificateError:
        return False
    return True

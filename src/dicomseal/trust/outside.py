"""Read bytes from outside by `cryptography`, or else by asn1crypto, which is more lenient.

In: certificates, CRLs and OCSP responses, PEM or DER.
Out: the parsed object or its nextUpdate, or an exception with a sentence.
PS3: none; RFC 5280, RFC 6960.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

from ..errors import TrustError
from ..signature.certificate import plain

_T = TypeVar("_T")
# the exceptions of `cryptography` for bytes that it refuses
BAD = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion)


class Unusable(Exception):  # noqa: N818
    """A file's content is of the right kind and cannot be used; the message says why."""


def parsed(load: Callable[[bytes], _T], data: bytes, what: str) -> _T:
    """Return what `cryptography` reads from the bytes.

    Raises:
        Unusable: it cannot read them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography accepts the bytes in spite of its warning
        try:
            return load(data)
        except BAD as error:
            raise Unusable(f"{what} cannot be parsed: {plain(error)}") from None


def der_in(data: bytes) -> bytes:
    """Return the content of a PEM, or the DER itself.

    Raises:
        ValueError: it is not a PEM.
    """
    from asn1crypto import pem

    der: bytes = pem.unarmor(data)[2] if pem.detect(data) else data
    return der


def check_crl(der: bytes) -> datetime | None:
    """Check that a CRL can be read, by `cryptography` or else leniently.

    Returns:
        Its nextUpdate, or None if it has none.

    Raises:
        TrustError: it cannot be read.
    """
    try:
        return parsed(x509.load_der_x509_crl, der, "the CRL").next_update_utc
    except Unusable as error:
        from ..signature.lenient_certificate import UNREADABLE
        from ..signature.lenient_crl import read_crl

        try:
            until: datetime | None = read_crl(der)["tbs_cert_list"]["next_update"].native
        except UNREADABLE:
            raise TrustError(str(error)) from None
        return until


class Unsuccessful(TrustError):  # noqa: N818
    """An OCSP responder did not answer the question."""


def check_ocsp(der: bytes) -> datetime | None:
    """Check that an OCSP response can be read, by `cryptography` or else leniently.

    Returns:
        Its nextUpdate, or None if it has none.

    Raises:
        TrustError: it cannot be read, or is not an answer (`Unsuccessful`).
    """
    until: datetime | None = None
    try:
        response = parsed(ocsp.load_der_ocsp_response, der, "the OCSP response")
        status = response.response_status.name.lower()
        if status == "successful":
            until = response.next_update_utc
    except (Unusable, *BAD) as error:
        from ..signature.lenient_certificate import UNREADABLE
        from ..signature.lenient_messages import read_ocsp

        try:
            status, until = read_ocsp(der)
        except UNREADABLE:
            raise TrustError(str(error)) from None
    if status != "successful":
        raise Unsuccessful(
            f"the OCSP responder answered {status}, not with the state of a certificate"
        )
    return until


def check_revocation_data(crls: Iterable[bytes], ocsps: Iterable[bytes]) -> None:
    """Refuse CRLs and OCSP responses, DER, that cannot be read.

    Raises:
        TrustError: one of them cannot be read.
    """
    for der in crls:
        try:
            check_crl(der)
        except TrustError as error:
            raise TrustError(f"a CRL cannot be used: {error}") from None
    for der in ocsps:
        try:
            check_ocsp(der)
        except TrustError as error:
            raise TrustError(f"an OCSP response cannot be used: {error}") from None

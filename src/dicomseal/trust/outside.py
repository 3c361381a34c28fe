"""What `cryptography` makes of bytes from outside, or else asn1crypto, which asks for less.

In: certificates, CRLs and OCSP responses, PEM or DER. Out: that they can be read, or an exception
with a sentence.
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
# what `cryptography` raises for bytes that it does not take
BAD = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion)


class Unusable(Exception):  # noqa: N818
    """A file's content that was meant and cannot be used; the message says why."""


def parsed(load: Callable[[bytes], _T], data: bytes, what: str) -> _T:
    """What `cryptography` makes of it.

    Raises:
        Unusable: it cannot.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cryptography merely complains of, it accepts
        try:
            return load(data)
        except BAD as error:
            raise Unusable(f"{what} cannot be parsed: {plain(error)}") from None


def der_in(data: bytes) -> bytes:
    """What is in a PEM, or the DER itself.

    Raises:
        ValueError: it is no PEM.
    """
    from asn1crypto import pem

    der: bytes = pem.unarmor(data)[2] if pem.detect(data) else data
    return der


def check_crl(der: bytes) -> datetime | None:
    """Whether a CRL can be read, by `cryptography` or else leniently.

    Returns:
        Its nextUpdate, or None if it says none.

    Raises:
        TrustError: it cannot be read.
    """
    try:
        return parsed(x509.load_der_x509_crl, der, "the CRL").next_update_utc
    except Unusable as error:
        from ..signature.lenient_certificate import UNREADABLE, read_crl

        try:
            until: datetime | None = read_crl(der)["tbs_cert_list"]["next_update"].native
        except UNREADABLE:
            raise TrustError(str(error)) from None
        return until


class Unsuccessful(TrustError):  # noqa: N818
    """An OCSP responder gave no answer."""


def check_ocsp(der: bytes) -> datetime | None:
    """Whether an OCSP response can be read, by `cryptography` or else leniently.

    Returns:
        Its nextUpdate, or None if it says none.

    Raises:
        TrustError: it cannot be read, or is no answer (`Unsuccessful`).
    """
    until: datetime | None = None
    try:
        made = parsed(ocsp.load_der_ocsp_response, der, "the OCSP response")
        status = made.response_status.name.lower()
        if status == "successful":
            until = made.next_update_utc
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
        TrustError: one of them cannot.
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

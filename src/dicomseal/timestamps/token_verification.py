"""Verify that a timestamp token belongs to a signature, and was signed by the authority it names.

In: the token and the Signature (0400,0120) value.
Out: a `Verified`; the trust in the authority is decided later.
PS3: PS3.3 C.12.1.1.3.1.3; RFC 3161 Section 2.4.2.

The token's signature is verified by pyHanko, the extra ``dicomseal[timestamp]``, which is imported
when a token is verified and not before. The points that pyHanko leaves open are checked here: the
hash of the imprint, the algorithms, and that the token names the certificate of its authority.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

from .. import report
from ..errors import CertificateError, TimestampError
from ..report import Reason, ReasonCode
from ..signature import certificate
from ..signature.certificate import Certificate
from ..standard import terms
from .token import UNPARSABLE, Token, first_line, read

# the imprint's hash, as asn1crypto names it -> as hashlib does
_STRONG = {
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
    "sha512_256": "sha512_256",
    "sha3_256": "sha3_256",
    "sha3_384": "sha3_384",
    "sha3_512": "sha3_512",
}
# computed to distinguish a wrong imprint from a weak one; a timestamp with one of these never
# counts
_WEAK = {"md5": "md5", "sha1": "sha1", "1.3.36.3.2.1": "ripemd160"}
# the signature algorithms that pyHanko verifies, named as in asn1crypto
_MECHANISMS = frozenset(("rsassa_pkcs1v15", "rsassa_pss", "dsa", "ecdsa", "ed25519", "ed448"))


class Verified(NamedTuple):
    """The result of the verification of a token.

    Attributes:
        integrity: ``intact``, ``altered`` or ``unverifiable``; None if it could not be tried.
        reason: why it is not intact, or None.
        weak: why it must not be trusted though it is intact, or None.
        token: the token; None if it cannot be read.
        authority: the certificate of the timestamp authority, or None.
    """

    integrity: str | None
    reason: Reason | None = None
    weak: Reason | None = None
    token: Token | None = None
    authority: Certificate | None = None


class _Refused(Exception):  # noqa: N818
    """The outcome of one of the steps below; never leaves the module."""

    def __init__(self, integrity: str | None, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.integrity = integrity
        self.reason = Reason(code, message)


def verify_token(
    der: bytes, signature: bytes, candidates: Iterable[bytes] = (), kind: str = terms.CMS_TSP
) -> Verified:
    """Verify that a token is a timestamp of a signature, made by the authority it names.

    Whether that authority is trusted is not decided here.

    Args:
        der: the Certified Timestamp, without padding.
        signature: the Signature (0400,0120) value that it shall be of, **without padding**.
        candidates: certificates in DER among which the authority's is looked for if the token does
            not contain it. This does not make any of them trusted.
        kind: Certified Timestamp Type.
    """
    token = authority = None
    try:
        if kind != terms.CMS_TSP:
            raise _Refused(
                report.UNVERIFIABLE,
                ReasonCode.FORMAT_FAILURE,
                f"the Certified Timestamp Type {kind!r} is not known",
            )
        try:
            token = read(der)
        except TimestampError as error:
            raise _Refused(
                report.ALTERED, ReasonCode.FORMAT_FAILURE, f"the token is broken: {error}"
            ) from None
        weak = _check_imprint(token, signature)
        if token.critical:
            raise _Refused(
                report.UNVERIFIABLE,
                ReasonCode.FORMAT_FAILURE,
                "the token holds a critical extension, and none is known",
            )
        authority = _authority(token, candidates)
        return Verified(
            report.INTACT, None, _check_signature(token, authority) or weak, token, authority
        )
    except _Refused as refused:
        return Verified(refused.integrity, refused.reason, None, token, authority)
    except UNPARSABLE as error:  # asn1crypto parses a part when it is used first
        reason = Reason(ReasonCode.FORMAT_FAILURE, f"the token is broken: {first_line(error)}")
        return Verified(report.ALTERED, reason, None, token, authority)


def _check_imprint(token: Token, signature: bytes) -> Reason | None:
    name = hash_name(token)
    try:
        digest = hashlib.new(name, signature).digest()
    except ValueError:
        raise _Refused(
            report.UNVERIFIABLE,
            ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
            f"its imprint is hashed with {name}, which is not known",
        ) from None
    if digest != token.imprint:
        raise _Refused(
            report.ALTERED,
            ReasonCode.HASH_FAILURE,
            "it is not of this signature: its imprint is of other data",
        )
    if token.algorithm in _WEAK:
        return Reason(
            ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
            f"its imprint is hashed with {name.upper()}, which no longer proves anything",
        )
    return None


def hash_name(token: Token) -> str:
    """Return the hash of the imprint as hashlib names it; an unknown one as asn1crypto does."""
    return _STRONG.get(token.algorithm) or _WEAK.get(token.algorithm) or token.algorithm


def _authority(token: Token, candidates: Iterable[bytes]) -> Certificate:
    """Return the certificate that the token's signer identifier names."""
    from ..signature.lenient_certificate import Certificate as Parsed

    sid = token.signed_data["signer_infos"][0]["sid"]
    for number, der in enumerate(chain(token.certificates, candidates)):
        try:
            one = Parsed.load(der)
            if sid.name == "issuer_and_serial_number":
                wanted = (sid.chosen["serial_number"].native, sid.chosen["issuer"])
                found = (one.serial_number, one.issuer) == wanted
            else:
                found = one.key_identifier == sid.chosen.native
            if not found:
                continue
            if number >= len(token.certificates):  # pyHanko looks only inside the token
                token.signed_data["certificates"] = [
                    Parsed.load(each) for each in (*token.certificates, der)
                ]
            return certificate.parse(der)
        except CertificateError as error:
            raise _Refused(
                report.UNVERIFIABLE,
                ReasonCode.NO_SIGNING_CERTIFICATE_FOUND,
                f"its authority: {error}",
            ) from None
        except UNPARSABLE:
            continue  # bytes that are not a certificate are not the wanted one
    raise _Refused(
        report.UNVERIFIABLE,
        ReasonCode.NO_SIGNING_CERTIFICATE_FOUND,
        "the certificate of its authority is not in it, nor among the given ones",
    )


def _check_signature(token: Token, authority: Certificate) -> Reason | None:
    """Verify the authority's signature over the token by pyHanko; return what is weak about it."""
    _check_algorithms(token)
    names = {one["type"].native for one in token.signed_data["signer_infos"][0]["signed_attrs"]}
    if not names & {"signing_certificate", "signing_certificate_v2"}:
        # RFC 3161 2.4.1: otherwise the certificate could be replaced by another one of the same key
        raise _Refused(
            report.ALTERED,
            ReasonCode.FORMAT_FAILURE,
            "the token does not say which certificate signed it",
        )
    mechanism = token.signed_data["signer_infos"][0]["signature_algorithm"]["algorithm"].native
    if authority.pss_only and mechanism != "rsassa_pss":
        raise _Refused(
            report.ALTERED,
            ReasonCode.SIG_CRYPTO_FAILURE,
            "the token is signed otherwise than with RSASSA-PSS, by a key that is for that alone "
            "(RFC 4055)",
        )
    try:
        from ..trust.pool import run

        status = run(_validate(token))
    except ImportError:
        raise _Refused(
            None,
            ReasonCode.GENERIC,
            "not checked: pyHanko is not installed; pip install dicomseal[timestamp]",
        ) from None
    except _Refused:
        raise
    except Exception as error:  # noqa: BLE001
        # any exception that a hostile token causes in a library: it does not count, and is reported
        raise _Refused(
            report.ALTERED,
            ReasonCode.FORMAT_FAILURE,
            f"the token cannot be verified: {first_line(error)}",
        ) from None
    if status["signing_cert"].dump() != authority.der:
        # two certificates with one name and number: the judged one must be the one that verified
        raise _Refused(
            report.ALTERED,
            ReasonCode.FORMAT_FAILURE,
            "the token holds two certificates of its authority",
        )
    if not status["intact"] or not status["valid"]:
        raise _Refused(
            report.ALTERED,
            ReasonCode.SIG_CRYPTO_FAILURE,
            f"the token was not signed by the key of {authority.signer.subject}, or was changed",
        )
    problem = status["trust_problem_indic"]
    if problem is not None and problem.name.startswith("CRYPTO_CONSTRAINTS"):
        return Reason(
            ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
            f"the token is signed with {status['pkcs7_signature_mechanism']} over "
            f"{status['md_algorithm']}, which is too weak",
        )
    return None


def _check_algorithms(token: Token) -> None:
    """Check that the algorithms are known: pyHanko calls a token broken if it knows them not."""
    from cryptography.hazmat.primitives import hashes

    signer = token.signed_data["signer_infos"][0]
    digest = signer["digest_algorithm"]["algorithm"].native
    try:
        known = signer["signature_algorithm"].signature_algo in _MECHANISMS
    except ValueError:
        known = False
    if not known or not hasattr(hashes, digest.upper()):
        mechanism = signer["signature_algorithm"]["algorithm"].native
        raise _Refused(
            report.UNVERIFIABLE,
            ReasonCode.CRYPTO_CONSTRAINTS_FAILURE,
            f"the token is signed with {mechanism} over {digest}, which is not known",
        )


async def _validate(token: Token) -> dict[str, Any]:
    logging.getLogger("pyhanko").addHandler(logging.NullHandler())  # all of it is in the report
    from pyhanko.sign.validation import errors, generic_cms
    from pyhanko_certvalidator import ValidationContext
    from pyhanko_certvalidator.registry import SimpleTrustManager

    from ..trust.pool import Nobody

    try:
        status: dict[str, Any] = await generic_cms.validate_tst_signed_data(
            token.signed_data,
            # No anchors, and no path is built among the certificates of a stranger: the trust store
            # decides on trust, with a bound on the search and with revocation.
            ValidationContext(
                trust_manager=SimpleTrustManager.build(trust_roots=[]),
                certificate_registry=Nobody(),
                moment=token.time,
                allow_fetching=False,
            ),
            lambda _: token.imprint,
        )
        return status
    except errors.SignatureValidationError as error:
        code = _code_of(getattr(error.ades_subindication, "name", ""))
        integrity = report.UNVERIFIABLE if code.startswith("CRYPTO_") else report.ALTERED
        # the part after it is a code for programs
        failure = str(error.failure_message).partition(" [AdES")[0]
        raise _Refused(integrity, code, f"the token: {failure}") from None


def _code_of(name: str) -> ReasonCode:
    """Return the code for one of pyHanko's, which has more of the standard than docs/reports.md."""
    name = name.removesuffix("_NO_POE") if name.startswith("CRYPTO_") else name
    if name == ReasonCode.GENERIC:  # pyHanko uses it for "any other reason"
        return ReasonCode.FORMAT_FAILURE
    try:
        return ReasonCode(name)
    except ValueError:
        return ReasonCode.FORMAT_FAILURE

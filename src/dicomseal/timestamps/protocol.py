"""Requests to a timestamp authority and its responses, without a network.

In: a Signature value, or the response of an authority.
Out: a request in DER, or the accepted token in DER.
PS3: PS3.3 C.12.1.1.3.1.3; RFC 3161 Section 2.4.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import TimestampError, UsageError
from ..report import ReasonCode
from ..standard.mac_algorithms import TIMESTAMP_ALGORITHMS
from .token import Token, first_line, read
from .token_verification import verify_token

if TYPE_CHECKING:
    from ..report import Reason
    from ..signature.certificate import Certificate


_UNPARSABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError)


_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


_GRANTED = ("granted", "granted_with_mods")


class TimestampRequest(NamedTuple):
    """A timestamp request (RFC 3161 2.4.1).

    Attributes:
        algorithm: hash of the imprint, named as in asn1crypto.
        imprint: the hash of the Signature value.
        nonce: a number that the response must repeat, or None.
        policy: OID of the policy that the authority shall follow, or None.
        certificate: whether the authority shall put its certificate into the token.
    """

    algorithm: str
    imprint: bytes
    nonce: int | None = None
    policy: str | None = None
    certificate: bool = True

    @classmethod
    def make(
        cls,
        signature: bytes,
        algorithm: str = "SHA256",
        policy: str | None = None,
        nonce: bool = True,
        certificate: bool = True,
    ) -> TimestampRequest:
        """Make a request for a timestamp of a Signature value, without its padding.

        Raises:
            UsageError: the algorithm is not one of SHA256, SHA384 and SHA512, or the policy is
                not an OID.
        """
        _check_wishes(algorithm, policy)
        name = algorithm.lower()
        return cls(
            name,
            hashlib.new(name, signature).digest(),
            secrets.randbits(63) | 1 << 63 if nonce else None,
            policy,
            certificate,
        )

    @classmethod
    def parse(cls, der: bytes) -> TimestampRequest:
        """Parse a request in DER.

        Raises:
            TimestampError: it is not a request.
        """
        from asn1crypto import tsp

        try:
            request = tsp.TimeStampReq.load(der, strict=True)
            if request["version"].native != "v1":
                raise TimestampError("it is not a timestamp request of version 1")
            policy = request["req_policy"]
            return cls(
                request["message_imprint"]["hash_algorithm"]["algorithm"].native,
                request["message_imprint"]["hashed_message"].native,
                request["nonce"].native,
                policy.dotted if policy.native else None,
                request["cert_req"].native,
            )
        except _UNPARSABLE as error:
            raise TimestampError(f"it is not a timestamp request: {first_line(error)}") from None

    def encode(self) -> bytes:
        """Return the request in DER, as ``openssl ts`` and dcmsign read it."""
        from asn1crypto import tsp

        fields: dict[str, Any] = {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": self.algorithm},
                "hashed_message": self.imprint,
            },
            "cert_req": self.certificate,
        }
        if self.nonce is not None:
            fields["nonce"] = self.nonce
        if self.policy is not None:
            fields["req_policy"] = self.policy
        der: bytes = tsp.TimeStampReq(fields).dump()
        return der

    def check(self, token: Token) -> None:
        """Check that a token answers this request.

        Raises:
            TimestampError: it does not.
        """
        if (token.algorithm, token.imprint) != (self.algorithm, self.imprint):
            raise TimestampError("the response is not to this request: it stamps something else")
        if token.nonce != self.nonce and self.nonce is not None:
            raise TimestampError("the response is not to this request: its nonce differs")
        if self.policy is not None and token.policy != self.policy:
            raise TimestampError(
                f"the authority followed the policy {token.policy}, not {self.policy}"
            )
        if self.certificate and not token.certificates:
            raise TimestampError("the authority's certificate was requested, and is missing")


def token_of(response: bytes) -> bytes:
    """Return the timestamp token in a response, in DER; a bare token is accepted too.

    Raises:
        TimestampError: it is neither, or the authority refused; the message says why.
    """
    from asn1crypto import cms, tsp

    try:
        der: bytes = cms.ContentInfo.load(response, strict=True).dump()
        read(der)
    except (*_UNPARSABLE, TimestampError):
        pass  # then it is a whole response, or neither
    else:
        return der

    class Response(tsp.TimeStampResp):  # type: ignore[misc]
        """A response with or without a token: a refusal has none (RFC 3161 2.4.2)."""

        _fields = [  # noqa: RUF012
            ("status", tsp.PKIStatusInfo),
            ("time_stamp_token", cms.ContentInfo, {"optional": True}),
        ]

    try:
        parsed = Response.load(response, strict=True)
        status = parsed["status"]
        if status["status"].native not in _GRANTED:
            details = [*(status["status_string"].native or ())]
            details += sorted(status["fail_info"].native or ())
            why = f": {'; '.join(details)}" if details else ""
            raise TimestampError(
                f"the authority refused ({status['status'].native}){why}", "refused"
            )
        if parsed["time_stamp_token"].native is None:
            raise TimestampError("the response holds no timestamp")
        der = parsed["time_stamp_token"].dump()
    except _UNPARSABLE as error:
        raise TimestampError(f"it is not a timestamp response: {first_line(error)}") from None
    return der


def accept(response: bytes, signature: bytes, request: TimestampRequest | None = None) -> bytes:
    """Return the token in a response, if it may be put beside a Signature value.

    Args:
        response: the authority's answer, DER.
        signature: the Signature value, without padding.
        request: the request that was sent; without it nonce and policy cannot be compared.

    Raises:
        TimestampError: the authority refused, answered something else, or sent a token that does
            not verify or is hashed too weakly.
    """
    der = token_of(response)
    if request is not None:
        request.check(read(der))
    found = verify_token(der, signature)
    reason = found.reason or found.weak
    if reason is None and found.authority is not None:
        reason = _purpose(found.authority)
    if found.integrity is None:
        raise TimestampError(
            "a timestamp is only taken once it is verified, and pyHanko is not installed: "
            "pip install dicomseal[timestamp]",
            "not_installed",
        )
    # a token without a certificate cannot be verified here, but the request may have asked for that
    bare = reason is not None and reason.code == ReasonCode.NO_SIGNING_CERTIFICATE_FOUND
    if reason is not None and not (bare and request is not None and not request.certificate):
        raise TimestampError(f"the timestamp was not taken: {reason.message}")
    return der


def _purpose(authority: Certificate) -> Reason | None:
    """Return why a certificate is not one of a timestamp authority, or None."""
    from ..signature.lenient_certificate import Certificate as Parsed
    from ..trust.certification_paths import check_time_stamping
    from ..trust.restrictions import Unacceptable

    try:
        check_time_stamping(Parsed.load(authority.der))
    except Unacceptable as error:
        return error.reason
    return None


def _check_wishes(algorithm: str, policy: str | None) -> None:
    if algorithm not in TIMESTAMP_ALGORITHMS:
        raise UsageError(
            f"a timestamp's hash is one of {', '.join(TIMESTAMP_ALGORITHMS)}, not {algorithm}"
        )
    if policy is not None and not (isinstance(policy, str) and _OID.fullmatch(policy)):
        raise UsageError(f"{policy!r} is not an OID, e.g. 1.2.3.4")

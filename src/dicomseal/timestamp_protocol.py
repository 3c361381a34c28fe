"""Ask a timestamp authority (TSA) for a timestamp: RFC 3161 requests and responses, over HTTP.

Requests are built and responses read by asn1crypto. A response is only taken if it answers this
request, and if its token is intact, for which ``dicomseal[timestamp]`` must be installed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from .certified_timestamp import Token, first_line, read, verify_token
from .errors import TimestampError, UsageError
from .terms import TIMESTAMP_ALGORITHMS
from .tsa_credentials import basic

if TYPE_CHECKING:
    from .certificate import Certificate
    from .report import Reason

MOST_BYTES = 1 << 20  # of a response, as of any value that is read from an object
_UNPARSABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError)
_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
}
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_GRANTED = ("granted", "granted_with_mods")


class Request(NamedTuple):
    """A timestamp request (RFC 3161 2.4.1).

    Attributes:
        algorithm: hash of the imprint, in asn1crypto's words.
        imprint: the Signature value, hashed.
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
    ) -> Request:
        """A request for a timestamp of a Signature value, without its padding.

        Raises:
            UsageError: the algorithm is none of SHA256, SHA384 and SHA512, or the policy no OID.
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
    def parse(cls, der: bytes) -> Request:
        """The request in a DER.

        Raises:
            TimestampError: it is none.
        """
        from asn1crypto import tsp

        try:
            made = tsp.TimeStampReq.load(der, strict=True)
            if made["version"].native != "v1":
                raise TimestampError("it is no timestamp request of version 1")
            policy = made["req_policy"]
            return cls(
                made["message_imprint"]["hash_algorithm"]["algorithm"].native,
                made["message_imprint"]["hashed_message"].native,
                made["nonce"].native,
                policy.dotted if policy.native else None,
                made["cert_req"].native,
            )
        except _UNPARSABLE as error:
            raise TimestampError(f"it is no timestamp request: {first_line(error)}") from None

    def encode(self) -> bytes:
        """The request in DER, as ``openssl ts`` and dcmsign read it."""
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
        made: bytes = tsp.TimeStampReq(fields).dump()
        return made

    def check(self, token: Token) -> None:
        """Whether a token answers this request.

        Raises:
            TimestampError: it does not.
        """
        if (token.algorithm, token.imprint) != (self.algorithm, self.imprint):
            raise TimestampError("the response is not to this request: it stamps something else")
        if token.nonce != self.nonce and self.nonce is not None:
            raise TimestampError("the response is not to this request: its nonce is another")
        if self.policy is not None and token.policy != self.policy:
            raise TimestampError(
                f"the authority followed the policy {token.policy}, not {self.policy}"
            )
        if self.certificate and not token.certificates:
            raise TimestampError("the authority's certificate was asked for, and is not there")


def token_of(response: bytes) -> bytes:
    """The timestamp token in a response, in DER; a bare token is taken too.

    Raises:
        TimestampError: it is neither, or the authority refused; the message says why.
    """
    from asn1crypto import cms, tsp

    try:
        der: bytes = cms.ContentInfo.load(response, strict=True).dump()
        read(der)
    except (*_UNPARSABLE, TimestampError):
        pass  # then it is a whole response, or nothing
    else:
        return der

    class Response(tsp.TimeStampResp):  # type: ignore[misc]
        """A refusal has no token (RFC 3161 2.4.2), which asn1crypto does not know."""

        _fields = [  # noqa: RUF012
            ("status", tsp.PKIStatusInfo),
            ("time_stamp_token", cms.ContentInfo, {"optional": True}),
        ]

    try:
        made = Response.load(response, strict=True)
        status = made["status"]
        if status["status"].native not in _GRANTED:
            said = [*(status["status_string"].native or ())]
            said += sorted(status["fail_info"].native or ())
            why = f": {'; '.join(said)}" if said else ""
            raise TimestampError(
                f"the authority refused ({status['status'].native}){why}", "refused"
            )
        if made["time_stamp_token"].native is None:
            raise TimestampError("the response holds no timestamp")
        der = made["time_stamp_token"].dump()
    except _UNPARSABLE as error:
        raise TimestampError(f"it is no timestamp response: {first_line(error)}") from None
    return der


def accept(response: bytes, signature: bytes, request: Request | None = None) -> bytes:
    """The token in a response, if it may be put beside a Signature value.

    Args:
        response: what the authority sent, DER.
        signature: the Signature value, without padding.
        request: what it was asked; without it nonce and policy cannot be compared.

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
    # without a certificate in it a token cannot be verified here, but that may have been asked for
    bare = reason is not None and reason.code == "NO_SIGNING_CERTIFICATE_FOUND"
    if reason is not None and not (bare and request is not None and not request.certificate):
        raise TimestampError(f"the timestamp was not taken: {reason.message}")
    return der


def _purpose(authority: Certificate) -> Reason | None:
    """Why a certificate is none of a timestamp authority, or None."""
    from .chain import check_time_stamping
    from .lenient import Certificate as Parsed
    from .restrictions import Unacceptable

    try:
        check_time_stamping(Parsed.load(authority.der))
    except Unacceptable as error:
        return error.reason
    return None


class TimestampAuthority:
    """A timestamp authority that answers over HTTP (RFC 3161 3.4).

    Args:
        url: ``http`` or ``https``.
        algorithm: hash of the imprint: SHA256, SHA384 or SHA512.
        policy: OID of the policy that the authority shall follow; None leaves it to the authority.
        timeout: seconds after which it is given up.
        credentials: user and password for HTTP Basic authentication (RFC 7617), e.g. from
            `tsa_credentials.find`; only over https, or to this machine.

    Raises:
        UsageError: for any of them.
    """

    def __init__(
        self,
        url: str,
        algorithm: str = "SHA256",
        policy: str | None = None,
        timeout: float = 30.0,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        if not isinstance(url, str) or not re.match(r"https?://[^/]", url):
            raise UsageError(f"{url!r} is no address of a timestamp authority: take http or https")
        if "@" in urlsplit(url).netloc:  # others would read it, in arguments and in messages
            raise UsageError("a timestamp authority's address holds no user and no password")
        self._headers = dict(_HEADERS)
        if credentials is not None:
            self._headers["Authorization"] = basic(url, credentials)
        _check_wishes(algorithm, policy)
        if not timeout > 0:
            raise UsageError("the time-out is a number of seconds above 0")
        self.url, self.algorithm, self.policy, self.timeout = url, algorithm, policy, timeout

    def stamp(self, signature: bytes) -> bytes:
        """A verified timestamp token, DER, of a Signature value without padding.

        Raises:
            TimestampError: there is none to be had; the message says why.
        """
        request = Request.make(signature, self.algorithm, self.policy)
        try:
            return accept(self._post(request.encode()), signature, request)
        except TimestampError as error:
            raise TimestampError(f"{self.url}: {error}", error.code) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        handlers: list[Any] = [_NoRedirect]
        if "Authorization" in self._headers and not self.url.startswith("https:"):
            # for this machine alone: a proxy would be handed them in the clear
            handlers.append(urllib.request.ProxyHandler({}))
        return urllib.request.build_opener(*handlers)

    def _post(self, body: bytes) -> bytes:
        deadline = time.monotonic() + self.timeout
        request = urllib.request.Request(  # noqa: S310 - http and https only, see above
            self.url, body, self._headers
        )
        try:
            with self._opener().open(request, timeout=self.timeout) as answer:
                data = b""
                while len(data) <= MOST_BYTES:
                    if time.monotonic() > deadline:  # a drop now and then is no answer
                        raise TimeoutError
                    more = answer.read1(MOST_BYTES)
                    if not more:
                        return data
                    data += more
        except urllib.error.HTTPError as error:
            error.close()
            said = f"HTTP {error.code} {error.reason}"
            if error.code == HTTPStatus.UNAUTHORIZED:
                known = "Authorization" in self._headers
                said += (
                    ": user or password is wrong" if known else ": it asks for user and password"
                )
            raise TimestampError(said, "http") from None
        except TimeoutError:
            raise TimestampError(f"no answer within {self.timeout:g} seconds", "timeout") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            if isinstance(why, TimeoutError):
                raise TimestampError(
                    f"no answer within {self.timeout:g} seconds", "timeout"
                ) from None
            raise TimestampError(f"cannot be reached: {why}", "http") from None
        raise TimestampError(f"the answer is longer than {MOST_BYTES} bytes", "limit")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET, and the request is gone: better to say where it went."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _check_wishes(algorithm: str, policy: str | None) -> None:
    if algorithm not in TIMESTAMP_ALGORITHMS:
        raise UsageError(
            f"a timestamp's hash is one of {', '.join(TIMESTAMP_ALGORITHMS)}, not {algorithm}"
        )
    if policy is not None and not (isinstance(policy, str) and _OID.fullmatch(policy)):
        raise UsageError(f"{policy!r} is no OID, e.g. 1.2.3.4")


def authority_of(source: Any) -> TimestampAuthority | None:
    """What ``tsa=`` of the signing functions takes: an address, an authority, or None.

    Raises:
        UsageError: it is something else.
    """
    if source is None or hasattr(source, "stamp"):
        made: TimestampAuthority | None = source
        return made
    return TimestampAuthority(source)


__all__ = ["Request", "TimestampAuthority", "accept", "authority_of", "token_of"]

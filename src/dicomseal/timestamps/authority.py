"""Ask a timestamp authority (TSA) for a timestamp: RFC 3161 requests and responses, over HTTP.

Requests are built and responses read by asn1crypto. A response is only taken if it answers this
request, and if its token is intact, for which ``dicomseal[timestamp]`` must be installed.
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import TimestampError, UsageError
from .credentials import basic
from .protocol import TimestampRequest, _check_wishes, accept

if TYPE_CHECKING:
    pass

MOST_BYTES = 1 << 20  # of a response, as of any value that is read from an object
_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
}


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
        request = TimestampRequest.make(signature, self.algorithm, self.policy)
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

    def redirect_request(self, *_: object) -> None:
        return None


def authority_of(source: Any) -> TimestampAuthority | None:
    """What ``tsa=`` of the signing functions takes: an address, an authority, or None.

    Raises:
        UsageError: it is something else.
    """
    if source is None or hasattr(source, "stamp"):
        made: TimestampAuthority | None = source
        return made
    return TimestampAuthority(source)


__all__ = ["TimestampAuthority", "authority_of"]

"""A timestamp authority (TSA) over HTTP: it is asked for timestamps by RFC 3161.

In: the Signature value, without padding.
Out: a verified timestamp token, DER.
PS3: PS3.15 Section C.1; PS3.3 C.12.1.1.3.1.3; RFC 3161 Section 3.4.

Requests are built and responses read by asn1crypto. A response is only accepted if it answers this
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

MAX_BYTES = 1 << 20  # of a response, as of any value that is read from an object
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
        timeout: seconds after which the request is given up.
        credentials: user and password for HTTP Basic authentication (RFC 7617), e.g. from
            `tsa_credentials.find`; only over https, or to this machine.

    Raises:
        UsageError: an argument is wrong.
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
            raise UsageError(
                f"{url!r} is not an address of a timestamp authority: use http or https"
            )
        if "@" in urlsplit(url).netloc:  # others would read it, in arguments and in messages
            raise UsageError("a timestamp authority's address must not contain user and password")
        self._headers = dict(_HEADERS)
        if credentials is not None:
            self._headers["Authorization"] = basic(url, credentials)
        _check_wishes(algorithm, policy)
        if not timeout > 0:
            raise UsageError("the time-out is a number of seconds above 0")
        self.url, self.algorithm, self.policy, self.timeout = url, algorithm, policy, timeout

    def stamp(self, signature: bytes) -> bytes:
        """Return a verified timestamp token, DER, of a Signature value without padding.

        Raises:
            TimestampError: no timestamp could be obtained; the message says why.
        """
        request = TimestampRequest.make(signature, self.algorithm, self.policy)
        try:
            return accept(self._post(request.encode()), signature, request)
        except TimestampError as error:
            raise TimestampError(f"{self.url}: {error}", error.code) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        handlers: list[Any] = [_NoRedirect]
        if "Authorization" in self._headers and not self.url.startswith("https:"):
            # only for this machine: a proxy would get them unencrypted
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
                while len(data) <= MAX_BYTES:
                    if time.monotonic() > deadline:  # an answer that only drips is too late
                        raise TimeoutError
                    more = answer.read1(MAX_BYTES)
                    if not more:
                        return data
                    data += more
        except urllib.error.HTTPError as error:
            error.close()
            message = f"HTTP {error.code} {error.reason}"
            if error.code == HTTPStatus.UNAUTHORIZED:
                known = "Authorization" in self._headers
                message += (
                    ": user or password is wrong" if known else ": it asks for user and password"
                )
            raise TimestampError(message, "http") from None
        except TimeoutError:
            raise TimestampError(f"no answer within {self.timeout:g} seconds", "timeout") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            if isinstance(why, TimeoutError):
                raise TimestampError(
                    f"no answer within {self.timeout:g} seconds", "timeout"
                ) from None
            raise TimestampError(f"cannot be reached: {why}", "http") from None
        raise TimestampError(f"the answer is longer than {MAX_BYTES} bytes", "limit")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirection: a redirected POST would become a GET, and the request be lost."""

    def redirect_request(self, *_: object) -> None:
        return None


def authority_of(source: Any) -> TimestampAuthority | None:
    """Return the authority for ``tsa=`` of the signing functions: an address, an authority or None.

    Raises:
        UsageError: it is something else.
    """
    if source is None or hasattr(source, "stamp"):
        authority: TimestampAuthority | None = source
        return authority
    return TimestampAuthority(source)


__all__ = ["TimestampAuthority", "authority_of"]

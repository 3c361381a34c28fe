"""Requests to a DICOMweb server: only the named one, bounded in time, and encrypted if needed.

* A redirection is followed only to the same server, or from HTTP to HTTPS on the same host: a named
  server must not choose another one.
* Credentials come from the environment: ``DICOMSEAL_DICOMWEB_TOKEN`` (Bearer), or
  ``DICOMSEAL_DICOMWEB_USER`` and ``DICOMSEAL_DICOMWEB_PASSWORD`` (Basic). Without TLS they are only
  sent to this machine itself.
* Certificates are checked against the anchors of the system, or those that ``SSL_CERT_FILE`` or
  ``SSL_CERT_DIR`` name. Proxies are those of the usual environment variables; no proxy is used for
  this machine itself.
* A compressed answer is refused, because a few compressed bytes could expand to very many.
"""

from __future__ import annotations

import base64
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import SourceError, UsageError

if TYPE_CHECKING:
    import httpx

UNREACHABLE = "unreachable"  # code: the server itself is not there, whatever is asked for
TRIES, PAUSE = 3, 0.2  # of what fails for the moment; seconds before the second
CONNECT, SILENCE = 10.0, 60.0  # seconds for a connection, and between two pieces of an answer
HEADERS = 120.0  # seconds until an answer begins
PATIENCE, SLOWEST = 60.0, 16 << 10  # seconds of an answer, and bytes for each second more
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_REDIRECTIONS = 5
_MAX_ANSWER = 1 << 20  # bytes of an answer to a request with a body
_BUSY = frozenset((502, 503, 504))
_CODES = {401: "permission", 403: "permission", 404: "not_found", 410: "not_found"}
_SENTENCES = {
    401: "it wants credentials (DICOMSEAL_DICOMWEB_TOKEN, or _USER and _PASSWORD), or others",
    403: "it does not let us see that",
    404: "it does not have that",
    406: "it does not give objects in the encoding that they are kept in",
    410: "it does not have that any more",
}
# one for each process: the connections of a process do not survive a fork
_clients: dict[int, httpx.Client] = {}
_lock = threading.Lock()


class Refused(SourceError):  # noqa: N818
    """The server did not send what was requested; ``status`` is its HTTP status."""

    def __init__(self, status: int, said: str) -> None:
        sentence = _SENTENCES.get(status, "it does not give that")
        super().__init__(
            f"the server answers {status}{f' {said}' if said else ''}: {sentence}",
            _CODES.get(status, "unreadable"),
        )
        self.status = status


@contextmanager
def answer(url: str, accept: str, query: dict[str, str] | None = None) -> Iterator[httpx.Response]:
    """Open a context with the answer to a GET; its body is read later, see `body`.

    Raises:
        SourceError: the server cannot be reached (code ``unreachable``), answers with another
            status than success (`Refused`), or with a compressed body.
        UsageError: httpx is not installed, or credentials would be sent without encryption.
    """
    import httpx

    try:
        response = _opened(url, accept, query)
        try:
            if not response.is_success:
                raise Refused(response.status_code, response.reason_phrase)
            packed = response.headers.get("content-encoding", "identity")
            if packed.lower() != "identity":
                raise SourceError(f"the answer is packed ({packed}), unasked", "unreadable")
            yield response
        finally:
            response.close()
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
        raise SourceError(f"the answer broke off: {said}", "truncated") from None
    except httpx.InvalidURL as error:
        raise SourceError(f"{url}: {error}", "unreadable") from None


def body(response: httpx.Response) -> Iterator[bytes]:
    """Yield the bytes of an answer as they arrive.

    Raises:
        SourceError: they arrive too slowly (code ``unreadable``).
        httpx.HTTPError: the connection broke; `answer` makes a `SourceError` of it.
    """
    begun, size = time.monotonic(), 0
    for piece in response.iter_raw():
        size += len(piece)
        # the time of the caller's own work counts as well: a large object may take longer
        if time.monotonic() - begun > PATIENCE + size / SLOWEST:
            raise SourceError(
                f"the answer comes too slowly: {size} bytes in {PATIENCE:g} seconds and more",
                "unreadable",
            )
        yield piece


def posted(
    url: str, content: Iterator[bytes], length: int, content_type: str, accept: str
) -> tuple[int, bytes]:
    """Send a body once, and return the status and the body of the answer, whatever it is.

    Args:
        length: of the content in bytes.

    Raises:
        SourceError: the server cannot be reached (code ``unreachable``), or its answer is cut off,
            or is longer than `_MAX_ANSWER`.
        UsageError: as `answer`.
    """
    client = _client()
    import httpx

    headers = {
        "Accept": accept, "Accept-Encoding": "identity", "Content-Type": content_type,
        "Content-Length": str(length),
    }  # fmt: skip
    try:
        request = client.build_request("POST", url, headers=headers, content=content)
        secret = _credentials(request.url)
        if secret:
            request.headers["Authorization"] = secret
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            data = bytearray()
            for piece in body(response):
                data += piece
                if len(data) > _MAX_ANSWER:
                    raise SourceError("the answer is too long", "limit")
            return response.status_code, bytes(data)
        finally:
            response.close()
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
        raise SourceError(f"the server does not answer: {said}", UNREACHABLE) from None


def _opened(url: str, accept: str, query: dict[str, str] | None) -> httpx.Response:
    """Return the answer; try again if the server is unreachable or busy for the moment."""
    import httpx

    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        last = attempt == TRIES - 1
        try:
            response = _followed(url, accept, query)
        except httpx.TransportError as error:
            if last:
                said = str(error) or type(error).__name__
                raise SourceError(f"the server does not answer: {said}", UNREACHABLE) from None
            continue
        if last or response.status_code not in _BUSY:
            return response
        response.close()
    raise AssertionError("the last try returns or raises")


def _followed(url: str, accept: str, query: dict[str, str] | None) -> httpx.Response:
    client = _client()
    headers = {"Accept": accept, "Accept-Encoding": "identity"}
    request = client.build_request("GET", url, headers=headers, params=query)
    secret = _credentials(request.url)
    for _ in range(_REDIRECTIONS):
        if secret:
            request.headers["Authorization"] = secret
        response = _answered(client, request)
        if not response.has_redirect_location:
            return response
        response.close()
        target = request.url.join(response.headers["location"])
        if not _same_server(request.url, target):
            raise SourceError(
                f"the server leads to another one, {target.scheme}://{target.netloc.decode()}, "
                "which was not named",
                "redirected",
            )
        request = client.build_request("GET", target, headers=headers)
    raise SourceError("the server leads on and on", "redirected")


def _answered(client: httpx.Client, request: httpx.Request) -> httpx.Response:
    """Send a request and return the answer before its body is read.

    httpx limits only the time between two pieces of the headers. A server may send headers, or
    interim answers (1xx), without end. Then its connection is closed, together with all others of
    this process, because there is no other way to close that one.

    Raises:
        SourceError: the headers did not end in time (code ``unreachable``).
        httpx.HTTPError: as `httpx.Client.send`.
    """
    given_up = threading.Event()

    def give_up() -> None:
        given_up.set()
        _close(client)

    timer = threading.Timer(HEADERS, give_up)
    timer.daemon = True
    timer.start()
    try:
        return client.send(request, stream=True, follow_redirects=False)
    except Exception:
        if given_up.is_set():
            raise SourceError(
                f"the server does not come to the end of its headers in {HEADERS:g} seconds",
                UNREACHABLE,
            ) from None
        raise
    finally:
        timer.cancel()


def _close(client: httpx.Client) -> None:
    """Close a client; another one is created when it is needed."""
    with _lock:
        if _clients.get(os.getpid()) is client:
            del _clients[os.getpid()]
    client.close()


def _same_server(one: httpx.URL, other: httpx.URL) -> bool:
    if other.userinfo or one.host != other.host:
        return False
    if one.scheme == other.scheme:
        return one.port == other.port
    return (one.scheme, other.scheme) == ("http", "https") and one.port == other.port


def _credentials(url: httpx.URL) -> str:
    token = os.environ.get("DICOMSEAL_DICOMWEB_TOKEN", "")
    user = os.environ.get("DICOMSEAL_DICOMWEB_USER", "")
    if not token and not user:
        return ""
    if url.scheme != "https" and url.host not in _THIS_MACHINE:
        raise UsageError(
            f"credentials are not sent to {url.host} without TLS: name dicomweb+https://, or take "
            "DICOMSEAL_DICOMWEB_* out of the environment"
        )
    if token:
        return f"Bearer {token}"
    password = os.environ.get("DICOMSEAL_DICOMWEB_PASSWORD", "")
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def check_credentials(url: str) -> None:
    """Check that requests to a URL are possible with the credentials that the environment has.

    Raises:
        UsageError: they are not, see `answer`, or httpx is not installed.
    """
    _client()
    import httpx

    _credentials(httpx.URL(url))


def _client() -> httpx.Client:
    """Return the client of this process, whose threads share its connections."""
    try:
        import httpx
    except ImportError:
        raise UsageError("dicomweb+http:// needs the extra: pip install dicomseal[gate]") from None
    with _lock:
        found = _clients.get(os.getpid())
        if found is None:
            found = _clients[os.getpid()] = httpx.Client(
                verify=ssl.create_default_context(),
                timeout=httpx.Timeout(SILENCE, connect=CONNECT),
                headers={"User-Agent": "dicomseal"},
                mounts=dict.fromkeys(
                    f"all://[{host}]" if ":" in host else f"all://{host}" for host in _THIS_MACHINE
                ),
            )
        return found

"""CRLs and OCSP responses over HTTP: only on request, bounded in time and size, cached.

In: a certificate and that of its authority.
Out: DER CRLs and OCSP responses, and sentences about what failed.
PS3: none; RFC 5280 Section 4.2.1.13 and RFC 6960.

The addresses are in certificates that already chain to an anchor, so an authority that the caller
trusts has chosen them. An answer is authenticated by its signature, as a file is.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.request import Request

import msgspec

from ..errors import SourceError, TrustError
from ..files.atomic import replacing
from ..signature.lenient_certificate import Certificate
from .outside import Unsuccessful, check_crl, check_ocsp

TIMEOUT = 10.0  # seconds for one answer, from first to last byte
MAX_CRL = 64 << 20  # bytes
MAX_OCSP = 1 << 20
RETRY = 300.0  # seconds until an address that failed is tried again
_CHUNK = 1 << 16
_MAX_ADDRESSES = 4  # of one certificate, for each kind


class Fetched(msgspec.Struct, frozen=True):
    """DER CRLs and OCSP responses, and sentences about what failed."""

    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    trouble: tuple[str, ...] = ()


class Fetcher:
    """Fetches CRLs and OCSP responses from the addresses in certificates.

    Args:
        timeout: seconds for one answer.
        largest_crl, largest_ocsp: bytes of an answer.
        folder: where answers are kept until their nextUpdate, for this and other processes; None
            keeps them in memory.

    Raises:
        TrustError: the folder cannot be made.
    """

    def __init__(
        self,
        timeout: float = TIMEOUT,
        largest_crl: int = MAX_CRL,
        largest_ocsp: int = MAX_OCSP,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.timeout, self.largest_crl, self.largest_ocsp = timeout, largest_crl, largest_ocsp
        self.folder = os.fspath(folder) if folder is not None else None
        self._failed: dict[str, tuple[float, str]] = {}
        self._kept: dict[str, bytes] = {}
        if self.folder is not None:
            try:
                os.makedirs(self.folder, exist_ok=True)
            except OSError as error:
                raise TrustError(f"{self.folder}: {error.strerror}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle for worker processes, without the answers that are kept in memory."""
        return Fetcher, (self.timeout, self.largest_crl, self.largest_ocsp, self.folder)

    def fetch(self, cert: Certificate, issuer: Certificate) -> Fetched:
        """Fetch the CRLs and OCSP responses about a certificate.

        Args:
            cert, issuer: `asn1crypto` certificates, the second the first one's authority.
        """
        crls: list[bytes] = []
        ocsps: list[bytes] = []
        trouble: list[str] = []
        for url in [*cert.crl_distribution_points][:_MAX_ADDRESSES]:
            self._one(url.url, None, crls, trouble)
        request = None
        for url in cert.ocsp_urls[:_MAX_ADDRESSES]:
            request = request or _request(cert, issuer)
            self._one(url, request, ocsps, trouble)
        return Fetched(tuple(crls), tuple(ocsps), tuple(trouble))

    def _one(
        self, url: str | None, request: bytes | None, found: list[bytes], trouble: list[str]
    ) -> None:
        if not url or url.split(":", 1)[0].lower() not in ("http", "https"):
            return  # e.g. ldap
        name = hashlib.sha256(url.encode() + b"\0" + (request or b"")).hexdigest()
        kept = self._look_up(name, request is not None)
        if kept is not None:
            found.append(kept)
            return
        failed, why = self._failed.get(name, (0.0, ""))
        if why and time.monotonic() - failed < RETRY:
            trouble.append(why)
            return
        try:
            data = self._get(url, request)
            until = _until(data, request is not None)
        except (OSError, HTTPException, ValueError) as error:
            why = f"{url}: {getattr(error, 'reason', None) or error or type(error).__name__}"
            self._failed[name] = time.monotonic(), why
            trouble.append(why)
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            return
        found.append(data)
        if until is not None and until > datetime.now(UTC):
            try:
                self._keep(name, data)
            except SourceError as error:
                trouble.append(str(error))

    def _get(self, url: str, request: bytes | None) -> bytes:
        """Download in a thread with a deadline, and abandon the thread if it is late.

        A server that sends its headers byte by byte would never exceed a socket's own time-out.
        """
        answers: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(self._download(url, request))
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                answers.put(error)

        threading.Thread(target=work, daemon=True, name="dicomseal-fetch").start()
        try:
            answer = answers.get(timeout=self.timeout)
        except queue.Empty:
            raise self._late() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _download(self, url: str, request: bytes | None) -> bytes:
        http_request = urllib.request.Request(url, data=request)  # noqa: S310 - http and https only
        if request is not None:
            http_request.add_header("Content-Type", "application/ocsp-request")
        largest = self.largest_crl if request is None else self.largest_ocsp
        end = time.monotonic() + self.timeout
        data = bytearray()
        with _opener().open(http_request, timeout=self.timeout) as answer:
            while chunk := answer.read1(_CHUNK):
                data += chunk
                if len(data) > largest:
                    raise ValueError(f"larger than {largest} bytes")
                if time.monotonic() > end:
                    raise self._late()  # the caller has usually stopped waiting, but not always
        return bytes(data)

    def _late(self) -> TimeoutError:
        return TimeoutError(f"not complete after {self.timeout:g} seconds")

    def _look_up(self, name: str, is_ocsp: bool) -> bytes | None:
        data = self._kept.get(name)
        if data is None and self.folder is not None:
            try:
                with open(os.path.join(self.folder, name), "rb") as file:
                    data = file.read()
            except OSError:
                return None
        if data is None:
            return None
        try:
            until = _until(data, is_ocsp)
        except ValueError:
            return None  # damaged: it is fetched again
        return data if until is not None and until > datetime.now(UTC) else None

    def _keep(self, name: str, data: bytes) -> None:
        if self.folder is None:
            self._kept[name] = data
        else:
            with replacing(os.path.join(self.folder, name)) as file:
                file.write(data)


class _OnlyHttp(urllib.request.HTTPRedirectHandler):
    """Follows redirections to HTTP and HTTPS only."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if newurl.split(":", 1)[0].lower() not in ("http", "https"):
            fp.close()
            raise urllib.error.URLError(f"redirected to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _OnlyHttp(),
    ):
        opener.add_handler(handler)
    return opener


def _request(cert: Certificate, issuer: Certificate) -> bytes:
    """Return an OCSP request; SHA-1 is an index in it, not a signature."""
    from pyhanko_certvalidator.authority import AuthorityWithCert
    from pyhanko_certvalidator.fetchers.common_utils import format_ocsp_request

    request: bytes = format_ocsp_request(
        cert, AuthorityWithCert(issuer), certid_hash_algo="sha1", request_nonces=False
    ).dump()
    return request


def _until(data: bytes, is_ocsp: bool) -> datetime | None:
    """Return the nextUpdate of an answer; ValueError if it is not an answer."""
    try:
        return check_ocsp(data) if is_ocsp else check_crl(data)
    except Unsuccessful as error:
        raise ValueError(str(error)) from None
    except TrustError as error:
        raise ValueError(f"no {'OCSP response' if is_ocsp else 'CRL'}: {error}") from None

"""Passing on what was accepted to another DICOMweb server, before its sender is answered."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..dicomweb import client
from ..errors import SourceError, UsageError
from .judgement import OUT_OF_RESOURCES
from .stow_answer import failure_in, is_stored

_BLOCK = 1 << 18
_JSON = "application/dicom+json"
_LATER = (408, 425, 429)  # of the client's statuses those with which it may try again
_REFUSED = 0x0110  # Processing failure (PS3.7 Annex C.5.14), where the server gives no reason


class Upstream:
    """A DICOMweb server behind the gate.

    Args:
        url: of its service, to which ``/studies`` is added.

    Raises:
        UsageError: it is no URL of HTTP, or names credentials, which come from the environment; or
            those would be sent in the clear.
    """

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        if split.scheme not in ("http", "https") or not split.hostname or "@" in split.netloc:
            raise UsageError("--stow-upstream: name a service, e.g. https://pacs.example/dicom-web")
        if split.query or split.fragment or re.search(r"\s", url):
            raise UsageError(f"--stow-upstream: {url}: name a service, without a query")
        self._url = f"{url.rstrip('/')}/studies"
        client.check_credentials(self._url)

    def send(self, path: str) -> tuple[int, str]:
        """Store an object there.

        Args:
            path: of the file.

        Returns:
            0 and "" if it is stored; else Failure Reason and Error Comment. If it does not answer,
            the reason is that it has no resources, so that the sender tries again.
        """
        boundary = secrets.token_hex(16)
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size

                def pieces() -> Iterator[bytes]:
                    yield head
                    while piece := file.read(_BLOCK):
                        yield piece
                    yield tail

                length = len(head) + size + len(tail)
                status, body = client.posted(self._url, pieces(), length, kind, _JSON)
        except OSError as error:
            return OUT_OF_RESOURCES, f"it cannot be read: {error.strerror}"
        except SourceError as error:
            return OUT_OF_RESOURCES, f"the server behind the gate: {error}"
        reason, said = failure_in(body)
        if not reason and (status == 200 or (status == 202 and is_stored(body))):
            return 0, ""
        if status >= 500 or status in _LATER:
            return OUT_OF_RESOURCES, f"the server behind the gate answers {status}"
        return reason or _REFUSED, said or f"the server behind the gate answers {status}"

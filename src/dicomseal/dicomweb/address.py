"""Addresses of studies, series and instances: ``dicomweb+https://HOST/…/studies/UID``."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import UsageError

SCHEMES = {"dicomweb+http": "http", "dicomweb+https": "https"}
_UID = r"[0-9]+(?:\.[0-9]+)*"
# not compiled here: every run asks whether a name is an address, and few have one
_RESOURCE = (
    rf"(?P<base>.*)/studies/(?P<study>{_UID})"
    rf"(?:/series/(?P<series>{_UID})(?:/instances/(?P<instance>{_UID}))?)?/?"
)
_PATH = r"[\w.~!$&'()*+,;=:@%/-]*"


class Address(NamedTuple):
    """A resource of a DICOMweb server (PS3.18 Table 10.4.1-1).

    Attributes:
        scheme: ``http`` or ``https``.
        server: host, and port if one is named.
        base: the path of the service, without a slash at its end.
        study, series, instance: UIDs; those after the study's may be empty.
    """

    scheme: str
    server: str
    base: str
    study: str
    series: str = ""
    instance: str = ""

    @property
    def path(self) -> str:
        """The path below the path of the service."""
        path = f"/studies/{self.study}"
        if self.series:
            path += f"/series/{self.series}"
        if self.instance:
            path += f"/instances/{self.instance}"
        return path

    @property
    def name(self) -> str:
        """The address as reports and ledgers write it."""
        return f"dicomweb+{self.scheme}://{self.server}{self.base}{self.path}"

    @property
    def url(self) -> str:
        """The URL for a request."""
        return f"{self.scheme}://{self.server}{self.base}{self.path}"


def is_uid(text: str) -> bool:
    """Return whether it is a UID (PS3.5 Section 9.1); a component may have a leading zero."""
    return len(text) <= 64 and re.fullmatch(_UID, text) is not None


def is_address(name: str) -> bool:
    """Return whether a name has the form of such an address."""
    return name.partition("://")[0] in SCHEMES


def address_of(name: str) -> Address:
    """Return the parts of a name.

    Raises:
        UsageError: it names no study, series or instance, or has parts that are not allowed.
    """
    # not imported at the top, because every run checks whether a name is an address
    from urllib.parse import urlsplit

    scheme = name.partition("://")[0]
    example = f"{scheme}://HOST/dicom-web/studies/UID"
    try:
        split = urlsplit(name)
        host, port = split.hostname or "", split.port
    except ValueError as error:
        raise UsageError(f"{scheme}://: {error}; e.g. {example}") from None
    if "@" in split.netloc:  # the message does not repeat it: it may be a password
        raise UsageError(f"{scheme}://: credentials come from the environment, not from the URL")
    found = re.fullmatch(_RESOURCE, split.path)
    odd = split.query or split.fragment or not re.fullmatch(r"[\w.:-]+", host, re.ASCII)
    if odd or found is None or not re.fullmatch(_PATH, found["base"], re.ASCII):
        raise UsageError(f"{name}: name a study, series or instance, e.g. {example}")
    uids = [found[one] or "" for one in ("study", "series", "instance")]
    if any(len(uid) > 64 for uid in uids):
        raise UsageError(f"{name}: a UID has 64 characters at most")
    server = f"[{host}]" if ":" in host else host
    return Address(
        SCHEMES[scheme], f"{server}:{port}" if port else server, found["base"].rstrip("/"), *uids
    )

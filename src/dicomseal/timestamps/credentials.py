"""User and password for a timestamp authority: from the environment or a netrc file.

They never come from arguments, which everyone on the machine can read; and no message repeats what
was read.
"""

from __future__ import annotations

import base64
import os
from urllib.parse import urlsplit

from ..errors import UsageError
from ..keys.secret_files import read_secret

_HERE = ("localhost", "127.0.0.1", "::1")


def find(source: str, url: str) -> tuple[str, str]:
    """Find user and password for an authority.

    Args:
        source: ``netrc``, the file that the environment variable NETRC names, otherwise
            ``~/.netrc``; or ``env:NAME``, an environment variable that holds ``user:password``.
        url: the authority's address.

    Raises:
        UsageError: there are none.

    Warns:
        KeyFileWarning: others than the netrc file's owner may read or write it.
    """
    if source == "netrc":
        return _of_netrc(urlsplit(url).hostname or "")
    kind, _, name = source.partition(":")
    if kind != "env" or not name:
        raise UsageError("credentials come from netrc or env:NAME")
    user, colon, password = os.environ.get(name, "").partition(":")
    if not user or not colon:
        raise UsageError("there is no environment variable of that name that holds user:password")
    return user, password


def _of_netrc(host: str) -> tuple[str, str]:
    import netrc

    path = os.environ.get("NETRC") or os.path.join(os.path.expanduser("~"), ".netrc")
    trouble = ""
    found = None
    try:
        read_secret(path)  # warns if others can read it
        found = netrc.netrc(path).authenticators(host)
    except netrc.NetrcParseError as error:
        trouble = f"line {error.lineno} cannot be read"
    except (OSError, ValueError) as error:
        trouble = getattr(error, "strerror", None) or "no text"
    if trouble:
        raise UsageError(f"{path}: {trouble}")
    if found is None or not found[0] or not found[2]:
        raise UsageError(f"{path}: no user and password for {host}")
    return found[0], found[2]


def basic(url: str, credentials: tuple[str, str]) -> str:
    """Return the value of the header Authorization (RFC 7617).

    Raises:
        UsageError: everyone on the way could read them, or they cannot be sent.
    """
    place = urlsplit(url)
    if place.scheme != "https" and place.hostname not in _HERE:
        raise UsageError("user and password are sent over https only")
    user, password = credentials
    if ":" in user or not (user + password).isprintable():
        raise UsageError("a user with a colon, or control characters in user or password")
    both = f"{user}:{password}".encode(errors="surrogateescape")
    return "Basic " + base64.b64encode(both).decode()

"""Files that hold a secret: reading them, with a warning if others can read them."""

from __future__ import annotations

import os
import stat
import warnings

from ..errors import KeyFileWarning


def read_secret(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file with a secret; warn if others may read or write the file.

    The warning comes once for each file and process.

    Raises:
        OSError, ValueError: as `open`.

    Warns:
        KeyFileWarning: see there. Only for regular files of POSIX systems; the permissions of a
            pipe say nothing.
    """
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read()
    exposed = os.name == "posix" and stat.S_ISREG(mode) and mode & _OTHERS
    if exposed and (os.fsdecode(path), mode) not in _warned:
        _warned.add((os.fsdecode(path), mode))
        who = "every user" if mode & 0o006 else "its group"
        warnings.warn(
            f"{_shown(path)}: {who} can {'read' if mode & 0o044 else 'write'} this file, and it "
            f"holds a secret (mode {stat.S_IMODE(mode):04o}; chmod 600 shuts them out)",
            KeyFileWarning,
            stacklevel=2,
        )
    return data


_OTHERS = 0o066  # read or write, group or everyone


_MAX_SHOWN = 255


# Python's own "once" does not last: warnings.catch_warnings() resets it
_warned: set[tuple[str, int]] = set()


def _shown(path: str | os.PathLike[str]) -> str:
    """Return a path for messages; hide a text that is not a path, as it may be a key."""
    name = os.fsdecode(path)
    if name.isprintable() and len(name) <= _MAX_SHOWN:
        return name
    return f"(a text of {len(name)} characters that is not shown)"

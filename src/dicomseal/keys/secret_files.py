"""Files that hold a secret: read with care for who else can read them."""

from __future__ import annotations

import os
import stat
import warnings

from ..errors import KeyFileWarning


def read_secret(path: str | os.PathLike[str]) -> bytes:
    """What is in a file with a key or a password; warns if others may read or write that file.

    The warning comes once for a file and a process.

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


_LONGEST_SHOWN = 255


# Python's own "once" does not last: whoever uses warnings.catch_warnings() starts it anew
_warned: set[tuple[str, int]] = set()


def _shown(path: str | os.PathLike[str]) -> str:
    """A path for messages; not what is no path at all, but the text of a key given by mistake."""
    name = os.fsdecode(path)
    if name.isprintable() and len(name) <= _LONGEST_SHOWN:
        return name
    return f"(a text of {len(name)} characters that is not shown)"

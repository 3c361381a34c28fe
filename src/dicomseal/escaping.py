"""Text from strangers in outputs: paths that can be read back, lines without terminal commands.

In: a path, or a line that may contain names from an object or a file system. Out: printable text.
These functions are also names of `dicomseal.report`, from which programs import them.
"""

from __future__ import annotations

import os
import re

_ESCAPES = re.compile(
    rb"\\(?:(?P<same>\\)|x(?P<byte>[0-9a-f]{2})|(?P<short>[nrt])"
    rb"|u(?P<four>[0-9a-f]{4})|U(?P<eight>[0-9a-f]{8}))"
)
_SHORT = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def escaped(path: str | bytes) -> str:
    r"""Return a path as every output writes it: text from which `unescaped` makes the path again.

    Two different paths must not read the same. A byte that is not UTF-8 is written as ``\xfc``. So
    that no file name can imitate that, a backslash is doubled, except where it separates folders.
    """
    if isinstance(path, str):
        if path.isascii() and "\\" not in path:
            return path
        try:
            data = path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # a text that cannot be a file name
            data = path.encode("utf-8", "backslashreplace")
    else:
        data = path
    if os.sep != "\\":
        data = data.replace(b"\\", b"\\\\")
    return data.decode("utf-8", "backslashreplace")


def unescaped(path: str) -> str:
    """Return the path from which `escaped`, or a text for people, was made; `open` takes it."""

    def plain(found: re.Match[bytes]) -> bytes:
        same, byte, short, four, eight = found.groups()
        if byte:
            return bytes.fromhex(byte.decode())
        code = four or eight
        return chr(int(code, 16)).encode() if code else same or _SHORT[short]

    if os.sep == "\\":
        return path
    return _ESCAPES.sub(plain, path.encode()).decode("utf-8", "surrogateescape")


def harmless(line: str) -> str:
    """Return a line without line ends and terminal commands, as names come from strangers."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else _printed(c) for c in line)


def _printed(character: str) -> str:
    # \\xad is a byte of a file name that is not UTF-8, see `escaped`
    code = ord(character)
    return f"\\u{code:04x}" if 0x80 <= code <= 0xFF else ascii(character)[1:-1]

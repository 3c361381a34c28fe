"""Evidence as files: stream, MAC, Signature value, certificates, and a script that checks them.

With these, anyone can verify a signature with OpenSSL alone, and check the results of this program.
"""

from __future__ import annotations

import base64
import os
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO

from ..errors import SourceError, UsageError
from . import by_hand
from .chain import ANCHOR, AUTHORITY, Link

if TYPE_CHECKING:
    from .explanation import Explanation
    from .subject import Explained, Subject

SCRIPT = "verify.sh"
_HEAD = """#!/bin/sh
# Checks a DICOM Digital Signature with OpenSSL alone (PS3.3 C.12.1.1.3, PS3.15 Annex C).
# It ends with 0 if the signature is one of this certificate's key over this stream.
cd "$(dirname "$0")" || exit 2
"""
_UID = re.compile(r"[0-9.]{1,64}")


def export(subject: Subject, explanation: Explanation, folder: str) -> list[str]:
    """Write the evidence of each signature that is explained.

    The files of one signature are in the folder itself; several signatures have numbered folders in
    it.

    Args:
        subject: the object.
        explanation: the explanation of it.
        folder: a new or an empty one; nothing is ever replaced. Only its owner can read it.

    Returns:
        The scripts.

    Raises:
        UsageError: the folder is not empty, or is not a folder.
        SourceError: it cannot be written, or the object changed meanwhile.
    """
    if not subject.signatures:
        raise UsageError("there is no signature of which anything could be exported")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.listdir(folder):
            raise UsageError(f"--export: {folder} is not empty; name a new folder")
        several = len(subject.signatures) > 1
        scripts = []
        for number, (one, told) in enumerate(
            zip(subject.signatures, explanation.signatures, strict=True), 1
        ):
            place = os.path.join(folder, str(number)) if several else folder
            if several:
                os.mkdir(place, 0o700)
            _signature(one, told.links, place)
            scripts.append(os.path.join(place, SCRIPT))
        if several:
            _all(folder, len(scripts))
            scripts.insert(0, os.path.join(folder, SCRIPT))
    except OSError as error:
        raise SourceError(
            f"{folder}: cannot be written: {error.strerror or error}", "write"
        ) from None
    if subject.part10 is not None:
        subject.part10.check()
    return scripts


def _signature(one: Explained, links: tuple[Link, ...], folder: str) -> None:
    def stream(file: BinaryIO) -> None:
        one.stream(file.write)
        file.write(one.own)

    _write(folder, by_hand.STREAM, stream)
    _write(folder, by_hand.MAC, one.computed)
    _write(folder, by_hand.VALUE, one.signature_value)
    if one.certificate is not None:
        _write(folder, by_hand.CERTIFICATE, pem(one.certificate.der))
    for name, role in ((by_hand.AUTHORITIES, AUTHORITY), (by_hand.TRUSTED, ANCHOR)):
        found = [pem(link.der) for link in links if link.role == role]
        if found:
            _write(folder, name, b"".join(found))
    _write(folder, SCRIPT, _script(one, links).encode(), 0o700)


def _script(one: Explained, links: tuple[Link, ...]) -> str:
    uid = one.report.uid if _UID.fullmatch(one.report.uid) else "(no UID)"
    lines = by_hand.commands(one)
    if not lines:
        return f"{_HEAD}# Signature {uid}\necho 'nothing can be computed here'\nexit 2\n"
    chain = by_hand.chain_command(one, links)
    *first, last = lines
    text = [f"{_HEAD}# Signature {uid}", *first]
    if chain:
        text += ["# whom it trusts is another question than whether the signature is right", chain]
    return "\n".join([*text, last]) + "\n"


def _all(folder: str, count: int) -> None:
    """Write a script that runs the scripts of all signatures."""
    numbers = " ".join(map(str, range(1, count + 1)))
    text = (
        f"{_HEAD}right=0\nfor number in {numbers}; do\n"
        f'  echo "signature $number"\n  sh "$number/{SCRIPT}" || right=1\ndone\nexit $right\n'
    )
    _write(folder, SCRIPT, text.encode(), 0o700)


def pem(der: bytes) -> bytes:
    """Return a certificate in PEM (RFC 7468)."""
    lines: Iterable[str] = textwrap.wrap(base64.b64encode(der).decode(), 64)
    text = "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"))
    return text.encode() + b"\n"


def _write(
    folder: str, name: str, data: bytes | Callable[[BinaryIO], None], mode: int = 0o600
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(os.path.join(folder, name), flags, mode), "wb") as file:
        if callable(data):
            data(file)
        else:
            file.write(data)

"""DCMTK's dcmsign and dcmconv as programs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .dumps import environment

PROGRAMS = ("dcmsign", "dcmconv")
SECONDS = 120


class Answer(NamedTuple):
    """What a program said: whether it was content, and if not, why."""

    ok: bool
    words: str = ""


class Dcmtk:
    """The programs, with one signer and one anchor.

    Args:
        key, certificate, authority: PEM files.
    """

    def __init__(self, key: str, certificate: str, authority: str) -> None:
        self._signer = ("+s", key, certificate, "+m2")
        self._authority = authority

    def sign(
        self, source: Path, target: Path, stream: Path, tags: Iterable[int] | None = None
    ) -> Answer:
        """Sign, and write down what was hashed.

        Args:
            source: the object.
            target: the signed one.
            stream: for the bytes that were hashed.
            tags: what to sign; None is what dcmsign signs by itself.
        """
        listed: tuple[object, ...] = ()
        if tags is not None:
            names = stream.with_suffix(".tags")
            names.write_text("".join(f"({t >> 16:04x},{t & 0xFFFF:04x})\n" for t in tags))
            listed = ("-tf", names)
        return _run("dcmsign", *self._signer, *listed, "+d", stream, source, target)

    def verify(self, source: Path) -> Answer:
        """Whether it has a signature, all are good, and the signer is trusted."""
        return _run("dcmsign", "+cf", self._authority, "+rg", source)

    def convert(self, source: Path, target: Path, *options: str) -> Answer:
        """Re-encode."""
        return _run("dcmconv", *options, source, target)


def missing() -> list[str]:
    """The programs that are not here."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def version() -> str:
    """Of DCMTK."""
    done = subprocess.run(["dcmsign", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"v(\S+)", done.stdout)
    assert found is not None, done.stdout
    return found[1]


def _run(*command: object) -> Answer:
    # dcmsign ignores the offset of Digital Signature DateTime: in UTC that makes no difference
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True, text=True, errors="replace",
            env=environment() | {"TZ": "UTC"}, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer(False, f"no answer within {SECONDS} seconds")
    if done.returncode == 0:
        return Answer(True)
    return Answer(False, _reason((done.stdout + done.stderr).splitlines(), done.returncode))


def _reason(lines: list[str], code: int) -> str:
    """Why it was not content: the verdict on a signature, else the first error."""
    verdict = "Signature Verification : "
    failed = [line for line in lines if verdict in line and not line.endswith("OK")]
    errors = [line for line in lines if line.startswith(("E:", "F:"))]
    for line in failed + errors:
        return re.sub(r"^[A-Z]: +", "", line).removeprefix(verdict)
    return f"exit code {code}"

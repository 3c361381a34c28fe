"""A document that is followed from its first block to its last: commands, programs, output."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"```(console|python)\n(.*?)```", re.DOTALL)


class Ran(NamedTuple):
    """One command of a document.

    Attributes:
        line: the command, without the exit code that may follow it behind a number sign.
        code: the exit code that the document says; 0 if it says none.
        expected: the output that the document shows.
        done: what the command did.
    """

    line: str
    code: int
    expected: str
    done: subprocess.CompletedProcess[str]

    @property
    def output(self) -> str:
        """What a person sees."""
        return self.done.stdout + self.done.stderr


def run(line: str) -> subprocess.CompletedProcess[str]:
    """A command as a document has it; ``dicomseal`` is that of this interpreter."""
    words = shlex.split(line)
    if words[0] == "dicomseal":
        words[:1] = [sys.executable, "-m", "dicomseal"]
    return subprocess.run(words, capture_output=True, text=True)


def follow(document: Path, names: dict[str, object]) -> Iterator[Ran]:
    """Go through a document in the current folder; each command as it was run.

    Args:
        document: in Markdown.
        names: what its programs see and leave behind.
    """
    for kind, block in BLOCK.findall(document.read_text("utf-8")):
        if kind == "python":
            exec(compile(block, document.name, "exec"), names)
            continue
        for part in block.split("$ ")[1:]:
            line, _, expected = part.partition("\n")
            line, _, code = line.partition(" # ")
            yield Ran(line, int(code or 0), expected, run(line))


def says_nothing(line: str) -> bool:
    """Whether a document leaves out what a command prints: the dots of a key that is made."""
    return line.startswith("openssl req ")

"""``-`` as the name of a file: standard input and standard output."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import click

from ..errors import EncodingError, MalformedError, SigningError, SourceError, UsageError
from ..report import escaped, harmless

STANDARD = "-"


def source_of(name: str) -> str | bytes:
    """What is to be read: the path, or all that comes on standard input, which is held in memory.

    Raises:
        UsageError: there is no standard input.
    """
    return name if name != STANDARD else standard_input().read()


@contextlib.contextmanager
def naming(source: str, target: str = "") -> Iterator[None]:
    """Have the errors of what is done with a file name it; one that names its target may do so.

    Args:
        source: the path of the file, or ``-``.
        target: the path that is written to.
    """
    try:
        yield
    except (EncodingError, MalformedError, SigningError, SourceError) as error:
        said = str(error)
        if not any(name and said.startswith(f"{name}: ") for name in (source, target)):
            name = "standard input" if source == STANDARD else harmless(escaped(source))
            error.args = (f"{name}: {said}", *error.args[1:])
        raise


def standard_input() -> BinaryIO:
    """Standard input, as bytes.

    Raises:
        UsageError: there is none.
    """
    if sys.stdin is None:
        raise UsageError("there is no standard input")
    return sys.stdin.buffer


def once_at_most(names: Sequence[str]) -> None:
    """Standard input can be read once.

    Raises:
        UsageError: it is named twice.
    """
    if names.count(STANDARD) > 1:
        raise UsageError("- is standard input, which can be read only once")


class Target:
    """Where a command writes an object, and what it says of it.

    Args:
        name: a path, or ``-``: then what a person should know goes to standard error.

    Raises:
        UsageError: standard output is a terminal, or is not there.
    """

    def __init__(self, name: str) -> None:
        self._standard = name == STANDARD
        if self._standard and (sys.stdout is None or sys.stdout.isatty()):
            raise UsageError("an object is not written to a terminal; name a file, or use a pipe")
        # first into memory: of what cannot be done nothing is written
        self.file: str | BinaryIO = io.BytesIO() if self._standard else name

    def say(self, text: str) -> None:
        """A line for people and scripts: on standard output, unless the object goes there."""
        click.echo(text, err=self._standard)

    def done(self) -> None:
        """The object is complete: pass it on."""
        if isinstance(self.file, io.BytesIO):
            sys.stdout.buffer.write(self.file.getbuffer())
            sys.stdout.buffer.flush()

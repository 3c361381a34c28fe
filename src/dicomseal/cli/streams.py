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
    """Return the path, or all bytes of standard input, which are held in memory.

    Raises:
        UsageError: there is no standard input.
    """
    return name if name != STANDARD else standard_input().read()


@contextlib.contextmanager
def naming(source: str, target: str = "") -> Iterator[None]:
    """Open a context in which an error that concerns a file names it.

    An error that names the target is not changed.

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
    """Return standard input, as a binary file.

    Raises:
        UsageError: there is no standard input.
    """
    if sys.stdin is None:
        raise UsageError("there is no standard input")
    return sys.stdin.buffer


def once_at_most(names: Sequence[str]) -> None:
    """Check that standard input is named once at most, as it can be read only once.

    Raises:
        UsageError: it is named twice.
    """
    if names.count(STANDARD) > 1:
        raise UsageError("- is standard input, which can be read only once")


class Target:
    """The target of a command that writes an object, and of its messages.

    Args:
        name: a path, or ``-``: then messages for people go to standard error.

    Raises:
        UsageError: standard output is a terminal, or does not exist.
    """

    def __init__(self, name: str) -> None:
        self._standard = name == STANDARD
        if self._standard and (sys.stdout is None or sys.stdout.isatty()):
            raise UsageError("an object is not written to a terminal; name a file, or use a pipe")
        # first into memory: after an error nothing is written
        self.file: str | BinaryIO = io.BytesIO() if self._standard else name

    def say(self, text: str) -> None:
        """Print a line for people and scripts: on standard output, unless the object goes there."""
        click.echo(text, err=self._standard)

    def done(self) -> None:
        """Write the complete object."""
        if isinstance(self.file, io.BytesIO):
            sys.stdout.buffer.write(self.file.getbuffer())
            sys.stdout.buffer.flush()

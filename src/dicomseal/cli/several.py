"""A command on several files: the result of each; a file that fails does not end the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import click

from ..errors import (
    CertificateError,
    DicomSealError,
    KeyFileError,
    SourceError,
    TimestampError,
    UsageError,
)
from ..report import escaped, harmless
from .streams import STANDARD

EXIT_FAILED = 1
# these errors of one file would be those of every other file too
_GONE = (KeyFileError, CertificateError, TimestampError)


class Step(NamedTuple):
    """A file, and the path of its result."""

    source: str
    target: str


def steps(paths: Sequence[str], in_place: bool, folder: str | None) -> list[Step] | None:
    """Return the steps; None for ``IN OUT``, one file and its result.

    Args:
        paths: the files, or these two.
        in_place: each file is its own target.
        folder: for files of the same names; it is created if it does not exist.

    Raises:
        UsageError: they make no sense, or two files would have the same target.
    """
    if in_place and folder is not None:
        raise UsageError("say where it goes: --in-place or --target DIR")
    if not in_place and folder is None:
        if len(paths) == 1:
            raise UsageError("say where it goes: OUT, --in-place or --target DIR")
        if len(paths) > 2:
            raise UsageError("several files need --in-place or --target DIR")
        return None
    if STANDARD in paths:
        raise UsageError("- has no name to write to; name OUT, which may be -")
    result = [
        Step(
            path,
            path
            if folder is None
            else os.path.join(folder, os.path.basename(os.path.normpath(path))),
        )
        for path in paths
    ]
    known: dict[str, str] = {}
    for step in result:
        other = known.setdefault(os.path.realpath(step.target), step.source)
        if other is not step.source:
            raise UsageError(
                f"{step.source} and {other} would both become {step.target}"
                if folder is not None
                else f"{step.source} and {other} are one file"
            )
    if folder is not None:
        try:
            os.makedirs(folder, exist_ok=True)
        except (OSError, ValueError) as error:  # the latter for a NUL
            raise UsageError(f"{folder}: {getattr(error, 'strerror', None) or error}") from None
    return result


def each(todo: Sequence[Step], act: Callable[[Step], Sequence[str]], doing: str, done: str) -> int:
    """Process each file, print the results, and return the exit code.

    Args:
        todo: the files.
        act: processes one, and returns lines for standard output.
        doing, done: the verb, for the progress line and the summary.

    Raises:
        DicomSealError: every other file would fail as well; the number of the rest is printed.
    """
    failed = 0
    count = 0
    for step in _watched(todo, doing):
        try:
            lines = act(step)
        except DicomSealError as error:
            message = str(error).removeprefix(f"{step.source}: ")
            click.echo(harmless(f"dicomseal: {escaped(step.source)}: {message}"), err=True)
            if isinstance(error, _GONE) or error.code == "no_space":
                left = len(todo) - count
                click.echo(f"dicomseal: stopped: {count} {done}, {left} not", err=True)
                raise click.exceptions.Exit(EXIT_FAILED) from None
            failed += 1
            continue
        for line in lines:
            click.echo(line)
        count += 1
    if failed:
        click.echo(f"dicomseal: {count} {done}, {failed} not", err=True)
    return EXIT_FAILED if failed else 0


def _watched(todo: Sequence[Step], doing: str) -> Iterator[Step]:
    """Yield the steps, with a progress line on standard error while a person watches."""
    if len(todo) == 1 or not sys.stderr.isatty():
        return iter(todo)
    from .progress import counted

    return counted(todo, doing)


def check(step: Step, overwrite: bool) -> None:
    """Check that the source is a file, and that no other file is replaced unintentionally.

    Raises:
        SourceError: the source is a folder, or the target is another existing file (code
            ``exists``).
    """
    if os.path.isdir(step.source):
        raise SourceError(f"{step.source}: is a folder; name the files in it")
    if not overwrite and os.path.lexists(step.target):
        raise SourceError(f"{step.target} exists already; see --overwrite", "exists")

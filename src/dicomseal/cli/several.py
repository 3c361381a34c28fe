"""Several files in one command: what becomes of each, and that one which fails ends no other."""

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
# what one file fails for, and every other would too
_GONE = (KeyFileError, CertificateError, TimestampError)


class Step(NamedTuple):
    """A file, and where what is made of it goes."""

    source: str
    target: str


def steps(paths: Sequence[str], in_place: bool, folder: str | None) -> list[Step] | None:
    """What is to be done; None for ``IN OUT``, one file and where it goes.

    Args:
        paths: the files, or these two.
        in_place: each file is its own target.
        folder: where files of the same names go; it is made if it is not there.

    Raises:
        UsageError: they make no sense, or two files would become one.
    """
    if in_place and folder is not None:
        raise UsageError("say which: --in-place or --target DIR")
    if not in_place and folder is None:
        if len(paths) == 1:
            raise UsageError("say where it goes: OUT, --in-place or --target DIR")
        if len(paths) > 2:
            raise UsageError("several files need --in-place or --target DIR")
        return None
    if STANDARD in paths:
        raise UsageError("- has no name to write to; name OUT, which may be -")
    made = [
        Step(
            path,
            path
            if folder is None
            else os.path.join(folder, os.path.basename(os.path.normpath(path))),
        )
        for path in paths
    ]
    known: dict[str, str] = {}
    for step in made:
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
    return made


def each(todo: Sequence[Step], act: Callable[[Step], Sequence[str]], doing: str, done: str) -> int:
    """Do it for each file, and say what came of it; the exit code.

    Args:
        todo: the files.
        act: does it for one, and returns lines for standard output.
        doing, done: the verb, for the progress line and the summary.

    Raises:
        DicomSealError: one for which every other would fail too; how many are left is said.
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
    """The same, with a progress line on standard error while a person watches."""
    if len(todo) == 1 or not sys.stderr.isatty():
        return iter(todo)
    from .progress import counted

    return counted(todo, doing)


def check(step: Step, overwrite: bool) -> None:
    """See to it that there is a file, and that none is replaced that was not meant.

    Raises:
        SourceError: the source is a folder, or the target is another file that is there (code
            ``exists``).
    """
    if os.path.isdir(step.source):
        raise SourceError(f"{step.source}: is a folder; name the files in it")
    if not overwrite and os.path.lexists(step.target):
        raise SourceError(f"{step.target} is there already; see --overwrite", "exists")

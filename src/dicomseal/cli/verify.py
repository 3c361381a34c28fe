"""``dicomseal verify``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
import msgspec

from .. import report
from ..report import ErrorReport, ObjectReport
from ..verifier import Options, verify_with
from .streams import STANDARD, once_at_most, source_of
from .trust_options import trust_options, verification
from .verify_options import demanded, jobs_option, verify_options

_EPILOG = """\b
Exit codes: 0 every object passed, 1 something failed, 2 usage,
3 nothing failed but something is indeterminate, 4 something is unreadable.
An unsigned object counts as 0, with --require signature as 1.

\b
Examples:
  dicomseal verify --trust ca.pem ct.dcm
  dicomseal verify --trust ca.pem --require signature --format jsonl archive/ > report.jsonl
  dicomseal verify --trust ca.pem --require-signed PatientID --require-signed PixelData ct.dcm
"""


@click.command("verify", epilog=_EPILOG)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@trust_options
@verify_options
@jobs_option
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    show_default=True,
    help="json: one object for one file, else a list.",
)
def command(
    paths: tuple[str, ...],
    jobs: int,
    output: str,
    **given: Any,
) -> None:
    """Verify every digital signature of the objects at PATH; folders are walked, - is standard
    input.

    Integrity and trust are separate answers: is the content what was signed, and does the
    certificate chain to an anchor that you trust?
    """  # fmt: skip
    once_at_most(paths)
    options = Options(**verification(given), **demanded(given))
    counts: dict[str, int] = {}
    writer = _Writer(output, single=len(paths) == 1 and not os.path.isdir(paths[0]))
    for made in _watched(_reports(paths, options, jobs), paths):
        counts[made.verdict] = counts.get(made.verdict, 0) + 1
        writer.write(made)
    writer.close(counts)
    raise click.exceptions.Exit(exit_code(counts))


def exit_code(counts: dict[str, int]) -> int:
    """The exit code for so many objects of each verdict."""
    if counts.get(report.FAILED):
        return 1
    if counts.get(report.ERROR):
        return 4
    if counts.get(report.INDETERMINATE):
        return 3
    return 0


def walk(path: str, linked: Callable[[str], object] = str) -> Iterator[str]:
    """The files at a path: itself, or all below a folder, in a stable order.

    Links to files are followed, links to folders are not: ``linked`` is called with each.
    """
    if not os.path.isdir(path):
        yield path
        return
    pending = [path]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda e: e.name)
        except OSError:
            yield folder  # to open it will tell why, and the rest of the walk goes on
            continue
        pending += [e.path for e in reversed(entries) if e.is_dir(follow_symlinks=False)]
        for entry in entries:
            if entry.is_symlink() and os.path.isdir(entry.path):
                linked(entry.path)
            elif not entry.is_dir(follow_symlinks=False):
                yield entry.path


def _reports(paths: tuple[str, ...], options: Options, jobs: int) -> Iterator[ObjectReport]:
    empty: list[str] = []
    linked: list[str] = []
    if STANDARD in paths:
        made = verify_with(source_of(STANDARD), options)
        yield msgspec.structs.replace(made, path=STANDARD)
    files = _files([path for path in paths if path != STANDARD], empty, linked)
    if jobs == 1:
        for file in files:
            yield verify_with(file, options)
    else:
        from ..parallel import verify_many

        yield from verify_many(files, options, jobs)
    for path in empty:
        trouble = ErrorReport("empty_folder", "the folder holds no file")
        yield ObjectReport(path=path, verdict=report.ERROR, error=trouble)
    if linked:
        from ..archive.walk import LINK_TO_FOLDER, PassedOver

        passed = PassedOver()
        for path in linked:
            passed.add(LINK_TO_FOLDER, path)
        for line in passed.lines():
            click.echo(f"dicomseal: {report.harmless(line)}", err=True)


def _files(paths: Sequence[str], empty: list[str], linked: list[str]) -> Iterator[str]:
    for path in paths:
        found = False
        for file in walk(path, linked.append):
            found = True
            yield file
        if not found:
            empty.append(path)


def _watched(reports: Iterator[ObjectReport], paths: tuple[str, ...]) -> Iterator[ObjectReport]:
    """The same, with a progress bar on standard error while a person watches a folder."""
    if not sys.stderr.isatty() or not any(os.path.isdir(path) for path in paths):
        return reports
    from .progress import watched

    return watched(reports, sum(1 for path in paths for _ in walk(path)))


class _Writer:
    """Reports to standard output, in one of the formats."""

    def __init__(self, output: str, single: bool) -> None:
        self._output, self._single = output, single
        self._first = True

    def write(self, made: ObjectReport) -> None:
        if self._output == "text":
            from .text import render

            click.echo(render(made))
        elif self._output == "jsonl":
            click.echo(made.to_json().decode())
        else:
            if not self._single:
                click.echo("[" if self._first else ",")
            click.echo(msgspec.json.format(made.to_json(), indent=2).decode())
        self._first = False

    def close(self, counts: dict[str, int]) -> None:
        if self._output == "json" and not self._single:
            click.echo("]")
        elif self._output == "text" and not self._single:
            from .text import summary

            click.echo(summary(counts))

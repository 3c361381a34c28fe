"""``dicomseal verify``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from .. import report
from ..report import ErrorReport, ObjectReport
from ..verification.options import Options
from ..verification.verifier import verify_with
from .exit_codes import OTHERS, exit_code
from .files import Files
from .streams import STANDARD, source_of
from .trust_options import trust_options, verification
from .verify_options import demanded, jobs_option, list_others_option, verify_options

if TYPE_CHECKING:
    from ..dicomweb.address import Address

_EPILOG = """\b
Exit codes: 0 every object passed, 1 something failed, 2 usage,
3 nothing failed but something is indeterminate, 4 something is unreadable.
An unsigned object counts as 0, with --require signature as 1.

\b
Examples:
  dicomseal verify --trust ca.pem ct.dcm
  dicomseal verify --trust ca.pem --require signature --format jsonl archive/ > report.jsonl
  dicomseal verify --trust ca.pem --require-signed PatientID --require-signed PixelData ct.dcm
  dicomseal verify --trust ca.pem archive/ --exclude "*.txt"
  find archive -mtime -1 -type f -print0 | dicomseal verify --trust ca.pem -0 -
"""


@click.command("verify", epilog=_EPILOG)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "-0", "--null", is_flag=True, help="In lists a NUL ends each path, as find -print0 writes."
)
@click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="No file whose name (path, if it has a slash) matches. Repeatable.",
)
@trust_options
@verify_options
@jobs_option
@list_others_option
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
    null: bool,
    exclude: tuple[str, ...],
    jobs: int,
    list_others: bool,
    output: str,
    **given: Any,
) -> None:
    """Verify every digital signature of the objects at PATH.

    Folders are walked; what is not a DICOM object in them is counted, and not a failure, unless
    its name says that it should be one. - is an object on standard input. With -0, - is a list of
    paths on standard input instead, and @LIST one in a file. PATH may also be a study, a series or
    an instance of a DICOMweb server, dicomweb+https://HOST/…/studies/UID: its objects are
    retrieved, and none is kept.

    Integrity and trust are separate answers: is the content what was signed, and does the
    certificate chain to an anchor that you trust?
    """  # fmt: skip
    addresses, names = _apart(paths)
    files = Files(names, null, exclude)
    single = files.single and not addresses
    options = Options(**verification(given), **demanded(given))
    counts: dict[str, int] = {}
    writer = _Writer(output, single, list_others)
    for object_report in _watched(_reports(files, addresses, options, jobs), files, single):
        counts[object_report.verdict] = counts.get(object_report.verdict, 0) + 1
        writer.write(object_report)
    writer.close(counts)
    raise click.exceptions.Exit(exit_code(counts))


def _apart(paths: Sequence[str]) -> tuple[list[Address], list[str]]:
    """Return the addresses of DICOMweb servers among the paths, and the other paths."""
    if not any(path.startswith("dicomweb+") for path in paths):
        return [], list(paths)  # nothing is imported for what nobody named
    from ..dicomweb.address import address_of, is_address

    addresses = [address_of(path) for path in paths if is_address(path)]
    return addresses, [path for path in paths if not is_address(path)]


def _reports(
    files: Files, addresses: Sequence[Address], options: Options, jobs: int
) -> Iterator[ObjectReport]:
    if files.standard_input:
        object_report = verify_with(source_of(STANDARD), options)
        yield msgspec.structs.replace(object_report, path=STANDARD)
    if jobs == 1:
        for file in files:
            yield _judged(verify_with(file, options), file, files, options)
    else:
        from ..verification.parallel import verify_many

        for object_report in verify_many(files, options, jobs):
            yield _judged(object_report, object_report.path, files, options)
    if addresses:
        from .addresses import reports

        yield from reports(addresses, options)
    for path, code, why in files.nothing():
        yield ObjectReport(path=path, verdict=report.ERROR, error=ErrorReport(code, why))
    for line in files.passed_over():
        click.echo(f"dicomseal: {report.harmless(line)}", err=True)


def _judged(object_report: ObjectReport, path: str, files: Files, options: Options) -> ObjectReport:
    """Return the report as `archive verify` has it, on a file that no argument names itself."""
    if object_report.sop_class_uid or files.named(path):
        return object_report
    from ..verification.other_files import in_a_folder

    return in_a_folder(object_report, path, options.limits)


def _watched(reports: Iterator[ObjectReport], files: Files, single: bool) -> Iterator[ObjectReport]:
    """Yield the reports, with a progress line while a person watches several files."""
    if not sys.stderr.isatty() or single:
        return reports
    from .progress import watched

    return watched(reports, files.count())


class _Writer:
    """Writes reports to standard output, in one of the formats."""

    def __init__(self, output: str, single: bool, others: bool) -> None:
        self._output, self._single, self._others = output, single, others
        self._first = True

    def write(self, object_report: ObjectReport) -> None:
        if object_report.verdict in OTHERS and not self._others:
            return
        if self._output == "text":
            from .text import render

            click.echo(render(object_report))
        elif self._output == "jsonl":
            click.echo(object_report.to_json().decode())
        else:
            if not self._single:
                click.echo("[" if self._first else ",")
            click.echo(msgspec.json.format(object_report.to_json(), indent=2).decode())
        self._first = False

    def close(self, counts: dict[str, int]) -> None:
        if self._output != "text" and not self._others:
            skipped = [f"{counts[one]:,} {one}" for one in OTHERS if counts.get(one)]
            if skipped:
                listed = "--list-others lists them"
                click.echo(f"dicomseal: skipped: {', '.join(skipped)}; {listed}", err=True)
        if self._output == "json" and not self._single:
            click.echo("[\n]" if self._first else "]")
        elif self._output == "text" and not self._single:
            from .text import summary

            click.echo(summary(counts))

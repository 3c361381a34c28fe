"""``dicomseal archive report``."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import IO

import click

from ...archive.ledger.ledger import Ledger
from ...archive.reports.files import table_beside, text_file, write_table
from ...archive.reports.summary import MAX_FAILURES, Summary, summarize
from ...errors import UsageError
from .report_text import lines

_EPILOG = """\b
Examples:
  dicomseal archive report ledger.db
  dicomseal archive report ledger.db --format json > report.json
  dicomseal archive report ledger.db --html report.html
  dicomseal archive report ledger.db --serve 8080
"""
_LOOPBACK = "127.0.0.1"


@click.command("report", epilog=_EPILOG)
@click.argument("ledger", metavar="LEDGER")
@click.option(
    "--run",
    "number",
    type=int,
    metavar="RUN",
    help="The number of the run. Default: the last that verified; if all runs signed, the last.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="html: one page that needs no other files and no network.",
)
@click.option(
    "--html",
    metavar="FILE",
    help="As --format html --output FILE, and beside it, as FILE-failures.csv, all objects that "
    "failed or were not decided.",
)
@click.option("--output", metavar="FILE", help="Write to this file. Default: standard output.")
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Write to this file all objects that failed or were not decided, each with its signer "
    "and what to do.",
)
@click.option(
    "--most",
    type=click.IntRange(min=0),
    help="List this many failures, and this many indeterminate objects. Default: "
    f"{MAX_FAILURES:,}; 500 in a page.",
)
@click.option(
    "--changes/--no-changes",
    default=True,
    show_default=True,
    help="Show what changed since the run before; this takes longer than the rest of the report.",
)
@click.option(
    "--serve",
    "port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Show the report as a page, on this port of 127.0.0.1, read again from the ledger while "
    "a run goes on, until Ctrl-C. 0: any port that is free.",
)
@click.option(
    "--bind",
    metavar="ADDRESS",
    help="With --serve: listen on this address of the machine. Anyone who reaches it can read the "
    f"report. Default: {_LOOPBACK}.",
)
@click.option(
    "--host",
    "names",
    metavar="NAME",
    multiple=True,
    help="With --serve: a name by which browsers call it, e.g. of a proxy. Others are refused. "
    "Repeatable.",
)
def command(
    ledger: str,
    number: int | None,
    kind: str,
    html: str | None,
    output: str | None,
    table: str | None,
    most: int | None,
    changes: bool,
    port: int | None,
    bind: str | None,
    names: tuple[str, ...],
) -> None:
    """Show the results of a run in LEDGER."""
    if port is not None:
        if html is not None or output is not None or table is not None or kind != "text":
            raise UsageError("--serve shows a page, JSON and a table itself, and writes no file")
        from ...archive.reports.html import MOST_IN_HTML
        from ...archive.reports.live import LiveReport
        from .report_server import serve

        listed = MOST_IN_HTML if most is None else most
        report = LiveReport(ledger, number, listed, compare=changes)
        serve(report, ledger, bind or _LOOPBACK, port, names)
        return
    if bind is not None or names:
        raise UsageError("--bind and --host go with --serve")
    if html is not None:
        if output is not None or kind == "json":
            raise UsageError("--html FILE is a format and an output of its own")
        kind, output = "html", html
    if kind == "html":
        from ...archive.reports.html import MOST_IN_HTML, check

        check()
        most = MOST_IN_HTML if most is None else most
        if output is not None and table is None:
            table = table_beside(output)
    with Ledger(ledger) as opened, opened.reading():
        summary = summarize(opened, number, MAX_FAILURES if most is None else most, compare=changes)
        if table is not None:
            write_table(table, opened, summary)
    with contextlib.nullcontext(sys.stdout) if output is None else text_file(output) as file:
        _write(file, kind, summary, output, table)


def _write(
    file: IO[str], kind: str, summary: Summary, output: str | None, table: str | None
) -> None:
    if kind == "json":
        import msgspec

        file.write(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n")
    elif kind == "html":
        from ...archive.reports.html import write

        # a page names the table if it lies beside it
        beside = None
        if output is not None and table is not None:
            folders = [os.path.dirname(os.path.abspath(one)) for one in (output, table)]
            beside = os.path.basename(table) if len(set(folders)) == 1 else None
        write(file, summary, time.time(), csv=beside)
    else:
        file.writelines(f"{line}\n" for line in lines(summary))

"""A report as files: the page, and beside it the table of all objects in trouble."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import IO

from ...files.atomic import replacing
from ..ledger.ledger import Ledger
from .html import write
from .summary import Summary
from .trouble import troubled, write_csv


def table_beside(page: str) -> str:
    """Return the name of the table that belongs to a page."""
    return f"{os.path.splitext(page)[0]}-failures.csv"


def write_page(path: str, ledger: Ledger, summary: Summary, now: float) -> list[str]:
    """Write the page of a run and its table, each in one step, and return their paths.

    Args:
        path: of the page.
        ledger: open for reading.
        summary: of one of its runs.
        now: in seconds since 1970.

    Raises:
        UsageError: Jinja2 is not installed (`html.check` says so before).
        SourceError: a file cannot be written.
        LedgerError: the ledger cannot be read.
    """
    table = table_beside(path)
    write_table(table, ledger, summary)
    with text_file(path) as file:
        write(file, summary, now, csv=os.path.basename(table))
    return [path, table]


def write_table(path: str, ledger: Ledger, summary: Summary) -> None:
    """Write the table of all objects in trouble of a run, in one step."""
    with text_file(path) as file:
        write_csv(troubled(ledger, ledger.span(summary.run)), file)


@contextlib.contextmanager
def text_file(path: str) -> Iterator[IO[str]]:
    """Open a file for text in UTF-8, which takes its name at the end.

    Raises:
        SourceError: it cannot be written.
    """
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        yield text
        text.flush()
        text.detach()

"""A progress bar for people; imported only when one watches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from .. import report
from ..report import ObjectReport

_T = TypeVar("_T")


def counted(things: Sequence[_T], doing: str) -> Iterator[_T]:
    """Pass things through, and show on standard error how many of them are done."""
    columns = TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(things))
        for thing in things:
            yield thing
            progress.advance(task)


def watched(reports: Iterator[ObjectReport], total: int) -> Iterator[ObjectReport]:
    """Pass reports through, and show on standard error how many, how fast, and what failed."""
    columns = (
        TextColumn("verifying"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} MB/s"), TimeRemainingColumn(),
        TextColumn("[red]{task.fields[failed]} failed"),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total, failed=0, rate="0")
        failed = size = 0
        for made in reports:
            failed += made.verdict in (report.FAILED, report.ERROR)
            size += made.bytes
            elapsed = progress.tasks[task].elapsed or 0
            rate = f"{size / elapsed / 1e6:.0f}" if elapsed else "0"
            progress.update(task, advance=1, failed=failed, rate=rate)
            yield made

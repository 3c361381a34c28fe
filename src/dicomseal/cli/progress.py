"""A progress line on standard error; imported only if a person watches."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .. import report
from ..report import ObjectReport
from .exit_codes import OTHERS

_T = TypeVar("_T")
_BAR, _SHORTEST = 40, 8  # columns of the bar
_VERDICTS = (report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR,
             *OTHERS)  # fmt: skip


class Figures(msgspec.Struct, kw_only=True):
    """The figures of the progress.

    Attributes:
        done: files.
        total: the number of all files, with words about its accuracy; or empty.
        share: the part that is done, 0 to 1; None: not known.
        size: bytes read; None if not meaningful.
        now, size_now: files done and bytes read since ``seconds``, if some were done before.
        seconds: since it began.
        left: seconds that it may still take; None: not known.
        about: whether that is approximate.
        failed: how many of the files failed.
        verdicts: how many files have each verdict, for people; or empty.
    """

    done: int
    total: str = ""
    share: float | None = None
    size: int | None = None
    now: int | None = None
    size_now: int | None = None
    seconds: float
    left: float | None = None
    about: bool = False
    failed: int = 0
    verdicts: str = ""


class Line:
    """The progress: a bar, then figures, then verdicts; it disappears when it is closed.

    Args:
        doing: a verb before the bar, or nothing.
        console: where it is shown; None is standard error.
    """

    def __init__(self, doing: str = "", console: Console | None = None) -> None:
        self._doing = doing
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, transient=True, refresh_per_second=4)
        self._live.start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, figures: Figures) -> None:
        """Show new figures."""
        width = self._console.width
        lines: list[RenderableType] = [
            self._bar(figures, width), _text(_fitting(_counts(figures), width))
        ]  # fmt: skip
        if figures.verdicts:
            lines.append(_text(figures.verdicts, "red" if figures.failed else ""))
        self._live.update(Group(*lines))

    def _bar(self, figures: Figures, width: int) -> RenderableType:
        """Return the first line: what is done, how much of it, and how long it may still take."""
        said = []
        if figures.share is not None:
            said.append(f"{math.floor(figures.share * 100):>3}%")
        if figures.left is not None:
            said.append(f"{'about ' if figures.about else ''}{_duration(figures.left)} left")
        behind = "  ".join(said)
        room = min(width - len(self._doing) - len(behind) - 4, _BAR)
        if figures.share is None or room < _SHORTEST:
            return _text("  ".join(filter(None, (self._doing, behind))) or "finding files")
        row = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(total=1.0, completed=figures.share, width=room)
        row.add_row(*([self._doing] if self._doing else []), bar, behind)
        return row

    def close(self) -> None:
        self._live.stop()


def _counts(figures: Figures) -> list[tuple[int, str]]:
    """Return the parts of the second line, each with its importance."""
    seconds = max(figures.seconds, 1e-3)
    now = figures.done if figures.now is None else figures.now
    total = f"of {figures.total} " if figures.total else ""
    parts = [(9, f"{figures.done:,} {total}files"), (8, f"{now / seconds:,.0f} files/s")]
    if figures.size is not None:
        read = figures.size if figures.size_now is None else figures.size_now
        parts += [(5, f"{figures.size / 1e9:,.2f} GB"), (7, f"{read / seconds / 1e6:,.0f} MB/s")]
    if now != figures.done:
        parts.append((6, f"{figures.done - now:,} done before"))
    return parts


def _fitting(parts: list[tuple[int, str]], width: int) -> str:
    """Return the parts in one line; the least important ones are left out if it is too narrow."""
    while True:
        line = "  ".join(text for _, text in parts)
        if len(line) <= width or len(parts) == 1:
            return line
        parts.remove(min(parts))


def _text(line: str, style: str = "") -> Text:
    return Text(line, style, no_wrap=True, overflow="ellipsis")


def counted(things: Sequence[_T], doing: str) -> Iterator[_T]:
    """Yield things, and show how many of them are done."""
    start = time.monotonic()
    with Line(doing) as line:
        line.update(_of_all(0, len(things), 0.0))
        for done, thing in enumerate(things, 1):
            yield thing
            line.update(_of_all(done, len(things), time.monotonic() - start))


def watched(reports: Iterator[ObjectReport], total: int) -> Iterator[ObjectReport]:
    """Yield reports, and show how many, how fast, and how many failed."""
    start = time.monotonic()
    failed = size = 0
    verdicts: dict[str, int] = {}
    with Line("verifying") as line:
        line.update(_of_all(0, total, 0.0))
        for done, object_report in enumerate(reports, 1):
            failed += object_report.verdict in (report.FAILED, report.ERROR)
            size += object_report.bytes
            verdicts[object_report.verdict] = verdicts.get(object_report.verdict, 0) + 1
            figures = _of_all(done, total, time.monotonic() - start)
            told = ", ".join(f"{verdicts[one]:,} {one}" for one in _VERDICTS if one in verdicts)
            line.update(msgspec.structs.replace(figures, size=size, failed=failed, verdicts=told))
            yield object_report


def _of_all(done: int, total: int, seconds: float) -> Figures:
    left = max(total - done, 0) * seconds / done if done else None
    share = min(done / total, 1.0) if total else 1.0
    return Figures(done=done, total=f"{total:,}", share=share, seconds=seconds, left=left)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {whole % 60:02} s"

"""A progress line on standard error; imported only if a person watches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from .. import report
from ..report import ObjectReport

_T = TypeVar("_T")


class Figures(msgspec.Struct, kw_only=True):
    """The figures of the progress.

    Attributes:
        done: files.
        total: the number of all files, with words about its accuracy; or empty.
        size: bytes read; None if not meaningful.
        now: files done since ``seconds``, if some were done before.
        seconds: since it began.
        left: seconds that it may still take; None: not known.
        about: whether that is approximate.
        failed: files; None if failures are printed at once.
    """

    done: int
    total: str = ""
    size: int | None = None
    now: int | None = None
    seconds: float
    left: float | None = None
    about: bool = False
    failed: int | None = None


class Line:
    """The progress line; it disappears when it is closed.

    Args:
        doing: a verb before the figures, or nothing.
    """

    def __init__(self, doing: str = "") -> None:
        self._begin = [doing] if doing else []
        self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
        self._live.start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, figures: Figures) -> None:
        """Show new figures."""
        seconds = max(figures.seconds, 1e-3)
        now = figures.done if figures.now is None else figures.now
        total = f"of {figures.total} " if figures.total else ""
        parts = [*self._begin, f"{figures.done:,} {total}files"]
        if figures.size is not None:
            parts.append(f"{figures.size / 1e9:,.2f} GB")
        parts.append(f"{now / seconds:,.0f} files/s")
        if figures.size is not None:
            parts.append(f"{figures.size / seconds / 1e6:,.0f} MB/s")
        if now != figures.done:
            parts.append(f"{figures.done - now:,} done before")
        if figures.left is not None:
            parts.append(f"{'about ' if figures.about else ''}{_duration(figures.left)} left")
        line = Text("  ".join(parts))
        if figures.failed is not None:
            line.append(f"  {figures.failed:,} failed", "red" if figures.failed else "")
        self._live.update(line)

    def close(self) -> None:
        self._live.stop()


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
    with Line("verifying") as line:
        line.update(_of_all(0, total, 0.0))
        for done, object_report in enumerate(reports, 1):
            failed += object_report.verdict in (report.FAILED, report.ERROR)
            size += object_report.bytes
            figures = _of_all(done, total, time.monotonic() - start)
            line.update(msgspec.structs.replace(figures, size=size, failed=failed))
            yield object_report


def _of_all(done: int, total: int, seconds: float) -> Figures:
    left = max(total - done, 0) * seconds / done if done else None
    return Figures(done=done, total=f"{total:,}", seconds=seconds, left=left)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {whole % 60:02} s"

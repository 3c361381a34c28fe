"""The progress of a run for people; imported only when one watches."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ...archive.run.runner import Progress


class Line:
    """One line on standard error: files, bytes, rate, time left, failures so far.

    Of how many files is approximate: an earlier run tells it, or a count that goes on meanwhile.
    """

    def __init__(self) -> None:
        self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
        self._live.start()

    def update(self, progress: Progress) -> None:
        seconds = max(time.monotonic() - progress.started, 1e-3)
        parts = [
            f"{progress.before + progress.files:,} {_of(progress)}files",
            f"{progress.bytes / 1e9:,.2f} GB",
            f"{progress.files / seconds:,.0f} files/s",
            f"{progress.bytes / seconds / 1e6:,.0f} MB/s",
        ]
        if progress.before:
            parts.append(f"{progress.before:,} done before")
        left = progress.left(seconds)
        if left is not None:
            parts.append(f"{'' if progress.walked else 'about '}{_duration(left)} left")
        line = Text("  ".join(parts) + "  ")
        line.append(f"{progress.failures:,} failed", "red" if progress.failures else "")
        self._live.update(line)

    def close(self) -> None:
        self._live.stop()


def _of(progress: Progress) -> str:
    """Of how many, and how sure that is."""
    if progress.walked:
        return f"of {progress.before + progress.found:,} "
    expected = progress.expected
    if expected is None:
        return ""
    if not expected.source:
        return f"of at least {expected.files:,} "
    return f"of about {expected.files:,} ({expected.source}) "


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {whole % 60:02} s"

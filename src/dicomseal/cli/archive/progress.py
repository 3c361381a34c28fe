"""The progress of a run for people; imported only when one watches."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ...archive.run import Progress


class Line:
    """One line on standard error: files, bytes, rate, time left, failures so far.

    How many files there are is known once they have been walked through, which is shortly before
    the end: until then no time left is shown.
    """

    def __init__(self) -> None:
        self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
        self._live.start()

    def update(self, progress: Progress) -> None:
        seconds = max(time.monotonic() - progress.started, 1e-3)
        parts = [
            f"{progress.files:,} files",
            f"{progress.bytes / 1e9:,.2f} GB",
            f"{progress.files / seconds:,.0f} files/s",
            f"{progress.bytes / seconds / 1e6:,.0f} MB/s",
        ]
        if progress.skipped:
            parts.append(f"{progress.skipped:,} done before")
        if progress.walked and progress.files:
            left = (progress.found - progress.files) * seconds / progress.files
            parts.append(f"{left:,.0f} s left")
        line = Text("  ".join(parts) + "  ")
        line.append(f"{progress.failures:,} failed", "red" if progress.failures else "")
        self._live.update(line)

    def close(self) -> None:
        self._live.stop()

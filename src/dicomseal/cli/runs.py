"""What every command that makes a run has in common: signals, progress, metrics, the summary."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ..archive.run.runner import Outcome, Progress
from ..errors import SourceError, UsageError
from ..report import escaped, harmless

if TYPE_CHECKING:
    from .progress import Figures

EXIT_UNREADABLE, EXIT_INTERRUPTED = 4, 130


def run_signer(key: str, certificate: str) -> Callable[[bytes], tuple[bytes, bytes]]:
    from ..keys.signing_key import SigningKey
    from .guard import secrets_at_hand

    with secrets_at_hand():
        signing_key = SigningKey(key, certificate)

    def sign(data: bytes) -> tuple[bytes, bytes]:
        value = signing_key.sign(hashlib.sha256(data).digest(), "SHA256")
        return value, signing_key.certificate.der

    return sign


def _check_metrics(path: str) -> None:
    from ..archive.run.metrics import check

    try:
        check(path)
    except SourceError as error:
        raise UsageError(
            f"--metrics: {error}; name a file in an existing folder that you may write to"
        ) from None


def say_nothing_found(progress: Progress | None) -> None:
    """Print the roots with nothing to verify: in cron that must not look like success."""
    for root, why in progress.nothing if progress else ():
        name = "standard input" if root == "-" else escaped(root)
        click.echo(f"dicomseal: {name}: {why}", err=True)


def summary(
    ledger: str,
    outcome: Outcome,
    names: Iterable[str],
    progress: Progress | None,
    seconds: float,
) -> str:
    """Return the summary of a run for people; ``names`` are the verdicts in their order."""
    totals = outcome.totals
    parts = [f"{totals.verdicts[one]:,} {one}" for one in names if totals.verdicts.get(one)]
    state = "complete" if outcome.complete else "not complete"
    lines = [f"run {outcome.run} in {ledger}: {state}"]
    files = progress.files if progress else 0
    if files != totals.files:
        lines.append(f"{files:,} files now, {totals.files - files:,} before")
    if progress and progress.again:
        lines.append(f"{progress.again:,} once more: this key had not signed their rows")
    rate = f", {files / seconds:,.0f} files/s" if seconds else ""
    lines.append(
        f"{totals.files:,} files, {totals.bytes:,} bytes in {seconds:,.1f} s{rate}: "
        f"{', '.join(parts) or 'nothing to do'}"
    )
    lines += map(harmless, totals.passed_over.lines())
    return "\n".join(lines)


def _figures(progress: Progress) -> Figures:
    """Return the figures of a run; the total is approximate until its walk is at its end."""
    from .progress import Figures

    seconds = time.monotonic() - progress.started
    return Figures(
        done=progress.before + progress.files,
        total=_total(progress),
        size=progress.bytes,
        now=progress.files,
        seconds=seconds,
        left=progress.left(seconds),
        about=not progress.walked,
        failed=progress.failures,
    )


def _total(progress: Progress) -> str:
    """Return the total with its accuracy: by an earlier run, or by a count in progress."""
    if progress.walked:
        return f"{progress.before + progress.found:,}"
    expected = progress.expected
    if expected is None:
        return ""
    if not expected.source:
        return f"at least {expected.files:,}"
    return f"about {expected.files:,} ({expected.source})"


class Watch:
    """The signals, the progress line and the metrics of a run in progress.

    Raises:
        UsageError: the metrics cannot be written.
    """

    def __init__(self, metrics: str | None) -> None:
        if metrics is not None:
            _check_metrics(metrics)
        self._metrics = metrics
        self._asked = 0
        self._stop: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}
        self._written = 0.0
        self._told = False
        self._line: Any = None
        self.progress: Progress | None = None

    def __enter__(self) -> Watch:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # it ends already: another Ctrl-C would only damage the summary
            signal.signal(number, signal.SIG_IGN if self._asked else handler)
        if self._line is not None:
            self._line.close()

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
        if self._stop is None:  # nothing is in progress; a prompt may be waiting, with the echo off
            raise KeyboardInterrupt
        if self._asked > 1:
            os._exit(EXIT_INTERRUPTED)  # appended rows are on disk; workers end by themselves
        self._stop()
        if sys.stderr.isatty():
            os.write(2, b"\nstopping after the batches in progress; once more stops at once\n")

    def __call__(self, progress: Progress, stop: Callable[[], None]) -> None:
        self.progress, self._stop = progress, stop
        if sys.stderr.isatty():
            if self._line is None:
                from .progress import Line

                self._line = Line()
            self._line.update(_figures(progress))
        now = time.monotonic()
        if self._metrics and now > self._written + 10:
            self._written = now
            self._write(self._metrics, progress, None)

    def finish(self, outcome: Outcome) -> None:
        if self._metrics and self.progress:
            self._write(self._metrics, self.progress, outcome)

    def _write(self, path: str, progress: Progress, outcome: Outcome | None) -> None:
        from ..archive.run.metrics import write

        try:
            write(path, progress, outcome)
        except SourceError as error:
            if not self._told:  # a failure to write them is not worth the run
                click.echo(f"dicomseal: note: the metrics are not written: {error}", err=True)
            self._told = True

"""What every command that makes a run has in common: signals, progress, metrics, the summary."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..archive.errors import NothingSelectedError
from ..archive.ledger.ledger import SIGN
from ..archive.ledger.rows import FAILURES, SIGN_VERDICTS, VERDICTS
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


def end(outcome: Outcome, progress: Progress | None) -> None:
    """Print the roots without files, and end if the run was stopped.

    A run without files must not look like a success in cron.
    """
    for root, why in progress.nothing if progress else ():
        name = "standard input" if root == "-" else escaped(root)
        click.echo(f"dicomseal: {name}: {why}", err=True)
    if not outcome.complete:
        click.echo("stopped: --resume continues from here", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _nothing_selected(error: NothingSelectedError) -> NoReturn:
    """Print each root and end: in cron, a misspelt pattern must not look like a success."""
    for root in error.roots:
        name = "standard input" if root == "-" else escaped(root)
        click.echo(harmless(f"dicomseal: {name}: {error.why}; no run was begun"), err=True)
    raise click.exceptions.Exit(EXIT_UNREADABLE) from None


def summary(
    ledger: str,
    outcome: Outcome,
    names: Iterable[str],
    progress: Progress | None,
    seconds: float,
) -> str:
    """Return the summary of a run for people; ``names`` are the verdicts in their order."""
    totals = outcome.totals
    state = "complete" if outcome.complete else "not complete"
    lines = [f"run {outcome.run} in {ledger}: {state}"]
    files = progress.files if progress else 0
    if progress and progress.again:
        lines.append(f"{progress.again:,} once more: this key had not signed their rows")
    time_of_it = f"in {seconds:,.1f} s" + (f", {files / seconds:,.0f} files/s" if seconds else "")
    if progress is None or files == totals.files:
        lines.append(
            f"{totals.files:,} files, {totals.bytes:,} bytes {time_of_it}: "
            f"{counts(totals.verdicts, names) or 'nothing to do'}"
        )
    else:
        said = counts(progress.verdicts, names) or "nothing to do"
        lines.append(f"{files:,} files now, {totals.files - files:,} before")
        lines.append(f"this call: {progress.bytes:,} bytes {time_of_it}: {said}")
        said = counts(totals.verdicts, names)
        lines.append(f"the run: {totals.files:,} files, {totals.bytes:,} bytes: {said}")
    signs = progress is not None and progress.kind == SIGN
    lines += map(harmless, totals.passed_over.lines(signs))
    return "\n".join(lines)


def counts(verdicts: Mapping[str, int], names: Iterable[str]) -> str:
    """Return how many files have each verdict, for people; ``names`` are all, in their order."""
    return ", ".join(f"{verdicts[one]:,} {one}" for one in names if verdicts.get(one))


def _figures(progress: Progress) -> Figures:
    """Return the figures of a run; the total is approximate until its walk is at its end."""
    from .progress import Figures

    seconds = time.monotonic() - progress.started
    # of the whole run, as the summary counts them
    whole = Counter(progress.verdicts_before) + progress.verdicts
    return Figures(
        done=progress.before + progress.files,
        total=_total(progress),
        share=progress.share,
        size=progress.bytes_before + progress.bytes,
        now=progress.files,
        size_now=progress.bytes,
        seconds=seconds,
        left=progress.left(seconds),
        about=not progress.walked,
        failed=sum(whole[one] for one in FAILURES),
        verdicts=counts(whole, SIGN_VERDICTS if progress.kind == SIGN else VERDICTS),
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

    As a context, it ends the command if the options of the run select no file.

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

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        for number, handler in self._before.items():
            # it ends already: another Ctrl-C would only damage the summary
            signal.signal(number, signal.SIG_IGN if self._asked else handler)
        if self._line is not None:
            self._line.close()
        if isinstance(error, NothingSelectedError):
            _nothing_selected(error)

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

"""``dicomseal archive verify``."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from types import FrameType
from typing import Any

import click

from ...archive import run as runs
from ...archive.loop import LostError
from ...archive.poe import Wanted
from ...archive.rows import VERDICTS
from ...archive.run import Asked, Outcome, Progress, Selection
from ...archive.stores import is_url
from ...errors import UsageError
from ...verifier import Options
from ..trust_options import trust_options, verification
from ..verify import exit_code
from ..verify_options import demanded, jobs_option, verify_options

EXIT_UNREADABLE, EXIT_INTERRUPTED = 4, 130
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}

_EPILOG = """\b
Exit codes: as those of `dicomseal verify`; 130: stopped by Ctrl-C or SIGTERM, to be resumed.
A file that is no DICOM object is counted, and is no failure.

\b
Examples:
  dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --jobs 4
  dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --jobs 4 --resume
  find /archive -name "*.dcm" | dicomseal archive verify - --ledger ledger.db --trust ca.pem
  dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --sample 1% --seed 2026-11
  dicomseal archive verify s3://bucket/ct --ledger ledger.db --trust ca.pem --jobs 4
"""


@click.command("verify", epilog=_EPILOG)
@click.argument("roots", metavar="ROOT...", nargs=-1, required=True)
@click.option("--ledger", required=True, metavar="FILE", help="Append to this ledger, or make it.")
@click.option("--resume", is_flag=True, help="Go on with the last run, which was stopped.")
@jobs_option
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Verify by the workers of this dask.distributed scheduler. They see the same paths.",
)
@click.option(
    "--include",
    metavar="GLOB",
    multiple=True,
    help="Only files whose name (path, if it has a slash) matches. Repeatable.",
)
@click.option(
    "--older-than", metavar="AGE", help="Only files last modified so long ago: 90m, 12h, 30d, 8w."
)
@click.option("--sample", metavar="PERCENT", help="Draw so many of the files, e.g. 1%.")
@click.option("--seed", default="", metavar="TEXT", help="Of the draw: another one, other files.")
@click.option("--stratify", is_flag=True, help="Draw from every folder, at least one file of each.")
@click.option("--follow-links", is_flag=True, help="Go into folders that are symbolic links.")
@click.option("--max-rate", type=click.FloatRange(min=0, min_open=True), metavar="MB/S",
              help="Read no faster than so many megabytes a second.")  # fmt: skip
@click.option(
    "--sign-run",
    nargs=2,
    metavar="KEY CERT",
    help="Sign the end of the run, so that no later edit of the ledger can be hidden.",
)
@click.option(
    "--content-digest",
    is_flag=True,
    help="Keep a hash of all content, signed or not, for `archive diff`. Reads it a second time.",
)
@click.option("--metrics", metavar="FILE", help="Keep figures here, in Prometheus' text format.")
@click.option(
    "--poe-ledger",
    metavar="LEDGER",
    multiple=True,
    help="A signature that passed in this earlier ledger, while its certificate was valid, existed "
    "then: it stays trusted. Repeatable; it may be the one that is written.",
)
@click.option(
    "--poe-signer",
    metavar="CERT",
    multiple=True,
    help="Only what a run signed by one of these certificates covers proves anything. Repeatable.",
)
@verify_options
@trust_options
def command(
    roots: tuple[str, ...],
    ledger: str,
    resume: bool,
    jobs: int,
    scheduler: str | None,
    include: tuple[str, ...],
    older_than: str | None,
    sample: str | None,
    seed: str,
    stratify: bool,
    follow_links: bool,
    max_rate: float | None,
    sign_run: tuple[str, str] | None,
    content_digest: bool,
    metrics: str | None,
    poe_ledger: tuple[str, ...],
    poe_signer: tuple[str, ...],
    **options: Any,
) -> None:
    """Verify all files below ROOT into a ledger.

    ROOT is a folder, a file, @LIST (a file with a path on each line), - (such lines on standard
    input), or an object store: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX,
    with credentials from the usual environment variables. Every finished batch is on disk: kill it
    at any moment, and --resume goes on.
    """  # fmt: skip
    if (seed or stratify) and not sample:
        raise UsageError("--seed and --stratify go with --sample")
    selection = Selection(
        roots=tuple(_absolute(root) for root in roots),
        include=include,
        before=None if older_than is None else time.time() - _age(older_than),
        share=None if sample is None else _share(sample),
        seed=seed,
        stratify=stratify,
        follow=follow_links,
    )
    given = {name: sorted(one) if isinstance(one, tuple) else one for name, one in options.items()}
    given |= {"content_digest": content_digest, "poe_signer": list(poe_signer)}
    made = Options(**verification(options), **demanded(options), content_digest=content_digest)
    if (poe_ledger or poe_signer) and (made.trust is None or made.integrity_only or not poe_ledger):
        raise UsageError(
            "--poe-ledger helps to judge signers, so it goes with --trust, and --poe-signer with it"
        )
    proofs = _proofs(poe_ledger, poe_signer) if poe_ledger else None
    signer = _signer(*sign_run) if sign_run else None
    started = time.monotonic()
    with _Watch(metrics) as watch, _workers(scheduler) as (executor, workers):
        try:
            outcome = runs.verify(
                ledger,
                Asked(selection=selection, trust=given),
                made,
                jobs=jobs,
                executor=executor,
                workers=workers,
                resume=resume,
                max_rate=max_rate and max_rate * 1e6,
                sign=signer,
                proofs=proofs,
                watch=watch,
                count=sys.stderr.isatty(),
            )
        except LostError as error:
            begun = "; --resume goes on where it was" if watch.progress else ""
            click.echo(f"dicomseal: {error}{begun}", err=True)
            raise click.exceptions.Exit(EXIT_UNREADABLE) from None
        watch.finish(outcome)
    click.echo(_summary(ledger, outcome, watch.progress, time.monotonic() - started))
    if not outcome.complete:
        click.echo("stopped: --resume goes on where it was", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED)
    raise click.exceptions.Exit(exit_code(outcome.totals.verdicts))


@contextlib.contextmanager
def _workers(address: str | None) -> Iterator[tuple[Callable[[], Executor] | None, int | None]]:
    if address is None:
        yield None, None
        return
    from ...archive.cluster import cluster

    try:
        with cluster(address) as found:
            yield found
    except LostError as error:
        click.echo(f"dicomseal: {error}", err=True)
        raise click.exceptions.Exit(EXIT_UNREADABLE) from None


def _absolute(root: str) -> str:
    if root == "-" or is_url(root):
        return root
    if root.startswith("@"):
        return "@" + os.path.abspath(root[1:])
    return os.path.abspath(root)


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text)
    if not found:
        raise UsageError(f"--older-than: {text!r} is no age, e.g. 90m, 12h, 30d or 8w")
    return float(found[1]) * _UNITS[found[2]]


def _share(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise UsageError(f"--sample: {text!r} is no share, e.g. 1% or 0.5%")
    return float(found[1]) / 100


def _proofs(ledgers: tuple[str, ...], signers: tuple[str, ...]) -> Wanted:
    from .audit import read_certificate

    named = tuple(read_certificate(path) for path in signers) or None
    return Wanted(tuple(os.path.abspath(one) for one in ledgers), named)


def _signer(key: str, certificate: str) -> Callable[[bytes], tuple[bytes, bytes]]:
    from ...keys import SigningKey
    from ..guard import secrets_at_hand

    with secrets_at_hand():
        made = SigningKey(key, certificate)

    def sign(data: bytes) -> tuple[bytes, bytes]:
        return made.sign(hashlib.sha256(data).digest(), "SHA256"), made.certificate.der

    return sign


def _summary(ledger: str, outcome: Outcome, progress: Progress | None, seconds: float) -> str:
    totals = outcome.totals
    parts = [f"{totals.verdicts[one]:,} {one}" for one in VERDICTS if totals.verdicts.get(one)]
    state = "complete" if outcome.complete else "not complete"
    lines = [f"run {outcome.run} in {ledger}: {state}"]
    files = progress.files if progress else 0
    if files != totals.files:
        lines.append(f"{files:,} files now, {totals.files - files:,} before")
    rate = f", {files / seconds:,.0f} files/s" if seconds else ""
    lines.append(
        f"{totals.files:,} files, {totals.bytes:,} bytes in {seconds:,.1f} s{rate}: "
        f"{', '.join(parts) or 'nothing to verify'}"
    )
    return "\n".join(lines)


class _Watch:
    """Signals, the progress line and the metrics, while a run is under way."""

    def __init__(self, metrics: str | None) -> None:
        self._metrics = metrics
        self._asked = 0
        self._stop: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}
        self._written = 0.0
        self._line: Any = None
        self.progress: Progress | None = None

    def __enter__(self) -> _Watch:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # it ends already: another Ctrl-C would only spoil what it says
            signal.signal(number, signal.SIG_IGN if self._asked else handler)
        if self._line is not None:
            self._line.close()

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
        if self._asked > 1:
            os._exit(
                EXIT_INTERRUPTED
            )  # what was appended is on disk; the workers end by themselves
        if self._stop is not None:
            self._stop()
        if sys.stderr.isatty():
            os.write(2, b"\nstopping after the batches under way; once more stops at once\n")

    def __call__(self, progress: Progress, stop: Callable[[], None]) -> None:
        self.progress, self._stop = progress, stop
        if sys.stderr.isatty():
            if self._line is None:
                from .progress import Line

                self._line = Line()
            self._line.update(progress)
        now = time.monotonic()
        if self._metrics and now > self._written + 10:
            self._written = now
            self._write(self._metrics, progress, None)

    def finish(self, outcome: Outcome) -> None:
        if self._metrics and self.progress:
            self._write(self._metrics, self.progress, outcome)

    def _write(self, path: str, progress: Progress, outcome: Outcome | None) -> None:
        from ...archive.metrics import write

        write(path, progress, outcome)

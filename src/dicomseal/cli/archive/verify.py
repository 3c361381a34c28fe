"""``dicomseal archive verify``."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click

from ...archive.errors import LostError
from ...archive.find.ahead import Reading
from ...archive.ledger.proof_of_existence import Wanted
from ...archive.ledger.rows import VERDICTS
from ...archive.run import runner as runs
from ...archive.run.runner import RunRequest
from ...errors import UsageError
from ...report import harmless
from ...verification.options import Options
from ..exit_codes import exit_code
from ..runs import EXIT_UNREADABLE, Watch, end, run_signer, summary
from ..trust_options import trust_options, verification
from ..verify_options import demanded, list_others_option, verify_options
from .run_options import AHEAD, read_timeout_option, run_options, selected

_EPILOG = """\b
Exit codes: as those of `dicomseal verify`; 130: stopped by Ctrl-C or SIGTERM, to be resumed.
A file that is not a DICOM object, or a DICOMDIR, is counted, and is not a failure.

\b
Examples:
  dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --jobs 4
  dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --jobs 4 --resume
  find /archive -name "*.dcm" | dicomseal archive verify - --ledger ledger.db --trust ca.pem
  dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --sample 1% --seed 2026-11
  dicomseal archive verify s3://bucket/ct --ledger ledger.db --trust ca.pem --jobs 4
"""


@click.command("verify", epilog=_EPILOG)
@run_options("Verify in this number of processes.")
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Verify by the workers of this dask.distributed scheduler. They must see the same paths.",
)
@click.option(
    "--read-ahead",
    type=AHEAD,
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Each process reads this number of files at once, ahead of the one that it verifies; 0: "
    "none ahead. auto: none while they lie in the page cache, else as many as are worth while.",
)
@read_timeout_option
@click.option("--sample", metavar="PERCENT", help="Draw this share of the files, e.g. 1%.")
@click.option(
    "--seed", default="", metavar="TEXT", help="Seed of the draw: another one draws other files."
)
@click.option("--stratify", is_flag=True, help="Draw from every folder, at least one file of each.")
@click.option(
    "--content-digest",
    is_flag=True,
    help="Keep a hash of all content, signed or not, for `archive diff`. Reads it a second time.",
)
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
    help="Only runs that are signed by one of these certificates prove anything. Repeatable.",
)
@list_others_option
@verify_options
@trust_options
def command(
    ledger: str, resume: bool, metrics: str | None, list_others: bool, **options: Any
) -> None:
    """Verify all files below ROOT, with the results in a ledger.

    ROOT is a folder, a file, @LIST (a file with a path on each line), - (such lines on standard
    input), an object store: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX, with
    credentials from the usual environment variables, or a study, a series or an instance of a
    DICOMweb server: dicomweb+https://HOST/…/studies/UID. Every finished batch is on disk: you
    can kill it at any moment, and --resume continues.
    """  # fmt: skip
    request = requested(**options)
    started = time.monotonic()
    with Watch(metrics) as watch:
        try:
            outcome = request.carry_out(ledger, resume, watch)
        except LostError as error:
            begun = "; --resume continues from here" if watch.progress else ""
            click.echo(f"dicomseal: {error}{begun}", err=True)
            raise click.exceptions.Exit(EXIT_UNREADABLE) from None
        watch.finish(outcome)
    click.echo(summary(ledger, outcome, VERDICTS, watch.progress, time.monotonic() - started))
    if list_others:
        _list_others(ledger, outcome.run)
    end(outcome, watch.progress)
    raise click.exceptions.Exit(exit_code(outcome.totals.verdicts))


def _list_others(path: str, run: int) -> None:
    from ...archive.ledger.ledger import Ledger
    from ...archive.reports.others import others

    with Ledger(path) as ledger:
        for verdict, name in others(ledger, run):
            click.echo(harmless(f"{verdict}  {name}"))


class Requested(NamedTuple):
    """The run that the options ask for, ready to be carried out."""

    request: RunRequest
    settings: Options
    jobs: int
    scheduler: str | None
    reading: Reading
    max_rate: float | None
    signer: Callable[[bytes], tuple[bytes, bytes]] | None
    proofs: Wanted | None

    def carry_out(self, ledger: str, resume: bool, watch: Watch) -> runs.Outcome:
        """Carry the run out, or resume it.

        Raises:
            LostError: the workers, or an object store, no longer work; the run can be resumed.
            DicomSealError: as `dicomseal.archive.run.runner.verify`.
        """
        with _workers(self.scheduler) as elsewhere:
            return runs.verify(
                ledger,
                self.request,
                self.settings,
                jobs=self.jobs,
                **elsewhere,
                resume=resume,
                max_rate=self.max_rate and self.max_rate * 1e6,
                sign=self.signer,
                proofs=self.proofs,
                watch=watch,
                count=sys.stderr.isatty(),
                reading=self.reading,
            )


def requested(
    *, jobs: int, scheduler: str | None, sample: str | None, seed: str, stratify: bool,
    max_rate: float | None, sign_run: tuple[str, str] | None, content_digest: bool,
    poe_ledger: tuple[str, ...], poe_signer: tuple[str, ...], read_ahead: int | None,
    read_timeout: float, **options: Any,
) -> Requested:  # fmt: skip
    """Return the run that these options of the command ask for.

    Raises:
        UsageError: they make no sense, or a file that they name is not of the right kind.
    """
    if (seed or stratify) and not sample:
        raise UsageError("--seed and --stratify go with --sample")
    share = None if sample is None else _share(sample)
    selection = selected(options, share=share, seed=seed, stratify=stratify)
    given = {name: sorted(one) if isinstance(one, tuple) else one for name, one in options.items()}
    given |= {"content_digest": content_digest, "poe_signer": list(poe_signer)}
    settings = Options(**verification(options), **demanded(options), content_digest=content_digest)
    if (poe_ledger or poe_signer) and (
        settings.trust is None or settings.integrity_only or not poe_ledger
    ):
        raise UsageError(
            "--poe-ledger helps to judge signers, so it goes with --trust, and --poe-signer with it"
        )
    return Requested(
        RunRequest(selection=selection, trust=given),
        settings,
        jobs,
        scheduler,
        Reading(ahead=read_ahead, timeout=read_timeout),
        max_rate,
        run_signer(*sign_run) if sign_run else None,
        _proofs(poe_ledger, poe_signer) if poe_ledger else None,
    )


@contextlib.contextmanager
def _workers(address: str | None) -> Iterator[dict[str, Any]]:
    """Yield the arguments of `runs.verify` for the workers of a scheduler; none without one."""
    if address is None:
        yield {}
        return
    from ...archive.run.dask_cluster import cluster

    with cluster(address) as found:
        yield found._asdict()


def _share(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise UsageError(f"--sample: {text!r} is not a share, e.g. 1% or 0.5%")
    return float(found[1]) / 100


def _proofs(ledgers: tuple[str, ...], signers: tuple[str, ...]) -> Wanted:
    from .audit import read_certificate

    named = tuple(read_certificate(path) for path in signers) or None
    return Wanted(tuple(os.path.abspath(one) for one in ledgers), named)

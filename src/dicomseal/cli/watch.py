"""``dicomseal watch``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..archive.find.selection import RunRequest, Selection
from ..archive.ledger.rows import VERDICTS
from ..errors import UsageError
from ..gate.policy import ACCEPT, QUARANTINE, Policy
from ..gate.quarantine import Quarantine
from ..gate.watch import SETTLE, SWEEP, Sorted, watch
from ..report import escaped, harmless
from ..verification.options import Options
from .exit_codes import exit_code
from .numbers import FiniteRange
from .runs import Watch, run_signer, summary
from .trust_options import trust_options, verification
from .verify_options import demanded, jobs_option, verify_options

_EPILOG = """\b
Exit codes: 0 stopped by Ctrl-C or SIGTERM; with --once as those of `dicomseal verify`;
2 usage, or the ledger cannot be used; 1 the folders cannot be watched any more.

\b
Examples:
  dicomseal watch /incoming --ledger ledger.db --trust ca.pem --quarantine /quarantine --jobs 2
  dicomseal watch /share --ledger ledger.db --trust ca.pem --once
"""
_F = TypeVar("_F", bound=Callable[..., Any])
_CHOICE = click.Choice([ACCEPT, QUARANTINE])


def _on(verdict: str) -> Callable[[_F], _F]:
    return click.option(
        f"--on-{verdict}",
        type=_CHOICE,
        help=f"What is done with what is {verdict}: accept leaves it where it is. Default: "
        + ("accept." if verdict == "unsigned" else "quarantine if that is named, else accept."),
    )


@click.command("watch", epilog=_EPILOG)
@click.argument("folders", metavar="DIR...", nargs=-1, required=True)
@click.option(
    "--ledger", required=True, metavar="FILE", help="Append to this ledger, or create it."
)
@click.option(
    "--quarantine", metavar="DIR", help="Folder for objects that are not accepted; see --on-*."
)
@_on("failed")
@_on("indeterminate")
@_on("unsigned")
@click.option(
    "--include",
    metavar="GLOB",
    multiple=True,
    help="Only files whose name (path, if it has a slash) matches. Repeatable.",
)
@click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="No file whose name (path, if it has a slash) matches. Repeatable.",
)
@click.option(
    "--settle",
    type=FiniteRange(min=0),
    default=SETTLE,
    show_default=True,
    metavar="SECONDS",
    help="Verify a file when it has not changed for this time.",
)
@click.option(
    "--sweep",
    type=FiniteRange(min=1),
    default=SWEEP,
    show_default=True,
    metavar="SECONDS",
    help="Search the folders at this interval, in addition to notifications of the system.",
)
@click.option("--once", is_flag=True, help="Search the folders once, verify the files, and end.")
@click.option(
    "--sign-run",
    nargs=2,
    metavar="KEY CERT",
    help="Sign the run, during the run and at its end, so that no change of it can be hidden.",
)
@click.option(
    "--metrics", metavar="FILE", help="Write metrics to this file, in Prometheus' text format."
)
@jobs_option
@verify_options
@trust_options
def command(
    folders: tuple[str, ...],
    ledger: str,
    quarantine: str | None,
    on_failed: str | None,
    on_indeterminate: str | None,
    on_unsigned: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    settle: float,
    sweep: float,
    once: bool,
    sign_run: tuple[str, str] | None,
    metrics: str | None,
    jobs: int,
    **options: Any,
) -> None:
    """Verify what another receiver puts into DIR, as it arrives, into a ledger.

    For a receiver that cannot be replaced, or that is faster than a gate: nobody is refused, but
    what falls short can go into quarantine. What the ledger has already is not verified again.
    """
    usual = QUARANTINE if quarantine is not None else ACCEPT
    given = {name: sorted(one) if isinstance(one, tuple) else one for name, one in options.items()}
    policy = Policy(
        options=Options(**verification(options), **demanded(options)),
        on_failed=on_failed or usual,
        on_indeterminate=on_indeterminate or usual,
        on_unsigned=on_unsigned or ACCEPT,
    )
    blind = policy.options.trust is None and not policy.options.integrity_only
    if blind and quarantine is not None and on_indeterminate is None:
        raise UsageError(
            "without --trust or --trust-signer every signed object is indeterminate, and would go "
            "into quarantine: give one of them, or --integrity-only, or say what is done with such "
            "with --on-indeterminate"
        )
    if quarantine is None and policy.quarantines:
        raise UsageError("name the folder: --quarantine DIR")
    selection = Selection(
        roots=tuple(map(os.path.abspath, folders)), include=include, exclude=exclude
    )
    signer = run_signer(*sign_run) if sign_run else None
    started = time.monotonic()
    with Watch(metrics) as watching:
        outcome = watch(
            ledger,
            RunRequest(selection=selection, trust=given),
            policy,
            quarantine=None if quarantine is None else Quarantine(quarantine),
            jobs=jobs,
            settle=settle,
            sweep=sweep,
            once=once,
            sign=signer,
            progress=watching,
            told=_tell,
            trouble=_trouble,
        )
        watching.finish(outcome)
    click.echo(summary(ledger, outcome, VERDICTS, watching.progress, time.monotonic() - started))
    raise click.exceptions.Exit(exit_code(outcome.totals.verdicts) if once else 0)


def _tell(found: Sorted) -> None:
    """Print a line for a log about an object that was not accepted."""
    row = found.row
    path = row.path if isinstance(row.path, str) else os.fsdecode(row.path)
    line = f"{row.verdict:<13} {escaped(path)}: {row.reason} {row.sentence}".rstrip(" :")
    if found.quarantined:
        line += f" (in quarantine: {escaped(found.quarantined)})"
    if found.trouble:
        line += f" (NOT in quarantine: {found.trouble})"
    click.echo(harmless(line))
    sys.stdout.flush()


def _trouble(path: str, why: str) -> None:
    click.echo(harmless(f"dicomseal: {escaped(path)}: {why}"), err=True)

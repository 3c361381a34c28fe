"""``dicomseal archive baseline``."""

from __future__ import annotations

import fnmatch

import click

from ...archive.ledger.ledger import VERIFY, Ledger
from ...archive.nights import state as states
from ...archive.nights.alarms import find_alarms
from ...archive.reports.baseline import Baseline, Entry, entries, entry_of, write
from ...archive.reports.diff import ALARMING, IN_TROUBLE, TROUBLE, Change
from ...errors import LedgerError, UsageError
from ...files.atomic import replacing

_EPILOG = """\b
Examples:
  dicomseal archive baseline --config archive.toml
  dicomseal archive baseline --config archive.toml --path "/archive/1998/*" --kind error
  dicomseal archive baseline ledger.db --output known.jsonl
"""


@click.command("baseline", epilog=_EPILOG)
@click.argument("ledger", metavar="[LEDGER]", required=False)
@click.option(
    "--config", metavar="FILE", help="Read the paths of ledger and output from this configuration."
)
@click.option(
    "--output", metavar="FILE", help="Write the baseline here; an existing one is replaced."
)
@click.option(
    "--path",
    "patterns",
    metavar="GLOB",
    multiple=True,
    help="Accept only objects whose path matches, in addition to what is already accepted. "
    "Repeatable.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([*sorted(ALARMING), *sorted(TROUBLE)]),
    multiple=True,
    help="Accept only problems of this kind, in addition to what is already accepted. Repeatable.",
)
def command(
    ledger: str | None, config: str | None, output: str | None, patterns: tuple[str, ...],
    kinds: tuple[str, ...],
) -> None:  # fmt: skip
    """Accept what is in trouble in the last completed run of LEDGER: it raises no alarm any more.

    An object that is damaged in another way later is an alarm again. With --path or --kind, what
    the baseline holds already stays in it.
    """
    if config is not None:
        from .nightly_config import read

        settings = read(config).settings
        ledger, output = ledger or settings.archive.ledger, output or settings.alarm.baseline
    if not ledger or not output:
        raise UsageError("name a ledger and --output, or a --config with both")
    old = _accepted(output)
    run, found = _in_trouble(ledger)
    if patterns or kinds:
        found = [
            one
            for one in found
            if (not kinds or one.kind in kinds)
            and (not patterns or any(fnmatch.fnmatchcase(one.path, each) for each in patterns))
        ]
        fresh = set(found)
        found += [one for one in old if one not in fresh]
    with replacing(output) as file:
        count = write(file, ledger, run, found)
    files = "1 file is" if count == 1 else f"{count:,} files are"
    click.echo(f"{output}: {files} accepted")


def _accepted(output: str) -> list[Entry]:
    """Return what a file holds that is to be replaced; nothing but a baseline is.

    Raises:
        UsageError: it is another file.
    """
    try:
        with open(output, "rb") as file:
            return list(entries(file, output))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror or error}") from None


def _in_trouble(path: str) -> tuple[int, list[Entry]]:
    """Return the number of the last completed run, and what is in trouble in it."""
    state = states.load(path)
    found: list[Entry] = []

    def add(change: Change) -> None:
        kind = change.row.verdict if change.kind == IN_TROUBLE else change.kind
        found.append(entry_of(change, kind))

    with Ledger(path) as ledger:
        finished = [run for run in ledger.runs(VERIFY) if run.finished is not None]
        if not finished:
            raise LedgerError(f"{path}: no run came to its end", "no_run")
        after = finished[-1]
        seen = [run for run in finished[:-1] if run.number == state.run]
        before = seen[0] if seen else None
        find_alarms(ledger, before, after, Baseline(), state.references, each=add)
    return after.number, found

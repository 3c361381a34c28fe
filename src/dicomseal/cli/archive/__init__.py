"""``dicomseal archive``: each subcommand in a module of its own, imported when called."""

from __future__ import annotations

import click

from ..lazy import Lazy

_COMMANDS = {
    "verify": "verify folders, lists of files and object stores with a ledger; stop and resume",
    "sign": "sign objects without a signature of a key, in place or to a copy; stop and resume",
    "report": "show the results of a run, as text, JSON or HTML",
    "diff": "show the changes between two runs; the exit code is for cron",
    "export": "write a run as CSV, JSON lines or Parquet",
    "nightly": "all of these in one night, by a configuration file; tell what is new",
    "baseline": "accept damage that is known, so that only new trouble is an alarm",
    "audit": "check that a ledger is as it was written",
}


@click.group(
    "archive",
    cls=Lazy,
    listed=_COMMANDS,
    package=__name__,
    epilog="Example: dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --jobs 4",
)
def command() -> None:
    """Verify an archive again and again, and show what changed; sign it once."""

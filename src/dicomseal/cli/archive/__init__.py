"""``dicomseal archive``: each subcommand in a module of its own, imported when called."""

from __future__ import annotations

import click

from ..lazy import Lazy

_COMMANDS = {
    "verify": "verify folders, lists of files and object stores into a ledger; stop and resume",
    "sign": "sign what has no signature of a key yet, in place or to a copy; stop and resume",
    "report": "what a run found, as text, JSON or HTML",
    "diff": "what changed between two runs; its exit code is for cron",
    "export": "a run as CSV or JSON lines",
    "audit": "whether a ledger is as it was written",
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

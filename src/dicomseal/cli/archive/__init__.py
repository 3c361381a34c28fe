"""``dicomseal archive``: each subcommand in a module of its own, imported when called."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "verify": "verify folders and lists of files into a ledger; stop and resume",
    "report": "what a run found, as text, JSON or HTML",
    "diff": "what changed between two runs; its exit code is for cron",
    "export": "a run as CSV or JSON lines",
    "audit": "whether a ledger is as it was written",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    "archive",
    cls=_Lazy,
    epilog="Example: dicomseal archive verify /archive --ledger ledger.db --trust ca.pem --jobs 4",
)
def command() -> None:
    """Verify an archive again and again, and show what changed."""

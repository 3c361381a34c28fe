"""A group of commands, each in a module of its own that is imported when it is called."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from .. import garbage


def _imported(name: str) -> ModuleType:
    """Load a module with all that it imports, without a look for garbage.

    What modules define stays until the end: to look at it, now and ever after, takes a tenth of the
    time in which a command starts.
    """
    with garbage.not_looked_for():
        module = import_module(name)
        gc.freeze()
    return module


class Lazy(click.Group):
    """Imports a subcommand's module when it is called, and not for its one-line help.

    Args:
        listed: the subcommands in their order, each with its help.
        package: the package of their modules; each module's ``command`` is the subcommand.
    """

    def __init__(self, *args: Any, listed: dict[str, str], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listed, self._package = listed, package

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._listed:
            return None
        name = f"{self._package}.{cmd_name}"
        command: click.Command = (sys.modules.get(name) or _imported(name)).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._listed.items()))

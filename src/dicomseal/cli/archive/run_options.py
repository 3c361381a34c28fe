"""The options of every command that makes a run over an archive."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...archive.find.ahead import TIMEOUT
from ...archive.find.roots import root_of
from ...archive.find.selection import Selection
from ...errors import UsageError
from ..numbers import FiniteRange

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_F = TypeVar("_F", bound=Callable[..., Any])


class NumberOrAuto(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number, or ``auto``.

    Args:
        least: the number is at least this.
        auto: returns the value of ``auto``.
    """

    name = "number"

    def __init__(self, least: int, auto: Callable[[], int | None]) -> None:
        self._number, self._auto = click.IntRange(min=least), auto

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if value is None or value == "auto":
            return self._auto()
        try:
            found: int = self._number.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither auto nor a number of at least {self._number.min}.",
                      param, ctx)  # fmt: skip
        return found


def _processors() -> int:
    from ...verification.processors import processors

    return processors()


_JOBS = NumberOrAuto(1, _processors)
AHEAD = NumberOrAuto(0, lambda: None)
read_timeout_option = click.option(
    "--read-timeout",
    type=FiniteRange(min=0, min_open=True),
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="A file, or a piece of a large one, that is not read by then is an error.",
)
_FIRST = (
    click.argument("roots", metavar="ROOT...", nargs=-1, required=True),
    click.option(
        "--ledger", required=True, metavar="FILE", help="Append to this ledger, or create it."
    ),
    click.option("--resume", is_flag=True, help="Continue the last run, which was stopped."),
)
_LAST = (
    click.option(
        "--include",
        metavar="GLOB",
        multiple=True,
        help="Only files whose name (path, if it has a slash) matches. Repeatable.",
    ),
    click.option(
        "--exclude",
        metavar="GLOB",
        multiple=True,
        help="No file whose name (path, if it has a slash) matches. Repeatable.",
    ),
    click.option(
        "-0", "--null", is_flag=True, help="In lists a NUL ends each path, as find -print0 writes."
    ),
    click.option(
        "--older-than",
        metavar="AGE",
        help="Only files last modified at least this long ago: 90m, 12h, 30d, 8w.",
    ),
    click.option("--follow-links", is_flag=True, help="Follow symbolic links to folders."),
    click.option(
        "--max-rate",
        type=FiniteRange(min=0, min_open=True),
        metavar="MB/S",
        help="Read at most this many megabytes a second.",
    ),
    click.option(
        "--sign-run",
        nargs=2,
        metavar="KEY CERT",
        help="Sign the run, during the run and at its end, so that no change of it can be hidden.",
    ),
    click.option(
        "--metrics", metavar="FILE", help="Write metrics to this file, in Prometheus' text format."
    ),
)


def run_options(jobs: str) -> Callable[[_F], _F]:
    """Declare ROOT... and the options; ``jobs`` is the help of ``--jobs``."""

    def declare(command: _F) -> _F:
        how_many = click.option(
            "--jobs", type=_JOBS, default=1, show_default=True, metavar="N|auto", help=jobs
        )
        for option in reversed((*_FIRST, how_many, *_LAST)):
            command = option(command)
        return command

    return declare


def selected(options: dict[str, Any], **drawn: Any) -> Selection:
    """Return the files that the options of a command select.

    Args:
        options: the keyword arguments of the command; those that are used are removed.
        drawn: the fields of `Selection` for a sample.

    Raises:
        UsageError: a root or an age makes no sense.
    """
    older_than = options.pop("older_than")
    return Selection(
        roots=tuple(root_of(root).name for root in options.pop("roots")),
        include=options.pop("include"),
        exclude=options.pop("exclude"),
        null=options.pop("null"),
        modified_before=None if older_than is None else time.time() - _age(older_than),
        follow=options.pop("follow_links"),
        **drawn,
    )


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text)
    if not found:
        raise UsageError(f"--older-than: {text!r} is not an age, e.g. 90m, 12h, 30d or 8w")
    return float(found[1]) * _UNITS[found[2]]

"""The options of every command that verifies, except trust: demands and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..encoding.limits import Limits
from ..errors import UsageError
from ..requirements import REQUIREMENTS
from ..verification.options import CHOICES, WARN, demands
from ..verification.verifier import known_transfer_syntax

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--integrity-only", is_flag=True, help="Skip trust; intact signatures are enough to pass."
    ),
    click.option(
        "--require",
        type=click.Choice(REQUIREMENTS),
        multiple=True,
        help="Fail an object that has no signature, or none of that profile. Repeatable.",
    ),
    click.option(
        "--require-signed",
        metavar="TAG",
        multiple=True,
        help="Fail unless a passing signature of the main data set covers this element. "
        "Repeatable.",
    ),
    click.option(
        "--require-all-signed",
        is_flag=True,
        help="Fail unless passing signatures cover all of the main data set that can be signed.",
    ),
    click.option(
        "--unsigned",
        type=click.Choice(CHOICES),
        default=WARN,
        show_default=True,
        help="Elements that no passing signature covers: accept them; warn, and do not pass an "
        "object if they say what signed elements mean; or reject any.",
    ),
    click.option(
        "--list-uncovered", is_flag=True, help="List the elements that no passing signature covers."
    ),
    click.option(
        "--limit",
        metavar="NAME=NUMBER",
        multiple=True,
        help=f"Limits for a hostile object: {', '.join(Limits._fields)}. Repeatable.",
    ),
    click.option(
        "--accept-legacy-format",
        is_flag=True,
        help="Accept signatures over encapsulated Pixel Data by dcmsign before 3.5.4.",
    ),
    click.option(
        "--transfer-syntax",
        metavar="UID",
        default="",
        help="The encoding of bare data sets, which have no File Meta Information to state it.",
    ),
)

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Verify in this number of processes.",
)


list_others_option = click.option(
    "--list-others",
    is_flag=True,
    help="Also list files of folders and lists that are not DICOM objects, or only a DICOMDIR.",
)


def verify_options(function: _F) -> _F:
    """Put the options on a command; it gets them as keyword arguments, see `demanded`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def demanded(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `verification.verifier.Options` for these options of a command.

    Args:
        options: the keyword arguments of the command; those of this module are removed.

    Raises:
        UsageError: they make no sense.
    """
    return {
        "integrity_only": options.pop("integrity_only"),
        "require": frozenset(options.pop("require")),
        "demands": demands(
            options.pop("require_signed"),
            options.pop("require_all_signed"),
            options.pop("list_uncovered"),
        ),
        "unsigned": options.pop("unsigned"),
        "limits": _limits(options.pop("limit")),
        "accept_legacy": options.pop("accept_legacy_format"),
        "transfer_syntax": known_transfer_syntax(options.pop("transfer_syntax")),
    }


def _limits(given: tuple[str, ...]) -> Limits:
    chosen = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in Limits._fields or not number.isdecimal():
            raise UsageError(
                f"--limit: {text!r} is not NAME=NUMBER, e.g. signatures=10, with one of the names "
                f"{', '.join(Limits._fields)}"
            )
        chosen[name] = int(number)
    return Limits.checked(Limits(**chosen))

"""``dicomseal explain``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import MalformedError, SourceError, UsageError
from ..explanation.diagnosis.budget import Effort
from ..report import harmless
from ..verification.options import Options
from .exit_codes import exit_code
from .streams import STANDARD, once_at_most, source_of
from .trust_options import trust_options, verification
from .verify_options import demanded, verify_options

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation

_EPILOG = """\b
Exit codes are those of verify: 0 passed or unsigned, 1 failed, 2 usage, 3 indeterminate,
4 unreadable. With --against: 0 the same content, 1 another.

\b
Examples:
  dicomseal explain --trust ca.pem ct.dcm
  dicomseal explain --list ct.dcm
  dicomseal explain --trust ca.pem ct.dcm --format html --output ct.html
  dicomseal explain --trust ca.pem ct.dcm --export evidence
  dicomseal explain ct.dcm --against backup/ct.dcm
"""
EXIT_UNREADABLE = 4
_COLOURS = {"ok": "green", "broken": "red", "unknown": "yellow"}


@click.command("explain", epilog=_EPILOG)
@click.argument("source", metavar="FILE")
@click.option("--uid", metavar="UID", help="Which signature. Default: all.")
@click.option(
    "--against", "copy", metavar="COPY", help="Compare FILE with this copy of it instead."
)
@click.option("--list", "listed", is_flag=True, help="List each element that is covered, with its "
              "VR, length and value, and its place in the stream.")  # fmt: skip
@trust_options
@verify_options
@click.option(
    "--effort",
    metavar="NAME=NUMBER",
    multiple=True,
    help="How long causes are searched for where a signature does not match: "
    f"{', '.join(f'{name}={number}' for name, number in Effort()._asdict().items())} by default. "
    "Repeatable.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="text for a terminal; json for programs; html: one page that needs no other files.",
)
@click.option(
    "--export",
    "folder",
    metavar="DIR",
    help="Write stream, MAC, signature value and "
    "certificates into this new folder, with a script that checks them by openssl.",
)
@click.option(
    "--output", "target", metavar="FILE", help="Write to this file. Default: standard output."
)
def command(
    source: str,
    uid: str | None,
    copy: str | None,
    listed: bool,
    effort: tuple[str, ...],
    output: str,
    folder: str | None,
    target: str | None,
    **given: Any,
) -> None:
    """Explain step by step how each signature in FILE was verified; - is standard input.

    Where one does not match, it is searched for what was changed, and a cause that is found is
    proven by a hash. The verdict is that of verify, whatever is found.

    With --against, say in which elements two copies of an object differ.
    """
    if copy is not None:
        given_too = {"--uid": uid, "--list": listed, "--effort": effort, "--export": folder}
        for option, value in given_too.items():
            if value:
                raise UsageError(f"{option} is about signatures, which --against does not look at")
        _compare(source, copy, output, target, Options(**demanded(given)))
    from ..explanation.explanation import explain
    from ..explanation.subject import Subject

    once_at_most([source])
    options = Options(**verification(given), **demanded(given))
    chosen = _effort(effort)
    data = source_of(source)
    subject = Subject(data, options, uid)
    if uid is not None and subject.report.error is None and not subject.signatures:
        raise UsageError(f"no signature has the UID {uid}")
    explanation = explain(subject, chosen, with_values=listed)
    if source == STANDARD:
        explanation = explanation.at(STANDARD)
    if folder is not None and subject.signatures:
        from ..explanation.export import export

        export(subject, explanation, folder)
    elif folder is not None:
        click.echo("dicomseal: nothing was exported, as no signature can be explained", err=True)
    _write(explanation, output, target)
    raise click.exceptions.Exit(exit_code({explanation.report.verdict: 1}))


def _compare(source: str, copy: str, output: str, target: str | None, options: Options) -> NoReturn:
    from ..explanation.comparison.compare import compare

    if output == "html":
        raise UsageError("--against gives text or json")
    once_at_most([source, copy])
    try:
        comparison = compare(
            source_of(source), source_of(copy), options.limits, options.transfer_syntax
        )
    except (MalformedError, SourceError) as error:
        click.echo(f"dicomseal: {harmless(str(error))}", err=True)
        raise click.exceptions.Exit(EXIT_UNREADABLE) from None
    _put(comparison.to_json() + b"\n" if output == "json" else _lines(comparison.render()), target)
    raise click.exceptions.Exit(0 if comparison.same else 1)


def _write(explanation: Explanation, output: str, target: str | None) -> None:
    watched = target is None and sys.stdout is not None and sys.stdout.isatty()
    if output == "json":
        from ..explanation.explanation import to_json

        data = to_json(explanation) + b"\n"
    elif output == "html":
        from ..explanation.html import render as page

        data = page(explanation)
    else:
        from ..explanation.text import plain, render

        coloured = watched and not os.environ.get("NO_COLOR")
        data = _lines(render(explanation, _style if coloured else plain))
    _put(data, target, watched)


def _put(data: bytes, target: str | None, coloured: bool = False) -> None:
    """Write to standard output, or to a file in one step."""
    if target is None:
        click.echo(data, nl=False, color=coloured or None)
        return
    from ..files.atomic import replacing

    with replacing(target) as file:
        file.write(data)


def _lines(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _style(text: str, state: str) -> str:
    return click.style(text, fg=_COLOURS.get(state))


def _effort(given: tuple[str, ...]) -> Effort:
    chosen = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in Effort._fields or not number.isdecimal() or len(number) > 9:
            raise UsageError(
                f"--effort: {text!r} is not NAME=NUMBER, e.g. seconds=60, with one of the names "
                f"{', '.join(Effort._fields)}"
            )
        chosen[name] = int(number)
    return Effort(**chosen)

"""``dicomseal dump``."""

from __future__ import annotations

import sys

import click

from ..errors import UsageError
from ..report import escaped, harmless
from .streams import STANDARD, naming, source_of

_EPILOG = """\b
Examples:
  dicomseal dump signed.dcm
  dicomseal dump signed.dcm --raw | sha256sum
  dicomseal dump signed.dcm --raw --output stream.bin

\b
Exit codes: 0 it was shown, 1 it cannot be rebuilt or the file cannot be read, 2 usage.
"""


@click.command("dump", epilog=_EPILOG)
@click.argument("source", metavar="FILE")
@click.option("--uid", metavar="UID", help="Which signature. Default: the first.")
@click.option("--raw", "as_bytes", is_flag=True, help="Print only the bytes, as they are hashed.")
@click.option(
    "--output", metavar="OUT", help="Write here; - is standard output, even if it is a terminal."
)
@click.option(
    "--accept-legacy-format",
    is_flag=True,
    help="Show the form of dcmsign before 3.5.4 where a signature is over that.",
)
def command(
    source: str,
    uid: str | None,
    as_bytes: bool,
    output: str | None,
    accept_legacy_format: bool,
) -> None:
    """Show the canonical byte stream of a signature in FILE.

    - is standard input. Of an unsigned object it is the stream of all elements that can be
    signed. Annotated, a line has the offset in the stream, the element, and the bytes. It is the
    stream over which the signature verifies; what is not so is said on standard error, and a
    stream that cannot be rebuilt is refused.
    """
    from ..signature.dump import Dump

    if as_bytes and output is None and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(
            "bytes are not written to a terminal; use a pipe, --output FILE, or --output - if you "
            "mean it"
        )
    with naming(source, output or ""):
        shown = Dump(source_of(source), uid, accept_legacy_format)
        for note in shown.notes:
            click.echo(f"dicomseal: {harmless(f'{escaped(source)}: {note}')}", err=True)
        if output is not None and output != STANDARD:
            from ..files.atomic import replacing

            with replacing(output) as file:
                if as_bytes:
                    shown.raw(file.write)
                else:
                    file.writelines(f"{line}\n".encode() for line in shown.lines())
        elif as_bytes:
            shown.raw(sys.stdout.buffer.write)
            sys.stdout.buffer.flush()
        else:
            for line in shown.lines():
                click.echo(line)

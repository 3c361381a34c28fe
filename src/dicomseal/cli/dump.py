"""``dicomseal dump``."""

from __future__ import annotations

import sys

import click

from ..signature import dump
from .streams import source_of

_EPILOG = """\b
Examples:
  dicomseal dump signed.dcm
  dicomseal dump signed.dcm --raw | sha256sum
"""


@click.command("dump", epilog=_EPILOG)
@click.argument("source", metavar="FILE")
@click.option("--uid", metavar="UID", help="Which signature. Default: the first.")
@click.option("--raw", "as_bytes", is_flag=True, help="The bytes themselves, as they are hashed.")
def command(source: str, uid: str | None, as_bytes: bool) -> None:
    """Show the canonical byte stream that a signature in FILE is computed over.

    - is standard input. Of an unsigned object it is the stream of all elements that can be
    signed. Annotated, a line has the offset in the stream, the element, and the bytes.
    """
    data = source_of(source)
    if as_bytes:
        output = sys.stdout.buffer
        dump.raw(data, output.write, uid)
        output.flush()
    else:
        for line in dump.annotated(data, uid):
            click.echo(line)

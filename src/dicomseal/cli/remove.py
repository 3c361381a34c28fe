"""``dicomseal remove``."""

from __future__ import annotations

import click

from ..editing.remove import remove_file
from ..errors import UsageError
from .streams import Target, naming, source_of

_EPILOG = """\b
Examples:
  dicomseal remove signed.dcm plain.dcm --all
  dicomseal remove signed.dcm signed.dcm --uid 2.25.1234
"""


@click.command("remove", epilog=_EPILOG)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--uid", metavar="UID", help="Remove the signature with this Digital Signature UID.")
@click.option("--all", "everything", is_flag=True, help="Remove all signatures, at any depth.")
def command(source: str, target: str, uid: str | None, everything: bool) -> None:
    """Remove signatures from the object IN and write it to OUT.

    OUT may be the same file; - is standard input or output.

    Every other byte is kept: without its signatures an object signed by dicomseal is the original
    file again. Sequences that were empty before they were signed into are the exception.
    """
    if bool(uid) == everything:
        raise UsageError("name the signatures: --uid UID or --all")
    output = Target(target)
    with naming(source, target):
        done = remove_file(source_of(source), output.file, uid)
    output.done()
    output.say(f"{done.removed} removed, {done.remaining} left")

"""``dicomseal sign``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from ..editing.reencode import SYNTAXES
from ..errors import UsageError
from ..report import escaped, harmless
from ..signature.locations import parse_location
from ..signing.request import SigningOptions, request_of
from ..signing.sign_file import sign_requested
from .guard import secrets_at_hand
from .several import Step, check, each, steps
from .sign_options import PASSWORDS, caution, note, password_of, sign_options, signing_arguments
from .streams import Target, naming, source_of

_EPILOG = f"""\b
{PASSWORDS}

\b
Exit codes: 0 all are signed, 1 a file could not be signed (it is named, and the others are signed),
2 usage.

\b
Examples:
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem
  dicomseal sign *.dcm --in-place --key key.pem --cert cert.pem
  dicomseal sign *.dcm --target signed/ --key key.pem --cert cert.pem
  dicomseal archive sign --help    signs whole folders, and can be stopped and resumed
  dicomseal sign plan.dcm plan.dcm --key signer.p12 --item "BeamSequence[0]"
  dicomseal sign sr.dcm sr.dcm --key key.pem --cert cert.pem --profile sr --purpose author
  dicomseal sign in.dcm out.dcm --key "pkcs11:token=archive;object=signer"
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem --tsa http://tsa.example/
"""
_REMEDY = (
    "sign with a certificate that is valid, or set the clock of this machine, if that is wrong"
)


@click.command("sign", epilog=_EPILOG)
@click.argument("paths", metavar="IN OUT | IN...", nargs=-1, required=True)
@sign_options
@click.option("--in-place", is_flag=True, help="Sign all named files in place.")
@click.option(
    "--target",
    metavar="DIR",
    help="Sign all named files; the signed ones get the same names in this folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are in that folder already.")
@click.option(
    "--item",
    "items",
    metavar="LOCATION",
    multiple=True,
    help="Sign this item instead of the main data set, e.g. BeamSequence[0]; -1 is the last one. "
    "Repeatable.",
)
@click.option(
    "--share-mac",
    is_flag=True,
    help="Use an existing MAC Parameters item, if it has the same values.",
)
@click.option(
    "--transfer-syntax",
    type=click.Choice(list(SYNTAXES)),
    help="Write OUT in this transfer syntax. Default: that of IN. Refused if it would break a "
    "signature in it.",
)
def command(
    paths: tuple[str, ...],
    items: tuple[str, ...],
    share_mac: bool,
    transfer_syntax: str | None,
    in_place: bool,
    target: str | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Sign the object IN and write it to OUT; or several files, with --in-place or --target.

    OUT may be IN. - is standard input or output; with the latter the UIDs go to standard error.
    Every byte that is not part of the signature is kept, unless --transfer-syntax changes the
    encoding.
    """
    todo = steps(paths, in_place, target)
    if overwrite and target is None:
        raise UsageError("--overwrite goes with --target")
    for item in items:
        parse_location(item)
    with secrets_at_hand():
        signing_options = SigningOptions(share_mac=share_mac, **signing_arguments(options))
        request = request_of(options["key"], options["cert"], password_of(options), signing_options)
        trouble = request.key.certificate.not_valid_at(request.when)
        if trouble:
            click.echo(f"dicomseal: warning: {trouble}; {_REMEDY}", err=True)
        if todo is None:
            output = Target(paths[1])
            with naming(*paths):
                data = source_of(paths[0])
                uids = sign_requested(request, data, output.file, items, transfer_syntax)
            output.done()
            caution(options)
            note(options, uids)
            for uid in uids:
                output.say(uid)
            return

        def act(step: Step) -> list[str]:
            free = overwrite or in_place
            check(step, free)
            now = request._replace(when=datetime.now(UTC).astimezone())
            uids = sign_requested(now, step.source, step.target, items, transfer_syntax, free)
            note(options, uids, escaped(step.source))
            return [f"{uid}  {harmless(escaped(step.target))}" for uid in uids]

        caution(options)
        code = each(todo, act, "signing", "signed")
    raise click.exceptions.Exit(code)

"""``dicomseal sign``."""

from __future__ import annotations

from typing import Any

import click

from ..reencode import SYNTAXES
from ..signature_maker import request_of
from ..signer import sign_requested
from .guard import secrets_at_hand
from .sign_options import PASSWORDS, note, sign_options, signing
from .streams import Target, source_of

_EPILOG = f"""\b
{PASSWORDS}

\b
Examples:
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem
  dicomseal sign plan.dcm plan.dcm --key signer.p12 --item "BeamSequence[0]"
  dicomseal sign sr.dcm sr.dcm --key key.pem --cert cert.pem --profile sr --purpose author
  dicomseal sign in.dcm out.dcm --key "pkcs11:token=archive;object=signer"
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem --tsa http://tsa.example/
"""
_REMEDY = (
    "sign with a certificate that is valid, or set the clock of this machine, if that is wrong"
)


@click.command("sign", epilog=_EPILOG)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@sign_options
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
    help="Use a MAC Parameters item that is there, if it says the same.",
)
@click.option(
    "--transfer-syntax",
    type=click.Choice(list(SYNTAXES)),
    help="Write OUT in this transfer syntax. Default: that of IN. Refused if it would break a "
    "signature that is there.",
)
def command(
    source: str,
    target: str,
    items: tuple[str, ...],
    share_mac: bool,
    transfer_syntax: str | None,
    **options: Any,
) -> None:
    """Sign the object IN and write it to OUT, which may be the same file.

    - is standard input or output; with the latter the UIDs go to standard error. Every byte that
    is not part of the signature is kept, unless --transfer-syntax asks for others.
    """  # fmt: skip
    with secrets_at_hand():
        wishes = signing(options)
        request = request_of(
            options["key"], options["cert"], uid=None, when=None, share_mac=share_mac, **wishes
        )
        trouble = request.key.certificate.not_valid_at(request.when)
        if trouble:
            click.echo(f"dicomseal: warning: {trouble}; {_REMEDY}", err=True)
        output = Target(target)
        data = source_of(source)
        uids = sign_requested(request, data, output.file, items, transfer_syntax)
        output.done()
    note(options, uids)
    for uid in uids:
        output.say(uid)

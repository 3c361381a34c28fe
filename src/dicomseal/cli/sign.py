"""``dicomseal sign``."""

from __future__ import annotations

import os
import sys

import click

from ..errors import KeyFileError, UsageError
from ..keys import read_secret
from ..profiles import PROFILES, find
from ..purposes import MEANINGS
from ..reencode import SYNTAXES
from ..signer import sign_file
from ..signing_policy import ALLOW_WEAK, STRONG
from ..terms import MAC_ALGORITHMS, TIMESTAMP_ALGORITHMS
from .guard import secrets_at_hand

_EPILOG = """\b
The password of an encrypted key, or the PIN of a token, comes from --password-env,
--password-file, or a prompt. There is no option for the password itself: everyone on the machine
can read the arguments of a process.

\b
Examples:
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem
  dicomseal sign plan.dcm plan.dcm --key signer.p12 --item "BeamSequence[0]"
  dicomseal sign sr.dcm sr.dcm --key key.pem --cert cert.pem --profile sr --purpose author
  dicomseal sign in.dcm out.dcm --key "pkcs11:token=archive;object=signer"
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem --tsa http://tsa.example/
"""


def _list_purposes(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        for code, meaning in MEANINGS.items():
            click.echo(f"{code:>2}  {meaning}")
        ctx.exit()


@click.command("sign", epilog=_EPILOG)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option(
    "--key",
    required=True,
    metavar="FILE|URI",
    help="Private key: PEM, DER, PKCS#8 (encrypted or not), PKCS#12, or a pkcs11: URI.",
)
@click.option(
    "--cert",
    metavar="FILE",
    help="The signer's certificate, PEM or DER; PKCS#12 and tokens bring their own.",
)
@click.option(
    "--mac",
    type=click.Choice(list(MAC_ALGORITHMS)),
    default="SHA256",
    show_default=True,
    help="MAC Algorithm.",
)
@click.option(
    "--allow-weak",
    is_flag=True,
    help="Sign with RIPEMD160, MD5, SHA1 or a short key all the same.",
)
@click.option(
    "--profile",
    type=click.Choice(["none", *PROFILES]),
    default="none",
    show_default=True,
    help="Digital signature profile of PS3.15 Annex C that the signature must satisfy.",
)
@click.option(
    "--purpose",
    metavar="CODE|NAME",
    help="Purpose of the signature: 1 to 18, or its name (PS3.16 CID 7007).",
)
@click.option(
    "--list-purposes",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_purposes,
    help="Show the purposes and exit.",
)
@click.option(
    "--tag",
    "tags",
    metavar="TAG",
    multiple=True,
    help="Sign this element only, and what the profile demands: gggg,eeee or a keyword. "
    "Repeatable. Default: all.",
)
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
@click.option(
    "--password-env", metavar="NAME", help="Environment variable with the key's password."
)
@click.option("--password-file", metavar="FILE", help="File with the key's password.")
@click.option("--tsa", metavar="URL", help="Timestamp authority: add a Certified Timestamp of it.")
@click.option(
    "--tsa-mac",
    type=click.Choice(TIMESTAMP_ALGORITHMS),
    default="SHA256",
    show_default=True,
    help="Hash of the timestamp's imprint.",
)
@click.option("--tsa-policy", metavar="OID", help="Policy that the authority shall follow.")
@click.option(
    "--tsa-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Give the authority up after so long.",
)
@click.option(
    "--tsa-auth",
    metavar="env:NAME|netrc",
    help="User and password for the authority: an environment variable that holds user:password, "
    "or the netrc file.",
)
def command(
    source: str,
    target: str,
    key: str,
    cert: str | None,
    mac: str,
    allow_weak: bool,
    profile: str,
    purpose: str | None,
    tags: tuple[str, ...],
    items: tuple[str, ...],
    share_mac: bool,
    transfer_syntax: str | None,
    password_env: str | None,
    password_file: str | None,
    tsa: str | None,
    tsa_mac: str,
    tsa_policy: str | None,
    tsa_timeout: float,
    tsa_auth: str | None,
) -> None:
    """Sign the object IN and write it to OUT, which may be the same file.

    Every byte that is not part of the signature is kept, unless --transfer-syntax asks for others.
    """  # fmt: skip
    authority = None
    with secrets_at_hand():
        if tsa is not None:
            from .. import tsa_credentials
            from ..timestamp_protocol import TimestampAuthority

            credentials = tsa_credentials.find(tsa_auth, tsa) if tsa_auth else None
            authority = TimestampAuthority(tsa, tsa_mac, tsa_policy, tsa_timeout, credentials)
        elif tsa_auth is not None:
            raise UsageError("--tsa-auth goes with --tsa")
        uids = sign_file(
            source,
            target,
            key,
            cert,
            mac=mac,
            tags=tags or None,
            items=items,
            share_mac=share_mac,
            transfer_syntax=transfer_syntax,
            password=lambda: _password(key, password_env, password_file),
            profile=profile,
            purpose=purpose,
            policy=ALLOW_WEAK if allow_weak else STRONG,
            tsa=authority,
        )
    demands = find(profile)
    if tags and demands and demands.caution:
        click.echo(f"dicomseal: note: {demands.caution}", err=True)
    for uid in uids:
        click.echo(uid)


def _password(key: str, variable: str | None, file: str | None) -> bytes:
    """The password. No message repeats an argument: it may be the password, by mistake."""
    if variable is not None:
        value = os.environ.get(variable)
        if value is None:
            raise UsageError("--password-env: there is no environment variable of that name")
        return os.fsencode(value)
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise KeyFileError(
            f"{key}: a password or PIN is needed; give --password-env or --password-file",
            "password",
        )
    answer: str = click.prompt(f"password of {key}", hide_input=True, err=True)
    return answer.encode(errors="surrogateescape")


def _first_line(file: str) -> bytes:
    try:
        data = read_secret(file)
        data.decode()
        trouble = ""
    except UnicodeDecodeError:
        trouble = "no text in UTF-8"
    except (OSError, ValueError) as error:
        trouble = getattr(error, "strerror", None) or str(error)
    if trouble:
        raise UsageError(f"--password-file: {trouble}")
    return data.partition(b"\n")[0].rstrip(b"\r")

"""``dicomseal sign``."""

from __future__ import annotations

import os
import sys

import click

from ..errors import KeyFileError, UsageError
from ..signer import sign_file
from ..terms import MAC_ALGORITHMS, TIMESTAMP_ALGORITHMS

_EPILOG = """\b
The password of an encrypted key, or the PIN of a token, comes from --password-env,
--password-file, or a prompt.

\b
Examples:
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem
  dicomseal sign plan.dcm plan.dcm --key signer.p12 --item "BeamSequence[0]"
  dicomseal sign in.dcm out.dcm --key "pkcs11:token=archive;object=signer"
  dicomseal sign in.dcm out.dcm --key key.pem --cert cert.pem --tsa http://tsa.example/
"""


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
    "--tag",
    "tags",
    metavar="TAG",
    multiple=True,
    help="Sign this element only: gggg,eeee or a keyword. Repeatable. Default: all.",
)
@click.option(
    "--item",
    "items",
    metavar="LOCATION",
    multiple=True,
    help="Sign this item instead of the main data set, e.g. BeamSequence[0]. Repeatable.",
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
def command(
    source: str,
    target: str,
    key: str,
    cert: str | None,
    mac: str,
    tags: tuple[str, ...],
    items: tuple[str, ...],
    password_env: str | None,
    password_file: str | None,
    tsa: str | None,
    tsa_mac: str,
    tsa_policy: str | None,
    tsa_timeout: float,
) -> None:
    """Sign the object IN and write it to OUT, which may be the same file.

    Every byte that is not part of the signature is kept.
    """  # fmt: skip
    authority = None
    if tsa is not None:
        from ..timestamp_protocol import TimestampAuthority

        authority = TimestampAuthority(tsa, tsa_mac, tsa_policy, tsa_timeout)
    uids = sign_file(
        source,
        target,
        key,
        cert,
        mac=mac,
        tags=tags or None,
        items=items,
        password=lambda: _password(key, password_env, password_file),
        tsa=authority,
    )
    for uid in uids:
        click.echo(uid)


def _password(key: str, variable: str | None, file: str | None) -> str:
    if variable is not None:
        value = os.environ.get(variable)
        if value is None:
            raise UsageError(f"--password-env: there is no environment variable {variable}")
        return value
    if file is not None:
        try:
            with open(file, encoding="utf-8") as lines:
                return lines.readline().rstrip("\r\n")
        except OSError as error:
            raise UsageError(f"--password-file: {file}: {error.strerror}") from None
        except ValueError:
            raise UsageError(f"--password-file: {file}: no text in UTF-8") from None
    if not sys.stdin.isatty():
        raise KeyFileError(
            f"{key}: a password or PIN is needed; give --password-env or --password-file",
            "password",
        )
    answer: str = click.prompt(f"password of {key}", hide_input=True, err=True)
    return answer

"""``dicomseal timestamp``: two steps by file, for an authority reached by other means."""

from __future__ import annotations

import click

from ..errors import SourceError, UsageError
from ..files.atomic import replacing
from ..standard.mac_algorithms import TIMESTAMP_ALGORITHMS
from ..timestamps.authority import MAX_BYTES
from ..timestamps.request_files import encode_uid, insert_file, query_file, read_uid

_EPILOG = """\b
The files are those of "openssl ts" and of dcmsign's +ts and +t.

\b
Examples:
  dicomseal timestamp query signed.dcm --out request.tsq
  openssl ts -reply -queryfile request.tsq -out response.tsr
  dicomseal timestamp insert signed.dcm stamped.dcm --response response.tsr --request request.tsq
"""


@click.group("timestamp", epilog=_EPILOG)
def command() -> None:
    """Make Certified Timestamps (RFC 3161) in two steps: write a request, insert the response."""


@command.command("query")
@click.argument("source", metavar="IN")
@click.option("--out", required=True, metavar="REQUEST", help="Write the request here, DER.")
@click.option("--uid", metavar="UID", help="Digital Signature UID, if there are several.")
@click.option("--uid-out", metavar="FILE", help="Write a UID file too, for dcmsign +t.")
@click.option(
    "--mac",
    type=click.Choice(TIMESTAMP_ALGORITHMS, case_sensitive=False),
    default="SHA256",
    show_default=True,
    help="Hash of the timestamp's imprint.",
)
@click.option("--policy", metavar="OID", help="Policy that the authority shall follow.")
@click.option("--no-nonce", is_flag=True, help="Do not make the response repeat a number.")
@click.option("--no-cert", is_flag=True, help="Do not ask for the authority's certificate.")
def query(
    source: str,
    out: str,
    uid: str | None,
    uid_out: str | None,
    mac: str,
    policy: str | None,
    no_nonce: bool,
    no_cert: bool,
) -> None:
    """Write a timestamp request for a signature of the object IN, and print the signature's UID."""
    chosen, request = query_file(
        source, uid, algorithm=mac, policy=policy, nonce=not no_nonce, certificate=not no_cert
    )
    with replacing(out) as file:
        file.write(request)
    if uid_out is not None:
        with replacing(uid_out) as file:
            file.write(encode_uid(chosen))
    click.echo(chosen)


@command.command("insert")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--response", required=True, metavar="FILE", help="The authority's response, DER.")
@click.option("--request", metavar="FILE", help="The request: nonce and policy are compared.")
@click.option("--uid", metavar="UID", help="Digital Signature UID, if there are several.")
@click.option("--uid-file", metavar="FILE", help="The UID from a file that dcmsign +ts wrote.")
def insert(
    source: str,
    target: str,
    response: str,
    request: str | None,
    uid: str | None,
    uid_file: str | None,
) -> None:
    """Insert the response of a timestamp authority into the object IN and write it to OUT.

    OUT may be the same file. Nothing is written unless the timestamp belongs to this signature.
    """
    if uid_file is not None:
        if uid is not None:
            raise UsageError("--uid or --uid-file, not both")
        uid = read_uid(uid_file)
    sent = _bytes(request) if request is not None else None
    click.echo(insert_file(source, target, _bytes(response), uid, request=sent))


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # the latter for a NUL in the path
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from None

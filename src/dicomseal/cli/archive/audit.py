"""``dicomseal archive audit``."""

from __future__ import annotations

import click

from ...archive.ledger.audit import Audit, audit
from ...archive.ledger.ledger import Ledger
from ...signature.certificate import Certificate
from ..text import harmless

_EPILOG = """\b
Exit codes: 0 the ledger is as it was written, 1 it is not, 2 usage or no ledger.

\b
Examples:
  dicomseal archive audit ledger.db
  dicomseal archive audit ledger.db --signer archive-cert.pem
"""


@click.command("audit", epilog=_EPILOG)
@click.argument("ledger", metavar="LEDGER")
@click.option(
    "--signer",
    "signers",
    metavar="CERT",
    multiple=True,
    help="Every run must be signed by one of these certificates, as far as it goes. Repeatable.",
)
def command(ledger: str, signers: tuple[str, ...]) -> None:
    """Compute the hash chain of LEDGER again, and verify the signatures of its runs.

    Without --signer, who knows how the chain is made can change the ledger, compute it anew, and
    sign it by a certificate of any name.
    """
    named = [read_certificate(path) for path in signers] or None
    with Ledger(ledger) as opened:
        made = audit(opened, named)
    click.echo("\n".join(harmless(line) for line in _lines(ledger, made)))
    raise click.exceptions.Exit(0 if made.intact else 1)


def read_certificate(path: str) -> Certificate:
    """The first certificate in a file."""
    from ...signature import certificate
    from ...trust.formats import der_of
    from ...trust.loading import load_certificates

    return certificate.parse(der_of(load_certificates(path)[0]))


def _lines(ledger: str, made: Audit) -> list[str]:
    lines = [f"{ledger}: {'intact' if made.intact else 'CHANGED'}"]
    lines.append(f"  {made.runs:,} runs, {made.batches:,} batches, {made.objects:,} objects")
    for run, subject in made.signed.items():
        if made.checked:
            lines.append(f"  run {run} is signed by {subject}")
        else:  # anybody can make a certificate of that name
            lines.append(f"  run {run} is signed by a certificate named {subject}, not checked")
            lines.append(f"    its SHA-256 fingerprint is {made.fingerprints[run]}")
    for what, numbers in (("not signed", made.unsigned), ("not finished", made.unfinished)):
        if numbers:
            lines.append(f"  {what}: run {', '.join(map(str, numbers))}")
    for one in made.findings:
        where = f"run {one.run}" + (f", batch {one.batch}" if one.batch else "")
        lines.append(f"  {where}: {one.message}" if one.run else f"  {one.message}")
    lines.append(f"  head {made.head or '(not computed)'}")
    return lines

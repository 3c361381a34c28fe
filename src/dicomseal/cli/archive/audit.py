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

    Without --signer, anyone who knows how the chain is computed can change the ledger, compute the
    chain again, and sign it by a certificate of any name.
    """
    named = [read_certificate(path) for path in signers] or None
    with Ledger(ledger) as opened:
        result = audit(opened, named)
    click.echo("\n".join(harmless(line) for line in _lines(ledger, result)))
    raise click.exceptions.Exit(0 if result.intact else 1)


def read_certificate(path: str) -> Certificate:
    """Return the first certificate in a file."""
    from ...signature import certificate
    from ...trust.formats import der_of
    from ...trust.loading import load_certificates

    return certificate.parse(der_of(load_certificates(path)[0]))


def _lines(ledger: str, result: Audit) -> list[str]:
    lines = [f"{ledger}: {'intact' if result.intact else 'CHANGED'}"]
    lines.append(f"  {result.runs:,} runs, {result.batches:,} batches, {result.objects:,} objects")
    for run, subject in result.signed.items():
        if result.checked:
            lines.append(f"  run {run} is signed by {subject}")
        else:  # anyone can make a certificate of that name
            lines.append(f"  run {run} is signed by a certificate named {subject}, not checked")
            lines.append(f"    its SHA-256 fingerprint is {result.fingerprints[run]}")
    for what, numbers in (("not signed", result.unsigned), ("not finished", result.unfinished)):
        if numbers:
            lines.append(f"  {what}: run {', '.join(map(str, numbers))}")
    for one in result.findings:
        where = f"run {one.run}" + (f", batch {one.batch}" if one.batch else "")
        lines.append(f"  {where}: {one.message}" if one.run else f"  {one.message}")
    lines.append(f"  head {result.head or '(not computed)'}")
    return lines

"""``dicomseal archive sign``."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from ...archive.errors import StoppedError
from ...archive.ledger.rows import REFUSED, SIGN_VERDICTS
from ...archive.run import sign_archive
from ...errors import UsageError
from ..guard import secrets_at_hand
from ..runs import EXIT_UNREADABLE, Watch, end, run_signer, summary
from ..sign_options import PASSWORDS, caution, password_of, sign_options, signing_arguments
from .run_options import read_timeout_option, run_options, selected

_EPILOG = f"""\b
{PASSWORDS}

\b
Exit codes: 0 every object has a signature of this key now, 1 some were refused, 4 some could not be
read or written (or the key, the timestamp authority or the disk's space was lost), 130 stopped by
Ctrl-C or SIGTERM, to be resumed. A file that is not a DICOM object, or a DICOMDIR, is counted,
and is not a failure.

\b
Examples:
  dicomseal archive sign /archive --key key.pem --cert cert.pem --in-place --ledger signed.db
  dicomseal archive sign /archive --key "pkcs11:token=archive;object=signer" --profile creator \\
      --target /signed --ledger signed.db --jobs 4 --resume
"""


@click.command("sign", epilog=_EPILOG)
@run_options("Sign in this number of processes.")
@read_timeout_option
@sign_options
@click.option("--in-place", is_flag=True, help="Replace each object by the signed one.")
@click.option("--target", metavar="DIR", help="Write signed copies here, in the same folders.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace files in the target that are not the copies that would be made.",
)
@click.option(
    "--countersign-broken",
    is_flag=True,
    help="Also sign objects with a signature that does not verify.",
)
def command(
    ledger: str,
    resume: bool,
    jobs: int,
    max_rate: float | None,
    read_timeout: float,
    sign_run: tuple[str, str] | None,
    metrics: str | None,
    in_place: bool,
    target: str | None,
    overwrite: bool,
    countersign_broken: bool,
    **options: Any,
) -> None:
    """Sign every object below ROOT that has no signature of this key.

    ROOT is a folder, a file, @LIST (a file with a path on each line) or - (such lines on standard
    input). You can kill it at any moment, and the power may fail: each object is the old or the
    new one, --resume continues, no object is signed twice, none is left out. Up to 256 objects, or
    128 MB of them, are flushed to disk at once, and lie in temporary files beside the old ones
    until then.
    """
    if in_place == (target is not None):
        raise UsageError("say where the signed objects go: --in-place or --target DIR")
    if overwrite and in_place:
        raise UsageError("--overwrite goes with --target")
    selection = selected(options)
    started = time.monotonic()
    with secrets_at_hand(), Watch(metrics) as watch:
        try:
            outcome = sign_archive.sign(
                ledger,
                selection,
                options["key"],
                options["cert"],
                target=None if target is None else os.path.abspath(target),
                overwrite=overwrite,
                countersign_broken=countersign_broken,
                jobs=jobs,
                resume=resume,
                max_rate=max_rate and max_rate * 1e6,
                read_timeout=read_timeout,
                sign_run=run_signer(*sign_run) if sign_run else None,
                watch=watch,
                password=password_of(options),
                **signing_arguments(options),
            )
        except StoppedError as error:
            click.echo(f"dicomseal: {error}", err=True)
            click.echo("stopped: --resume continues from here", err=True)
            raise click.exceptions.Exit(EXIT_UNREADABLE) from None
        watch.finish(outcome)
    caution(options)
    click.echo(summary(ledger, outcome, SIGN_VERDICTS, watch.progress, time.monotonic() - started))
    end(outcome, watch.progress)
    verdicts = outcome.totals.verdicts
    code = 1 if verdicts.get(REFUSED) else EXIT_UNREADABLE if verdicts.get("error") else 0
    raise click.exceptions.Exit(code)

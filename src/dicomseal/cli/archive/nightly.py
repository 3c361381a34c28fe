"""``dicomseal archive nightly``."""

from __future__ import annotations

import signal
import time

import click

from ...archive.nights import figures, mail
from ...archive.nights.alarms import NEW_TROUBLE, NOT_READ
from ...archive.nights.night import Night, Task, baseline_of, carry_out
from ...archive.run.runner import Outcome
from ...errors import SourceError, UsageError
from ...files.atomic import replacing
from ..runs import Watch
from .audit import read_certificate
from .nightly_config import Config, example, read
from .verify import requested

_EPILOG = """\b
Exit codes:
  0    nothing new
  1    new trouble: something fails or was changed that the baseline does not hold, or the ledger
       is not as it was written
  2    the configuration makes no sense, or the ledger cannot be used
  3    nothing of that, but objects that cannot be decided
  4    the storage is away, files cannot be read, or the summary or a report could not be written
  5    another night is at work
  130  stopped; the next night resumes it

\b
Examples:
  dicomseal archive nightly --example-config > archive.toml
  dicomseal archive nightly --config archive.toml
"""


def _print_example(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(example(), nl=False)
        ctx.exit()


@click.command("nightly", epilog=_EPILOG)
@click.option("--config", required=True, metavar="FILE", help="The configuration, in TOML.")
@click.option(
    "--example-config", is_flag=True, expose_value=False, is_eager=True, callback=_print_example,
    help="Print an example of it that explains every key.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True, help="Only check the configuration, and the files that it names."
)
@click.option("--quiet", is_flag=True, help="Print nothing if there is nothing new.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The format of the output.",
)
def command(config: str, check: bool, quiet: bool, kind: str) -> None:
    """Verify an archive, or resume; audit, compare, report; tell what is new.

    New is what the last run but one did not have and the baseline does not hold. An alarm stays on
    every night until it is repaired or accepted (`dicomseal archive baseline`).
    """
    # also while it audits and compares, a stopped night is told; a run has a handler of its own
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configuration = read(config)
    if check:
        _task(configuration)
        click.echo(f"{config}: it can be used")
        return
    settings = configuration.settings
    night = carry_out(settings, lambda: _begun(configuration))
    # what another night is writing is left to that one
    for write in (_figures, _mail, _files) if night.begun else (_mail,):
        try:
            write(configuration, night)
        except (SourceError, UsageError) as error:
            night.notes.append(f"this could not be written: {error}")
            click.echo(f"dicomseal: {error}", err=True)
            if night.code != NEW_TROUBLE:
                night.code = NOT_READ
    _print(configuration, night, quiet, kind)
    raise click.exceptions.Exit(night.code)


def _begun(configuration: Config) -> Task:
    """Begin a night, with no other at work, and return what it needs."""
    settings = configuration.settings
    if settings.mail.file:  # whatever sends it must not send that of the night before
        _write(settings.mail.file, mail.begun(settings.archive, time.time()).encode())
    return _task(configuration)


def _task(configuration: Config) -> Task:
    """Return what a night needs of the options.

    Raises:
        UsageError: they make no sense, or name a file that cannot be used.
    """
    settings, values = configuration
    if settings.report.html:
        from ...archive.reports.html import check

        check()
    baseline_of(settings)
    request = requested(**values)
    metrics = settings.report.metrics or None

    def verify(resume: bool) -> Outcome:
        with Watch(metrics) as watch:
            outcome = request.carry_out(settings.archive.ledger, resume, watch)
            watch.finish(outcome)
        return outcome

    return Task(
        selection=request.request.selection,
        verify=verify,
        signers=[read_certificate(path) for path in settings.audit.signers] or None,
        at=request.settings.at.timestamp() if request.settings.at else None,
    )


def _figures(configuration: Config, night: Night) -> None:
    metrics = configuration.settings.report.metrics
    if metrics:
        figures.write(figures.place(metrics), night)


def _mail(configuration: Config, night: Night) -> None:
    settings = configuration.settings.mail
    if settings.command and mail.is_due(settings, night):
        mail.send(settings, night)


def _files(configuration: Config, night: Night) -> None:
    settings = configuration.settings
    if settings.mail.file:
        _write(settings.mail.file, mail.text(night).encode())
    if settings.report.json:
        _write(settings.report.json, _json(night))


def _write(path: str, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)


def _json(night: Night) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(night), indent=2) + b"\n"


def _print(configuration: Config, night: Night, quiet: bool, kind: str) -> None:
    """Print the summary; one line if it is mailed, so that cron does not mail it again."""
    if quiet and night.code == 0:
        return
    settings = configuration.settings.mail
    if kind == "json":
        click.echo(_json(night).decode(), nl=False)
    elif settings.command:
        click.echo(mail.subject(night))
    else:
        click.echo(mail.text(night), nl=False)

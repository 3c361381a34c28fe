"""The command ``dicomseal``. Each subcommand is a module of its own, imported when called."""

from __future__ import annotations

import atexit
import gc
import os
import sys

import click

from .. import __version__
from ..errors import DicomSealError, LedgerError, UsageError
from .lazy import Lazy

_COMMANDS = {
    "verify": "verify every signature of objects and folders",
    "sign": "sign an object, or items in it",
    "remove": "remove signatures",
    "timestamp": "certified timestamps by file: request and insert",
    "archive": "verify an archive with a ledger; audit, report, compare",
    "explain": "step by step, how each signature was verified, and why it does not match",
    "gate": "receive objects over the network, verify on arrival, store, forward",
    "watch": "verify what another receiver puts into folders, as it arrives",
    "dump": "the canonical byte stream of a signature",
    "demo": "build, sign, tamper, verify: all steps in one run",
}
EXIT_FAILED, EXIT_USAGE, EXIT_UNREADABLE = 1, 2, 4


class _Command(Lazy):
    """The command itself."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # the reader of our output has gone: end as SIGPIPE would; click would make it a 1,
            # which for verify means that an object failed
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            raise click.exceptions.Exit(141) from None


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from ..encoding.backend import BACKEND

        click.echo(f"dicomseal {__version__} ({BACKEND} backend)")
        ctx.exit()


@click.group(
    cls=_Command,
    listed=_COMMANDS,
    package=__name__,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: dicomseal verify --trust ca.pem archive/",
)
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True,
              help="Show version and backend.")  # fmt: skip
def group() -> None:
    """Sign and verify DICOM Digital Signatures (PS3.3 C.12.1.1.3, PS3.15 Annex C)."""


def main() -> None:
    """Run the command line; an error of the user never ends in a traceback."""
    # the memory goes with the process: to look for garbage in all of it once more takes a tenth of
    # the time of `verify` for one file
    atexit.register(gc.freeze)
    try:
        sys.exit(group(standalone_mode=False))  # click returns the code of an Exit
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("dicomseal: interrupted", err=True)
        sys.exit(130)
    except OSError as error:
        click.echo(f"dicomseal: {error.strerror or error}", err=True)  # e.g. the disk is full
        sys.exit(EXIT_UNREADABLE)
    except DicomSealError as error:
        click.echo(f"dicomseal: {error}", err=True)
        if sys.stderr.isatty() and not isinstance(error, UsageError) and error.remedy:
            click.echo(f"dicomseal: to do: {error.remedy}", err=True)  # a person reads it
        sys.exit(EXIT_USAGE if isinstance(error, (UsageError, LedgerError)) else EXIT_FAILED)

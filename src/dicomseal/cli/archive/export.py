"""``dicomseal archive export``."""

from __future__ import annotations

import io

import click

from ...archive.ledger.ledger import Ledger
from ...archive.reports.export import lines, write_csv, write_jsonl, write_parquet
from ...errors import UsageError
from ...files.atomic import replacing

_EPILOG = """\b
Example:
  dicomseal archive export ledger.db --csv run.csv
"""


@click.command("export", epilog=_EPILOG)
@click.argument("ledger", metavar="LEDGER")
@click.option(
    "--run", "number", type=int, metavar="RUN", help="The number of the run. Default: the last one."
)
@click.option(
    "--csv",
    "as_csv",
    metavar="FILE",
    help="Write a table here. Text that a spreadsheet program would run as a formula gets an "
    "apostrophe before it.",
)
@click.option(
    "--jsonl", "as_jsonl", metavar="FILE", help="Write JSON here, one object on each line."
)
@click.option("--parquet", "as_parquet", metavar="FILE", help="Write Parquet here.")
def command(
    ledger: str, number: int | None, as_csv: str | None, as_jsonl: str | None,
    as_parquet: str | None,
) -> None:  # fmt: skip
    """Write a run in LEDGER for other programs: one line a signature, or an unsigned object."""
    if as_csv is None and as_jsonl is None and as_parquet is None:
        raise UsageError("name an output: --csv, --jsonl or --parquet FILE")
    with Ledger(ledger) as opened:
        for path, write in ((as_csv, write_csv), (as_jsonl, write_jsonl)):
            if path is None:
                continue
            with replacing(path) as file:
                text = io.TextIOWrapper(file, "utf-8", newline="")
                write(lines(opened, number), text)
                text.flush()
                text.detach()
        if as_parquet is not None:
            with replacing(as_parquet) as file:
                write_parquet(lines(opened, number), file)

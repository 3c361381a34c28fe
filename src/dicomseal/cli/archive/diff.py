"""``dicomseal archive diff``."""

from __future__ import annotations

import click

from ...archive.ledger.ledger import Ledger
from ...archive.reports.diff import (  # fmt: skip
    ALARMING,
    KINDS,
    MEANINGS,
    NEWLY_FAILING,
    SAME,
    STRIPPED,
    changes,
    pair,
    same_files,
)
from ...report import escaped, harmless

_EPILOG = """\b
Exit codes: 1 if one of the changes marked with * happened, else 0; 2 usage, or no two
finished runs.

\b
Kinds of changes:
""" + "".join(
    f"{'*' if kind in ALARMING else ' '} {kind:<17} {MEANINGS[kind]}\n" for kind in KINDS
) + """
\b
Example:
  dicomseal archive diff ledger.db --since 3
"""  # fmt: skip


@click.command("diff", epilog=_EPILOG)
@click.argument("ledger", metavar="LEDGER")
@click.option(
    "--since",
    type=int,
    metavar="RUN",
    help="Compare with this run. Default: the finished one before the last.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
)
def command(ledger: str, since: int | None, kind: str) -> None:
    """Compare the last finished run in LEDGER with an earlier one."""
    counts = dict.fromkeys(KINDS, 0)
    with Ledger(ledger) as opened:
        before, after = pair(opened, since)
        for change in changes(opened, before, after):
            counts[change.kind] += 1
            path, row = escaped(change.row.path), change.row
            if kind == "jsonl":
                import msgspec

                line = msgspec.json.encode(
                    {"change": change.kind, "path": path, "verdict": row.verdict,
                     "reason": row.reason, "sentence": row.sentence,
                     "content": change.content}
                ).decode()  # fmt: skip
            else:
                why = f" ({row.reason}: {row.sentence})" if change.after and row.reason else ""
                if change.content and change.kind in (NEWLY_FAILING, STRIPPED):
                    why += f"; the content {'is the same' if change.content == SAME else 'changed'}"
                line = harmless(f"{change.kind:<17} {path}{why}")
            click.echo(line)
        if not same_files(before, after):
            click.echo(
                "dicomseal: note: the runs were not over the same files: new and vanished files "
                "are not known",
                err=True,
            )
    if kind == "text":
        changed = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        click.echo(f"run {before.number} to run {after.number}: {changed or 'no change'}")
    raise click.exceptions.Exit(int(any(counts[one] for one in ALARMING)))

"""``dicomseal archive diff``."""

from __future__ import annotations

import click

from ...archive.ledger.ledger import Ledger
from ...archive.reports.baseline import Baseline, load
from ...archive.reports.diff import (  # fmt: skip
    ALARMING,
    IN_TROUBLE,
    KINDS,
    MEANINGS,
    Change,
    changes,
    item_of_change,
    pair,
    same_files,
)
from ...archive.reports.groups import MAX_PATHS, Group, Groups
from ...report import escaped, harmless

_EPILOG = """\b
Exit codes: 1 if one of the changes marked with * happened, and the baseline does not know it,
else 0; 2 usage, or no two finished runs.

\b
Kinds of changes:
""" + "".join(
    f"{'*' if kind in ALARMING else ' '} {kind:<17} {MEANINGS[kind]}\n" for kind in KINDS
) + f"""\b
* {IN_TROUBLE:<17} is new, or was in trouble before, and fails, cannot be read or is not decided
                    (only with --baseline, or --only)

\b
Examples:
  dicomseal archive diff ledger.db --since 3
  dicomseal archive diff ledger.db --baseline known.jsonl --quiet
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
    help="text: a group for each cause; jsonl: every change.",
)
@click.option(
    "--baseline",
    metavar="LEDGER|FILE",
    help="Known damage, which is counted but is not an alarm; all other damage is an alarm, "
    "however old it is. A ledger, or a file by `archive baseline`.",
)
@click.option(
    "--only",
    type=click.Choice([*KINDS, IN_TROUBLE]),
    multiple=True,
    help="Show only these kinds; only they decide the exit code. Repeatable.",
)
@click.option(
    "--most",
    type=click.IntRange(min=0),
    default=MAX_PATHS,
    show_default=True,
    help="List this many paths of each group.",
)
@click.option("--quiet", is_flag=True, help="Print only the changes that make the exit code 1.")
def command(
    ledger: str, since: int | None, kind: str, baseline: str | None, only: tuple[str, ...],
    most: int, quiet: bool,
) -> None:  # fmt: skip
    """Compare the last finished run in LEDGER with an earlier one."""
    known = None if baseline is None else load(baseline, ledger)
    counts = dict.fromkeys((*KINDS, IN_TROUBLE), 0)
    in_baseline = alarms = 0
    groups = Groups(most)
    with Ledger(ledger) as opened:
        before, after = pair(opened, since)
        for change in changes(opened, before, after, in_trouble=True):
            if only and change.kind not in only:
                continue
            counts[change.kind] += 1
            accepted = known is not None and known.holds(change)
            alarm = not accepted and _alarms(change, known, only)
            in_baseline += accepted
            alarms += alarm
            if (quiet and not alarm) or (change.kind == IN_TROUBLE and not alarm):
                continue
            if kind == "jsonl":
                click.echo(_json(change, accepted))
            elif not accepted:
                groups.add(item_of_change(change))
        if not same_files(before, after):
            click.echo(
                "dicomseal: note: the runs were not over the same files: new and vanished files "
                "are not known",
                err=True,
            )
    if kind == "text":
        for line in lines(groups.result()):
            click.echo(line)
        if alarms or not quiet:
            click.echo(f"run {before.number} to run {after.number}: {_sum(counts, in_baseline)}")
    raise click.exceptions.Exit(int(alarms > 0))


def _alarms(change: Change, known: Baseline | None, only: tuple[str, ...]) -> bool:
    """Return whether a change that was not accepted is an alarm.

    What was as bad before, or is new, is one if a baseline says what is known.
    """
    if change.kind == IN_TROUBLE:
        return known is not None or IN_TROUBLE in only
    return change.alarms


def _json(change: Change, accepted: bool) -> str:
    import msgspec

    row = change.row
    return msgspec.json.encode(
        {"change": change.kind, "path": escaped(row.path), "verdict": row.verdict,
         "reason": row.reason, "sentence": row.sentence, "content": change.content,
         "known": accepted}
    ).decode()  # fmt: skip


def lines(groups: list[Group]) -> list[str]:
    """Return groups for people: what, how many, where, and the first paths."""
    found = []
    for group in groups:
        reason = f" ({group.reason})" if group.reason else ""
        found.append(f"{group.kind:<17} {group.title}{reason}")
        if group.left_out > 0:
            folders = ", ".join(f"{name} ({count:,})" for name, count in group.folders.items())
            found.append(f"  in {folders}")
        found += [f"  {path}" for path in group.paths]
        if group.left_out > 0 and group.paths:
            found.append(f"  and {group.left_out:,} more")
    return [harmless(line) for line in found]


def _sum(counts: dict[str, int], in_baseline: int) -> str:
    changed = ", ".join(
        f"{count:,} {name}" for name, count in counts.items() if count and name != IN_TROUBLE
    )
    parts = [changed or "no change"]
    if counts[IN_TROUBLE]:
        parts.append(f"{counts[IN_TROUBLE]:,} in trouble besides")
    if in_baseline:
        parts.append(f"{in_baseline:,} of these are in the baseline")
    return "; ".join(parts)

"""``dicomseal archive report``."""

from __future__ import annotations

import time

import click

from ...archive.ledger.ledger import SIGN, Ledger
from ...archive.reports.html import EFFECTS, moment, named, render
from ...archive.reports.summary import MAX_FAILURES, Summary, summarize
from ...errors import UsageError
from ...files.atomic import replacing
from ..text import harmless

_EPILOG = """\b
Examples:
  dicomseal archive report ledger.db
  dicomseal archive report ledger.db --format json > report.json
  dicomseal archive report ledger.db --html report.html
"""


@click.command("report", epilog=_EPILOG)
@click.argument("ledger", metavar="LEDGER")
@click.option("--run", "number", type=int, metavar="RUN", help="Which run. Default: the last one.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="html: one file that needs no other and no network.",
)
@click.option("--html", metavar="FILE", help="As --format html --output FILE.")
@click.option("--output", metavar="FILE", help="Write here. Default: standard output.")
@click.option(
    "--most",
    type=click.IntRange(min=0),
    default=MAX_FAILURES,
    show_default=True,
    help="List so many failures, and so many indeterminate objects.",
)
def command(
    ledger: str, number: int | None, kind: str, html: str | None, output: str | None, most: int
) -> None:
    """Show what a run in LEDGER found."""
    if html is not None:
        if output is not None or kind == "json":
            raise UsageError("--html FILE is a format and an output of its own")
        kind, output = "html", html
    with Ledger(ledger) as opened:
        made = summarize(opened, number, most)
    if kind == "json":
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"
    elif kind == "html":
        text = render(made, time.time())
    else:
        text = "\n".join(harmless(line) for line in _lines(made)) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    with replacing(output) as file:
        file.write(text.encode())


def _lines(made: Summary) -> list[str]:
    return [*_head(made), *_counts(made), *_uncovered(made), *_signers(made), *_named(made)]


def _head(made: Summary) -> list[str]:
    signs = " (sign)" if made.kind == SIGN else ""
    state = "complete" if made.complete else "NOT COMPLETE"
    lines = [
        f"run {made.run}{signs}, {state}, {moment(made.started)} to {moment(made.finished)}",
        f"{made.files:,} files, {made.bytes:,} bytes",
        "signed: `archive audit --signer` says by whom" if made.signed else "not signed",
    ]
    if made.sample:
        lines.append(f"sample: {made.sample}")
    if made.unsigned_share is not None:
        lines.append(f"unsigned: {made.unsigned_share:.1%} of the objects")
    return lines + made.passed_over.lines()


def _counts(made: Summary) -> list[str]:
    lines = []
    for title, counts in (
        ("verdicts", made.verdicts),
        ("reasons", made.reasons),
        ("modalities", {name: sum(some.values()) for name, some in made.modalities.items()}),
        ("SOP Classes", {name: sum(some.values()) for name, some in made.sop_classes.items()}),
        ("MAC algorithms", made.algorithms),
        ("the time that counted", made.times),
        ("no longer strong", made.weak),
    ):
        if any(counts.values()):
            lines.append(f"{title}:")
            lines += [f"  {count:>12,}  {name}" for name, count in counts.items() if count]
    if made.remedies:
        lines.append("what to do:")
        lines += [f"  {code}: {what}" for code, what in made.remedies.items()]
    return lines


def _signers(made: Summary) -> list[str]:
    lines = ["certificates, by expiry:"] if made.signers else []
    for one in made.signers:
        until = one.not_after or "(without an end)"
        lines.append(f"  {until}  {one.name} ({one.key})")
        judged = (
            f", {one.intact:,} intact, {one.trusted:,} trusted, "
            f"{one.without_timestamp:,} of these without a timestamp"
            + (f", {one.by_ledger:,} by a ledger" if one.by_ledger else "")
        )
        lines.append(f"    {one.signatures:,} signatures{'' if made.kind == SIGN else judged}")
    return lines


def _named(made: Summary) -> list[str]:
    """The objects that are named, each with its reason."""
    lines = []
    for title, listed, left_out in (
        ("failures", made.failures, made.failures_left_out),
        ("indeterminate", made.undecided, made.undecided_left_out),
    ):
        if listed or left_out:
            lines.append(f"{title}:")
        for failure in listed:
            lines.append(f"  {failure.verdict:<7} {failure.path}")
            lines.append(f"          {failure.why}")
        if left_out:
            lines.append(f"  and {left_out:,} more")
    return lines


def _uncovered(made: Summary) -> list[str]:
    if not made.uncovered_objects:
        return []
    what = "left out by signatures" if made.kind == SIGN else "not covered by a passing signature"
    return [
        f"{what}: {made.uncovered_elements:,} elements of {made.uncovered_objects:,} objects",
        *(
            f"  {one.objects:>12,}  {one.name}{EFFECTS[one.effect]}: {named(one)}"
            for one in made.uncovered
        ),
    ]

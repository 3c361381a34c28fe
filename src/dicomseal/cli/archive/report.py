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
@click.option(
    "--run", "number", type=int, metavar="RUN", help="The number of the run. Default: the last one."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="html: one file that needs neither other files nor a network.",
)
@click.option("--html", metavar="FILE", help="As --format html --output FILE.")
@click.option("--output", metavar="FILE", help="Write here. Default: standard output.")
@click.option(
    "--most",
    type=click.IntRange(min=0),
    default=MAX_FAILURES,
    show_default=True,
    help="List this many failures, and this many indeterminate objects.",
)
def command(
    ledger: str, number: int | None, kind: str, html: str | None, output: str | None, most: int
) -> None:
    """Show the results of a run in LEDGER."""
    if html is not None:
        if output is not None or kind == "json":
            raise UsageError("--html FILE is a format and an output of its own")
        kind, output = "html", html
    with Ledger(ledger) as opened:
        summary = summarize(opened, number, most)
    if kind == "json":
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n"
    elif kind == "html":
        text = render(summary, time.time())
    else:
        text = "\n".join(harmless(line) for line in _lines(summary)) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    with replacing(output) as file:
        file.write(text.encode())


def _lines(summary: Summary) -> list[str]:
    return [
        *_head(summary),
        *_counts(summary),
        *_uncovered(summary),
        *_signers(summary),
        *_named(summary),
    ]


def _head(summary: Summary) -> list[str]:
    signs = " (sign)" if summary.kind == SIGN else ""
    state = "complete" if summary.complete else "NOT COMPLETE"
    span = f"{moment(summary.started)} to {moment(summary.finished)}"
    lines = [
        f"run {summary.run}{signs}, {state}, {span}",
        f"{summary.files:,} files, {summary.bytes:,} bytes",
        "signed: `archive audit --signer` says by whom" if summary.signed else "not signed",
    ]
    if summary.sample:
        lines.append(f"sample: {summary.sample}")
    if summary.unsigned_share is not None:
        lines.append(f"unsigned: {summary.unsigned_share:.1%} of the objects")
    return lines + summary.passed_over.lines()


def _counts(summary: Summary) -> list[str]:
    lines = []
    for title, counts in (
        ("verdicts", summary.verdicts),
        ("reasons", summary.reasons),
        ("modalities", {name: sum(some.values()) for name, some in summary.modalities.items()}),
        ("SOP Classes", {name: sum(some.values()) for name, some in summary.sop_classes.items()}),
        ("MAC algorithms", summary.algorithms),
        ("the time that counted", summary.times),
        ("no longer strong", summary.weak),
    ):
        if any(counts.values()):
            lines.append(f"{title}:")
            lines += [f"  {count:>12,}  {name}" for name, count in counts.items() if count]
    if summary.remedies:
        lines.append("what to do:")
        lines += [f"  {code}: {what}" for code, what in summary.remedies.items()]
    return lines


def _signers(summary: Summary) -> list[str]:
    lines = ["certificates, by expiry:"] if summary.signers else []
    for one in summary.signers:
        until = one.not_after or "(without an end)"
        lines.append(f"  {until}  {one.name} ({one.key})")
        judged = (
            f", {one.intact:,} intact, {one.trusted:,} trusted, "
            f"{one.without_timestamp:,} of these without a timestamp"
            + (f", {one.by_ledger:,} by a ledger" if one.by_ledger else "")
        )
        lines.append(f"    {one.signatures:,} signatures{'' if summary.kind == SIGN else judged}")
    return lines


def _named(summary: Summary) -> list[str]:
    """Return the named objects, each with its reason."""
    lines = []
    for title, listed, left_out in (
        ("failures", summary.failures, summary.failures_left_out),
        ("indeterminate", summary.undecided, summary.undecided_left_out),
    ):
        if listed or left_out:
            lines.append(f"{title}:")
        for failure in listed:
            lines.append(f"  {failure.verdict:<7} {failure.path}")
            lines.append(f"          {failure.why}")
        if left_out:
            lines.append(f"  and {left_out:,} more")
    return lines


def _uncovered(summary: Summary) -> list[str]:
    if not summary.uncovered_objects:
        return []
    what = (
        "left out by signatures" if summary.kind == SIGN else "not covered by a passing signature"
    )
    return [
        f"{what}: {summary.uncovered_elements:,} elements of {summary.uncovered_objects:,} objects",
        *(
            f"  {one.objects:>12,}  {one.name}{EFFECTS[one.effect]}: {named(one)}"
            for one in summary.uncovered
        ),
    ]

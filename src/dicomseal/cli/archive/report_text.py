"""The report of a run as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from ...archive.find.trusted import Trusted
from ...archive.ledger.ledger import SIGN
from ...archive.reports.diff import ALARMING, MEANINGS
from ...archive.reports.expiry import DAYS, within
from ...archive.reports.groups import Group
from ...archive.reports.summary import Summary
from ...archive.reports.words import EFFECTS, ROLES, days, moment, named
from ..text import harmless

_MAX_GROUPS, _FEW = 50, 3
_SEALED = "the run itself is signed: `archive audit --signer` says by whom"


def lines(summary: Summary) -> Iterator[str]:
    """Yield the lines, each without a line end and whatever a terminal would obey."""
    for part in (
        _head, _counts, _changes, _groups, _uncovered, _signers, _expiry, _trusted, _ledger, _named,
    ):  # fmt: skip
        yield from map(harmless, part(summary))


def _head(summary: Summary) -> Iterator[str]:
    signs = " (sign)" if summary.kind == SIGN else ""
    state = "complete" if summary.complete else "NOT COMPLETE"
    yield (
        f"run {summary.run}{signs}, {state}, {moment(summary.started)} to "
        f"{moment(summary.finished)}"
    )
    yield f"{summary.files:,} files, {summary.bytes:,} bytes"
    yield _SEALED if summary.signed else "the run itself is not signed (--sign-run)"
    if summary.sample:
        yield f"sample: {summary.sample}"
    if summary.unsigned_share is not None:
        yield f"unsigned: {summary.unsigned_share:.1%} of the objects"
    yield from summary.passed_over.lines(summary.kind == SIGN)


def _counts(summary: Summary) -> Iterator[str]:
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
            yield f"{title}:"
            yield from (f"  {count:>12,}  {name}" for name, count in counts.items() if count)
    if summary.remedies:
        yield "what to do:"
        yield from (f"  {code}: {what}" for code, what in summary.remedies.items())


def _changes(summary: Summary) -> Iterator[str]:
    changes = summary.changes
    if changes is None:
        return
    yield f"changes since run {changes.since}, which ended {moment(changes.finished)}:"
    if not changes.counts:
        yield "  none"
    for kind, count in changes.counts.items():
        mark = "*" if kind in ALARMING else " "
        yield f"{mark} {count:>12,}  {kind}: {MEANINGS[kind]}"
    if not changes.same_files:
        yield "  the runs were not over the same files: new and vanished files are not known"
    yield from _each([one for one in changes.groups if one.kind in ALARMING])


def _groups(summary: Summary) -> Iterator[str]:
    if summary.groups:
        yield "in groups:"
        yield from _each(summary.groups)


def _each(groups: list[Group]) -> Iterator[str]:
    for group in groups[:_MAX_GROUPS]:
        code = f" ({group.reason})" if group.reason else ""
        yield f"  {group.kind}: {group.title}{code}"
        if group.signers:
            yield f"      signers: {_few(group.signers)}"
        if group.files > _FEW:
            yield f"      folders: {_few(group.folders)}"
        else:
            yield from (f"      {path}" for path in group.paths)
    if len(groups) > _MAX_GROUPS:
        yield f"  and {len(groups) - _MAX_GROUPS:,} more groups"


def _few(counts: dict[str, int]) -> str:
    parts = [f"{name} ({count:,})" for name, count in list(counts.items())[:_FEW]]
    more = len(counts) - len(parts)
    return ", ".join(parts) + (f" and {more:,} more" if more else "")


def _signers(summary: Summary) -> Iterator[str]:
    if summary.signers:
        yield "certificates, by expiry:"
    for one in summary.signers:
        until = one.not_after or "(without an end)"
        yield f"  {until}  {one.name} ({one.key})"
        judged = (
            f", {one.intact:,} intact, {one.trusted:,} trusted, "
            f"{one.without_timestamp:,} of these without a timestamp"
            + (f", {one.by_ledger:,} by a ledger" if one.by_ledger else "")
        )
        yield f"    {one.signatures:,} signatures{'' if summary.kind == SIGN else judged}"
    if summary.signers_left_out:
        yield f"  and {summary.signers_left_out:,} more, with fewer signatures"


def _expiry(summary: Summary) -> Iterator[str]:
    for title, least, most in (
        ("expired", -(1 << 62), -1),
        (f"expires within {DAYS[0]} days", 0, DAYS[0]),
        (f"expires in {DAYS[0] + 1} to {DAYS[1]} days", DAYS[0] + 1, DAYS[1]),
    ):
        found = within(summary.expiry, least, most)
        if found:
            yield f"{title}:"
        for one in found:
            depend = f", {one.signatures:,} signatures depend on it" if one.signatures else ""
            yield f"  {days(one)}  {one.name} ({ROLES.get(one.role, one.role)}){depend}"


def _trusted(summary: Summary) -> Iterator[str]:
    trusted: Trusted | None = summary.asked.trusted
    if trusted is None:
        return
    yield f"policy: {trusted.policy}, weak: {trusted.weak}, revocation: {trusted.revocation}"
    yield f"  SHA-256 {trusted.policy_sha256}"
    yield "trusted:"
    for one in trusted.certificates:
        yield f"  {ROLES.get(one.role, one.role)}: {one.name}"
        yield f"    SHA-256 {one.sha256}"


def _ledger(summary: Summary) -> Iterator[str]:
    if summary.ledger is not None:
        yield f"head of the ledger: {summary.ledger.head}"


def _named(summary: Summary) -> Iterator[str]:
    """Yield the named objects, each with its reason."""
    for title, listed, left_out in (
        ("failures", summary.failures, summary.failures_left_out),
        ("indeterminate", summary.undecided, summary.undecided_left_out),
    ):
        if listed or left_out:
            yield f"{title}:"
        for failure in listed:
            yield f"  {failure.verdict:<7} {failure.path}"
            yield f"          {failure.why}"
        if left_out:
            yield f"  and {left_out:,} more"


def _uncovered(summary: Summary) -> Iterator[str]:
    if not summary.uncovered_objects:
        return
    what = (
        "left out by signatures" if summary.kind == SIGN else "not covered by a passing signature"
    )
    yield (
        f"{what}: {summary.uncovered_elements:,} elements of {summary.uncovered_objects:,} objects"
    )
    for one in summary.uncovered:
        yield f"  {one.objects:>12,}  {one.name}{EFFECTS[one.effect]}: {named(one)}"

"""What text and HTML say alike of a run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from ...report import ERROR, FAILED, INDETERMINATE, PASSED, UNSIGNED
from ...standard.meanings import ARCHIVE, MEANING, OTHER
from ..find.trusted import ANCHOR, SIGNER, TSA
from ..ledger.ledger import SIGN
from ..ledger.rows import FAILURES, REFUSED, SIGN_VERDICTS, SIGNED, VERDICTS
from ..ledger.uncovered import UncoveredSum
from .expiry import Expiring
from .summary import Summary

EFFECTS = {MEANING: " (says what signed elements mean)", ARCHIVE: " (added by archives)", OTHER: ""}
ROLES = {
    ANCHOR: "trust anchor", SIGNER: "signer", TSA: "trust anchor for timestamps",
}  # fmt: skip
# how a run stands, for the first line of a report
GOOD, BAD, OPEN = "good", "bad", "open"
_MAX_NAMED = 20  # elements of a class
_LAST = 253402300800.0  # the year 10000


def moment(time: float | None) -> str:
    """Return a time for people, in UTC."""
    if time is None:
        return "(no end)"
    if not 0 <= time < _LAST:
        return f"(no time: {time:g})"
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def named(one: UncoveredSum) -> str:
    """Return the elements of a class, the most frequent ones first."""
    names = sorted(one.names, key=lambda name: -one.names[name])
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def files(count: int) -> str:
    """Return a number of files for people."""
    return "1 file" if count == 1 else f"{count:,} files"


def title(summary: Summary) -> str:
    """Return the title of a report."""
    return f"Archive {'signing' if summary.kind == SIGN else 'verification'}, run {summary.run}"


def standing(summary: Summary) -> tuple[str, str]:
    """Return how a run stands, one of `GOOD`, `BAD` and `OPEN`, and the same as a sentence."""
    verdicts = summary.verdicts
    failed = sum(verdicts.get(one, 0) for one in FAILURES)
    undecided = verdicts.get(INDETERMINATE, 0)
    so_far = "" if summary.complete else " so far"
    if failed:
        kinds = ((FAILED, "failed"), (REFUSED, "refused"), (ERROR, "could not be read"))
        parts = [f"{files(verdicts[one])} {what}" for one, what in kinds if verdicts.get(one)]
        if undecided:
            parts.append(f"{files(undecided)} could not be decided")
        return BAD, _joined(parts) + so_far
    if undecided:
        return OPEN, f"Nothing failed{so_far}, and {files(undecided)} could not be decided"
    if not summary.complete:
        return OPEN, f"Nothing failed so far, and the run has no end yet: {files(summary.files)}"
    if not summary.files:
        return OPEN, "The run has no files"
    if summary.kind == SIGN:
        return GOOD, f"Nothing failed: {files(verdicts.get(SIGNED, 0))} signed"
    if verdicts.get(PASSED, 0) == 0:
        return OPEN, "Nothing failed, and nothing has a signature that passed"
    unsigned = verdicts.get(UNSIGNED, 0)
    rest = f", {files(unsigned)} without a signature" if unsigned else ""
    return GOOD, f"Nothing failed: {files(verdicts[PASSED])} passed{rest}"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def verdicts_of(summary: Summary) -> tuple[str, ...]:
    """Return the verdicts of this kind of run, in their order."""
    return SIGN_VERDICTS if summary.kind == SIGN else VERDICTS


def days(one: Expiring) -> str:
    """Return when a certificate expires, for people."""
    count = abs(one.days)
    unit = "day" if count == 1 else "days"
    if one.days < 0:
        return f"expired {count} {unit} ago"
    return "within a day" if count == 0 else f"in {count} {unit}"


def options(given: dict[str, str | int | bool | list[str] | None]) -> Iterable[tuple[str, str]]:
    """Yield the options of a run that were given, each as on the command line, and its values."""
    for name, value in given.items():
        if value in (None, False, [], ""):
            continue
        values = [one for one in (value if isinstance(value, list) else [value]) if one is not True]
        yield f"--{name.replace('_', '-')}", ", ".join(map(str, values))

"""The changes since the run before, counted and grouped for a report."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..ledger.ledger import VERIFY, Ledger, Run
from .diff import ALARMING, KINDS, changes, item_of_change, same_files
from .groups import Group, Item, grouped


class Changes(msgspec.Struct, kw_only=True):
    """The changes between two runs.

    Attributes:
        since: the number of the earlier run.
        finished: its end, in seconds since 1970.
        same_files: whether both were over the same files, so that what vanished is known.
        counts: objects by kind of change (`diff.KINDS`), those without an object left out.
        groups: the same objects by kind, reason and cause; the alarming kinds come first.
    """

    since: int
    finished: float
    same_files: bool
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    groups: list[Group] = msgspec.field(default_factory=list)

    @property
    def alarming(self) -> int:
        """How many of the changed objects someone should look at."""
        return sum(count for kind, count in self.counts.items() if kind in ALARMING)


def earlier(ledger: Ledger, run: Run) -> Run | None:
    """Return the finished run before a finished one that verified; None if there is none."""
    if run.finished is None or run.kind != VERIFY:
        return None
    found = [
        one for one in ledger.runs(VERIFY) if one.number < run.number and one.finished is not None
    ]
    return found[-1] if found else None


def changes_since(ledger: Ledger, before: Run, after: Run) -> Changes:
    """Return the changes between two finished runs.

    Both are read in the order of their paths, so the time is that of `archive diff`.

    Raises:
        LedgerError: a value is not what dicomseal writes there.
    """
    counts = dict.fromkeys(KINDS, 0)

    def items() -> Iterator[Item]:
        for change in changes(ledger, before, after):
            counts[change.kind] += 1
            yield item_of_change(change)

    groups = grouped(items())
    return Changes(
        since=before.number,
        finished=before.finished or 0.0,
        same_files=same_files(before, after),
        counts={kind: count for kind, count in counts.items() if count},
        groups=sorted(groups, key=lambda one: KINDS.index(one.kind)),
    )

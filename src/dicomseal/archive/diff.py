"""What changed between two runs: both are read in the order of their paths, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ..errors import LedgerError
from ..report import ERROR, FAILED, INTACT, PASSED
from .ledger import VERIFY, Ledger, Run
from .rows import Row
from .run import Asked

NEWLY_FAILING, NEWLY_PASSING = "newly_failing", "newly_passing"
NO_LONGER_PASSING = "no_longer_passing"
VANISHED, NEW, STRIPPED = "vanished", "new", "stripped"
SIGNED_AGAIN, REPLACED = "signed_again", "replaced"
KINDS = (
    NEWLY_FAILING,
    NO_LONGER_PASSING,
    VANISHED,
    STRIPPED,
    REPLACED,
    SIGNED_AGAIN,
    NEWLY_PASSING,
    NEW,
)
# what cron should wake somebody for
ALARMING = frozenset({NEWLY_FAILING, NO_LONGER_PASSING, VANISHED, STRIPPED, REPLACED})
MEANINGS = {
    NEWLY_FAILING: "fails or cannot be read, and did not before",
    NO_LONGER_PASSING: "passed, and cannot be decided now (e.g. its certificate expired)",
    VANISHED: "was there, and is not any more",
    STRIPPED: "was signed, and is not any more",
    REPLACED: "its signatures were replaced, by ones not altered: none vouches for the old content",
    SIGNED_AGAIN: "has more signatures, and the old ones are still intact",
    NEWLY_PASSING: "passes, and did not before",
    NEW: "was not there",
}


class Change(NamedTuple):
    """One object that changed; ``before`` or ``after`` is None where it was not there."""

    kind: str
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        row = self.after or self.before
        if row is None:
            raise LedgerError("a change of nothing")
        return row


def pair(ledger: Ledger, since: int | None = None) -> tuple[Run, Run]:
    """The last finished run, and the one to compare it with: a given one, or the one before it.

    Raises:
        LedgerError: there are no two finished runs.
    """
    finished = [run for run in ledger.runs(VERIFY) if run.finished is not None]
    if not finished:
        raise LedgerError(f"{ledger.path}: no run came to its end", "no_run")
    last = finished[-1]
    earlier = [run for run in finished[:-1] if since in (None, run.number)]
    if not earlier:
        what = "no earlier run" if since is None else f"run {since}"
        raise LedgerError(
            f"{ledger.path}: run {last.number} cannot be compared with {what}: it is not there, "
            "or did not come to its end",
            "no_run",
        )
    return earlier[-1], last


def same_files(before: Run, after: Run) -> bool:
    """Whether both runs were over the same files, so that what is missing has vanished."""
    one, two = (msgspec.json.decode(run.asked, type=Asked).selection for run in (before, after))
    return one == two and one.before is None


def changes(ledger: Ledger, before: Run, after: Run) -> Iterator[Change]:
    """What changed, in the order of the paths.

    Between runs that were not over the same files, nothing is `VANISHED` or `NEW`.
    """
    whole = same_files(before, after)
    olds = ledger.rows(*ledger.span(before.number), order="path")
    news = ledger.rows(*ledger.span(after.number), order="path")
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if new is None or (old is not None and _key(old) < _key(new)):
            if whole:
                yield Change(VANISHED, old, None)
            old = next(olds, None)
        elif old is None or _key(new) < _key(old):
            if whole:
                yield Change(NEW, None, new)
            new = next(news, None)
        else:
            kind = _compare(old, new)
            if kind:
                yield Change(kind, old, new)
            old, new = next(olds, None), next(news, None)


def _key(row: Row) -> tuple[bool, bytes]:
    """As SQLite sorts: text before blobs, each by its bytes."""
    if isinstance(row.path, bytes):
        return True, row.path
    return False, row.path.encode()


def _compare(old: Row, new: Row) -> str | None:
    if new.verdict in (FAILED, ERROR):
        return None if old.verdict in (FAILED, ERROR) else NEWLY_FAILING
    if old.signatures and not new.signatures:
        return STRIPPED
    were = {(one.location, one.uid) for one in old.signatures}
    intact = {(one.location, one.uid) for one in new.signatures if one.integrity == INTACT}
    now = {(one.location, one.uid) for one in new.signatures}
    if were and not were <= now:
        return REPLACED
    if now > were and were and were <= intact:
        return SIGNED_AGAIN
    if old.verdict == PASSED != new.verdict:
        return NO_LONGER_PASSING
    if new.verdict == PASSED != old.verdict:
        return NEWLY_PASSING
    return None

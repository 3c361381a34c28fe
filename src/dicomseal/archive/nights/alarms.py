"""What a night found, without what is known: what is new, and what the storage did not give."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from ...report import ERROR, FAILED, INDETERMINATE
from ..ledger.ledger import VERIFY, Ledger, Run
from ..reports.baseline import Baseline
from ..reports.diff import (  # fmt: skip
    ALARMING,
    IN_TROUBLE,
    KINDS,
    TROUBLE,
    VANISHED,
    Change,
    changes,
    item_of_change,
)
from ..reports.groups import Group, Groups
from .storage import NOT_GIVEN, Unreachable

# exit codes of a night; `archive verify` has the same, and 130
QUIET, NEW_TROUBLE, USAGE, UNDECIDED, NOT_READ, BUSY, STOPPED = 0, 1, 2, 3, 4, 5, 130


# what a person reads first
_ORDER = (*KINDS, FAILED, ERROR, INDETERMINATE)


class Alarms(msgspec.Struct, kw_only=True):
    """What a night found.

    Attributes:
        compared_with: the number of the run before; 0 for the first one.
        trouble: the objects in new trouble, by kind, reason and cause. New is what the baseline
            does not hold and nobody repaired, however long ago it was seen first.
        not_given: the objects that the storage did not give.
        changed: how many objects changed in each way, new or known.
        still: how many of all these an earlier night had told already, and are still so.
        known: how many objects in trouble the baseline holds.
        accepted: entries of the baseline, as many as it has.
        most_is_away: whether more of the archive is missing than can be an accident.
        references, agreed, told: as of `State`, for the next night.
        code: the exit code.
    """

    compared_with: int = 0
    trouble: list[Group] = msgspec.field(default_factory=list)
    not_given: list[Group] = msgspec.field(default_factory=list)
    changed: dict[str, int] = msgspec.field(default_factory=dict)
    still: int = 0
    known: int = 0
    accepted: int = 0
    most_is_away: bool = False
    references: list[int] = msgspec.field(default_factory=list)
    agreed: int = 0
    told: list[int] = msgspec.field(default_factory=list)
    code: int = QUIET

    @property
    def new(self) -> int:
        """How many objects are in new trouble."""
        return sum(one.files for one in self.trouble)

    @property
    def missing(self) -> int:
        """How many objects the storage did not give."""
        return sum(one.files for one in self.not_given)


def run_before(ledger: Ledger, after: Run, remembered: int = 0) -> Run | None:
    """Return the run that a run is compared with, if there is one.

    It is the one that the night before remembered, as nobody has looked at later ones; without
    one, the last one before ``after`` that verified and came to its end.
    """
    finished = [
        run for run in ledger.runs(VERIFY) if run.number < after.number and run.finished is not None
    ]
    seen = [run for run in finished if run.number == remembered] or finished[-1:]
    return seen[0] if seen else None


def find_alarms(
    ledger: Ledger,
    before: Run | None,
    after: Run,
    baseline: Baseline,
    references: Iterable[int] = (),
    told: Iterable[int] = (),
    *,
    ignored: Collection[str] = (),
    most_missing: float = 1.0,
    paths: int = 3,
    each: Callable[[Change], None] | None = None,
) -> Alarms:
    """Compare a run with the one before it, and leave out what is known.

    Args:
        ledger: open for reading.
        before: the run to compare with, see `run_before`; None compares with the references alone.
        after: a completed run.
        baseline: what is known.
        references, told: as of `State`.
        ignored: kinds of changes that are never alarms.
        most_missing: if more than this part of the archive is missing, 0 to 1, the storage is
            taken to be away.
        paths: how many paths of each group are kept.
        each: called with each change that is new trouble.

    Raises:
        LedgerError: a value in the ledger is not what dicomseal writes there.
    """
    alarms = Alarms(compared_with=before.number if before else 0, accepted=len(baseline))
    alarming = ALARMING.difference(ignored) | {IN_TROUBLE, VANISHED}
    removed_by_plan = VANISHED in ignored
    unreachable = Unreachable(ledger, ledger.span(after.number))
    references = list(references)
    told_before = frozenset(references).union(told)
    trouble, vanished, not_given = Groups(paths), Groups(paths), Groups(paths)
    gone: set[int] = set()
    codes = set()
    first, last = ledger.span(before.number) if before else (0, -1)
    earlier_gone = 0
    for found in changes(ledger, before, after, references, in_trouble=True):
        change = found
        known = baseline.holds(change)
        if change.kind != IN_TROUBLE and not known:
            alarms.changed[change.kind] = alarms.changed.get(change.kind, 0) + 1
        if change.kind not in alarming:
            # not asked for as a change; but what is in trouble is, whatever became of it
            if change.after is None or change.after.verdict not in TROUBLE or not change.alarms:
                continue
            change = change._replace(kind=IN_TROUBLE)
        if change.alarms and change.number:  # also what is known is compared with what it was
            alarms.references.append(change.number)
            alarms.agreed += known
        if known:
            alarms.known += 1
            continue
        earlier_gone += change.after is None and not first <= change.number <= last
        if _is_not_given(change, unreachable):
            not_given.add(item_of_change(change))
        elif change.kind == VANISHED:
            vanished.add(item_of_change(change))
            if removed_by_plan:
                gone.add(change.number)
                continue
        else:
            trouble.add(item_of_change(change))
            codes.add(_code(change))
        alarms.still += change.number in told_before
        if not change.alarms:  # no reference keeps it
            alarms.told.append(change.number_after)
        if each:
            each(change)
    count = _count(ledger, before) + earlier_gone
    # not by plan, even where files are removed by plan
    alarms.most_is_away = vanished.files + not_given.files > most_missing * count > 0
    if removed_by_plan and not alarms.most_is_away:
        vanished = Groups(paths)
        alarms.references = [one for one in alarms.references if one not in gone]
    alarms.trouble = _worst_first(trouble)
    alarms.not_given = _worst_first(not_given)
    if alarms.most_is_away:
        alarms.not_given += vanished.result()
    elif vanished.files:
        alarms.trouble = _worst_first(trouble, vanished)
        codes.add(NEW_TROUBLE)
    if alarms.not_given:
        codes.add(NOT_READ)
    alarms.code = next((one for one in (NEW_TROUBLE, NOT_READ, UNDECIDED) if one in codes), QUIET)
    return alarms


def _worst_first(*groups: Groups) -> list[Group]:
    return sorted(
        (one for some in groups for one in some.result()), key=lambda one: _ORDER.index(one.kind)
    )


def _is_not_given(change: Change, unreachable: Unreachable) -> bool:
    """Return whether an object is not there because of the storage."""
    if change.after is None:
        return unreachable.holds(change.row.path)
    return change.after.verdict == ERROR and change.after.reason in NOT_GIVEN


def _code(change: Change) -> int:
    """Return the exit code for an object in new trouble: as `verify`, and 1 if it was better."""
    if change.alarms:
        return NEW_TROUBLE
    return {FAILED: NEW_TROUBLE, ERROR: NOT_READ, INDETERMINATE: UNDECIDED}[change.row.verdict]


def _count(ledger: Ledger, run: Run | None) -> int:
    if run is None:
        return 0
    first, last = ledger.span(run.number)
    return last - first + 1

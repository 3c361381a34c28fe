"""The progress of a run, and its result."""

from __future__ import annotations

from collections import Counter

import msgspec

from ..find.passed_over import PassedOver
from ..ledger.ledger import VERIFY
from ..ledger.rows import FAILURES
from .estimate import Estimate


class Totals(msgspec.Struct, kw_only=True):
    """The totals of a run.

    Attributes:
        files, bytes: verified.
        verdicts: how many files of each.
        population: the number of files from which they were drawn, before `Selection.share`.
        head: of the hash chain before the end, hexadecimal.
        passed_over: entries that were not verified, left out by the walk itself.
    """

    files: int = 0
    bytes: int = 0
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)
    population: int = 0
    head: str = ""
    passed_over: PassedOver = msgspec.field(default_factory=PassedOver)


class Outcome(msgspec.Struct, frozen=True):
    """The end of a run: whether it is ``complete`` or was stopped, and the totals of all of it."""

    run: int
    complete: bool
    totals: Totals


class Progress(msgspec.Struct):
    """The state of a run in progress; `run.verify` calls back with it after every batch.

    Attributes:
        run: its number.
        files, bytes, verdicts: done since this process began.
        before, bytes_before, verdicts_before: done when it began, of a run that is resumed.
        found: files that the walk found and that were not done before.
        walked: whether the walk is at its end.
        started: on the monotonic clock.
        again: of a run that is resumed, files that were done before and are done again, as no seal
            says that this key's owner recorded them.
        nothing: roots with nothing to verify, each with the reason for people.
        expected: an estimate of the size of the whole run; None: not known.
        ledger: its path.
    """

    run: int
    files: int = 0
    bytes: int = 0
    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    found: int = 0
    walked: bool = False
    nothing: list[tuple[str, str]] = msgspec.field(default_factory=list)
    started: float = 0.0
    before: int = 0
    bytes_before: int = 0
    expected: Estimate | None = None
    kind: str = VERIFY
    again: int = 0
    ledger: str = ""
    verdicts_before: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def failures(self) -> int:
        return sum(self.verdicts[one] for one in FAILURES)

    @property
    def share(self) -> float | None:
        """The part of the run's files that is done, 0 to 1; None if the total is not known yet."""
        done = self.before + self.files
        if self.walked:
            return done / (self.before + self.found) if self.before + self.found else 1.0
        if self.expected is None or not self.expected.source:
            return None
        # some of them are new since they were counted: it is not at its end before the walk is
        return min(done / max(self.expected.files, 1), 0.99)

    def left(self, seconds: float) -> float | None:
        """Return the seconds to the end, after so many seconds; None if that is not known yet."""
        if not self.files:
            return None
        if self.walked:
            return (self.found - self.files) * seconds / self.files
        expected = self.expected
        if expected is None or not expected.source:
            return None
        files = max(expected.files - self.before - self.files, 0) / self.files
        size = max(expected.bytes - self.bytes_before - self.bytes, 0) / max(self.bytes, 1)
        return max(files, size) * seconds  # the large files may come at the end

"""How far a run is, and what it came to."""

from __future__ import annotations

from collections import Counter

import msgspec

from ..find.passed_over import PassedOver
from ..ledger.ledger import VERIFY
from ..ledger.rows import FAILURES
from .estimate import Estimate


class Totals(msgspec.Struct, kw_only=True):
    """What a run came to.

    Attributes:
        files, bytes: verified.
        verdicts: how many files of each.
        population: of how many files they were drawn, before `Selection.share`.
        head: of the hash chain before the end, hexadecimal.
        passed_over: what lay there and was not verified, unasked.
    """

    files: int = 0
    bytes: int = 0
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)
    population: int = 0
    head: str = ""
    passed_over: PassedOver = msgspec.field(default_factory=PassedOver)


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended: ``complete``, or stopped before it was; the totals of the whole run."""

    run: int
    complete: bool
    totals: Totals


class Progress(msgspec.Struct):
    """What is known while a run is under way; `run.verify` calls back with it after every batch.

    Attributes:
        run: its number.
        files, bytes, verdicts: done since this process began.
        before, bytes_before: done when it began, of a run that is resumed.
        found: files that the walk came by and that were not done.
        walked: whether the walk is at its end.
        started: on the monotonic clock.
        again: of a run that is resumed, files that were done before and are done again, as nothing
            says that it was this key's owner who recorded them.
        nothing: roots with nothing to verify, each with the reason for people.
        expected: approximately how much the whole run is over; None: not known.
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

    @property
    def failures(self) -> int:
        return sum(self.verdicts[one] for one in FAILURES)

    def left(self, seconds: float) -> float | None:
        """In how many seconds it may be done, after so many; None: that cannot be told yet."""
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

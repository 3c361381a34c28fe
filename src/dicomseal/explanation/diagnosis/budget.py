"""The budget of the search for causes: hashes and seconds, for all signatures of an object."""

from __future__ import annotations

import time
from typing import NamedTuple

_SPEED = 200_000_000  # bytes a second, until it is measured
_OF_A_TRIAL = 1 << 15  # bytes, of a choice of VRs (see `vr_search.Search`)


class Effort(NamedTuple):
    """The budget that a caller allows for the search for causes.

    Attributes:
        hashes: how many hypotheses are tried.
        seconds: how long that may take.
    """

    hashes: int = 20_000
    seconds: int = 10


class Budget:
    """The part of an effort that is left.

    Attributes:
        used: how many hypotheses were tried.
        exhausted: whether a hypothesis was not tried because there was no budget left.
    """

    def __init__(self, effort: Effort) -> None:
        self._effort = effort
        self._begin = time.monotonic()
        self._limit = effort.hashes
        self._until = self._begin + effort.seconds
        self.used = 0
        self.exhausted = False
        self._bytes = 0.0
        self._spent = 0.0

    def share(self, part: float) -> None:
        """Allow the following hypotheses to use a part of what is left."""
        now = time.monotonic()
        left = max(0.0, self._begin + self._effort.seconds - now)
        self._until = now + left * part
        self._limit = self.used + int(max(0, self._effort.hashes - self.used) * part)

    def allows(self, size: int) -> bool:
        """Return whether a hypothesis over this number of bytes can be tried, and count it.

        The time of a hash is estimated from earlier ones, so that no long one is begun in vain.
        """
        now = time.monotonic()
        speed = self._bytes / self._spent if self._spent > 0.02 else _SPEED
        if self.used >= self._limit or now + size / speed > self._until:
            self.exhausted = True
            return False
        self.used += 1
        return True

    @property
    def room(self) -> int:
        """About how many bytes can be hashed in the time that is left."""
        left = self._until - time.monotonic()
        return min(int(max(0.0, left) * _SPEED), _OF_A_TRIAL * (self._limit - self.used))

    def count(self, tried: int) -> None:
        """Count hypotheses that were tried elsewhere."""
        self.used += tried

    def took(self, size: int, seconds: float) -> None:
        """Note how long a hypothesis took."""
        self._bytes += size + 4096
        self._spent += seconds

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._begin

"""For how long a decision holds: the window of time between two moments that change something.

In: a decision, and the moments around the one for which it was made. Out: whether it is the
decision for another moment, too.
"""

from __future__ import annotations

import math
import time
from datetime import datetime

import msgspec

from .decision import TrustDecision


class Window(msgspec.Struct, frozen=True):
    """A decision, and the moments between which it holds; both ends are outside of it.

    Where ``first == last`` it holds at that moment alone.
    """

    first: datetime
    last: datetime
    judgement: TrustDecision
    surely: datetime  # from here on, and before ``last``, whatever part of a second it is
    expires: float = math.inf  # on the monotonic clock

    def holds(self, moment: datetime) -> bool:
        """Whether the decision is that at a moment, and has not expired."""
        if self.expires != math.inf and self.expires < time.monotonic():
            return False
        return self.first < moment < self.last or self.first == moment == self.last

"""The window of time in which a decision holds, between two moments that change something.

In: a decision, and the moments around the one for which it was made.
Out: whether the decision holds at another moment, too.
PS3: none.
"""

from __future__ import annotations

import math
import time
from datetime import datetime

import msgspec

from .decision import TrustDecision


class Window(msgspec.Struct, frozen=True):
    """A decision, and the moments between which it holds; both ends are excluded.

    If ``first == last`` it holds at that moment alone.
    """

    first: datetime
    last: datetime
    judgement: TrustDecision
    surely: datetime  # from here on, and before ``last``, it holds at any fraction of a second
    expires: float = math.inf  # on the monotonic clock

    def holds(self, moment: datetime) -> bool:
        """Return whether the decision holds at a moment, and has not expired."""
        if self.expires != math.inf and self.expires < time.monotonic():
            return False
        return self.first < moment < self.last or self.first == moment == self.last

"""What every way in has in common, so that a gate can have several of them."""

from __future__ import annotations

import time
from typing import Any, Protocol

from .admission import Admission

_MANNERS = 0.02  # seconds in which a process with fewer connections takes one, also if all is busy


class Counts:
    """How many connections each process has that listens on the same socket.

    Args:
        slots: a sequence of numbers, which the processes share if there are several.
        most: how many connections there may be in all.
    """

    def __init__(self, slots: Any, most: int) -> None:
        self._slots = slots
        self._most = most
        self.share = -(-most // len(slots))

    def __setitem__(self, slot: int, count: int) -> None:
        self._slots[slot] = count

    @property
    def total(self) -> int:
        """In all processes together."""
        return sum(self._slots[:])

    def give_way(self, slot: int) -> None:
        """Leave a connection to those that have fewer; to be called before it is accepted.

        Raises:
            BlockingIOError: this process has its share, and others have not.
        """
        counts = self._slots[:]
        mine, least = counts[slot], min(counts)
        if mine > least:
            time.sleep(_MANNERS)
            if mine >= self.share and sum(counts) < self._most:
                raise BlockingIOError


class Front(Protocol):
    """A way in: bound in the first process, started in each that works for the gate.

    Attributes:
        name: for the log.
        port: where it listens, once it is bound.
    """

    name: str
    port: int

    def bind(self) -> None:
        """Take the port; nothing is accepted yet.

        Raises:
            SourceError: it cannot be had.
        """

    def start(self, admission: Admission, counts: Counts | None = None, slot: int = 0) -> None:
        """Begin to accept, in threads of this process.

        Args:
            admission: what is done with each object.
            counts: of the connections of all processes that work for the gate.
            slot: of this process in them.
        """

    def release(self) -> None:
        """Leave the port to the other processes that work for the gate; start nothing here."""

    def stop(self, seconds: float = 30.0) -> bool:
        """Accept nothing more, and let what is on its way come to its end.

        Returns:
            Whether all did within so many seconds.
        """

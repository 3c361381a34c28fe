"""Memory for what was read ahead: buffers that are used again, bounded by bytes."""

from __future__ import annotations

import bisect
import threading

BYTES = 32 << 20  # in each worker; it holds several of the largest files that are read whole
_LEAST = 64 << 10  # of a buffer: smaller ones would be of use to few files


class Buffers:
    """Buffers and other memory of at most so many bytes in all; for several threads.

    Args:
        most: bytes.
    """

    def __init__(self, most: int = BYTES) -> None:
        self._most = most
        self._held = 0  # bytes that are in use, or free to be used again
        self._free: list[bytearray] = []  # by size
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """How many bytes they are now."""
        return self._held

    def take(self, size: int) -> bytearray | None:
        """Return a buffer of at least ``size`` bytes; None if it would be too much by now."""
        with self._lock:
            place = bisect.bisect_left(self._free, size, key=len)
            if place < len(self._free):
                return self._free.pop(place)
            # a quarter more, so that the next file, which is a little larger, fits as well
            size = max(size + (size >> 2), _LEAST)
            if not self._room_for(size):
                return None
            self._held += size
        return bytearray(size)

    def give(self, buffer: bytearray) -> None:
        """Take back a buffer, to be used again."""
        with self._lock:
            bisect.insort(self._free, buffer, key=len)

    def reserve(self, size: int) -> bool:
        """Count memory that somebody else provides; return whether there is room for it."""
        with self._lock:
            if not self._room_for(size):
                return False
            self._held += size
        return True

    def release(self, size: int) -> None:
        """Count no longer what was reserved, or a buffer that does not come back."""
        with self._lock:
            self._held -= size

    def _room_for(self, size: int) -> bool:
        """Return whether so much more may be held, after free buffers were given up for it."""
        while self._free and self._held + size > self._most:
            self._held -= len(self._free.pop(0))  # the smallest, which was too small this time
        return self._held + size <= self._most

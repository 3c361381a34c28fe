"""How many samples of native pixels differ, and in which frames; a piece at a time."""

from __future__ import annotations

from typing import NamedTuple

PIECE = 1 << 20


class Count(NamedTuple):
    """The difference between some pixels.

    Attributes:
        frames: which frames, counted from 1; the first 1,000.
        samples: how many samples.
    """

    frames: tuple[int, ...]
    samples: int


def differing(a: bytes, b: bytes, width: int) -> int:
    """Return how many samples of this width differ in two pieces of equal length."""
    bits = 8 * width
    found = int.from_bytes(a, "little") ^ int.from_bytes(b, "little")
    if not found:
        return 0
    shift = bits // 2
    while shift:  # the lowest bit of each sample becomes 1 if any of its bits is set
        found |= found >> shift
        shift //= 2
    count = len(a) // width
    lowest = int.from_bytes((b"\1" + b"\0" * (width - 1)) * count, "little")
    return (found & lowest).bit_count()


class Counter:
    """Counts over pieces of pixels that follow one another.

    Args:
        frame: bytes of a frame; 0: there is one.
        width: bytes of a sample: 1, 2, 4 or 8.
    """

    def __init__(self, frame: int, width: int) -> None:
        self._frame, self._width = frame, width
        self._frames: list[int] = []
        self._samples = 0
        self._at = 0

    def take(self, a: bytes, b: bytes) -> None:
        """Count in the next piece of each copy; both pieces have the same length."""
        size = len(a)
        if a != b:
            start = 0
            while start < size:
                number = self._at // self._frame if self._frame else 0
                left = (number + 1) * self._frame - self._at if self._frame else size - start
                stop = min(size, start + left)
                self._part(a[start:stop], b[start:stop], number + 1)
                self._at += stop - start
                start = stop
        else:
            self._at += size

    def _part(self, a: bytes, b: bytes, number: int) -> None:
        if a == b:
            return
        if (not self._frames or self._frames[-1] != number) and len(self._frames) < 1000:
            self._frames.append(number)
        whole = len(a) - len(a) % self._width
        self._samples += differing(a[:whole], b[:whole], self._width)
        self._samples += a[whole:] != b[whole:]

    @property
    def count(self) -> Count:
        """The difference that was found."""
        return Count(tuple(self._frames), self._samples)

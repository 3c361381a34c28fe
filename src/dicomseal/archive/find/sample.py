"""A random sample of the archive, the same one for the same seed.

A file is drawn by a hash of the seed and its path below its root. So the draw needs no memory, and
does not depend on the order in which files are found, on other files, or on the mount point.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence

from .found import Found
from .roots import root_of

CONFIDENCE = 0.95


def drawn(
    files: Iterable[Found], share: float, seed: str, stratify: bool, roots: Sequence[str] = ()
) -> Iterator[Found]:
    """Yield a share (0 to 1) of the files, and every entry with `Found.whole`.

    Args:
        files: all files.
        share: the part that is drawn, 0 to 1.
        seed: a text from which the draw follows.
        stratify: draw from every folder separately, at least one file of each.
        roots: the path of a file that is hashed begins after one of these names.
    """
    rank = _Rank(seed, roots)
    if not stratify:
        limit = int(share * 2**64)
        for file in files:
            if file.whole or rank(file) < limit:
                yield file
        return
    for _, found in itertools.groupby(files, key=lambda file: os.path.dirname(file.path)):
        folder = list(found)
        single = [number for number, file in enumerate(folder) if not file.whole]
        count = math.ceil(len(single) * share)
        chosen = set(sorted(single, key=lambda n: rank(folder[n]))[:count])
        yield from (file for number, file in enumerate(folder) if file.whole or number in chosen)


class _Rank:
    """A number below 2**64 for each file, which is as good as random."""

    def __init__(self, seed: str, roots: Sequence[str]) -> None:
        self._seed = os.fsencode(seed) + b"\0"
        # a second root has a number, or equal trees below two roots would be drawn alike
        self._roots = [
            (place, b"%d\0" % n if n else b"")
            for n, root in enumerate(roots)
            if (place := root_of(root).place) is not None
        ]

    def __call__(self, file: Found) -> int:
        path, mark = file.path, b""
        for root, number in self._roots:
            if path.startswith(root):
                path, mark = path[len(root) :], number
                break
        data = self._seed + mark + os.fsencode(path)
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def upper_bound(drawn: int, found: int, confidence: float = CONFIDENCE) -> float:
    """Return the share that could be altered at most, if ``found`` of ``drawn`` are altered.

    This is the one-sided bound of Clopper and Pearson: if the share were greater, so few would be
    found with a probability below ``1 - confidence``. It does not use that the archive is finite,
    so it errs on the safe side.
    """
    if found >= drawn:
        return 1.0
    low, high = found / drawn, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(found, drawn, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def no_less_than(share: float) -> str:
    """Return a share in percent, rounded up to three digits, as it is an upper bound."""
    percent = round(100 * share, 12)
    if percent <= 0:
        return "0%"
    decimals = max(2 - math.floor(math.log10(percent)), 0)
    text = f"{math.ceil(round(percent * 10**decimals, 6)) / 10**decimals:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if decimals else text) + "%"


def _at_most(found: int, drawn: int, share: float) -> float:
    """Return the binomial probability of ``found`` or fewer."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    first = math.lgamma(drawn + 1)
    return sum(
        math.exp(
            first
            - math.lgamma(k + 1)
            - math.lgamma(drawn - k + 1)
            + k * math.log(share)
            + (drawn - k) * math.log1p(-share)
        )
        for k in range(found + 1)
    )

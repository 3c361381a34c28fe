"""The search for the VRs that were signed in an implicit VR object, within a budget.

In: the index of an object in implicit VR, the open elements with their candidates, and the MAC.
Out: the choice of VRs with which the signature verifies, or None.
PS3: PS3.5 Section 7.1.3; PS3.3 C.12.1.1.3.1.1.

A hash only tells that all VRs are right together, so in the worst case the numbers of candidates
multiply. Three measures make the search feasible: likely choices come first; a choice that begins
like the last one is hashed only from the first difference on; and a budget of bytes ends the
search. If every choice was tried and none matches, the content was changed; otherwise it remains
undecided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import open_vrs
from .open_vrs import Open

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..encoding.record import Update

_KEPT_PIECE = 1 << 16  # bytes of a piece of the stream that is remembered
_KEPT = 1 << 25  # bytes of all of them
_MAX_STATES = 4096  # hashers that are remembered
_COST_OF_A_PIECE = 512  # the overhead, in bytes that could be hashed in the same time
_COST_OF_A_TRIAL = 16384
_COST_OF_A_STEP = 512  # of the search for the next choice, in the same unit
_MAX_TOGETHER = 3  # the limit of the surprise up to which all elements of a kind change together

Flips = tuple[tuple[int, str], ...]
"""Open elements and the VR that each of them gets, ascending."""
Sets = list[tuple[tuple[int, ...], tuple[tuple[str, int], ...]]]
"""Open elements that change together, their other VRs, and how surprising these are."""


class Found(NamedTuple):
    """A choice of VRs with which the signature verifies.

    Attributes:
        vrs: the VR of each open element.
        content: the digest of the stream without the signature's own item.
        mac: the MAC.
    """

    vrs: tuple[str, ...]
    content: bytes
    mac: bytes


class Search:
    """The search for the VRs of one signature.

    Args:
        index: of an object in implicit VR.
        scope: the data set or item that was signed.
        elements: the records of its elements that were signed.
        found: the open ones among them.
        tail: the bytes that the signature's own item adds to the stream.
        hasher: a new one of the MAC Algorithm.
        matches: tells whether a MAC is the one that was signed.
        budget: how many bytes may be hashed.
        cost: of a call of ``matches``, in bytes.

    Attributes:
        tried: how many choices were tried.
        spent: the part of the budget that was used.
        exhausted: whether every possible choice was tried.
    """

    def __init__(
        self,
        index: Index,
        scope: int,
        elements: Sequence[int],
        found: Sequence[Open],
        tail: bytes,
        hasher: hashlib._Hash,
        matches: Callable[[bytes], bool],
        budget: int,
        cost: int = 0,
    ) -> None:
        self._index, self._scope, self._open, self._tail = index, scope, found, tail
        self._matches, self._budget, self._cost = matches, budget, cost + _COST_OF_A_TRIAL
        self.tried = self.spent = 0
        self.exhausted = False
        self._kept: dict[tuple[int, str], bytes] = {}
        self._room = _KEPT
        self._ranges, self._sizes = _ranges(index, scope, elements, found)
        after = 0
        self._rest = [0] * (len(found) + 1)  # the size of the stream from an open element on
        for i in range(len(found) - 1, -1, -1):
            record = index.record(found[i].number)
            after += record.end - record.value + self._sizes[i + 1] + 2 * _COST_OF_A_PIECE
            self._rest[i] = after
        self._states: list[hashlib._Hash] = [hasher]
        self._before = [index.record(one.number).vr for one in found]
        self._base: list[str] = [one.vr for one in found]
        self._flips: Flips = ()

    def run(self, first: Sequence[str] | None = None) -> Found | None:
        """Search; return None if no tried choice matches.

        Args:
            first: a choice that is likelier than all others.
        """
        if self._spend(self._sizes[0] + self._rest[0]):
            return None
        self._feed_fixed(0, self._states[0])
        try:
            return self._run(first)
        finally:
            for one, vr in zip(self._open, self._before, strict=True):
                self._index.choose(one.number, vr)

    def _run(self, first: Sequence[str] | None) -> Found | None:
        plain = [one.vr for one in self._open]
        ways = [list(first)] if first is not None else []
        ways += open_vrs.policies(self._index, self._open)
        for way in ways:
            found = self._try(way, ())
            if found or self._is_spent():
                return found
        alone: Sets = [((i,), one.others) for i, one in enumerate(self._open)]
        likely: Sets = [
            (members, tuple((vr, cost) for vr, cost in others if cost == open_vrs.LIKELY))
            for members, others in alone
        ]
        together = [sets for sets in map(self._alike, ("place", "family")) if sets]
        budget, self._budget = self._budget, self.spent + (self._budget - self.spent) // 2
        for sets, alike in ((likely, []), (alone, together)):
            for flips in self._by_surprise(sets, alike):
                found = self._try(plain, flips)
                if found:
                    return found
            self._budget = budget
        self.exhausted = not self._is_spent()
        return None

    def _by_surprise(self, sets: Sets, alike: list[Sets]) -> Iterator[Flips]:
        """Yield every choice in the sets, the least surprising first, until the budget is spent."""
        most = sum(max((cost for _, cost in others), default=0) for _, others in sets)
        for surprise in range(1, most + 1):
            for some in (*(alike if surprise <= _MAX_TOGETHER else ()), sets):
                yield from self._choices(some, surprise)
                if self._is_spent():
                    return

    def _is_spent(self) -> bool:
        return self.spent >= self._budget

    def _spend(self, size: int) -> bool:
        self.spent += size
        return self._is_spent()

    def _alike(self, what: str) -> Sets:
        """Return sets of open elements of one kind, which may have been treated alike."""
        kinds: dict[Hashable, list[int]] = {}
        for i, one in enumerate(self._open):
            kinds.setdefault((getattr(one, what), one.vr), []).append(i)
        sets: Sets = []
        for members in kinds.values():
            costs = [dict(self._open[i].others) for i in members]
            common = [vr for vr in costs[0] if all(vr in cost for cost in costs)]
            sets.append((tuple(members), tuple((vr, min(c[vr] for c in costs)) for vr in common)))
        return sets if len(sets) < len(self._open) else []

    # --- choices ----------------------------------------------------------------------------------

    def _choices(self, sets: Sets, surprise: int) -> Iterator[Flips]:
        """Yield choices of other VRs for some of the sets, with the given total surprise."""
        most = [0]
        for _, candidates in reversed(sets):
            most.append(most[-1] + max((cost for _, cost in candidates), default=0))
        most.reverse()  # the largest surprise of the sets from here on

        def choose(start: int, left: int) -> Iterator[list[tuple[int, str]]]:
            # from the back, so that the next choice shares as much of the stream as possible
            for i in range(len(sets) - 1, start - 1, -1):
                if most[i] < left:
                    continue
                members, candidates = sets[i]
                for vr, cost in candidates:
                    if self._spend(_COST_OF_A_STEP):
                        return
                    mine = [(member, vr) for member in members]
                    if cost == left:
                        yield mine
                    elif cost < left <= cost + most[i + 1]:
                        for more in choose(i + 1, left - cost):
                            yield mine + more

        for flips in choose(0, surprise):
            yield tuple(sorted(flips))

    def _try(self, base: list[str], flips: Flips) -> Found | None:
        """Hash the part that differs from the last choice, and everything after it."""
        start = self._first_difference(base, flips)
        if base is not self._base:
            self._base = base
        self._flips = flips
        if start < 0:
            start = len(self._open)
        start = min(start, len(self._states) - 1)
        if self._spend(self._rest[start] + self._cost):
            return None
        self.tried += 1
        changed = dict(flips)
        hasher = self._states[start].copy()
        del self._states[start + 1 :]
        for i in range(start, len(self._open)):
            self._feed_open(i, changed.get(i) or base[i], hasher)
            self._feed_fixed(i + 1, hasher)
            if len(self._states) == i + 1 < _MAX_STATES:
                self._states.append(hasher.copy())
        content = hasher.copy()
        hasher.update(self._tail)
        mac = hasher.digest()
        if not self._matches(mac):
            return None
        vrs = tuple(changed.get(i) or vr for i, vr in enumerate(base))
        return Found(vrs, content.digest(), mac)

    def _first_difference(self, base: list[str], flips: Flips) -> int:
        """Return the first open element whose VR differs from the last choice, or -1."""
        if base is not self._base:
            now, then = dict(flips), dict(self._flips)
            pairs = zip(base, self._base, strict=True)
            return next(
                (i for i, (a, b) in enumerate(pairs) if now.get(i, a) != then.get(i, b)), -1
            )
        same = 0
        while same < min(len(flips), len(self._flips)) and flips[same] == self._flips[same]:
            same += 1
        return min((rest[same][0] for rest in (flips, self._flips) if len(rest) > same), default=-1)

    # --- the stream in pieces ---------------------------------------------------------------------

    def _feed_fixed(self, i: int, hasher: hashlib._Hash) -> None:
        """Feed the part before an open element, or after the last one."""

        def feed(update: Update) -> None:
            for start, stop, inside in self._ranges[i]:
                self._index.stream_between(update, start, stop, inside, self._scope)

        self._feed((i, ""), self._sizes[i], feed, hasher)

    def _feed_open(self, i: int, vr: str, hasher: hashlib._Hash) -> None:
        number = self._open[i].number
        size = self._rest[i] - self._rest[i + 1] - self._sizes[i + 1]

        def feed(update: Update) -> None:
            self._index.choose(number, vr)
            # a sequence is not closed after it: that is part of what follows
            self._index.stream_between(update, number, number + 1, self._scope, self._scope)

        self._feed((i, vr), size, feed, hasher)

    def _feed(
        self,
        key: tuple[int, str],
        size: int,
        feed: Callable[[Update], None],
        hasher: hashlib._Hash,
    ) -> None:
        kept = self._kept.get(key)
        if kept is not None:
            hasher.update(kept)
        elif size > min(_KEPT_PIECE, self._room):
            feed(hasher.update)
        else:
            piece = bytearray()
            feed(piece.extend)
            self._room -= len(piece)
            self._kept[key] = bytes(piece)
            hasher.update(piece)


Ranges = list[list[tuple[int, int, int]]]


def _ranges(
    index: Index, scope: int, elements: Sequence[int], found: Sequence[Open]
) -> tuple[Ranges, list[int]]:
    """Return the parts between the open elements, for `Index.stream_between`, with sizes."""
    ranges: Ranges = [[]]
    sizes = [0]
    numbers = [one.number for one in found]
    i = 0
    for element in elements:
        whole = index.record(element)
        start, inside, position = element, scope, whole.start
        while i < len(numbers) and numbers[i] < whole.next:
            record = index.record(numbers[i])
            ranges[-1].append((start, numbers[i], inside))
            sizes[-1] += record.start - position
            start, inside, position = numbers[i] + 1, numbers[i], record.end
            ranges.append([])
            sizes.append(0)
            i += 1
        ranges[-1].append((start, whole.next, inside))
        sizes[-1] += whole.end - position
    return ranges, sizes

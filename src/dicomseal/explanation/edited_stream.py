"""The stream of a signature as it would be if something in it were different.

A hypothesis consists of a few edits of the stream. To hash it costs only the part after its first
edit, because the state of the hasher before it is kept.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..encoding._encoder_py import Encoder
from ..standard.mac_algorithms import new_hasher

if TYPE_CHECKING:
    from ..encoding.backend import Index

Update = Callable[[Any], object]
_MAX_STATES = 4096


class Edit(NamedTuple):
    """Other content in the place of some records.

    Attributes:
        start, stop: the records that are replaced; if both are equal, data are only inserted.
        data: the new content, in canonical form; or a function that sends it.
    """

    start: int
    stop: int
    data: bytes | Callable[[Update], object]


def encoded(tag: int, vr: str, value: bytes) -> bytes:
    """Return an element in canonical form; its value is made even (PS3.3 C.12.1.1.3.1.1).

    Raises:
        EncodingError: the value is too long for its VR.
    """
    out = bytearray()
    Encoder(out.extend).element(tag, vr, value)
    return bytes(out)


class EditedStream:
    """The stream of one signature, and its hash after edits.

    Args:
        index: of the object.
        scope: the data set or item.
        elements: the records of its elements in the stream.
        own: the bytes that the signature's own item adds. algorithm: the MAC Algorithm.
    """

    def __init__(
        self, index: Index, scope: int, elements: Iterable[int], own: bytes, algorithm: str
    ) -> None:
        self._index, self._scope, self.own = index, scope, own
        self._algorithm = algorithm
        self._runs = _runs(index, elements)
        self._keys: list[int] = [0]
        self._states: dict[int, hashlib._Hash] = {0: new_hasher(algorithm)}
        self.end = index.record(scope).next

    def behind(self, number: int) -> int:
        """Return about how many bytes are hashed from a record on."""
        if number >= self.end:
            return 0
        index = self._index
        return index.record(self._scope).end - index.record(max(number, 1)).start

    def digest(self, edits: Sequence[Edit] = (), own: bytes | None = None) -> bytes:
        """Return the MAC with these edits, which are in ascending order and do not overlap.

        Args:
            edits: the differences; if there are none, the stream is unchanged.
            own: the bytes that the signature's own item adds instead.
        """
        at = edits[0].start if edits else self.end
        hasher = self._before(at)
        if edits:
            self._feed(hasher.update, edits, at, self.end)
        hasher.update(self.own if own is None else own)
        return hasher.digest()

    def feed(self, update: Update, edits: Sequence[Edit] = ()) -> None:
        """Send the stream with these edits, without the signature's own item."""
        self._feed(update, edits, 0, self.end)

    def _before(self, at: int) -> hashlib._Hash:
        """Return a hasher that has got everything before a record."""
        known = self._keys[bisect_right(self._keys, at) - 1]
        hasher = self._states[known].copy()
        if known != at:
            self._feed(hasher.update, (), known, at)
            if len(self._keys) < _MAX_STATES:
                self._keys.insert(bisect_right(self._keys, at), at)
                self._states[at] = hasher.copy()
        return hasher

    def _feed(self, update: Update, edits: Sequence[Edit], begin: int, end: int) -> None:
        """Feed the stream from one record to another; sequences around ``begin`` are open."""
        index, scope = self._index, self._scope
        n = 0
        for start, last in self._runs:
            while n < len(edits) and edits[n].start < start:
                _put(update, edits[n])
                n += 1
            stop = min(last, end)
            at = max(start, begin)
            if at >= stop:
                continue
            inside = scope if at == start else at
            while n < len(edits) and edits[n].start < stop:
                edit = edits[n]
                index.stream_between(update, at, edit.start, inside, scope)
                _put(update, edit)
                at, inside = edit.stop, edit.start
                n += 1
            index.stream_between(update, at, stop, inside, scope)
        for edit in edits[n:]:
            _put(update, edit)


def _put(update: Update, edit: Edit) -> None:
    if isinstance(edit.data, bytes):
        update(edit.data)
    else:
        edit.data(update)


def _runs(index: Index, elements: Iterable[int]) -> list[tuple[int, int]]:
    """Return the elements as ranges of records that follow one another."""
    runs: list[tuple[int, int]] = []
    for number in elements:
        stop = index.record(number).next
        if runs and runs[-1][1] == number:
            runs[-1] = runs[-1][0], stop
        else:
            runs.append((number, stop))
    return runs

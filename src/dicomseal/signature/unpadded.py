"""OW of an odd length as dcmsign hashes it: with that length, and without a byte of padding.

In: a scope with OW values of odd length, and the elements that a signature lists.
Out: a hasher that has taken in dcmsign's form of the stream.
PS3: PS3.5 Section 7.1.1; PS3.3 C.12.1.1.3.1.1.

PS3.5 requires even lengths, and the canonical stream has them. dcmsign makes the values of all
other VRs even as it reads them, and hashes and writes them in this form; OW it leaves as it is. The
length is part of the stream, so such a signature protects every byte of the value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..ambiguity import open_vrs
from ..encoding import record as r
from ..encoding.backend import Index
from ..standard.mac_algorithms import new_hasher

if TYPE_CHECKING:
    from .mac_parameters import MacParameters
    from .scope import Scope

MESSAGE = (
    "made by dcmsign, which hashes OW of an odd length as it is, without the byte of padding that "
    "PS3.5 Section 7.1.1 demands: accepted, as its length and every byte of it are signed"
)
Update = Callable[[bytes | memoryview], object]
_NOTES = frozenset(("odd value", "odd"))  # of an index that holds such a value
_LENGTH = slice(8, 12)  # in the header of an element whose VR is OW
_HEADER = 12
_WORK_OF_A_RECORD = 32  # bytes that could be read in the same time


def hashed(scope: Scope, mac: MacParameters) -> hashlib._Hash | None:
    """Return a hasher for this form of the listed elements; None without odd words.

    Raises:
        SourceError: the file cannot be read.
        MalformedError: its signatures would cost too much; the code is ``limit``.
    """
    index = scope.index
    if not index.noted & _NOTES:
        return None
    elements = open_vrs.signed(index, scope.scope, mac.data_elements_signed)
    scope.work.read(_WORK_OF_A_RECORD * len(index))
    words = odd_words(index, elements)
    if not words:
        return None
    scope.work.read(scope.part10.size)
    hasher = new_hasher(mac.algorithm)
    stream(hasher.update, index, scope.scope, elements, words)
    return hasher


def odd_words(index: Index, elements: Iterable[int]) -> list[int]:
    """Return the records of OW elements of an odd length in some elements, in their order.

    Args:
        index: the index of the object.
        elements: the records of the elements.
    """
    found = []
    for element in elements:
        for number in range(element, index.record(element).next):
            record = index.record(number)
            odd = (record.end - record.value) % 2
            if odd and record.kind == r.ELEMENT and record.vr == "OW":
                found.append(number)
    return found


def stream(
    update: Update, index: Index, scope: int, elements: Sequence[int], words: Sequence[int]
) -> None:
    """Send the canonical stream of these elements of a scope, those words unpadded.

    Args:
        update: takes the bytes.
        index: the index of the object.
        scope: the data set or item.
        elements: the records of its signed elements.
        words: those of `odd_words`.

    Raises:
        SourceError: the file cannot be read.
    """
    left = iter([*words, -1])
    odd = next(left)
    for element in elements:
        after = index.record(element).next
        start, inside = element, scope
        while start <= odd < after:
            index.stream_between(update, start, odd, inside, scope)
            index.stream_between(_Whole(update).take, odd, odd + 1, scope, scope)
            start, inside = odd + 1, odd
            odd = next(left)
        index.stream_between(update, start, after, inside, scope)


class _Whole:
    """One element on its way: its length is made odd, and the last byte is not passed on."""

    def __init__(self, update: Update) -> None:
        self._update, self._head, self._last = update, bytearray(), b""

    def take(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        data = memoryview(piece).cast("B")
        if len(self._head) < _HEADER:
            missing = _HEADER - len(self._head)
            self._head += data[:missing]
            data = data[missing:]
            if len(self._head) == _HEADER:
                even = int.from_bytes(self._head[_LENGTH], "little")
                self._head[_LENGTH] = (even - 1).to_bytes(4, "little")
                self._update(bytes(self._head))
        if len(data):
            self._update(self._last)
            self._update(data[:-1])
            self._last = bytes(data[-1:])

"""One of two copies: its elements, and their values a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...encoding import record as r
from ...encoding._encoder_py import swap
from ...files.part10 import Part10
from ...files.reader import Reader
from ...standard import terms
from ...standard.tags import is_signable_tag
from .samples import PIECE

if TYPE_CHECKING:
    from ...encoding.limits import Limits
    from ...encoding.record import Record


class Copy:
    """An object.

    Args:
        source: a path, or a file's content as bytes.
        limits: the cost that is allowed.
        transfer_syntax: the Transfer Syntax UID of a bare data set.

    Raises:
        SourceError, MalformedError: it cannot be read.
    """

    def __init__(self, source: str | bytes, limits: Limits, transfer_syntax: str = "") -> None:
        self._reader = Reader()  # its buffer holds the bytes that were read
        if isinstance(source, str):
            self.part10 = self._reader.open(source, limits, named=transfer_syntax)
        else:
            self.part10 = Part10.from_bytes(source, limits, transfer_syntax)
        self.path = source if isinstance(source, str) else "-"
        self.index = self.part10.index()

    def elements(self, scope: int) -> dict[int, list[int]]:
        """Return the elements of a data set or item that are content: tag to records."""
        found: dict[int, list[int]] = {}
        for child in self.index.children(scope):
            tag = self.index.record(child).tag
            if is_signable_tag(tag):
                found.setdefault(tag, []).append(child)
        return found

    def pieces(self, record: Record, size: int = PIECE) -> Iterator[bytes]:
        """Yield the value of an element or fragment, little endian and of even length."""
        length = record.end - record.value
        for at in range(record.value, record.end, size):
            piece = bytes(self.part10.read(at, min(size, record.end - at)))
            yield swap(piece, record.vr) if self.index.big_endian else piece
        if length % 2:
            yield b" " if record.vr in terms.SPACE_PADDED else b"\0"

    def fragments(self, number: int) -> list[Record]:
        """Return the fragments of encapsulated pixels, the offset table first."""
        return [self.index.record(child) for child in self.index.children(number)]

    def is_signed(self) -> int:
        """Return how many Digital Signatures there are."""
        count = 0
        for scope in self.index.scopes:
            number = self.index.find(scope, terms.DIGITAL_SIGNATURES_SEQUENCE)
            count += sum(1 for _ in self.index.children(number))
        return count

    def states_vrs(self) -> bool:
        """Return whether the file states the VRs, so that they are not looked up."""
        return not self.part10.implicit

    def holds_unknown(self, number: int) -> bool:
        """Return whether a sequence has an element that is never in a canonical form."""
        return bool(self.index.record(number).flags & r.UNKNOWN_VR)


def in_step(a: Iterator[bytes], b: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield two streams in pieces of equal length, then the rest of the longer one."""
    left, right = b"", b""
    while True:
        if not left:
            left = next(a, b"")
        if not right:
            right = next(b, b"")
        if not left or not right:
            break
        size = min(len(left), len(right))
        yield left[:size], right[:size]
        left, right = left[size:], right[size:]
    while left or right:
        yield left, right
        left, right = next(a, b""), next(b, b"")

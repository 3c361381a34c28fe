"""The differences of two copies as data, ready for text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from ...report import escaped, harmless
from ..text import wrapped

CHANGED, ADDED, REMOVED, REENCODED = "changed", "added", "removed", "reencoded"
_WORDS = {
    CHANGED: "changed", ADDED: "only in the copy", REMOVED: "not in the copy",
    REENCODED: "written otherwise, reads the same",
}  # fmt: skip


class Difference(msgspec.Struct, frozen=True):
    """One element whose canonical bytes differ.

    Attributes:
        location: where it is, e.g. ``(0010,0010) PatientName``; for an element in an item, the path
            comes first, e.g. ``BeamSequence[0].(300A,00C0) BeamNumber``.
        kind: ``changed``, ``added`` (it is only in the copy), ``removed`` (it is not in the copy)
            or ``reencoded`` (other bytes, which every reader shows as the same value).
        a, b: the value in the object and in the copy, shortened; None if it is absent.
        offset_a, offset_b: where the element begins in each file (in the data set, if that was
            deflated); None if it is absent.
        first: the first byte of the value that differs, counted from 0; None if that has no
            meaning.
        note: a further sentence about it; empty if there is none.
        frames: for pixels, the frames that differ, counted from 1; the first 1,000.
        samples, of_samples: for pixels, how many samples differ, and how many there are.
    """

    location: str
    kind: str
    a: str | None = None
    b: str | None = None
    offset_a: int | None = None
    offset_b: int | None = None
    first: int | None = None
    note: str = ""
    frames: tuple[int, ...] = ()
    samples: int | None = None
    of_samples: int | None = None


class Comparison(msgspec.Struct, frozen=True):
    """The result of a comparison.

    Attributes:
        a, b: paths of the object and of the copy.
        differences: in the order of the elements, as many as are listed.
        more: how many others there are.
        notes: further information for people, e.g. that one of them is not signed.
    """

    a: str
    b: str
    differences: tuple[Difference, ...]
    more: int = 0
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the content is the same: the canonical bytes of every element are equal."""
        return not self.differences and not self.more

    def to_json(self) -> bytes:
        """Return the result as JSON, without a line end."""
        told: dict[str, Any] = {
            "same": self.same,
            "differences": [_told(one) for one in self.differences],
            "more": self.more,
            "notes": [harmless(note) for note in self.notes],
            "a": escaped(self.a),
            "b": escaped(self.b),
        }
        return json.dumps(told, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def render(self) -> Iterator[str]:
        """Return the result as lines of text."""
        yield "the same content" if self.same else "another content"
        yield from wrapped(f"a: {escaped(self.a)}", 2)
        yield from wrapped(f"b: {escaped(self.b)}", 2)
        for note in self.notes:
            yield from wrapped(f"note: {note}", 2)
        for one in self.differences:
            yield ""
            yield from wrapped(f"{one.location}: {_WORDS[one.kind]}", 0)
            for name, value, offset in (("a", one.a, one.offset_a), ("b", one.b, one.offset_b)):
                if value is not None:
                    yield from wrapped(f"{name}: {value}", 2)
                if offset is not None:
                    yield f"     at byte {offset:,}"
            if one.first is not None:
                yield f"  the first other byte is number {one.first + 1:,} of the value"
            if one.frames:
                yield from wrapped(_frames(one), 2)
            if one.note:
                yield from wrapped(one.note, 2)
        if self.more:
            yield ""
            yield f"and {self.more:,} more"


def _told(one: Difference) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(one)
    for key in ("first", "frames", "samples", "of_samples", "note"):
        if not told[key] and told[key] != 0:
            del told[key]
    return told


def _frames(one: Difference) -> str:
    shown = ", ".join(map(str, one.frames[:20]))
    more = f" and {len(one.frames) - 20} more" if len(one.frames) > 20 else ""
    text = f"frame {shown}{more}"
    if one.samples is not None and one.of_samples:
        text += f": {one.samples:,} of {one.of_samples:,} samples differ"
    return text

"""Change signed files, found element by element with the pure twin of the index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dicomseal.encoding import record as r
from dicomseal.encoding._index_py import Index
from dicomseal.files.part10 import Part10
from dicomseal.standard import terms
from dicomseal.standard.tags import is_signable_tag


def index_of(data: bytes) -> tuple[Any, int]:
    """The index of a file that is not deflated; its offsets are those of the file."""
    part10 = Part10.from_bytes(data)
    assert part10.deflated is None
    return (
        Index(data, part10.start, implicit=part10.implicit, big_endian=part10.big_endian),
        part10.start,
    )


def leaves(data: bytes, tag: int) -> list[bytes]:
    """The values of all elements with a tag, at any depth."""
    index, _ = index_of(data)
    return [
        index.value(n)
        for n in range(1, len(index))
        if index.record(n).kind == r.ELEMENT and index.record(n).tag == tag
    ]


def _signed(index: Any) -> Iterator[Any]:
    """The elements and fragments of the main data set that a signature over all of it covers."""
    number = 1
    while number < len(index):
        record = index.record(number)
        if record.kind in (r.ELEMENT, r.SEQUENCE, r.ENCAPSULATED) and (
            not is_signable_tag(record.tag) or record.flags & r.UNKNOWN_VR
        ):
            number = record.next
            continue
        if record.kind in (r.ELEMENT, r.FRAGMENT) and record.end > record.value:
            yield record
        number += 1


def tampered(data: bytes, largest: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Copies of a signed file, each with one bit of one signed value changed.

    Args:
        data: the file.
        largest: how many copies there may be; the elements are then taken evenly spread.
    """
    index, _ = index_of(data)
    records = list(_signed(index))
    step = max(1, -(-len(records) // largest)) if largest else 1
    for record in records[::step]:
        changed = bytearray(data)
        changed[record.value] ^= 1
        yield f"{record.tag:08X} at {record.value}", bytes(changed)


def tampered_signature(data: bytes, tag: int) -> bytes:
    """A copy with the last bit of the first byte changed in the first signature's element."""
    index, _ = index_of(data)
    for number in range(1, len(index)):
        record = index.record(number)
        if record.kind == r.ELEMENT and record.tag == tag:
            holder = index.record(index.record(record.parent).parent)
            if holder.tag == terms.DIGITAL_SIGNATURES_SEQUENCE:
                changed = bytearray(data)
                changed[record.value] ^= 1
                return bytes(changed)
    raise AssertionError(f"no {tag:08X} in a signature")


def insert_after(data: bytes, tag: int, element: bytes) -> bytes:
    """A copy with an encoded element right after the one with a tag in the main data set."""
    index, _ = index_of(data)
    end = index.record(index.find(0, tag)).end
    return data[:end] + element + data[end:]

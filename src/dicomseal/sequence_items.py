"""The items of MAC Parameters and Digital Signatures Sequences: plain elements in and out.

An element here is a tuple ``(tag, vr, value)``; the value is bytes in little endian, already of
even length, or for SQ a list of items, each a list of elements.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

from . import canonical, terms
from ._encoder_py import padding, swap

if TYPE_CHECKING:
    from pydicom import Dataset

    from ._record import Work
    from .canonical import Index

Element: TypeAlias = "tuple[int, str, bytes | list[list[Element]]]"
Item: TypeAlias = list[Element]
as_text = canonical.as_text
_WORK_OF_A_RECORD = 1024  # that is looked at, in bytes (see `Work`)


def text(tag: int, vr: str, value: str) -> Element:
    """A text element, padded to even length."""
    data = value.encode("ascii")
    return tag, vr, data + padding(vr) * (len(data) % 2)


def binary(tag: int, value: bytes) -> Element:
    """An OB element, padded to even length."""
    return tag, "OB", value + b"\0" * (len(value) % 2)


def encode_item(item: Item, implicit: bool = False, big_endian: bool = False) -> bytes:
    """An item with explicit length, ready to stand in a sequence."""
    content = encode(item, implicit, big_endian)
    order = ">" if big_endian else "<"
    return struct.pack(order + "HHL", 0xFFFE, 0xE000, len(content)) + content


def encode(elements: Iterable[Element], implicit: bool = False, big_endian: bool = False) -> bytes:
    """Elements as a file holds them, sequences with explicit lengths (PS3.5 Section 7)."""
    order = ">" if big_endian else "<"
    out = bytearray()
    for tag, vr, value in elements:
        if isinstance(value, list):
            data = b"".join(encode_item(item, implicit, big_endian) for item in value)
        else:
            data = swap(value, vr) if big_endian else value
        out += struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        if implicit:
            out += struct.pack("<L", len(data))
        elif vr in terms.LONG_VRS:
            out += vr.encode() + struct.pack(order + "2xL", len(data))
        else:
            out += vr.encode() + struct.pack(order + "H", len(data))
        out += data
    return bytes(out)


def to_dataset(item: Item) -> Dataset:
    """The same as a `pydicom.Dataset`."""
    from pydicom.filereader import read_dataset

    return read_dataset(BytesIO(encode(item)), is_implicit_VR=False, is_little_endian=True)


def items_of(index: Index, scope: int, tag: int) -> Iterator[int]:
    """The records of the items of a sequence directly inside a scope."""
    sequence = index.find(scope, tag)
    return index.children(sequence) if sequence >= 0 else iter(())


class Elements:
    """The elements of a data set or item of an index, as `profiles` looks at them."""

    __slots__ = ("_index", "_present", "_scope", "_text", "_texts", "_work")

    def __init__(self, index: Index, scope: int, work: Work | None = None) -> None:
        self._index, self._scope, self._work = index, scope, work
        self._present: set[int] | None = None
        self._text: dict[int, str] = {}
        self._texts: dict[tuple[int, int], frozenset[str]] = {}

    def present(self) -> set[int]:
        """The tags of its elements."""
        if self._present is None:
            self._present = self._index.present(self._scope)
        return self._present

    def has(self, tag: int) -> bool:
        """Whether there is such an element."""
        if self._present is not None:
            return tag in self._present
        return self._index.find(self._scope, tag) >= 0

    def holds(self, tags: Collection[int]) -> bool:
        """Whether there are all of these."""
        if self._present is not None:
            return self._present.issuperset(tags)
        return self._index.holds(self._scope, tags)

    def text(self, tag: int) -> str:
        """The value of a text element; empty if it is absent. Looked up once."""
        found = self._text.get(tag)
        if found is None:
            found = self._text[tag] = text_of(self._index, self._scope, tag)
        return found

    def texts(self, sequence: int, tag: int) -> frozenset[str]:
        """The values of a text element in the items of a sequence, wherever in it that is."""
        found = self._texts.get((sequence, tag))
        if found is None:
            index = self._index
            if self._work is not None:  # scopes inside one another look at the same records
                size = index.record(self._scope).next - self._scope
                self._work.read(_WORK_OF_A_RECORD * size)
            found = self._texts[sequence, tag] = frozenset(
                text_of(index, item, tag)
                for number in range(self._scope + 1, index.record(self._scope).next)
                if index.record(number).tag == sequence
                for item in index.children(number)
            )
        return found


class Main:
    """What the signatures of an object ask of its main data set; each search is made once.

    It goes through all elements where one stands out of order, and signatures may be very many.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    @cached_property
    def offset(self) -> str:
        """Timezone Offset From UTC (0008,0201)."""
        return text_of(self._index, 0, terms.TIMEZONE_OFFSET_FROM_UTC)

    @cached_property
    def has_pixel_data(self) -> bool:
        """Whether there are Pixel Data (7FE0,0010)."""
        return self._index.find(0, terms.PIXEL_DATA) >= 0


class DatasetElements:
    """The elements of a `pydicom.Dataset`, as `profiles` looks at them."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def present(self) -> set[int]:
        """The tags of its elements."""
        return {int(tag) for tag in self._dataset.keys()}  # noqa: SIM118  keys alone decode nothing

    def has(self, tag: int) -> bool:
        """Whether there is such an element."""
        return tag in self._dataset

    def holds(self, tags: Collection[int]) -> bool:
        """Whether there are all of these."""
        return all(tag in self._dataset for tag in tags)

    def text(self, tag: int) -> str:
        """The value of a text element; empty if it is absent."""
        element = self._dataset.get(tag)
        return "" if element is None or element.value is None else str(element.value).strip()

    def texts(self, sequence: int, tag: int) -> frozenset[str]:
        """The values of a text element in the items of a sequence, wherever in it that is."""
        from .canonical import Index
        from .dataset import encode

        # a walk by pydicom would decode every element
        return Elements(Index(encode(self._dataset)), 0).texts(sequence, tag)


def locate(index: Index, scope: int) -> list[tuple[int, int]]:
    """The steps from the main data set to an item, as `format_location` takes them."""
    steps = []
    while scope:
        item = index.record(scope)
        sequence = index.record(item.parent)
        steps.append((sequence.tag, item.tag))
        scope = sequence.parent
    return steps[::-1]


class History:
    """Which items lie inside Original Attributes Sequence; asked of very many, each step once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known = {0: False}

    def __contains__(self, scope: int) -> bool:
        path = []
        while scope not in self._known:
            path.append(scope)
            sequence = self._index.record(self._index.record(scope).parent)
            if sequence.tag == terms.ORIGINAL_ATTRIBUTES_SEQUENCE:
                self._known[scope] = True
                break
            scope = sequence.parent
        for item in path:
            self._known[item] = self._known[scope]
        return self._known[scope]


def is_history(steps: Iterable[tuple[int, int]]) -> bool:
    """Whether a location lies inside Original Attributes Sequence (0400,0561): a former state."""
    return any(tag == terms.ORIGINAL_ATTRIBUTES_SEQUENCE for tag, _ in steps)


def as_number(value: bytes | None, big_endian: bool) -> int | None:
    """A US value; None if there is none, or it has another length."""
    if value is None or len(value) != 2:
        return None
    return int.from_bytes(value, "big" if big_endian else "little")


def text_of(index: Index, item: int, tag: int) -> str:
    """The text of an element directly inside an item; empty if it is absent."""
    return as_text(index.values(item, (tag,))[0])


def number_of(index: Index, item: int, tag: int) -> int | None:
    """The US value of an element directly inside an item; None if it is absent."""
    return as_number(index.values(item, (tag,))[0], index.big_endian)


def der_length(data: bytes) -> int:
    """How long the DER object at the start says it is; an odd one was padded with a NUL.

    Where the first bytes are no DER header it is the length of the data.
    """
    if len(data) < 2 or data[0] != 0x30:
        return len(data)
    first = data[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4 or len(data) < 2 + count:
        return len(data)
    return 2 + count + int.from_bytes(data[2 : 2 + count], "big")


def without_padding(data: bytes) -> bytes:
    """A DER value without the one NUL that made its length even (PS3.5 Section 6.2, OB).

    A NUL behind an even number of bytes made nothing even, so it stays, and the value is wrong.
    """
    if not data or data[-1] or len(data) % 2:
        return data
    length = der_length(data)
    padded = length % 2 == 1 and length == len(data) - 1 and data[-1] == 0
    return data[:length] if padded else data

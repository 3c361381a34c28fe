"""The items of MAC Parameters and Digital Signatures Sequences: plain elements in and out.

An element here is a tuple ``(tag, vr, value)``; the value is bytes in little endian, already of
even length, or for SQ a list of items, each a list of elements.

In: elements as tuples, or bytes.
Out: the bytes of items, or items of a `pydicom.Dataset`.
PS3: PS3.3 Table C.12-6; PS3.5 Section 7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from ..encoding._encoder_py import padding, swap
from ..standard import terms

if TYPE_CHECKING:
    from pydicom import Dataset


Element: TypeAlias = "tuple[int, str, bytes | list[list[Element]]]"
Item: TypeAlias = list[Element]


def text(tag: int, vr: str, value: str) -> Element:
    """Return a text element, padded to even length."""
    data = value.encode("ascii")
    return tag, vr, data + padding(vr) * (len(data) % 2)


def binary(tag: int, value: bytes) -> Element:
    """Return an OB element, padded to even length."""
    return tag, "OB", value + b"\0" * (len(value) % 2)


def encode_item(item: Item, implicit: bool = False, big_endian: bool = False) -> bytes:
    """Encode an item with explicit length, ready for a sequence."""
    content = encode(item, implicit, big_endian)
    order = ">" if big_endian else "<"
    return struct.pack(order + "HHL", 0xFFFE, 0xE000, len(content)) + content


def encode(elements: Iterable[Element], implicit: bool = False, big_endian: bool = False) -> bytes:
    """Encode elements as in a file, sequences with explicit lengths (PS3.5 Section 7)."""
    order = ">" if big_endian else "<"
    out = bytearray()
    for tag, vr, value in elements:
        if isinstance(value, list):
            data = b"".join(encode_item(item, implicit, big_endian) for item in value)
        else:
            data = swap(value, vr) if big_endian else value
        head, length = _head(tag, vr, order, implicit)
        out += head
        out += length.pack(len(data))
        out += data
    return bytes(out)


@lru_cache(256)
def _head(tag: int, vr: str, order: str, implicit: bool) -> tuple[bytes, struct.Struct]:
    """Return what stands before the length of an element, and how that is written."""
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head, struct.Struct("<L")
    long = vr in terms.LONG_VRS
    return head + vr.encode() + b"\0\0" * long, struct.Struct(order + ("L" if long else "H"))


@lru_cache(256)
def form(tag: int, vr: str) -> tuple[bytes, struct.Struct, bytes]:
    """Return how an element is written in explicit VR little endian.

    Returns:
        What stands before its length, how the length is written, and the byte that pads an odd
        value.
    """
    return *_head(tag, vr, "<", False), padding(vr)


def to_dataset(item: Item) -> Dataset:
    """Return the item as a `pydicom.Dataset`, whose elements are as they are read from a file."""
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

    elements = {}
    for number, vr, value in item:
        tag = BaseTag(number)
        data = b"".join(map(encode_item, value)) if isinstance(value, list) else value
        elements[tag] = RawDataElement(tag, vr, len(data), data, 0, False, True)
    data_set = Dataset(elements)  # type: ignore[arg-type]
    data_set.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding="iso8859"
    )
    return data_set

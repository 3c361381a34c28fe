"""Bytes that are not a data set: each kind of error of the index, with its sentence."""

from __future__ import annotations

import _write_stds as std
import pytest
from _write_stds import H, sequence

from dicomseal.encoding import record as r
from dicomseal.errors import MalformedError

PAST = "whose length runs past the end of what holds it"
INSIDE = "ends inside an element's header"
NO_VR = "which is not a value representation"
IMAGES = std.REFERENCED_IMAGES
DEFINED_4 = std.REFERENCED_IMAGES + b"\4\0\0\0"
ITEM_OF_4 = std.ITEM + b"\4\0\0\0"
IMAGE_ITEM = std.REFERENCED_IMAGES + b"\x0c\0\0\0" + ITEM_OF_4
TROUBLE = {
    "header": (
        std.MODALITY + b"\x10\0",
        "the data set ends inside an element's header: the bytes are cut short (offset 10)",
    ),
    "header in an item": (
        IMAGE_ITEM + b"\x10\0\x20\0",
        f"item 0 of (0008,1140) {INSIDE}: the bytes are cut short (offset 20)",
    ),
    "header, cut by its item": (
        IMAGE_ITEM + b"\x10\0\x20\0" + std.PATIENT_ID,
        "item 0 of (0008,1140) ends inside an element's header (offset 20)",
    ),
    "header of an item": (
        DEFINED_4 + b"\xfe\xff\0\xe0" + std.PATIENT_ID,
        "(0008,1140) ends inside an element's header (offset 12)",
    ),
    "long header": (
        std.TEXT_VALUE[:10],
        "the data set ends inside an element's header: the bytes are cut short (offset 0)",
    ),
    "value": (
        std.PATIENT_ID[:-1],
        "the data set ends inside the value of (0010,0020): the bytes are cut short (offset 0)",
    ),
    "value in an item": (
        std.REFERENCED_IMAGES + b"\x12\0\0\0" + std.ITEM + b"\x0a\0\0\0" + std.PATIENT_ID,
        "item 0 of (0008,1140) ends inside the value of (0010,0020) (offset 20)",
    ),
    "delimiter": (
        std.REFERENCED_IMAGES + std.UNDEFINED,
        "(0008,1140) ends before its delimiter: the bytes are cut short (offset 12)",
    ),
    "delimiter of an item": (
        std.REFERENCED_IMAGES
        + b"\x14\0\0\0"
        + std.ITEM_UNDEFINED
        + std.PATIENT_ID
        + std.TEXT_VALUE,
        "item 0 of (0008,1140) ends before its delimiter (offset 32)",
    ),
    "delimiter of an encapsulated value": (
        std.PIXEL_DATA_OB + std.UNDEFINED + std.FRAGMENT,
        "(7FE0,0010) ends before its delimiter: the bytes are cut short (offset 24)",
    ),
    "overrun": (
        std.REFERENCED_IMAGES + b"\xff\0\0\0",
        f"the data set holds (0008,1140), {PAST}: the bytes are cut short (offset 0)",
    ),
    "overrun by an item": (
        std.REFERENCED_IMAGES + b"\x08\0\0\0" + ITEM_OF_4 + std.PATIENT_ID,
        f"(0008,1140) holds (FFFE,E000), {PAST} (offset 12)",
    ),
    "overrun by a fragment": (
        std.PIXEL_DATA_OB + std.UNDEFINED + ITEM_OF_4 + b"\1",
        f"(7FE0,0010) holds (FFFE,E000), {PAST}: the bytes are cut short (offset 12)",
    ),
    "fragment of undefined length": (
        std.PIXEL_DATA_OB + std.UNDEFINED + std.ITEM_UNDEFINED + std.SEQUENCE_END,
        f"(7FE0,0010) holds (FFFE,E000), {PAST}: the bytes are cut short (offset 12)",
    ),
    "no item": (
        std.REFERENCED_IMAGES + std.UNDEFINED + std.PATIENT_ID,
        "(0008,1140) holds (0010,0020) where an item must stand (offset 12)",
    ),
    "no item among fragments": (
        std.PIXEL_DATA_OB + std.UNDEFINED + std.ITEM_END,
        "(7FE0,0010) holds (FFFE,E00D) where an item must stand (offset 12)",
    ),
    "delimiter in a sequence of defined length": (
        std.REFERENCED_IMAGES + b"\x08\0\0\0" + std.SEQUENCE_END,
        "(0008,1140) holds (FFFE,E0DD) where an item must stand (offset 12)",
    ),
    "stray delimiter": (
        std.MODALITY + std.ITEM_END,
        "the data set holds a stray (FFFE,E00D) (offset 10)",
    ),
    "stray item": (
        sequence(ITEM_OF_4[:4] + b"\x08\0\0\0" + std.ITEM_EMPTY),
        "item 0 of (0008,1140) holds a stray (FFFE,E000) (offset 20)",
    ),
    "stray delimiter in an item of defined length": (
        sequence(std.ITEM + b"\x08\0\0\0" + std.ITEM_END),
        "item 0 of (0008,1140) holds a stray (FFFE,E00D) (offset 20)",
    ),
    "vr": (
        std.PATIENT_ID[:4] + b"lo\4\0" + b"1234",
        "the data set holds (0010,0020) with b'lo', which is not a value representation (offset 0)",
    ),
    "vr with a byte of 0": (
        std.PATIENT_ID[:4] + b"L\0\4\0" + b"1234",
        f"the data set holds (0010,0020) with b'L\\x00', {NO_VR} (offset 0)",
    ),
    "length": (
        std.TEXT_VALUE[:8] + std.UNDEFINED,
        "the data set holds (0040,A160) with the VR UT and no length (offset 0)",
    ),
    "length of a VR from the future": (
        std.FROM_THE_FUTURE[:8] + std.UNDEFINED + std.PATIENT_ID,
        "(0009,1002) holds (0010,0020) where an item must stand (offset 12)",
    ),
}
IMPLICIT_TROUBLE = {
    "length": (
        H("1000 2000 FFFFFFFF"),
        "the data set holds (0010,0020) with the VR LO and no length (offset 0)",
    ),
    "length, ambiguous": (
        H("2800 0601 FFFFFFFF"),
        "the data set holds (0028,0106) with the VR US and no length (offset 0)",
    ),
    "value": (
        H("1000 2000 04000000 31"),
        "the data set ends inside the value of (0010,0020): the bytes are cut short (offset 0)",
    ),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble(backend, name):
    data, message = TROUBLE[name]
    with pytest.raises(MalformedError) as info:
        backend.Index(data)
    assert str(info.value) == message
    assert info.value.code == ("truncated" if "cut short" in message else "malformed")
    assert f"(offset {info.value.offset})" in message


@pytest.mark.parametrize("name", IMPLICIT_TROUBLE)
def test_trouble_in_implicit_vr(backend, name):
    data, message = IMPLICIT_TROUBLE[name]
    with pytest.raises(MalformedError) as info:
        backend.Index(data, implicit=True)
    assert str(info.value) == message


def test_every_kind_of_trouble_is_tested():
    kinds = {name.split(" ")[0].rstrip(",") for name in TROUBLE}
    assert {kind.split(" ")[0] for kind in r._TROUBLE} - kinds == {"records", "depth"}

"""What the index reads of a signature in one call (PS3.3 Table C.12-6), in both twins."""

from __future__ import annotations

import struct

import pytest

from dicomseal.encoding.limits import Limits
from dicomseal.encoding.record import RawMac, SignatureValues
from dicomseal.errors import MalformedError

SHORT = {b"US", b"UI", b"DT", b"CS", b"AT"}
SIGNATURE = {
    0x04000005: (b"US", b"\1\2"),
    0x04000100: (b"UI", b"1.2.3\0"),
    0x04000105: (b"DT", b"20261127 "),
    0x04000110: (b"CS", b"X509_1993_SIG "),
    0x04000115: (b"OB", b"\x30\0"),
    0x04000120: (b"OB", b"\1\2\3\0"),
    0x04000305: (b"CS", b"CMS_TSP "),
    0x04000310: (b"OB", b"\x30\1\0\0"),
    0x04000401: (b"SQ", b""),
}
NOTHING = SignatureValues(None, "", "", "", b"", b"", "", b"", purposed=False)


def encoded(elements, order):
    out = b""
    for tag, (vr, value) in elements.items():
        head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr
        length = f"{order}H" if vr in SHORT else f"{order}2xL"
        out += head + struct.pack(length, len(value)) + value
    return out


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_signature(twins, order):
    data = encoded(SIGNATURE, order)
    number = 0x0201 if order == "<" else 0x0102
    for twin in twins:
        index = twin.Index(data, big_endian=order == ">")
        assert index.signature(0) == SignatureValues(
            number, "1.2.3", "20261127", "X509_1993_SIG", b"\x30\0", b"\1\2\3\0", "CMS_TSP",
            b"\x30\1\0\0", purposed=True,
        )  # fmt: skip


@pytest.mark.parametrize("tag", SIGNATURE)
def test_a_part_of_it_is_missing(twins, tag):
    """Nothing else is read in its place; a sequence where a value belongs is none, too."""
    names = dict(zip(SIGNATURE, SignatureValues._fields, strict=True))
    others = {key: value for key, value in SIGNATURE.items() if key != tag}
    as_sequence = {key: (b"SQ", b"") if key == tag else SIGNATURE[key] for key in SIGNATURE}
    for twin in twins:
        whole = twin.Index(encoded(SIGNATURE, "<")).signature(0)
        lacking = whole._replace(**{names[tag]: getattr(NOTHING, names[tag])})
        assert twin.Index(encoded(others, "<")).signature(0) == lacking
        if names[tag] != "purposed":
            assert twin.Index(encoded(as_sequence, "<")).signature(0) == lacking


@pytest.mark.parametrize("value", [b"", b"\1\0\2\0"])
def test_a_mac_id_that_is_no_number(twins, value):
    data = encoded({0x04000005: (b"US", value)}, "<")
    for twin in twins:
        assert twin.Index(data).signature(0).mac_id is None
        assert twin.Index(data).mac_parameters(0).mac_id == value


def test_mac_parameters(twins):
    elements = {
        0x04000005: (b"US", b"\1\2"),
        0x04000010: (b"UI", b"1.2\0"),
        0x04000015: (b"CS", b"SHA256"),
        0x04000020: (b"AT", b"\x08\0\x60\0"),
    }
    other_vr = {**elements, 0x04000020: (b"OB", b"\x08\0\x60\0")}
    for twin in twins:
        stored = RawMac(b"\1\2", b"1.2\0", b"SHA256", b"\x08\0\x60\0")
        assert twin.Index(encoded(elements, "<")).mac_parameters(0) == stored
        assert twin.Index(encoded(other_vr, "<")).mac_parameters(0) == stored._replace(listed=b"")
        assert twin.Index(b"").mac_parameters(0) == RawMac(None, None, None, b"")
        assert twin.Index(b"").signature(0) == NOTHING


def test_a_value_that_is_longer_than_its_limit(twins):
    for tag in (0x04000100, 0x04000120):
        data = encoded({tag: (b"OB" if tag == 0x04000120 else b"UI", bytes(102))}, "<")
        for twin in twins:
            with pytest.raises(MalformedError, match="has 102 bytes; at most 100 are read"):
                twin.Index(data, limits=Limits(value=100)).signature(0)

"""The index of an encoded data set, and what happens where the bytes are none (PS3.5 Section 7)."""

from __future__ import annotations

import struct

import _write_stds as std
import pytest
from _write_stds import H, item, sequence

from dicomseal.encoding import record as r
from dicomseal.encoding.obstacles import offers
from dicomseal.errors import MalformedError, SourceError

PIXELS = std.PIXEL_DATA_OB + std.UNDEFINED + std.ITEM_EMPTY + std.FRAGMENT + std.SEQUENCE_END
# a small file with everything in it: 0 MODALITY, a sequence with two items, nested, UN, pixels
SMALL = (
    std.MODALITY
    + sequence(item(std.PATIENT_ID + sequence(item(std.PATIENT_NAME), std.UNKNOWN_SEQUENCE, True)))
    + sequence(item(std.PATIENT_ID, True) + item(b"", True), std.REFERENCED_SERIES, True)
    + std.TEXT_VALUE
    + PIXELS
)
SMALL_IMPLICIT = (
    H(std.IMPLICIT["group length"][0])
    + H(std.IMPLICIT["public"][0])
    + sequence(item(H(std.SMALLEST_VALUE)) + item(H("09001000020000004120"), True), H("0800 4011"))
    + H(std.PIXEL_REPRESENTATION[1] + std.SMALLEST_VALUE)
)
SMALL_BIG_ENDIAN = (
    H("0008 1140  5351 0000  FFFFFFFF  FFFE E000  FFFFFFFF" + std.BIG_ENDIAN["UL"][0])
    + std.ITEM_END_BIG
    + H("FFFE E000  0000000C" + std.BIG_ENDIAN["AT"][0])
    + std.SEQUENCE_END_BIG
    + H(std.BIG_ENDIAN["OW"][0])
)


def outcome(twin, data, **options):
    """Everything that can be seen of an index, or the error."""
    try:
        index = twin.Index(data, **options)
    except MalformedError as error:
        return type(error), str(error), error.code, error.offset
    out = bytearray()
    coverage = index.stream(out.extend)
    records = [index.record(n) for n in range(len(index))]
    known = index.scopes, index.ambiguities, index.trailing, index.guessed, out, coverage
    return records, *known, index.oddities, index.noted, index.free


# --- records ------------------------------------------------------------------------------------


def test_records(backend):
    data = std.MODALITY + sequence(item(std.TEXT_VALUE_RESERVED), defined=True) + PIXELS
    index = backend.Index(data)
    size = len(data)
    # tag, vr, kind, flags, start, value, end, next, parent
    assert [index.record(n) for n in range(len(index))] == [
        (0, "", r.ITEM, 0, 0, 0, size, 8, 0),
        (0x00080060, "CS", r.ELEMENT, 0, 0, 8, 10, 2, 0),
        (0x00081140, "SQ", r.SEQUENCE, r.LONG_HEADER, 10, 22, 54, 5, 0),
        (0, "", r.ITEM, r.UNDEFINED, 22, 30, 54, 5, 2),
        (0x0040A160, "UT", r.ELEMENT, r.LONG_HEADER | r.REWRITE, 30, 42, 46, 5, 3),
        (0x7FE00010, "OB", r.ENCAPSULATED, r.LONG_HEADER | r.UNDEFINED, 54, 66, 94, 8, 0),
        (0, "", r.FRAGMENT, 0, 66, 74, 74, 7, 5),
        (1, "", r.FRAGMENT, r.IMAGE, 74, 82, 86, 8, 5),
    ]


def test_records_of_implicit_vr(backend):
    index = backend.Index(H(std.SMALLEST_VALUE + std.IMPLICIT["no creator"][0]), implicit=True)
    assert index.record(1) == (0x00280106, "US", r.ELEMENT, r.GUESSED, 0, 8, 10, 2, 0)
    assert index.record(2) == (0x00091001, "UN", r.ELEMENT, r.UNKNOWN_VR, 10, 18, 20, 3, 0)


def test_unknown_vr_is_known_of_the_sequences_around(backend):
    inner = sequence(item(std.PATIENT_ID) + item(std.PRIVATE_UNKNOWN))
    data = sequence(item(inner) + item(b""), std.REFERENCED_SERIES)
    index = backend.Index(data + sequence(item(std.PATIENT_ID)))
    flagged = [n for n in range(len(index)) if index.record(n).flags & r.UNKNOWN_VR]
    assert [index.record(n).tag for n in flagged] == [0x00081115, 0x00081140, 0x00091001]


def test_looking_up(backend):
    data = std.MODALITY + sequence(item(std.PATIENT_NAME) + item(std.PATIENT_ID)) + std.PATIENT_NAME
    index = backend.Index(data)
    images = index.find(0, 0x00081140)
    assert list(index.children(0)) == [1, 2, 7]
    assert (images, index.find(0, 0x00100020), index.find(0, 0x00100010)) == (2, -1, 7)
    first, second = index.children(images)
    assert list(index.children(first)) == [4]
    assert index.find(second, 0x00100020) == 6
    assert index.value(1) == b"CT"
    assert index.value(6) == b"1234"
    assert index.value(0) == data
    assert list(index.children(1)) == []


def test_value_of_a_fragment(backend):
    index = backend.Index(PIXELS)
    assert [index.value(n) for n in index.children(1)] == [b"", b"\xff\xd8\xff\xd9"]


def test_part_of_a_source(backend):
    data = b"before" + std.MODALITY + std.PATIENT_ID + b"after"
    index = backend.Index(data, 6, len(data) - 5)
    assert index.record(1).start == 6
    out = bytearray()
    index.stream(out.extend)
    assert bytes(out) == std.MODALITY + std.PATIENT_ID
    for start, stop in ((5, 4), (0, len(data) + 1), (len(data) + 1, None)):
        with pytest.raises(SourceError):
            backend.Index(data, start, stop)


@pytest.mark.parametrize("data", [SMALL, bytearray(SMALL), memoryview(SMALL)], ids=type)
def test_bytes_like_sources(backend, data):
    assert backend.stream(data) == backend.stream(SMALL)


def into(backend, index, out, **options):
    encoder = backend.Encoder(out.extend)
    index.stream_items(encoder, **options)
    encoder.flush()


def test_root_may_be_the_value_of_a_sequence(backend):
    index = backend.Index(item(std.PATIENT_ID) + item(b"", True), root=r.SEQUENCE)
    out = bytearray()
    into(backend, index, out)
    assert bytes(out) == std.ITEM + std.PATIENT_ID + std.ITEM


def test_root_may_be_an_encapsulated_value(backend):
    index = backend.Index(std.OFFSET_TABLE + std.FRAGMENT, root=r.ENCAPSULATED)
    plain, legacy = bytearray(), bytearray()
    into(backend, index, plain)
    into(backend, index, legacy, legacy=True)
    assert bytes(plain) == std.OFFSET_TABLE_HASHED + std.FRAGMENT_HASHED
    assert bytes(legacy) == std.OFFSET_TABLE + std.FRAGMENT


def test_scopes(backend):
    signed = std.PATIENT_ID + std.DIGITAL_SIGNATURES
    data = sequence(item(signed) + item(std.PATIENT_ID) + item(signed)) + signed
    index = backend.Index(data)
    assert index.scopes == [2, 7, 0]
    assert [index.record(n).kind for n in index.scopes] == [r.ITEM] * 3
    assert backend.Index(std.PATIENT_ID).scopes == []
    twice = backend.Index(std.DIGITAL_SIGNATURES * 2)
    assert twice.scopes == [0]
    implicit = backend.Index(H("FAFF FAFF  00000000"), implicit=True)
    assert implicit.scopes == [0]


# --- ambiguities --------------------------------------------------------------------------------


def test_no_ambiguities(backend):
    assert backend.Index(std.MODALITY + sequence(item(std.MODALITY) * 2)).ambiguities == []


def test_tag_that_comes_twice(backend):
    index = backend.Index(std.PATIENT_NAME + std.PATIENT_ID + std.PATIENT_ID)
    assert index.ambiguities == [("duplicate", 0x00100020, 3)]


def test_tag_out_of_order(backend):
    index = backend.Index(std.PATIENT_ID + std.PATIENT_NAME + std.PATIENT_ID + std.TEXT_VALUE)
    assert index.ambiguities == [("order", 0x00100010, 2), ("duplicate", 0x00100020, 3)]


def test_ambiguity_in_an_item(backend):
    index = backend.Index(sequence(item(std.PATIENT_ID) + item(std.PATIENT_ID * 2)))
    assert index.ambiguities == [("duplicate", 0x00100020, 6)]


def test_at_most_a_hundred_ambiguities(backend):
    index = backend.Index(std.PATIENT_ID * 300)
    assert len(index.ambiguities) == r.MAX_AMBIGUITIES
    assert index.ambiguities[-1] == ("duplicate", 0x00100020, 101)


# --- what a signature is read with ----------------------------------------------------------------

TWO_ITEMS = sequence(item(std.PATIENT_ID) + item(std.PATIENT_ID))
MACS, SIGNATURES = H("FE4F 0100 5351 0000"), H("FAFF FAFF 5351 0000")


@pytest.mark.parametrize("defined", [False, True])
def test_the_sole_signature(backend, defined):
    def both(parameters, signatures, before=b"", behind=b""):
        return (before + sequence(parameters, MACS, defined)
                + sequence(signatures, SIGNATURES, defined) + behind)  # fmt: skip

    one = item(H("0004 0500 5553 0200 0100"))  # MAC ID Number
    two = item(H("0004 0500 5553 0400 0100 0100"))
    nested = sequence(item(sequence(one, SIGNATURES)))
    cases = {
        "one each": (both(one, one), True),
        "behind others": (both(one, one, std.MODALITY), True),
        "another number": (both(one, item(H("0004 0500 5553 0200 0200"))), False),
        "no number": (both(one, item(b"")), False),
        "no number in either": (both(item(b""), item(b"")), False),
        "two numbers": (both(two, two), False),
        "two parameters": (both(one + one, one), False),
        "two signatures": (both(one, one + one), False),
        "no parameters": (both(b"", one), False),
        "no signature": (both(one, b""), False),
        "nothing": (std.MODALITY, False),
        "one sequence": (sequence(one, SIGNATURES, defined), False),
        "another in an item": (both(one, one, nested), False),
        "ambiguous": (both(one, one, std.PATIENT_ID + std.PATIENT_ID), False),
        "zeros behind": (both(one, one, behind=b"\0\0"), False),
        "no sequence": (sequence(one, MACS, defined) + H("FAFF FAFF 554E 0000 00000000"), False),
    }
    for why, (data, is_one) in cases.items():
        index = backend.Index(data)
        found = index.sole_signature()
        assert (found is not None) == is_one, why
        if found is not None:
            inside = [next(index.children(index.find(0, tag))) for tag in (0x4FFE0001, 0xFFFAFFFA)]
            assert [found.parameters, found.item] == inside
            assert found.values == index.signature(found.item)
            assert found.mac == index.mac_parameters(found.parameters)
            assert (found.values.mac_id, found.mac.mac_id) == (1, b"\1\0")


def test_what_can_be_signed(backend):
    """The short way to the list of tags says the same as the offers one by one."""
    explicit = H("08000000 554C 0400 0A000000  08001600 5549 0200 3100  10001000 504E 0200 4120")
    implicit = H("09000100 02000000 4120  10001000 02000000 4120")
    unknown = H("10001000 504E 0200 4120  11001000 554E 0000 02000000 4120")
    for data, options in ((explicit, {}), (implicit, {"implicit": True}), (unknown, {})):
        index = backend.Index(data, **options)
        for guessed in (False, True):
            offered = list(offers(index, 0, guessed))
            plain = b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag, _ in offered)
            wanted = None if any(obstacle for _, obstacle in offered) else plain
            assert index.all_signable(0, guessed) == wanted
    assert backend.Index(explicit).all_signable(0) == H("08001600 10001000")
    assert backend.Index(implicit, implicit=True).all_signable(0) is None
    assert backend.Index(unknown).all_signable(0) is None
    assert backend.Index(b"").all_signable(0) == b""


def test_what_follows_a_tag(backend):
    """Elements inside a sequence, whose tags may be greater, do not count."""
    inner = H("E07F1000 4F42 0000 00000000")
    data = H("08001600 5549 0200 3100") + sequence(item(inner)) + H("10001000 504E 0200 4120")
    index = backend.Index(data)
    tags = [index.record(child).tag for child in index.children(0)]
    assert len(tags) == 3
    for tag in (0, *tags, *(one + 1 for one in tags), 0xFFFFFFFF):
        number = index.following(0, tag)
        greater = [one for one in tags if one > tag]
        assert (number < 0) == (not greater)
        if greater:
            assert index.record(number).tag == greater[0]
            assert index.record(number).parent == 0


def test_holds(backend):
    index = backend.Index(SMALL)
    assert index.holds(0, ())
    assert index.holds(0, (0x7FE00010, 0x00080060))
    assert not index.holds(0, (0x00080060, 0x00100010))
    assert not index.holds(0, (0x00100020,))  # it is in an item


def test_fragmented(backend):
    assert backend.Index(SMALL).fragmented
    assert not backend.Index(std.MODALITY + TWO_ITEMS).fragmented


def test_listed_tags(twins):
    """Values of the VR AT alone, in either byte order; what is left over is no tag."""
    for twin in twins:
        tags_of = twin.module("index").tags_of
        little = b"\x00\x04\x20\x00AT\x0a\x00" + bytes.fromhex("08006000 10002000 0500")
        index = twin.Index(std.MODALITY + little)
        value = index.listed(0, 0x04000020)
        assert value == bytes.fromhex("08006000100020000500")
        assert tags_of(value, False) == (0x00080060, 0x00100020)
        assert tags_of(value, True) == (0x08006000, 0x10002000)
        assert tags_of(b"", False) == tags_of(b"\1\2\3", True) == ()
        assert index.listed(0, 0x00080060) == b""  # CS
        assert index.listed(0, 0x00100020) == b""  # absent


TEXTS = [None, b"", b"CT", b"CT ", b"1.2.3\0", b" CT  ", b"\0", b" \0 ", b"a\0b", b"\tCT\r\n",
         b"\xe9t\xe9 ", b"\x1f", b"\x7fA", b"A\x7f", b"two words ", b"\x0bA\x0c"]  # fmt: skip


def test_texts(twins):
    """The twins agree on padding, white space and what is no ASCII."""
    expected = ["", "", "CT", "CT", "1.2.3", "CT", "", "", "a\0b", "CT", "\ufffdt\ufffd", "",
                "\x7fA", "A\x7f", "two words", "A"]  # fmt: skip
    for twin in twins:
        as_text = twin.module("index").as_text
        assert [as_text(value) for value in TEXTS] == expected
        assert all(as_text(bytes([n])) == twins[1].module("index").as_text(bytes([n]))
                   for n in range(256))  # fmt: skip

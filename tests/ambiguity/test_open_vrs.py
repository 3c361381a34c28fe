"""Implicit VR states no VR (PS3.5 Section 7.1.3): objects signed in explicit VR, then re-encoded.

A harmless re-encoding leaves a signature intact, whatever mixture of VRs it was made over. What was
tried in full and does not match was changed; what could not be tried in full is undecided.
"""

from __future__ import annotations

import io
import itertools
import struct
import time
from typing import Any

import pki
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomseal import Limits, sign_file, verify
from dicomseal.ambiguity import open_vrs
from dicomseal.ambiguity.vr_search import Search
from dicomseal.editing.reencode import reencode
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import terms, transfer_syntaxes

RSA, EC = pki.member("rsa").pair, pki.member("ec").pair
TWO, FOUR = b"\1\0", b"\1\0\2\0"
BITS, WAVEFORM_BITS, SIGNED = 0x00280100, 0x54001004, 0x00280103
PIXELS, OVERLAY, WAVEFORM, PADDING = 0x7FE00010, 0x60003000, 0x54001010, 0x5400100A
SMALLEST, DESCRIPTOR, LUT = 0x00280106, 0x00283002, 0x00283006
NAME = (0x00100010, "PN", b"A^B ")


def us(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def implicit(elements: list[Any], pair: Any = RSA, **options: Any) -> bytes:
    """An object that was signed in explicit VR, now in implicit VR."""
    out = io.BytesIO()
    sign_file(pki.part10(encode(sorted(elements))), out, *pair, **options)
    part10 = Part10.from_bytes(out.getvalue())
    return reencode(part10, part10.index(), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)[0]


def only(data: bytes, **options: Any) -> Any:
    (signature,) = verify(data, integrity_only=True, **options).signatures
    return signature


def image(vr: str, bits: int = 16) -> list[Any]:
    return [(BITS, "US", us(bits)), (SIGNED, "US", us(0)), (PIXELS, vr, FOUR)]


MIXED = {
    "8-bit icon beside 16-bit pixels": [
        NAME, *image("OW"), (0x00880200, "SQ", [image("OB", 8)]),
    ],
    "16-bit icon beside 8-bit pixels": [
        NAME, *image("OB", 8), (0x00880200, "SQ", [image("OW")]),
    ],
    "overlays of both kinds": [
        NAME, *image("OW"), (OVERLAY, "OB", TWO), (OVERLAY + 0x20000, "OW", TWO),
    ],
    "a descriptor of signed values beside unsigned ones": [
        NAME, *image("OW"), (SMALLEST, "US", us(0)),
        (0x00283010, "SQ", [[(DESCRIPTOR, "SS", us(4, 0xFC00, 16)), (LUT, "OW", FOUR)]]),
    ],
    "two tables, one in US and one in OW": [
        NAME,
        (0x00283010, "SQ", [
            [(DESCRIPTOR, "US", us(2, 0, 16)), (LUT, "US", FOUR)],
            [(DESCRIPTOR, "US", us(2, 0, 16)), (LUT, "OW", FOUR)],
        ]),
    ],
    "palettes": [
        NAME, *image("OW"), (0x00281101, "SS", us(2, 0, 16)), (0x00281102, "US", us(2, 0, 16)),
        (0x00281103, "SS", us(2, 0, 16)),
    ],
    "two waveforms": [
        NAME,
        (0x54000100, "SQ", [
            [(WAVEFORM_BITS, "US", us(8)), (PADDING, "OW", TWO), (WAVEFORM, "OB", TWO)],
            [(WAVEFORM_BITS, "US", us(16)), (PADDING, "OB", TWO), (WAVEFORM, "OW", TWO)],
        ]),
    ],
    "empty values": [NAME, (SMALLEST, "SS", b""), (0x00280107, "US", b""), (OVERLAY, "OB", b"")],
    "what was retired": [
        NAME, (0x00143050, "OB", TWO), (0x00143070, "OW", TWO), (0x5000200C, "OB", TWO),
        (0x50003000, "OW", TWO), (0x7F000010, "OB", TWO),
    ],
}  # fmt: skip


@pytest.mark.parametrize("pair", [RSA, EC], ids=["RSA", "ECDSA"])
@pytest.mark.parametrize("name", MIXED)
def test_mixed(backend, name, pair):
    data = implicit(MIXED[name], pair)
    signature = only(data)
    assert signature.integrity == "intact"
    assert signature.messages[-1].startswith("implicit VR states no VR: signed with ")
    assert data.count(b"A^B ") == 1
    changed = only(data.replace(b"A^B ", b"A^C "))
    code = "HASH_FAILURE" if pair == RSA else "SIG_CRYPTO_FAILURE"
    assert (changed.integrity, changed.integrity_reason.code) == ("altered", code)


def restated(data: bytes, tag: int, old: str, new: str) -> bytes:
    """Explicit VR with another VR of the same kind of header in one element."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    assert data.count(head + old.encode()) == 1
    return data.replace(head + old.encode(), head + new.encode())


RESTATED = {
    "pixels": ((PIXELS, "OB", FOUR), "OW", "unverifiable"),
    "a number": ((SMALLEST, "SS", us(5)), "US", "unverifiable"),
    "a negative number": ((SMALLEST, "SS", us(0xFFFB)), "US", "altered"),
    "private": ((0x0051100A, "LO", b"TA 00:14"), "SH", "unverifiable"),
    "a private number": ((0x0051100A, "SL", FOUR), "UL", "altered"),
}


@pytest.mark.parametrize("pair", [RSA, EC], ids=["RSA", "ECDSA"])
@pytest.mark.parametrize("kind", RESTATED)
def test_vrs_that_a_program_chose_anew(backend, kind, pair):
    """Explicit VR again, after implicit VR: no value was changed, and that is not said."""
    (tag, vr, value), other, integrity = RESTATED[kind]
    elements = [NAME, (0x00510010, "LO", b"SIEMENS MR HEADER "), (tag, vr, value)]
    out = io.BytesIO()
    sign_file(pki.part10(encode(sorted(elements))), out, *pair)
    data = restated(out.getvalue(), tag, vr, other)
    signature = only(data)
    assert signature.integrity == integrity
    if integrity == "unverifiable":
        assert f" as {vr}, now {other}" in signature.integrity_reason.message
    assert verify(data, integrity_only=True).verdict != "passed"
    # with a value that was changed as well nothing else is said than before
    assert only(data.replace(b"A^B ", b"A^C ")).integrity == "altered"


@pytest.mark.parametrize("by_item", [True, False])
def test_many_that_were_chosen_by_their_sign(backend, by_item):
    """SS where a number is negative, else US: each for itself, or all of an item alike."""
    items = []
    for n in range(80):
        ends = [(n * 37 % 100 - 50) * 10, (n * 37 % 100 - 50) * 10 + 300]
        negative = [ends[0] < 0] * 2 if by_item else [end < 0 for end in ends]
        items.append([
            (tag, "SS" if sign else "US", struct.pack("<h", end))
            for tag, sign, end in zip((0x00409211, 0x00409216), negative, ends, strict=True)
        ])  # fmt: skip
    data = implicit([NAME, (0x00409096, "SQ", items)], RSA)
    assert only(data).integrity == "intact"
    # undecided, and not proven: there are too many others
    assert only(data.replace(b"A^B ", b"A^C ")).integrity == "unverifiable"


OPEN = st.sampled_from([
    (0x00189810, ("US", "SS"), (0, 2)), (SMALLEST, ("US", "SS"), (0, 2)),
    (0x00280120, ("US", "SS"), (2,)), (0x00281101, ("US", "SS"), (6,)),
    (LUT, ("OW", "US", "SS"), (2, 4)), (PADDING, ("OB", "OW"), (2,)),
    (WAVEFORM, ("OB", "OW"), (0, 4)), (OVERLAY, ("OB", "OW"), (0, 2)),
    (PIXELS, ("OB", "OW"), (4,)), (0x00081190, ("UR", "UT"), (0, 8)),
])  # fmt: skip


@st.composite
def scopes(draw: Any, depth: int = 1) -> list[Any]:
    """A data set or item with a few open elements, in whatever VRs they may have."""
    elements_by_tag = {0x00080060: ("CS", b"OT")}
    for tag, vrs, sizes in draw(st.lists(OPEN, max_size=3)):
        size = draw(st.sampled_from(sizes))
        elements_by_tag[tag] = draw(st.sampled_from(vrs)), bytes(range(0x30, 0x30 + size))
    if draw(st.booleans()):
        elements_by_tag[SIGNED] = "US", us(draw(st.integers(0, 1)))
    elements: list[Any] = [(tag, *rest) for tag, rest in sorted(elements_by_tag.items())]
    if depth and draw(st.booleans()):
        inner = draw(st.lists(scopes(depth - 1), min_size=1, max_size=2))
        elements.append((0x00880200, "SQ", inner))
    return sorted(elements)


@settings(deadline=None)
@given(elements=scopes())
def test_any_mixture(elements):
    """And a change is seen, as so few of them can be tried in full."""
    data = implicit([NAME, *elements])
    assert only(data).integrity == "intact"
    assert only(data.replace(b"A^B ", b"A^C ")).integrity == "altered"


# --- dictionaries ---------------------------------------------------------------------------------


def private(creator: bytes, group: int, *elements: tuple[int, str, bytes]) -> list[Any]:
    block = group << 16 | 0x1000
    return [NAME, (group << 16 | 0x10, "LO", creator), *((block | e, v, x) for e, v, x in elements)]


@pytest.mark.parametrize("elements", [
    private(b"SIEMENS MR HEADER ", 0x51, (0x0A, "LO", b"TA 00:14"), (0x0B, "LO", b"160p*160"),
            (0x0D, "SH", b"SP H1.0 "), (0x0E, "LO", b"Tra ")),
    private(b"ELSCINT1", 0x1F1, (0x26, "DS", b"0.264 ")),
    private(b"SIEMENS MR HEADER ", 0x19, (0x08, "UT", b"IMAGE NUM 4 ")),
    private(b"SIEMENS MR HEADER ", 0x19, (0x0A, "SS", us(3)), (0x12, "OB", bytes(12))),
    private(b"SIEMENS MR HEADER ", 0x19, (0x0A, "OW", b"")),
    private(b"NOBODY", 0x19, (0x0A, "FD", bytes(8))),
    private(b"NOBODY", 0x19, (0x0A, "LO", b"text"), (0x0B, "US", us(1))),
    [NAME, (0x00100020, "SH", b"1 "), (0x00104000, "UT", b"text")],
    [NAME, (0x00081190, "UT", b"http://x"), (0x0040E010, "UT", b"http://x")],
    [NAME, (0x0074100A, "ST", b"http://x"), (0x00660040, "UL", bytes(4))],
], ids=["seen", "DS not FD", "other text", "other numbers", "empty", "unknown", "two unknown",
        "slips", "UT once", "ST once"])  # fmt: skip
def test_a_dictionary_only_guesses(backend, elements):
    signature = only(implicit(elements))
    assert signature.integrity == "intact"
    assert signature.unsigned_elements == 0


def test_a_change_among_private_elements(backend):
    """One whose every VR can be tried proves it; several leave it undecided, and are named."""
    one = private(b"SIEMENS MR HEADER ", 0x19, (0x0A, "US", us(3)))
    assert only(implicit(one).replace(b"A^B ", b"A^C ")).integrity == "altered"
    several = private(
        b"SIEMENS MR HEADER ", 0x19, *((e, "IS", b"1 ") for e in (0x0C, 0x14, 0x18, 0x23))
    )
    signature = only(implicit(several).replace(b"A^B ", b"A^C "))
    assert signature.integrity == "unverifiable"
    assert signature.integrity_reason.code == "SIGNED_DATA_NOT_FOUND"
    assert "the VR of (0019,100C), (0019,1014)" in signature.integrity_reason.message


def test_what_may_have_been_a_sequence_is_undecided(backend):
    """SQ in the object, and the dictionary has another VR: that cannot be tried."""
    inner = [[(0x00080060, "CS", b"OT")]]
    elements = [*private(b"SIEMENS MR HEADER ", 0x19), (0x00191008, "SQ", inner)]
    out = io.BytesIO()
    sign_file(pki.part10(encode(elements)), out, *RSA)
    part10 = Part10.from_bytes(out.getvalue())
    syntax = transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
    data = reencode(part10, part10.index(), syntax, convert_un=True)[0]  # asks for no losses
    signature = only(data)
    assert signature.integrity == "unverifiable"
    assert "(0019,1008)" in signature.integrity_reason.message


# --- a private dictionary's sequence that is none -------------------------------------------------

PHILIPS = (0x20010010, "LO", b"Philips Imaging DD 001")
SWAPPED = bytes.fromhex("FFFEE000 00000004 01020304")
NO_SEQUENCES = {
    "opaque": b"no sequence at all",
    "byte-swapped items": SWAPPED,
    "an item that runs over": bytes.fromhex("FEFF00E0 FF000000 0102"),
    "broken inside": bytes.fromhex("FEFF00E0 04000000 01020304"),
    "no delimiter": bytes.fromhex("FEFF00E0 FFFFFFFF"),
    "signatures and pixels inside, then nonsense": encode(
        [(0x28010010, "LO", b"x "), (0xFFFAFFFA, "SQ", [[]])], True
    ).join([bytes.fromhex("FEFF00E0 30000000"), b"?"]),
}


def holding(value: bytes) -> list[Any]:
    """A sequence of Philips with this value, around and beside what is known."""
    return [
        (0x00080060, "CS", b"MR"), PHILIPS, (0x2001105F, "OB", value), (0x20050010, "LO", b"x "),
        (0x28000010, "US", us(3)), (PIXELS, "OW", FOUR),
    ]  # fmt: skip


@pytest.mark.parametrize("name", NO_SEQUENCES)
def test_a_private_sequence_that_is_none(backend, name):
    """It is that element's UN, not the object's error, at any depth."""
    value = NO_SEQUENCES[name]
    begins = value.startswith(bytes.fromhex("FEFF00E0"))
    assert len(backend.Index(encode(holding(encode([], True)), True, False), implicit=True)) == 7
    inside = encode([(0x00081140, "SQ", [holding(value)])], True)
    for data, number in ((encode(holding(value), True), 3), (inside, 5)):
        index = backend.Index(data, implicit=True)
        record = index.record(number)
        assert (record.tag, record.vr, record.kind) == (0x2001105F, "UN", 0)
        assert record.end - record.value == len(value)
        assert index.record(number + 1).tag == 0x20050010
        assert (index.scopes, index.fragmented) == ([], False)
        # where items begin, a reader with this dictionary would go on, and end elsewhere
        assert [a.kind for a in index.ambiguities] == (["items"] if begins else [])
        assert index.record(number + 3).vr == "OW"
    if begins:
        report = verify(pki.part10(encode(holding(value), True), pki.IMPLICIT))
        assert report.verdict in ("failed", "unsigned")
        return
    out = io.BytesIO()
    sign_file(pki.part10(encode(holding(value), True), pki.IMPLICIT), out, *RSA)
    assert only(out.getvalue()).integrity == "intact"


def test_a_private_sequence_of_undefined_length_is_one(backend):
    """Whatever the dictionary says of it (PS3.5 Section 7.5)."""
    creator = encode([(0x00190010, "LO", b"SIEMENS MR HEADER ")], True)
    inner = bytes.fromhex("FEFF00E0 0A000000 08006000 02000000 4354 FEFFDDE0 00000000")
    data = creator + bytes.fromhex("19000810 FFFFFFFF") + inner
    index = backend.Index(data, implicit=True)
    assert (index.record(2).vr, index.record(2).kind) == ("SQ", 1)


# --- the budget -----------------------------------------------------------------------------------


def many(count: int) -> list[Any]:
    """A data set with so many open elements that do not follow one rule."""
    vrs = itertools.cycle(["US", "SS", "SS", "US", "SS"])
    items = [[(0x00409211, next(vrs), us(n)), (0x00409216, next(vrs), us(n))] for n in range(count)]
    return [NAME, (0x00409096, "SQ", items)]


def test_beyond_the_budget_it_is_undecided(backend):
    data = implicit(many(40))
    began = time.process_time()
    signature = only(data)
    assert time.process_time() - began < 30
    assert signature.integrity == "unverifiable"
    assert "RealWorldValueLastValueMapped (0040,9211)" in signature.integrity_reason.message
    assert "and 75 more" in signature.integrity_reason.message
    assert "choices that were tried" in signature.integrity_reason.message


def search(data: bytes, budget: int) -> Search:
    part10 = Part10.from_bytes(data)
    index = part10.index()
    elements = open_vrs.signed(index, 0, [0x00100010, 0x00409096])
    found = open_vrs.find(index, 0, elements)
    from dicomseal.standard.mac_algorithms import new_hasher

    search = Search(index, 0, elements, found, b"", new_hasher("SHA256"), lambda _: False, budget)
    assert search.run() is None
    return search


def test_the_budget_is_kept(backend):
    """What is spent does not go up with the product of what is open."""
    for count in (2, 4, 40, 400):
        result = search(implicit(many(count)), 1 << 24)
        assert result.spent <= (1 << 24) + (1 << 20)
        assert result.exhausted is (count <= 4)
    assert search(implicit(many(2)), 1 << 24).tried >= 16  # two to the fourth


def test_every_choice_is_tried_once_the_budget_allows(backend):
    """Each differs from all others, and the stream is what the index would give for it."""
    data = implicit(many(2))
    part10 = Part10.from_bytes(data)
    index = part10.index()
    elements = open_vrs.signed(index, 0, [0x00100010, 0x00409096])
    found = open_vrs.find(index, 0, elements)
    from dicomseal.standard.mac_algorithms import new_hasher

    seen: list[bytes] = []
    Search(
        index, 0, elements, found, b"tail", new_hasher("SHA256"),
        lambda mac: bool(seen.append(mac)), 1 << 28,
    ).run()  # fmt: skip
    expected = set()
    for vrs in itertools.product(("US", "SS"), repeat=4):
        for one, vr in zip(found, vrs, strict=True):
            index.choose(one.number, vr)
        hasher = new_hasher("SHA256")
        index.stream(hasher.update, 0, [0x00100010, 0x00409096])
        hasher.update(b"tail")
        expected.add(hasher.digest())
    assert set(seen) == expected


def test_a_limit_of_nothing_tries_nothing(backend):
    data = implicit(MIXED["palettes"])
    report = verify(data, integrity_only=True, limits=Limits(passes=1 << 10))
    assert report.signatures[0].integrity == "intact"
    small = Limits(passes=0)
    assert verify(data, integrity_only=True, limits=small).verdict != "passed"


def test_several_signatures_share_what_was_found(backend, tmp_path):
    """The second one is not searched for anew, and each is told."""
    elements = MIXED["8-bit icon beside 16-bit pixels"]
    once, twice = io.BytesIO(), io.BytesIO()
    sign_file(pki.part10(encode(sorted(elements))), once, *RSA)
    sign_file(once.getvalue(), twice, *EC)
    part10 = Part10.from_bytes(twice.getvalue())
    data = reencode(part10, part10.index(), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)[0]
    report = verify(data, integrity_only=True)
    assert [s.integrity for s in report.signatures] == ["intact", "intact"]
    assert len({s.messages for s in report.signatures}) == 1


def test_the_list_of_other_vrs():
    """Each differs from what the dictionary has, and can be tried."""
    from dicomseal.standard.dictionary import AMBIGUOUS, dictionary, others

    known = others()
    assert known.public[0x00081190] == ("UT",)
    assert known.private(0x0051100A, b"SIEMENS MR HEADER ")[0] == "LO"
    assert known.private(0x0051110A, b"SIEMENS MR HEADER")[0] == "LO"  # whatever its block
    assert known.private(0x0051100A, None) == known.private(0x0051100A, b"NOBODY") == ()
    for tag, vrs in known.public.items():
        ours = dictionary().public(tag)
        assert not {*vrs} & {ours, *AMBIGUOUS.get(ours, ())}
        assert {*vrs} <= terms.SHORT_VRS | terms.LONG_VRS


def test_an_open_vr_may_stand_deeper_than_pythons_stack():
    """A verification never raises; it did, of an object whose content was changed."""
    depth = 1500
    begin = bytes.fromhex("4000750253510000FFFFFFFF FEFF00E0FFFFFFFF")
    end = bytes.fromhex("FEFF0DE000000000 FEFFDDE000000000")
    inner = encode([(0x00280106, "US", b"\1\0")])
    before = encode([(0x00100010, "PN", b"Doe^John")])
    out = io.BytesIO()
    sign_file(pki.part10(before + begin * depth + inner + end * depth), out, *RSA)
    report = verify(out.getvalue().replace(b"Doe^John", b"Eve^John"), integrity_only=True)
    assert (report.verdict, report.signatures[0].integrity) == ("failed", "altered")

"""Objects that two readers may see in two ways never pass (docs/verification.md has the table)."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from _apart import MACS, SIGNATURES, Signed, sequence

from dicomseal import verify
from dicomseal.encoding.backend import tags_of
from dicomseal.signature.items import encode
from dicomseal.standard import terms

ITEM = (0xFFFE, 0xE000)


@pytest.fixture
def ct(test_files, tmp_path) -> Signed:
    return Signed(tmp_path, Path(test_files, "CT_small.dcm"))


def answer(data: bytes):
    return verify(data, integrity_only=True)


def why(report) -> str:
    """The one reason of a failed object."""
    assert report.verdict == "failed"
    reasons = [
        *report.reasons,
        *(s.integrity_reason for s in report.signatures if s.integrity_reason),
    ]
    assert {reason.code for reason in reasons} == {"FORMAT_FAILURE"}
    return reasons[0].message


def test_two_lists_of_signatures(ct):
    signatures = sequence(SIGNATURES, ct.content(SIGNATURES))
    assert "(FFFA,FFFA) occurs twice" in why(answer(ct.rebuilt(tfffafffa=signatures * 2)))


def test_two_lists_of_mac_parameters(ct):
    macs = sequence(MACS, ct.content(MACS))
    assert "(4FFE,0001) occurs twice" in why(answer(ct.rebuilt(t4ffe0001=macs * 2)))


@pytest.mark.parametrize("first", [True, False])
def test_one_mac_id_twice(ct, first):
    """The second list leaves out the name: a reader that takes it believes another signature."""
    mac = ct.content(MACS)
    head = ct.without(mac, terms.DATA_ELEMENTS_SIGNED)
    other = head + encode([(terms.DATA_ELEMENTS_SIGNED, "AT", struct.pack("<HH", 0x0008, 0x0060))])
    pair = (mac, other) if first else (other, mac)
    forged = ct.rebuilt(t4ffe0001=sequence(MACS, *pair))
    assert "several MAC Parameters items (4FFE,0001) have the MAC ID" in why(answer(forged))


def test_mac_ids_that_no_signature_has_may_repeat(ct):
    mac = ct.content(MACS)
    unused = mac.replace(b"US\x02\x00\x00\x00", b"US\x02\x00\x07\x00", 1)
    assert unused != mac
    assert answer(ct.rebuilt(t4ffe0001=sequence(MACS, mac, unused, unused))).verdict == "passed"


def test_a_tag_listed_twice_is_hashed_once(ct, backend):
    """No reader sees other content because of it: a message, and the verdict stays."""
    mac = ct.content(MACS)
    listed = ct.without(mac, terms.DATA_ELEMENTS_SIGNED)
    index = ct.index
    (item,) = index.children(index.find(0, MACS))
    tags = tags_of(index.listed(item, terms.DATA_ELEMENTS_SIGNED), False)
    for extra in ((*tags, tags[0]), (tags[3], *tags), tuple(sorted((*tags, tags[5])))):
        words = [w for tag in extra for w in (tag >> 16, tag & 0xFFFF)]
        value = struct.pack(f"<{len(words)}H", *words)
        again = listed + encode([(terms.DATA_ELEMENTS_SIGNED, "AT", value)])
        answered = answer(ct.rebuilt(t4ffe0001=sequence(MACS, again)))
        assert answered.verdict == "passed"
        (message,) = answered.signatures[0].messages
        assert "twice; it is hashed once" in message


@pytest.mark.parametrize("undefined", [False, True])
def test_a_length_past_the_parent(ct, undefined, backend):
    """An inner sequence that runs past its item, which only the strict reader notices."""
    name = encode([(0x00100010, "PN", b"Forged^Name ")])
    inner = struct.pack("<HH2s2xL", 0x0040, 0xA730, b"SQ", 0xFFFFFFFF if undefined else 8)
    item = struct.pack("<HHL", *ITEM, 4 + len(name)) + name
    content = struct.pack("<HHL", *ITEM, len(inner) + 8) + inner + item
    outer = struct.pack("<HH2s2xL", 0x0040, 0xA731, b"SQ", len(content)) + content
    answered = answer(ct.rebuilt(t7fe00010=outer + ct.raw(ct.index.find(0, 0x7FE00010))))
    assert (answered.verdict, answered.error.code) == ("error", "malformed")
    assert answered.signatures == ()


@pytest.mark.parametrize(
    ("trailing", "verdict"),
    [
        (b"\0" * 10, "passed"),
        (encode([(0xFFFCFFFC, "OB", b"\0\0\0\0")]), "passed"),
        (encode([(0x00100010, "PN", b"Forged^Name ")]), "failed"),
        (b"junk", "error"),
        (b"\0\0junk\0\0", "error"),
        (b"\xff" * 16, "error"),
    ],
)
def test_what_follows_the_data_set(ct, trailing, verdict, backend):
    answered = answer(ct.rebuilt(tfffcfffc=b"") + trailing)
    assert answered.verdict == verdict
    if trailing == b"\0" * 10:
        assert answered.messages == ("10 zero bytes follow the data set, outside any element",)

"""What is inside an item can be put into a fragment; and what only looks so at first."""

from __future__ import annotations

import struct

import pki
import pytest
from _apart import Signed, sequence

from dicomseal import verify
from dicomseal.ambiguity import hidden_elements
from dicomseal.encoding import limits
from dicomseal.errors import MalformedError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import transfer_syntaxes

FRAGMENT = b"\xfe\xff\x00\xe0"
END = b"\xfe\xff\xdd\xe0"
VENDOR = encode([(0x7FE10010, "LO", b"Vendor")])


def pixels(*fragments):
    values = b"".join(FRAGMENT + struct.pack("<L", len(one)) + one for one in (b"", *fragments))
    return b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + values + END + bytes(4)


IN_AN_ITEM = {  # the items of a sequence as they were, and as they can be written with one MAC
    "elements": (
        [pixels(b"\1\2") + VENDOR + sequence(0x7FE11001, VENDOR)],
        [pixels(b"\1\2" + END + VENDOR + b"\xe1\x7f\1\x10SQ\0\0" + FRAGMENT + VENDOR)],
        "(7FE1,0010)",
    ),
    "an item": (
        [pixels(b"\1\2"), pixels(b"\3\4", b"\5\6")],
        [pixels(b"\1\2" + END + FRAGMENT + b"\xe0\x7f\x10\x00OB\0\0" + FRAGMENT + FRAGMENT
                + b"\3\4", b"\5\6")],
        "(7FE0,0010)",
    ),
    "an empty item": (
        [pixels(b"\xff\xd9"), b""],
        [pixels(b"\xff\xd9" + END + FRAGMENT)],
        None,  # behind it the sequence would have to end twice
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_AN_ITEM)
def test_what_is_nested_is_swallowed_by_a_fragment(tmp_path, backend, case):
    """No list names what is inside an item."""
    before, after, tag = IN_AN_ITEM[case]
    name = encode([(0x00080018, "UI", b"1.2.3.4\0")])
    pictures = pki.part10(name + sequence(0x00880200, *before), pki.JPEG)
    (tmp_path / "in.dcm").write_bytes(pictures)
    signed = Signed(tmp_path, tmp_path / "in.dcm")
    assert verify(signed.data, integrity_only=True).verdict == "passed"
    forged = signed.rebuilt(t00880200=sequence(0x00880200, *after))
    (report,) = verify(forged, integrity_only=True).signatures
    assert report.integrity == "altered"
    if tag:
        assert report.integrity_reason.code == "FORMAT_FAILURE"
        assert report.integrity_reason.message == (
            f"{tag} was signed as an element, and is now hidden in a fragment of the encapsulated "
            "(0088,0200)"
        )
    # they are no reason in what the signature does not cover
    (tmp_path / "in.dcm").write_bytes(pki.part10(name + sequence(0x00880200, *after), pki.JPEG))
    other = Signed(tmp_path, tmp_path / "in.dcm", tags=["SOPInstanceUID"])
    assert verify(other.data, integrity_only=True).verdict == "passed"


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        bytes(4),
        VENDOR[:-2],
        VENDOR + b"\0\0",
        VENDOR + END,  # nothing is open there that could end
        FRAGMENT + VENDOR,
        encode([(0x00100010, "PN", b"Doe^John")]),  # would stand before the Pixel Data
        encode([(0x7FE10010, "UN", b"Vendor")]),
        VENDOR.replace(b"LO", b"XX"),
        VENDOR + b"\xff\xd9",
    ],
    ids=repr,
)
def test_pixels_that_only_begin_so(tmp_path, backend, tail):
    name = encode([(0x00080018, "UI", b"1.2.3.4\0")])
    value = b"\1\2" + END + tail
    (tmp_path / "in.dcm").write_bytes(
        pki.part10(name + pixels(value + bytes(len(value) % 2)), pki.JPEG)
    )
    signed = Signed(tmp_path, tmp_path / "in.dcm")
    assert verify(signed.data, integrity_only=True).verdict == "passed"


MANY = 20_000
CHAINS = {
    "marks, nested": (True, END * MANY),
    "elements, nested": (True, (END + encode([(0x7FE11002, "OB", END)])) * MANY),
    "elements": (False, END + encode([(0x7FE11002, "OB", END)]) * MANY),
    "sequences": (False, (END + b"\xe1\x7f\1\x10SQ\0\0") * MANY),
}


class Counted(limits.ReadBudget):
    steps = 0

    def read(self, length):
        self.steps += length == hidden_elements._WORK_OF_A_STEP
        super().read(length)


def searched(chain):
    nested, content = CHAINS[chain]
    value = pixels(content + b"junk")
    part10 = Part10.from_data_set(
        sequence(0x00880200, value) if nested else value,
        transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN,
    )
    work = Counted(part10.size, limits.Limits())
    index = part10.index()
    found = hidden_elements.suspects(part10, index, 0, work)
    assert found
    return hidden_elements.hidden(part10, index, 0, found, work), work.steps


@pytest.mark.parametrize("chain", CHAINS)
def test_a_fragment_full_of_marks(chain):
    """It is not gone through from every one of them."""
    found, steps = searched(chain)
    assert found == ()
    assert steps < 3 * MANY


@pytest.mark.parametrize("nested", [False, True])
def test_a_fragment_is_charged_each_time_it_is_read(nested):
    """First for a mark in it; one that has a mark, and only such a one, for elements behind it."""
    size = 100_000
    for mark, times in ((b"none", 1), (END, 2)):
        value = pixels(mark + bytes(size))
        part10 = Part10.from_data_set(
            sequence(0x00880200, value) if nested else value,
            transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN,
        )
        charged: list[int] = []
        work = limits.ReadBudget(part10.size, limits.Limits())
        work.read = charged.append
        index = part10.index()
        found = hidden_elements.suspects(part10, index, 0, work)
        assert size <= sum(charged) < 2 * size
        hidden_elements.hidden(part10, index, 0, found, work)
        assert times * size <= sum(charged) < (times + 1) * size


@pytest.mark.parametrize("chain", CHAINS)
def test_a_fragment_with_more_than_is_remembered(chain, monkeypatch):
    monkeypatch.setattr(hidden_elements, "_MAX_KEPT", 0)
    monkeypatch.setattr(limits, "MIN_READ_BUDGET", 1 << 20)
    monkeypatch.setattr(hidden_elements, "_WORK_OF_A_STEP", 4096)
    with pytest.raises(MalformedError, match="times over"):
        searched(chain)

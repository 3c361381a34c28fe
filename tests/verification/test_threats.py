"""What an attacker can do to an object, and what is answered: the tests that SECURITY.md names.

Some of them end with ``passed``: they show what a signature cannot say.
"""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime

import pki
import pytest
from _threats import CRYPTO, GOOD, HASH, MAC, NOBODY, SIGNATURE, answer, edited, transplant
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from dicomseal import verify
from dicomseal.report import Reason
from dicomseal.signature.items import encode
from dicomseal.standard import mac_algorithms

# --- elements that no signature covers -----------------------------------------------------------


def test_unsigned_elements_may_change(sign, root):
    """Nothing but the count says so."""
    data = sign(tags=["PatientName"])
    assert answer(verify(data, trust=root)) == GOOD
    before = verify(data).signatures[0]

    def edit(d):
        d.PatientID = "FORGED"
        d.PatientComments = "added"
        del d.PixelData

    report = verify(edited(data, edit), trust=root)
    assert answer(report) == GOOD
    assert (before.signed_elements, before.unsigned_elements) == (1, 5)
    assert (report.signatures[0].signed_elements, report.signatures[0].unsigned_elements) == (1, 5)


def test_elements_added_to_a_fully_signed_object_are_counted(sign, root):
    data = sign()
    assert verify(data).signatures[0].unsigned_elements == 0
    report = verify(edited(data, lambda d: setattr(d, "PatientComments", "added")), trust=root)
    assert (answer(report), report.signatures[0].unsigned_elements) == (GOOD, 1)


def test_preamble_and_meta_information_are_not_signed(sign, root):
    data = sign()
    preamble = b"#!/bin/sh\n".ljust(128, b"#") + data[128:]
    assert answer(verify(preamble, trust=root)) == GOOD
    meta = encode([(0x00020016, "AE", b"FORGED")])
    start, length = data.index(b"\x08\x00\x16\x00UI"), data.index(b"\x02\0\0\0UL\4\0") + 8
    size = struct.pack("<L", int.from_bytes(data[length : length + 4], "little") + len(meta))
    longer = data[:length] + size + data[length + 4 : start] + meta + data[start:]
    assert answer(verify(longer, trust=root)) == GOOD
    assert verify(data[:start] + meta + data[start:], trust=root).verdict == "indeterminate"


# --- signatures removed --------------------------------------------------------------------------


def test_stripped_signatures_leave_an_unsigned_object(sign, root):
    def strip(d):
        delattr(d, MAC)
        delattr(d, SIGNATURE)
        d.PatientName = "Forged"

    stripped = edited(sign(), strip)
    assert verify(stripped, trust=root).verdict == "unsigned"
    report = verify(stripped, trust=root, require=["signature"])
    assert (report.verdict, report.reasons[0].code) == ("failed", "SIGNED_DATA_NOT_FOUND")


def test_an_emptied_sequence_is_an_unsigned_object(sign):
    """Unless MAC Parameters are left: of what they belong to nothing is known."""
    data = edited(sign(), lambda d: setattr(d, SIGNATURE, []))
    assert verify(data).verdict == "indeterminate"
    assert verify(data, require=["signature"]).verdict == "failed"
    data = edited(data, lambda d: delattr(d, MAC))
    assert verify(data).verdict == "unsigned"
    assert verify(data, require=["signature"]).verdict == "failed"


def test_one_of_two_signatures_stripped_leaves_no_trace(sign, root):
    data = sign(sign(tags=["PatientName"]), "rsa two")
    assert [s.integrity for s in verify(data, trust=root).signatures] == ["intact"] * 2
    report = verify(edited(data, lambda d: getattr(d, SIGNATURE).pop()), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].unsigned_elements == 5  # all that is left to see


def test_signatures_moved_into_history_do_not_count(sign, root):
    """Original Attributes Sequence holds a former state: nothing in it is verified."""

    def edit(d):
        past = Dataset()
        setattr(past, MAC, getattr(d, MAC))
        setattr(past, SIGNATURE, getattr(d, SIGNATURE))
        delattr(d, MAC)
        delattr(d, SIGNATURE)
        former = Dataset()
        former.ModifiedAttributesSequence = Sequence([past])
        d.OriginalAttributesSequence = Sequence([former])
        d.PatientName = "Forged"

    data = edited(sign(), edit)
    assert verify(data, trust=root).verdict == "unsigned"
    assert verify(data, trust=root, require=["signature"]).verdict == "failed"


# --- signatures replayed and moved ---------------------------------------------------------------


def test_a_whole_object_replayed(sign, root, tmp_path):
    """An old object in the place of a new one: what it says of itself is all there is."""
    old = sign(when=datetime(2020, 1, 1, tzinfo=UTC))
    place = tmp_path / "todays-examination.dcm"
    place.write_bytes(old)
    report = verify(place, trust=root)
    assert answer(report) == GOOD
    assert report.sop_instance_uid == "2.25.1234"
    assert report.signatures[0].datetime.startswith("2020-01-01")


def test_a_signature_transplanted_to_another_object(sign, root):
    report = verify(transplant(sign(), pki.small(elements=NOBODY)), trust=root)
    assert answer(report) == ("failed", "altered", HASH, "trusted", None)


def test_a_signature_over_little_fits_every_object_with_that_little(sign, root):
    """Over the name alone it says nothing of the object; the SOP Instance UID ties it to one."""
    target = [(0x00080018, "UI", b"2.25.99\0"), (0x00100010, "PN", b"Doe^John")]
    target += [(0x00104000, "LT", b"forged")]
    narrow = transplant(sign(tags=["PatientName"]), pki.small(elements=target))
    report = verify(narrow, trust=root)
    assert answer(report) == GOOD
    assert (report.signatures[0].signed_elements, report.signatures[0].unsigned_elements) == (1, 2)
    tied = transplant(sign(tags=["PatientName", "SOPInstanceUID"]), pki.small(elements=target))
    assert answer(verify(tied, trust=root))[:3] == ("failed", "altered", HASH)


def test_the_signature_of_an_item_in_another_item(sign, root):
    data = sign(items="BeamSequence[0]")

    def edit(d):
        for name in (MAC, SIGNATURE):
            setattr(d.BeamSequence[1], name, d.BeamSequence[0][name].value)
            delattr(d.BeamSequence[0], name)

    report = verify(edited(data, edit), trust=root)
    assert answer(report)[:3] == ("failed", "altered", HASH)
    assert report.signatures[0].location == "BeamSequence[1]"


def test_a_signed_item_in_another_object(sign, root):
    """An item's signature knows neither its object nor its place in the sequence."""
    item = dcmread(io.BytesIO(sign(items="BeamSequence[0]"))).BeamSequence[0]
    data = edited(pki.small(elements=NOBODY), lambda d: d.BeamSequence.append(item))
    report = verify(data, trust=root)
    assert answer(report) == ("indeterminate", *GOOD[1:])
    assert report.signatures[0].location == "BeamSequence[2]"
    said = "only items are signed: no signature protects the main data set"
    assert report.reasons == (Reason("UNSIGNED_CONTENT", said),)
    accepted = verify(data, trust=root, unsigned="accept")
    assert (answer(accepted), accepted.messages) == (GOOD, (said,))
    assert verify(data, trust=root, require=["signature"]).verdict == "failed"


# --- MAC Parameters, which no MAC protects -------------------------------------------------------


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("signed", ["SHA256", "SHA1", "RIPEMD160"])
@pytest.mark.parametrize("other", mac_algorithms.MAC_ALGORITHMS)
def test_another_mac_algorithm_named(sign, root, who, signed, other):
    data = sign(who=who, mac=signed)
    report = verify(
        edited(data, lambda d: setattr(getattr(d, MAC)[0], "MACAlgorithm", other)), trust=root
    )
    expected = GOOD if other == signed else ("failed", "altered", CRYPTO, "trusted", None)
    assert answer(report) == expected


def test_a_list_extended_by_absent_elements_covers_nothing_more(sign, root):
    data = sign(tags=["PatientName"])

    def extend(d):
        mac = getattr(d, MAC)[0]
        mac.DataElementsSigned = [mac.DataElementsSigned, 0x00104000]

    longer = edited(data, extend)
    report = verify(longer, trust=root)
    assert (answer(report), report.signatures[0].signed_elements) == (GOOD, 1)
    added = edited(longer, lambda d: setattr(d, "PatientComments", "forged"))
    assert answer(verify(added, trust=root))[:3] == ("failed", "altered", HASH)

    def shorten(d):
        mac = getattr(d, MAC)[0]
        mac.DataElementsSigned = mac.DataElementsSigned[0]

    # nothing can tell that the signer listed it: it is unsigned, as anything that is added
    shorter = verify(edited(added, shorten), trust=root, list_uncovered=True)
    assert answer(shorter) == GOOD
    assert any("PatientComments" in one for one in shorter.uncovered)


def test_mac_parameters_taken_away(sign, root):
    report = verify(edited(sign(), lambda d: delattr(d, MAC)), trust=root)
    assert answer(report)[:3] == ("failed", "altered", "FORMAT_FAILURE")


# --- bytes that decoders read otherwise ----------------------------------------------------------


def test_fragments_may_be_merged(sign, root):
    """The lengths of fragments are not hashed, so two can be made one with the same bytes."""

    def pixels(*fragments):
        out = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
        for one in fragments:
            out += b"\xfe\xff\x00\xe0" + struct.pack("<L", len(one)) + one
        return out + b"\xfe\xff\xdd\xe0\0\0\0\0"

    name = encode([(0x00100010, "PN", b"Doe^John")])
    two = pixels(b"", b"\1\2\3\4", b"\5\6\7\x08")
    one = pixels(b"", b"\1\2\3\4" + b"\xfe\xff\x00\xe0" + b"\5\6\7\x08")
    data = sign(pki.part10(name + two, pki.JPEG))
    assert data.count(two) == 1
    assert answer(verify(data.replace(two, one), trust=root)) == GOOD
    other = two.replace(b"\5\6", b"\6\6")
    assert answer(verify(data.replace(two, other), trust=root))[:3] == ("failed", "altered", HASH)

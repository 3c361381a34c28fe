"""A second signature beside the first: nothing of the first is touched, MAC items shared or not."""

from __future__ import annotations

import copy
import io
import os
import struct

import pki
import pydicom
import pytest
from tests.signing.test_sign_file import FOLDER, RSA, WHEN

from dicomseal import remove, remove_file, sign, sign_file, sign_items, verify
from dicomseal.encoding import values
from dicomseal.errors import SigningError, UsageError
from dicomseal.files.part10 import Part10
from dicomseal.signature import mac_parameters
from dicomseal.standard import terms

EC = pki.member("ec").pair
FORMS = {**{form: pki.small(form) for form in pki.SYNTAX_AND_FORM},
         "undefined": pki.part10(pki.undefined(pki.SMALL))}  # fmt: skip
REAL = ["CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm",
        "SC_rgb_small_odd_jpeg.dcm", "MR_small_implicit.dcm"]  # fmt: skip


def parts(data, scope=0):
    """The bytes of the MAC Parameters items and of the signatures of a scope."""
    part10 = Part10.from_bytes(data)
    index = part10.index()
    found = []
    for tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE):
        records = [index.record(n) for n in values.items_of(index, scope, tag)]
        found.append([bytes(part10.source[r.start : r.end]) for r in records])
    return found


def mac_ids(data):
    index = Part10.from_bytes(data).index()
    return [mac_id for mac_id, _ in mac_parameters.read_ids(index, 0)]


def intact(data, count):
    report = verify(data, integrity_only=True)
    assert report.verdict == "passed", report.sentence()
    assert len(report.signatures) == count
    return report


@pytest.fixture
def place(tmp_path):
    def at(data):
        (tmp_path / "in.dcm").write_bytes(data)
        return tmp_path / "in.dcm", tmp_path / "out.dcm"

    return at


def real(name):
    with open(os.path.join(FOLDER, name), "rb") as file:
        return file.read()


ALL = {**FORMS, **{name: real(name) for name in REAL}}


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_the_first_is_not_touched(place, name, share):
    source, target = place(ALL[name])
    sign_file(source, source, *RSA, when=WHEN)
    before = parts(source.read_bytes())
    sign_file(source, target, *EC, share_mac=share)
    after = parts(target.read_bytes())
    assert after[0][:1] == before[0]
    assert after[1][:1] == before[1]
    assert (len(after[0]), len(after[1])) == (1 if share else 2, 2)
    report = intact(target.read_bytes(), 2)
    assert [s.mac_id for s in report.signatures] == [0, 0 if share else 1]


@pytest.mark.parametrize(
    "other", [{"mac": "SHA512"}, {"tags": ["PatientName"]}], ids=["algorithm", "elements"]
)
def test_only_the_same_parameters_are_shared(place, other):
    source, target = place(pki.small())
    sign_file(source, source, *RSA)
    sign_file(source, target, *EC, share_mac=True, **other)
    assert mac_ids(target.read_bytes()) == [0, 1]
    sign_file(target, target, *RSA, share_mac=True, **other)
    assert mac_ids(target.read_bytes()) == [0, 1]
    assert [s.mac_id for s in intact(target.read_bytes(), 3).signatures] == [0, 1, 1]


def test_another_transfer_syntax_is_not_shared(place):
    """After a decompression the old parameters name the old transfer syntax."""
    source, target = place(real("SC_rgb_small_odd_jpeg.dcm"))
    sign_file(source, source, *RSA, tags=["PatientName"])
    data = source.read_bytes().replace(b"1.2.840.10008.1.2.4.50\0", b"1.2.840.10008.1.2.4.57\0", 1)
    source.write_bytes(data)
    sign_file(source, target, *EC, tags=["PatientName"], share_mac=True)
    assert mac_ids(target.read_bytes()) == [0, 1]


@pytest.mark.parametrize("mac", ["SHA256", "SHA512"])
def test_of_two_items_with_one_id_none_is_shared(place, mac):
    """Nobody could say which of the two the signature goes with."""
    source, target = place(pki.small())
    sign_file(source, source, *RSA, mac="SHA512")
    sign_file(source, source, *RSA)
    data = bytearray(source.read_bytes())
    second = parts(bytes(data))[0][1]
    at = data.index(second) + second.index(struct.pack("<H2sHH", 5, b"US", 2, 1)) + 6
    data[at : at + 2] = b"\0\0"
    source.write_bytes(data)
    assert mac_ids(bytes(data)) == [0, 0]
    sign_file(source, target, *EC, share_mac=True, mac=mac)
    report = verify(target.read_bytes(), integrity_only=True).signatures[-1]
    assert (report.integrity, report.mac_algorithm, report.mac_id) == ("intact", mac, 2)


def test_ids_fill_the_gaps(place):
    """Of MAC items and of signatures that have lost theirs: no ID is given twice."""
    source, target = place(pki.small())
    for _ in range(3):
        sign_file(source, source, *RSA)
    first = verify(source).signatures[0].uid
    remove_file(source, source, first)
    assert mac_ids(source.read_bytes()) == [1, 2]
    sign_file(source, target, *RSA)
    assert mac_ids(target.read_bytes()) == [1, 2, 0]
    intact(target.read_bytes(), 3)


def test_all_ids_taken_and_one_to_share(place):
    listed = struct.pack("<HH", 0x0010, 0x0010)
    taken = [[(0x04000005, "US", struct.pack("<H", n))] for n in range(1 << 16)]
    taken[4711] += [
        (0x04000010, "UI", b"1.2.840.10008.1.2.1\0"),
        (0x04000015, "CS", b"SHA256"),
        (0x04000020, "AT", listed),
    ]
    source, target = place(pki.small(elements=[*pki.SMALL[:4], (0x4FFE0001, "SQ", taken)]))
    with pytest.raises(SigningError, match="all 65536 MAC ID Numbers are taken"):
        sign_file(source, target, *RSA, tags=["PatientName"])
    assert not target.exists()
    sign_file(source, target, *RSA, tags=["PatientName"], share_mac=True)
    assert intact(target.read_bytes(), 1).signatures[0].mac_id == 4711


@pytest.mark.parametrize("free", [0, 4711, 65535])
def test_the_last_id_is_given_and_then_none(place, free):
    """US has 16 bits: 0 to 65535."""
    taken = [[(0x04000005, "US", struct.pack("<H", n))] for n in range(1 << 16) if n != free]
    data = pki.small(elements=[*pki.SMALL[:4], (0x4FFE0001, "SQ", taken)])
    source, target = place(data)
    sign_file(source, target, *RSA)
    assert intact(target.read_bytes(), 1).signatures[0].mac_id == free
    with pytest.raises(SigningError, match="all 65536 MAC ID Numbers are taken"):
        sign_file(target, source, *RSA)
    assert source.read_bytes() == data
    dataset = pydicom.dcmread(target)
    with pytest.raises(SigningError, match="all 65536 MAC ID Numbers are taken"):
        sign(dataset, *RSA)
    assert len(dataset.DigitalSignaturesSequence) == 1


@pytest.mark.parametrize("name", ALL)
def test_removal_keeps_a_shared_item(place, name):
    source, target = place(ALL[name])
    (first,) = sign_file(source, target, *RSA)
    alone = target.read_bytes()
    (second,) = sign_file(target, target, *EC, share_mac=True)
    assert remove_file(target, source, second) == (1, 1)
    assert source.read_bytes() == alone
    assert remove_file(target, target, first) == (1, 1)
    assert mac_ids(target.read_bytes()) == [0]
    intact(target.read_bytes(), 1)
    assert remove_file(target, target, second) == (1, 0)
    assert target.read_bytes() == ALL[name]  # both sequences are gone


def with_orphan(data):
    """One more MAC Parameters item, with ID 9, that no signature uses."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    orphan = copy.deepcopy(dataset.MACParametersSequence[0])
    orphan.MACIDNumber = 9
    dataset.MACParametersSequence = [orphan, *dataset.MACParametersSequence]
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_the_last_one_leaves_what_belongs_to_none(place):
    """MAC Parameters that nobody used were there before; `dcmsign` takes them, too."""
    source, target = place(pki.small())
    (first,) = sign_file(source, target, *RSA)
    (second,) = sign_file(target, target, *EC)
    target.write_bytes(with_orphan(target.read_bytes()))
    dataset = pydicom.dcmread(target)
    assert remove_file(target, target, first) == remove(dataset, first) == (1, 1)
    assert mac_ids(target.read_bytes()) == [9, 1]
    assert [item.MACIDNumber for item in dataset.MACParametersSequence] == [9, 1]
    before = target.read_bytes()
    assert remove_file(target, target, second) == remove(dataset, second) == (1, 0)
    for left in (pydicom.dcmread(target), dataset):
        assert "DigitalSignaturesSequence" not in left
        assert [item.MACIDNumber for item in left.MACParametersSequence] == [9]
    for uid in (second, None):
        assert remove_file(before, target, uid, orphans=True) == (1, 0)
        assert parts(target.read_bytes()) == [[], []]
        assert "MACParametersSequence" not in pydicom.dcmread(target)


UNUSED = (0x4FFE0001, "SQ", [[(0x04000005, "US", b"\0\0"), (0x04000015, "CS", b"SHA1")]])
EMPTY = [(0x4FFE0001, "SQ", []), (0xFFFAFFFA, "SQ", [])]
REFERENCED = (0x00081140, "SQ", [[(0x00080060, "CS", b"OT"), *EMPTY], EMPTY, [UNUSED]])
LEFT_BEHIND = sorted([REFERENCED, *pki.SMALL, UNUSED])


@pytest.mark.parametrize("form", FORMS)
def test_the_original_comes_back(place, form):
    """With the empty sequences and the MAC Parameters that another tool left in it."""
    if form == "undefined":
        original = pki.part10(pki.undefined(LEFT_BEHIND))
    else:
        original = pki.small(form, elements=LEFT_BEHIND)
    source, target = place(original)
    (first,) = sign_file(source, target, *RSA)
    assert mac_ids(target.read_bytes()) == [0, 1]  # it uses none of what was left behind
    (second,) = sign_file(target, target, *EC)
    dataset = pydicom.dcmread(target)
    assert remove_file(target, source) == (2, 0)
    assert source.read_bytes() == original
    for uid, left in ((first, 1), (second, 0)):
        assert remove_file(target, target, uid) == remove(dataset, uid) == (1, left)
    assert target.read_bytes() == original
    assert dataset == pydicom.dcmread(io.BytesIO(original))
    with pytest.raises(SigningError, match="there is no signature"):
        remove_file(target, target)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("empty", [EMPTY, EMPTY[:1], EMPTY[1:]])
def test_an_empty_sequence_that_was_filled_goes(place, form, empty):
    """Nothing tells it from a new one: README says so."""
    elements = sorted([*pki.SMALL, *empty])
    if form == "undefined":
        original, plain = (pki.part10(pki.undefined(e)) for e in (elements, pki.SMALL))
    else:
        original, plain = (pki.small(form, elements=e) for e in (elements, pki.SMALL))
    source, target = place(original)
    sign_file(source, target, *RSA)
    remove_file(target, target)
    assert target.read_bytes() == plain


def test_unused_parameters_that_were_shared_go(place):
    """They say the same, so the signature uses them, and they are its own from then on."""
    source, target = place(pki.small())
    sign_file(source, target, *RSA)
    dataset = pydicom.dcmread(target)
    del dataset.DigitalSignaturesSequence
    dataset.save_as(source)
    assert mac_ids(source.read_bytes()) == [0]
    sign_file(source, target, *RSA, share_mac=True)
    assert mac_ids(target.read_bytes()) == [0]
    remove_file(target, target)
    assert parts(target.read_bytes()) == [[], []]


# --- in memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [False, True])
def test_a_data_set(share):
    dataset = pydicom.dcmread(os.path.join(FOLDER, "rtplan.dcm"))
    first = sign(dataset, *RSA)
    sign(dataset, *EC, share_mac=share)
    assert len(dataset.MACParametersSequence) == (1 if share else 2)
    out = io.BytesIO()
    dataset.save_as(out)
    intact(out.getvalue(), 2)
    remove(dataset, first)
    assert len(dataset.MACParametersSequence) == 1
    assert verify(dataset, integrity_only=True).verdict == "passed"


def test_a_data_set_with_one_element_shares(place):
    dataset = pydicom.dcmread(io.BytesIO(pki.small()))
    for _ in range(2):
        sign(dataset, *RSA, tags=["PatientName"], share_mac=True)
    assert len(dataset.MACParametersSequence) == 1


def test_ids_of_a_data_set():
    """No ID twice; none of a signature without parameters; of two parameters with one ID none."""
    dataset = pydicom.dcmread(io.BytesIO(pki.small()))
    sign(dataset, *RSA)
    parameters = dataset.MACParametersSequence
    del dataset.MACParametersSequence
    sign(dataset, *EC)
    assert [s.MACIDNumber for s in dataset.DigitalSignaturesSequence] == [0, 1]
    assert [m.MACIDNumber for m in dataset.MACParametersSequence] == [1]
    dataset.MACParametersSequence = [*parameters, *dataset.MACParametersSequence]
    assert verify(dataset, integrity_only=True).verdict == "passed"
    other = copy.deepcopy(parameters[0])
    other.MACAlgorithm = "SHA512"
    dataset.MACParametersSequence = [other, *parameters]
    sign(dataset, *RSA, share_mac=True)
    report = verify(dataset, integrity_only=True).signatures[-1]
    assert (report.integrity, report.mac_id) == ("intact", 2)


def test_items_of_a_data_set():
    dataset = pydicom.dcmread(os.path.join(FOLDER, "rtplan.dcm"))
    places = ["BeamSequence[0].ControlPointSequence[-1]", "(300A,00B0)[0]", ""]
    uids = sign_items(dataset, *RSA, items=places)
    report = verify(dataset, integrity_only=True)
    assert report.verdict == "passed"
    assert {s.uid: s.location for s in report.signatures} == dict(
        zip(uids, ["BeamSequence[0].ControlPointSequence[1]", "BeamSequence[0]", ""], strict=True)
    )


@pytest.mark.parametrize(
    ("places", "error", "what"),
    [
        (["BeamSequence[0]", "BeamSequence[9]"], SigningError, "none with number 9"),
        (
            ["BeamSequence[0]", "BeamSequence[-1]"],
            UsageError,
            "is named twice among the items to sign",
        ),
        (
            ["BeamSequence[0]", "BeamSequence[0].PlanLabel[0].Whatever[1]"],
            UsageError,
            "'PlanLabel' is not a tag",
        ),
        (
            ["BeamSequence[0].WedgeSequence[0].ReferencedDoseSequence[1]"],
            SigningError,
            r"BeamSequence\[0\].*item 0 of BeamSequence .300A,00B0. has no sequence WedgeSequence",
        ),
    ],
)
def test_all_items_or_none(places, error, what):
    dataset = pydicom.dcmread(os.path.join(FOLDER, "rtplan.dcm"))
    before = str(dataset)
    with pytest.raises(error, match=what):
        sign_items(dataset, *RSA, items=places)
    assert str(dataset) == before

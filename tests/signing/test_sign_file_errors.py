"""What cannot be signed as asked: the right error, in words, and nothing written."""

from __future__ import annotations

import os
import struct
from datetime import datetime

import pki
import pydicom
import pytest
from pydicom import dcmread

from dicomseal import remove, remove_file, sign, sign_file
from dicomseal.errors import (
    CertificateError,
    DicomSealError,
    KeyFileError,
    MalformedError,
    SigningError,
    SourceError,
    UsageError,
)
from dicomseal.signature.items import encode

KEY, CERT = RSA = pki.member("rsa").pair
NAIVE = datetime(2026, 11, 22)
UNKNOWN = [(0x00090010, "LO", b"NOBODY"), (0x00091001, "UN", b"data")]
UN_INSIDE = [(0x00081140, "SQ", [[(0x00091001, "UN", b"data")]])]
WITH_UN = sorted([*pki.SMALL, *UNKNOWN, *UN_INSIDE])

# what is wrong: (options, error, what it says)
OPTIONS = {
    "tag not there": (
        {"tags": ["PatientID", "PatientSex", "PatientAge"]}, SigningError,
        r"PatientSex \(0010,0040\), PatientAge \(0010,1010\) is to be signed and is missing"),
    "tag is UN": (
        {"tags": ["0009,1001"]}, SigningError, r"cannot be signed: \(0009,1001\): its VR"),
    "tag holds a UN": (
        {"tags": [0x00081140]}, SigningError,
        r"cannot be signed: ReferencedImageSequence \(0008,1140\): .*its VR is UN"),
    "group length": (
        {"tags": ["0010,0000"]}, UsageError, r"\(0010,0000\) can never be signed \(PS3.3"),
    "length to end": ({"tags": ["0008,0001"]}, UsageError, r"\(0008,0001\) can never be signed"),
    "group 2": ({"tags": ["TransferSyntaxUID"]}, UsageError, r"\(0002,0010\) can never be"),
    "signatures": ({"tags": ["DigitalSignaturesSequence"]}, UsageError, r"\(FFFA,FFFA\) can"),
    "keyword": ({"tags": ["PatientNose"]}, UsageError, "'PatientNose' is not a tag"),
    "tag of 7 digits": ({"tags": ["0010001"]}, UsageError, "'0010001' is not a tag"),
    "tag too large": ({"tags": [1 << 32]}, UsageError, "4294967296 is not a tag"),
    "tag negative": ({"tags": [-1]}, UsageError, "-1 is not a tag"),
    "tag of another type": ({"tags": [(0x10, 0x10)]}, UsageError, r"\(16, 16\) is not a tag"),
    "empty list": ({"tags": []}, UsageError, "the list of tags to sign is empty"),
    "MAC": ({"mac": "sha256"}, UsageError, "'sha256' is not a MAC algorithm; the standard has RIP"),
    "naive time": ({"when": NAIVE}, UsageError, "needs an offset from UTC"),
    "time of another type": ({"when": "now"}, UsageError, "needs an offset from UTC"),
    "UID": ({"uid": "é"}, UsageError, "'é' is not a UID"),
    "UID of words": ({"uid": "hello"}, UsageError, "not a UID"),
    "UID with a leading zero": ({"uid": "1.02"}, UsageError, "not a UID"),
    "UID too long": ({"uid": "1." + "2" * 63}, UsageError, "not a UID"),
}  # fmt: skip
# where: (location, error, what it says); the first step that is not there is named
LOCATIONS = {
    "no such sequence": (
        "FractionGroupSequence[0].BeamSequence[0]", SigningError, r"no sequence FractionGroupSeq"),
    "no such sequence inside": (
        "BeamSequence[1].ControlPointSequence[0].BeamSequence[0]", SigningError,
        r"no sequence ControlPointSequence \(300A,0111\)"),
    "no such item": (
        "BeamSequence[2].ControlPointSequence[0]", SigningError,
        r"BeamSequence \(300A,00B0\).* has 2 items, so none with number 2"),
    "no such item from the end": ("BeamSequence[-3]", SigningError, "none with number -3"),
    "no such item inside": (
        "BeamSequence[0].ControlPointSequence[2]", SigningError,
        r"ControlPointSequence \(300A,0111\).* has 2 items"),
    "no sequence": ("PatientID[0]", SigningError, r"no sequence PatientID \(0010,0020\)"),
    "no keyword": ("BeanSequence[0]", UsageError, "'BeanSequence' is not a tag"),
    "no number": ("BeamSequence", UsageError, r"not of the form BeamSequence\[0\]"),
    "no end": ("BeamSequence[0].", UsageError, "not of the form"),
    "letters": ("BeamSequence[x]", UsageError, "not of the form"),
    "a very long number": (f"BeamSequence[{'1' * 5000}]", UsageError, "not of the form"),
}  # fmt: skip
KEYS = {
    "another key": ((pki.key("rsa two"), CERT), KeyFileError, "not the one of the certificate"),
    "Ed25519": (pki.member("ed25519").pair, CertificateError, "Ed25519 cannot sign DICOM"),
    "no certificate": ((KEY, None), CertificateError, "there is no certificate: none was given"),
    "no key": ((None, CERT), KeyFileError, "is not a private key"),
    "no key file": (("/nowhere/key.pem", CERT), KeyFileError, "/nowhere/key.pem: No such file"),
    "no certificate file": ((KEY, "/nowhere/c.pem"), CertificateError, "/nowhere/c.pem: No such"),
}


@pytest.fixture
def refused(tmp_path):
    """Sign a file, expect an error; nothing may be left behind, whether OUT is there or not."""

    def inner(error, match, *, data=None, key=RSA, **options):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        data = pki.small(elements=WITH_UN) if data is None else data
        source.write_bytes(data)
        for old in (None, b"old", data):
            place = source if old is data else target
            if old == b"old":
                target.write_bytes(old)
            with pytest.raises(error, match=match) as caught:
                sign_file(source, place, *key, **options)
            assert type(caught.value) is error
            assert source.read_bytes() == data
            assert (target.read_bytes() if target.exists() else None) in (old, b"old")
            assert set(os.listdir(tmp_path)) <= {"in.dcm", "out.dcm"}
        return caught.value

    return inner


def test_what_is_signed_when_nothing_is_said(tmp_path):
    """UN is left out, not refused, where no tag was named."""
    (tmp_path / "in.dcm").write_bytes(pki.small(elements=WITH_UN))
    sign_file(tmp_path / "in.dcm", tmp_path / "out.dcm", *RSA)
    listed = dcmread(tmp_path / "out.dcm").MACParametersSequence[0].DataElementsSigned
    assert list(listed) == [tag for tag, _, _ in sorted([*pki.SMALL, UNKNOWN[0]])]


@pytest.mark.parametrize("case", OPTIONS.values(), ids=OPTIONS)
def test_options(refused, case):
    options, error, match = case
    refused(error, match, **options)
    dataset = dcmread(_buffer(pki.small(elements=WITH_UN)))
    before = str(dataset)
    with pytest.raises(error, match=match):
        sign(dataset, *RSA, **options)
    assert str(dataset) == before


@pytest.mark.parametrize("case", LOCATIONS.values(), ids=LOCATIONS)
def test_locations(refused, case):
    place, error, match = case
    refused(error, match, items=place)
    refused(error, match, items=["BeamSequence[0]", place])
    dataset = dcmread(_buffer(pki.small()))
    before = str(dataset)
    with pytest.raises(error, match=match):
        sign(dataset, *RSA, item=place)
    assert str(dataset) == before


@pytest.mark.parametrize("case", KEYS.values(), ids=KEYS)
def test_keys(refused, case):
    key, error, match = case
    refused(error, match, key=key)


def _buffer(data):
    import io

    return io.BytesIO(data)


@pytest.mark.parametrize("again", ["BeamSequence[0]", "BeamSequence[-2]", "300A,00B0[0]"])
def test_one_item_twice(refused, again):
    refused(UsageError, "is named twice among the items to sign", items=["BeamSequence[0]", again])


def test_one_uid_for_two(refused):
    refused(UsageError, "cannot serve", uid="2.25.1", items=["BeamSequence[0]", "BeamSequence[1]"])


NAME = encode([(0x00100010, "PN", b"Doe^John")])


@pytest.mark.parametrize(
    ("elements", "what"),
    [
        (NAME + NAME, r"\(0010,0010\) occurs twice"),
        (encode([(0x00100020, "LO", b"1 ")]) + NAME, r"\(0010,0010\) stands out of order"),
        (encode([(0x00081140, "SQ", b"")])[:-4] + struct.pack("<L", 8 + 2 * len(NAME))
         + struct.pack("<HHL", 0xFFFE, 0xE000, 2 * len(NAME)) + NAME + NAME,
         r"\(0010,0010\) occurs twice"),
    ],
)  # fmt: skip
def test_ambiguous(refused, elements, what):
    error = refused(SigningError, what + ".*repair the object", data=pki.part10(elements))
    assert error.code == "ambiguous"


def test_nothing_to_sign(refused):
    refused(SigningError, "no element that can be signed", data=pki.small(elements=UN_INSIDE))


def test_all_mac_ids_taken(refused):
    taken = [[(0x04000005, "US", struct.pack("<H", n))] for n in range(1 << 16)]
    data = pki.small(elements=[*pki.SMALL[:4], (0x4FFE0001, "SQ", taken)])
    refused(SigningError, "all 65536 MAC ID Numbers are taken", data=data)


@pytest.mark.parametrize("count", [16383, 16384])
def test_more_tags_than_fit(refused, tmp_path, count):
    """Data Elements Signed has a length of 16 bits, in explicit VR."""
    tags = [(0x0009 + 2 * (n // 30000) << 16) + 0x1000 + n % 30000 for n in range(count)]
    data = pki.small(elements=[(tag, "CS", b"") for tag in tags])
    if count == 16384:
        refused(SigningError, "16384 elements are to be signed; .* can list 16383", data=data)
        return
    (tmp_path / "in.dcm").write_bytes(data)
    sign_file(tmp_path / "in.dcm", tmp_path / "out.dcm", *RSA)
    listed = dcmread(tmp_path / "out.dcm").MACParametersSequence[0].DataElementsSigned
    assert len(listed) == count


def test_signature_sequences_that_are_none(refused):
    for tag in (0x4FFE0001, 0xFFFAFFFA):
        data = pki.small(elements=[*pki.SMALL[:4], (tag, "OB", b"1234")])
        refused(SigningError, "does not have the VR and the length of the standard", data=data)


@pytest.mark.parametrize("data", [b"", b"x", b"no DICOM" * 99, pki.small()[:-3], pki.small()[:140]])
def test_what_is_no_dicom(refused, data):
    refused(MalformedError, "empty|DICOM|cut short", data=data)


def test_paths(tmp_path):
    source = tmp_path / "in.dcm"
    source.write_bytes(pki.small())
    signed = tmp_path / "signed.dcm"
    sign_file(source, signed, *RSA)
    os.mkfifo(tmp_path / "fifo")
    listing = sorted(os.listdir(tmp_path))
    wrong = (tmp_path / "nowhere" / "x", tmp_path, source / "x", "a\0b", None, 5)
    for call in (lambda a, b: sign_file(a, b, *RSA), remove_file):
        for target in (*wrong, tmp_path / "fifo"):
            with pytest.raises(SourceError) as caught:
                call(signed, target)
            assert caught.value.code == "write"
        for begin in (*wrong, "/dev/null", tmp_path / "fifo", dcmread(source)):
            with pytest.raises(SourceError):
                call(begin, tmp_path / "out.dcm")
    assert sorted(os.listdir(tmp_path)) == listing


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk(tmp_path, monkeypatch, step):
    source = tmp_path / "in.dcm"
    source.write_bytes(pki.small())

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(SourceError, match="No space left"):
        sign_file(source, source, *RSA)
    assert source.read_bytes() == pki.small()
    assert os.listdir(tmp_path) == ["in.dcm"]


def test_remove_what_is_not_there(tmp_path):
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small())
    for uid in (None, "1.2.3"):
        with pytest.raises(SigningError, match=uid or "there is no signature") as caught:
            remove_file(source, target, uid)
        assert caught.value.code == "not_found"
        with pytest.raises(SigningError, match=uid or "there is no signature"):
            remove(dcmread(source), uid)
    assert not target.exists()


def test_a_data_set_is_no_file_and_a_file_no_data_set(tmp_path):
    for wrong in (str(tmp_path), pki.small(), None, 5):
        with pytest.raises(UsageError, match="for a file there is sign_file"):
            sign(wrong, *RSA)
        with pytest.raises(UsageError, match="for a file there is remove_file"):
            remove(wrong)


def test_a_data_set_that_pydicom_cannot_write():
    dataset = pydicom.Dataset()
    dataset.PatientID = "1234"
    dataset.add_new(0x00280010, "US", "many")
    before = list(dataset.keys())
    with pytest.raises(DicomSealError, match=r"pydicom cannot write \(0028,0010\)"):
        sign(dataset, *RSA)
    assert list(dataset.keys()) == before


def test_a_nested_data_set_too_deep():
    inner = pydicom.Dataset()
    inner.PatientID = "1"
    for _ in range(3000):
        outer = pydicom.Dataset()
        outer.ContentSequence = [inner]
        inner = outer
    with pytest.raises(DicomSealError):
        sign(inner, *RSA)
    assert "DigitalSignaturesSequence" not in inner

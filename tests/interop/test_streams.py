"""Byte for byte: the stream that we hash is the one that dcmsign hashed while it signed."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from _dcmtk import (
    CONVERSIONS,
    CONVERTED,
    FOUND_VR,
    LOST_VR,
    MACS,
    OTHER_PRIVATE_VR,
    ROOT,
    SIGNABLE,
    STRIPPED_PADDING,
    UN_OF_UNDEFINED_LENGTH,
    Dcmtk,
)

from dicomseal import canonical, sign_file, verify
from dicomseal.errors import EncodingError, SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature import dump
from dicomseal.standard import terms

pytestmark = pytest.mark.peer

JPEG = "SC_rgb_small_odd_jpeg.dcm"


class Recorder:
    def __init__(self) -> None:
        self.data = bytearray()

    def update(self, data: Any) -> None:
        self.data += data


def raw(path: Path) -> bytes:
    """Our stream of the only signature in a file."""
    out = bytearray()
    coverage = dump.raw(path, out.extend)
    assert coverage.unknown == ()
    return bytes(out)


def tail(path: Path) -> tuple[list[int], bytes]:
    """Data Elements Signed of the only signature in a file, and what its own item adds."""
    dataset = pydicom.dcmread(path, force=True)
    (signature,) = dataset.DigitalSignaturesSequence
    listed = [t for t in signature.keys() if t not in terms.NOT_IN_MAC]  # noqa: SIM118
    listed_by_mac = dataset.MACParametersSequence[0].DataElementsSigned
    tags = [listed_by_mac] if isinstance(listed_by_mac, int) else list(listed_by_mac)
    return tags, hashed(signature, listed)


def hashed(source: Any, tags: list[int]) -> bytes:
    """Our stream of these elements."""
    recorder = Recorder()
    canonical.update(recorder, source, tags)
    return bytes(recorder.data)


def first_difference(ours: bytes, theirs: bytes) -> str:
    pairs = enumerate(zip(ours, theirs, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    start = max(0, at - 16)
    return f"byte {at}: {ours[start : at + 16].hex(' ')} and {theirs[start : at + 16].hex(' ')}"


def assert_same(ours: bytes, theirs: bytes) -> None:
    assert ours == theirs, first_difference(ours, theirs)


@pytest.mark.parametrize("file", SIGNABLE)
def test_signed_file(file: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+d", work / "d")
    assert_same(raw(work / "s"), (work / "d").read_bytes())


@pytest.mark.parametrize(
    "file", [f for f in SIGNABLE if f not in STRIPPED_PADDING | UN_OF_UNDEFINED_LENGTH]
)
def test_file_before_it_was_signed(
    file: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    """From the bytes that dcmsign read, and from the data set that pydicom reads."""
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+d", work / "d")
    tags, own = tail(work / "s")
    expected = (work / "d").read_bytes()
    for source in (ROOT / file, pydicom.dcmread(ROOT / file, force=True)):
        assert_same(hashed(source, tags) + own, expected)


@pytest.mark.parametrize(
    ("file", "conversion"),
    [
        (file, conversion)
        for file, conversion in CONVERTED
        if file in {"CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "reportsi.dcm", JPEG,
                    "liver_expb_1frame.dcm", "priv_SQ.dcm", "waveform_ecg.dcm"}
        and not (conversion == "implicit" and file in LOST_VR)
    ],
)  # fmt: skip
def test_signed_and_converted(
    file: str, conversion: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+d", work / "d")
    dcmtk.convert(work / "s", work / "c", *CONVERSIONS[conversion])
    assert_same(raw(work / "c"), (work / "d").read_bytes())


@pytest.mark.parametrize("file", sorted(FOUND_VR | OTHER_PRIVATE_VR)[:6])
def test_vrs_that_were_searched_for(
    file: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    """It dumps when it verifies, which dcmsign does not: the VRs are those that were signed."""
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+d", work / "d")
    dcmtk.convert(work / "s", work / "c", *CONVERSIONS["implicit"])
    assert_same(raw(work / "c"), (work / "d").read_bytes())


@pytest.mark.parametrize("file", sorted(LOST_VR))
def test_vrs_that_are_lost(file: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """A shorter stream would be no answer."""
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+d", work / "d")
    dcmtk.convert(work / "s", work / "c", *CONVERSIONS["implicit"])
    with pytest.raises(EncodingError, match="cannot be shown"):
        raw(work / "c")


@pytest.mark.parametrize(
    ("file", "item"),
    [
        ("rtplan.dcm", "BeamSequence[0]"),
        ("rtplan.dcm", "BeamSequence[0].ControlPointSequence[1]"),
        ("test-SR.dcm", "ContentSequence[1]"),
        ("waveform_ecg.dcm", "WaveformSequence[0]"),
        ("liver_expb_1frame.dcm", "ReferencedSeriesSequence[0]"),
    ],
)
def test_item(file: str, item: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+d", work / "d", item=item)
    assert_same(raw(work / "s"), (work / "d").read_bytes())


@pytest.mark.parametrize("tag", ["PatientName", "PixelData", "0008,0008"])
@pytest.mark.parametrize("file", ["MR_small.dcm", JPEG, "MR_small_bigendian.dcm"])
def test_subset(file: str, tag: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    options = ("-t", tag, "-t", "0008,0016", "+d", work / "d")
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), *options)
    assert_same(raw(work / "s"), (work / "d").read_bytes())


@pytest.mark.parametrize("purpose", [1, 5, 18])
def test_purpose_is_part_of_the_stream(
    purpose: int, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    options = ("+sp", purpose, MACS["SHA256"], "+d", work / "d")
    dcmtk.sign(ROOT / "rtplan.dcm", work / "s", pki.pair("rsa"), *options)
    stream = raw(work / "s")
    assert_same(stream, (work / "d").read_bytes())
    assert struct.pack("<HH", 0x0400, 0x0401) + b"SQ\0\0" in stream


@pytest.mark.parametrize("file", [JPEG, "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm"])
def test_legacy_form(file: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """With the lengths of the fragments, as dcmsign hashed them before 3.5.4."""
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "-fo", "+d", work / "d")
    tags, own = tail(work / "s")
    index = Part10.from_bytes((work / "s").read_bytes()).index()
    forms = {}
    for legacy in (False, True):
        out = bytearray()
        index.stream(out.extend, 0, tags, legacy=legacy)
        forms[legacy] = bytes(out) + own
    assert_same(forms[True], (work / "d").read_bytes())
    accepted = bytearray()
    dump.Dump(work / "s", accept_legacy=True).raw(accepted.extend)
    assert_same(bytes(accepted), (work / "d").read_bytes())
    assert forms[False] != forms[True]


# --- values of odd length ------------------------------------------------------------------------

PREAMBLE = b"\0" * 128 + b"DICM"
META = (
    b"\x02\x00\x00\x00"  # (0002,0000)
    b"UL"  # VR
    b"\x04\x00"  # length 4
    b"\x1c\x00\x00\x00"  # 28 bytes follow
    b"\x02\x00\x10\x00"  # (0002,0010)
    b"UI"  # VR
    b"\x14\x00"  # length 20
    b"1.2.840.10008.1.2.1\x00"  # Explicit VR Little Endian
)
SOP_CLASS_UID = (
    b"\x08\x00\x16\x00"  # (0008,0016)
    b"UI"  # VR
    b"\x1a\x00"  # length 26
    b"1.2.840.10008.5.1.4.1.1.7\x00"  # Secondary Capture Image Storage
)
# tag, VR with reserved bytes, value of odd length
ODD_VALUES = {
    "UI": (0x00080018, b"UI", b"1.2.3"),
    "CS": (0x00080060, b"CS", b"ABC"),
    "LO": (0x00080070, b"LO", b"Maker"),
    "LO-empty-but-one": (0x00080070, b"LO", b"X"),
    "PN": (0x00100010, b"PN", b"Doe^J"),
    "DS": (0x00181050, b"DS", b"1.5"),
    "LT": (0x00104000, b"LT", b"Some text"),
    "OB-document": (0x00420011, b"OB\0\0", b"%PDF-"),
    "UT": (0x0040A160, b"UT\0\0", b"A text."),
    "OB": (0x00281408, b"OB\0\0", b"\1\2\3"),
}


def odd_file(name: str) -> tuple[bytes, bytes, str]:
    """An illegal file that holds one value of odd length, that value and its VR."""
    tag, vr, value = ODD_VALUES[name]
    width = "<L" if len(vr) == 4 else "<H"
    element = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + struct.pack(width, len(value))
    return PREAMBLE + META + SOP_CLASS_UID + element + value, value, vr[:2].decode()


@pytest.mark.parametrize("name", ODD_VALUES)
def test_odd_length(name: str, backend: Any, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """The file is illegal (PS3.5 Section 7.1.1): both hash a value that was made even.

    What dcmsign then writes is even, and the same to both. From the odd file itself we make text
    even with a space (PS3.5 Section 6.2), DCMTK all with NUL.
    """
    data, value, vr = odd_file(name)
    (work / "o").write_bytes(data)
    dcmtk.sign(work / "o", work / "s", pki.pair("rsa"), "+d", work / "d")
    expected = (work / "d").read_bytes()
    assert_same(raw(work / "s"), expected)
    tags, own = tail(work / "s")
    if vr in terms.SPACE_PADDED:
        assert expected.count(value + b"\0") == 1
        expected = expected.replace(value + b"\0", value + b" ")
    for source in (work / "o", data):
        assert_same(hashed(source, tags) + own, expected)


@pytest.mark.parametrize("name", ODD_VALUES)
def test_odd_length_signed_by_us(name: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    data, _, vr = odd_file(name)
    (work / "o").write_bytes(data)
    if vr != "OB":  # GDCM leaves out the last byte, so who signs it cannot know what is seen
        with pytest.raises(SigningError, match="odd number of bytes"):
            sign_file(work / "o", work / "s", *pki.pair("rsa"), when=datetime.now(UTC))
        return
    sign_file(work / "o", work / "s", *pki.pair("rsa"), when=datetime.now(UTC))
    assert verify(work / "s", trust=pki.trust).verdict == "passed"
    assert dcmtk.verify(work / "s", "+rg") == (101 if vr in terms.SPACE_PADDED else 0)

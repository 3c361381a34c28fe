"""What we sign, dcmsign verifies; and whatever dcmconv makes of it is still intact here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pydicom
import pytest
from _dcmtk import (
    COMBINATIONS,
    CONVERSIONS,
    CONVERTED,
    DIRECTORIES,
    FORBIDDEN_GROUP,
    KEYS,
    LOST_VR,
    NO_META_GROUP_LENGTH,
    OTHER_PRIVATE_VR,
    ROOT,
    SIGNABLE,
    STRIPPED_PADDING,
    UN_OF_UNDEFINED_LENGTH,
    UNREADABLE,
    Dcmtk,
    accepted,
    combination,
)
from _tamper import leaves, tampered

from dicomseal import ALLOW_WEAK, DicomSealError, ObjectReport, remove, sign, sign_file
from dicomseal.standard import terms

pytestmark = pytest.mark.peer

# what no signature covers is no matter to dcmsign, and here it is the signatures that are compared
verify = accepted

JPEG = "SC_rgb_small_odd_jpeg.dcm"
KINDS = ("MR_small.dcm", "SC_rgb_small_odd_big_endian.dcm", JPEG, "rtplan.dcm", "test-SR.dcm")
OURS = [f for f in SIGNABLE if f not in UN_OF_UNDEFINED_LENGTH]
ITEMS = [
    ("rtplan.dcm", "BeamSequence[0]"),
    ("rtplan.dcm", "BeamSequence[0].ControlPointSequence[1]"),
    ("rtstruct.dcm", "ROIContourSequence[0].ContourSequence[1]"),
    ("test-SR.dcm", "ContentSequence[1]"),
    ("waveform_ecg.dcm", "WaveformSequence[0]"),
    ("rtdose_expb.dcm", "ReferencedRTPlanSequence[0]"),
    ("liver_expb_1frame.dcm", "ReferencedSeriesSequence[0].ReferencedInstanceSequence[1]"),
]


def sign_now(source: Path, target: Path, pair: Any, **options: Any) -> str:
    (uid,) = sign_file(source, target, *pair, when=datetime.now(UTC), policy=ALLOW_WEAK, **options)
    return uid


def assert_passed(report: ObjectReport, count: int = 1) -> None:
    assert report.verdict == "passed", report.sentence()
    assert len(report.signatures) == count


# --- every file, every MAC, every kind of key ----------------------------------------------------


@pytest.mark.parametrize("file", OURS)
def test_every_file(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    mac, key = combination(file)
    sign_now(ROOT / file, work / "s", pki.pair(key), mac=mac)
    report = verify(work / "s", trust=pki.trust)
    if file == NO_META_GROUP_LENGTH:
        assert [reason.code for reason in report.reasons] == ["ENCODING_NOT_STATED"]
    else:
        assert_passed(report)
    expected = 101 if file in STRIPPED_PADDING else 0
    assert dcmtk.verify(work / "s", "+rg") == expected


@pytest.mark.parametrize("file", KINDS)
@pytest.mark.parametrize(("mac", "key"), COMBINATIONS)
def test_every_mac_and_key(
    file: str, mac: str, key: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    sign_now(ROOT / file, work / "s", pki.pair(key), mac=mac)
    assert dcmtk.verify(work / "s", "+rg") == 0


def test_a_transfer_syntax_that_dcmsign_does_not_know(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """It does not have HTJ2K, which is younger than it; fragments are hashed as they are."""
    dataset = pydicom.dcmread(ROOT / JPEG)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    dataset.save_as(work / "h")
    sign_now(work / "h", work / "s", pki.pair("rsa"))
    assert_passed(verify(work / "s", trust=pki.trust))
    assert dcmtk.verify(work / "s") == 101
    assert dcmtk.try_to_sign(work / "h", work / "t", pki.pair("rsa")) != 0


@pytest.mark.parametrize(
    "file", sorted(UNREADABLE | UN_OF_UNDEFINED_LENGTH | FORBIDDEN_GROUP) + DIRECTORIES
)
def test_what_cannot_be_signed(file: str, pki: Any, work: Path) -> None:
    """dcmsign signs an empty list in a DICOMDIR, and UN of undefined length as if it were SQ."""
    with pytest.raises(DicomSealError):
        sign_now(ROOT / file, work / "s", pki.pair("rsa"))
    assert not (work / "s").exists()


@pytest.mark.parametrize("file", KINDS)
@pytest.mark.parametrize("key", KEYS)
def test_dataset_written_by_pydicom(
    file: str, key: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dataset = pydicom.dcmread(ROOT / file)
    sign(dataset, *pki.pair(key), when=datetime.now(UTC))
    dataset.save_as(work / "s")
    assert_passed(verify(work / "s", trust=pki.trust))
    assert dcmtk.verify(work / "s", "+rg") == 0


# --- the deliberate difference -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "tag"), [("SC_rgb_gdcm_KY.dcm", 0x00080008), ("examples_ybr_color.dcm", 0x00102160)]
)
def test_superfluous_padding(file: str, tag: int, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """We sign the bytes that are stored; DCMTK strips padding as it reads, and hashes the rest.

    PS3.3 C.12.1.1.3.1.1 signs values as encoded, so bytes are kept here. DCMTK also writes what is
    left after the stripping: its own signatures hold for the file that it writes, and are intact
    here, while a file of ours that dcmconv rewrites has lost bytes that were signed.
    """
    assert file in STRIPPED_PADDING
    values = leaves((ROOT / file).read_bytes(), tag)
    assert any(v != v.rstrip(b" ") + b" " * (len(v.rstrip(b" ")) % 2) for v in values)
    sign_now(ROOT / file, work / "s", pki.pair("rsa"))
    assert_passed(verify(work / "s", trust=pki.trust))
    assert dcmtk.verify(work / "s") == 101
    dcmtk.convert(work / "s", work / "c", "+e")
    assert leaves((work / "c").read_bytes(), tag) != values
    assert verify(work / "c", trust=pki.trust).verdict == "failed"
    # without that element both agree
    others = [t for t in pydicom.dcmread(ROOT / file).keys() if t != tag]  # noqa: SIM118
    sign_now(ROOT / file, work / "s", pki.pair("rsa"), tags=others)
    assert dcmtk.verify(work / "s") == 0
    dcmtk.convert(work / "s", work / "c", "+e")
    assert_passed(verify(work / "c", trust=pki.trust))


# --- re-encoding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "conversion"), [pair for pair in CONVERTED if pair[0] in frozenset(OURS)]
)
def test_converted(
    file: str, conversion: str, signed_once: Any, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.convert(signed_once(file, "us"), work / "c", *CONVERSIONS[conversion])
    report = verify(work / "c", trust=pki.trust)
    (signature,) = report.signatures
    if file in STRIPPED_PADDING:
        assert signature.integrity_reason.code in ("HASH_FAILURE", "SIG_CRYPTO_FAILURE")
    elif conversion == "implicit" and file in LOST_VR:
        assert signature.integrity_reason.code == "SIGNED_DATA_NOT_FOUND"
    else:
        if conversion == "implicit" and file in OTHER_PRIVATE_VR:
            said = "implicit VR states no VR: signed with (0019,1010) as LO"
            assert signature.messages[-1] == said
        assert_passed(report)


@pytest.mark.parametrize("conversion", CONVERSIONS)
@pytest.mark.parametrize("file", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "reportsi.dcm"])
def test_signed_after_a_conversion(
    file: str, conversion: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    """Splicing keeps explicit lengths, group lengths and deflation right for DCMTK too."""
    dcmtk.convert(ROOT / file, work / "c", *CONVERSIONS[conversion])
    sign_now(work / "c", work / "s", pki.pair("rsa", odd=True))
    assert dcmtk.verify(work / "s", "+rg") == 0
    sign_now(work / "s", work / "s", pki.pair("ec", odd=True))
    assert dcmtk.verify(work / "s", "+rg") == 0
    dcmtk.convert(work / "s", work / "n", "+te", "+g")
    assert_passed(verify(work / "n", trust=pki.trust), 2)


# --- items, subsets, several signatures ----------------------------------------------------------


@pytest.mark.parametrize(("file", "item"), ITEMS)
@pytest.mark.parametrize("key", KEYS)
def test_item(file: str, item: str, key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    sign_now(ROOT / file, work / "s", pki.pair(key), items=item)
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].location == item
    assert dcmtk.verify(work / "s", "+rg") == 0


@pytest.mark.parametrize("file", ["rtplan.dcm", "test-SR.dcm", "rtstruct.dcm"])
def test_items_and_the_main_data_set_by_both(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """A signature in an item is not part of what the main data set's signature covers."""
    first, second = {
        "rtplan.dcm": ("BeamSequence[0]", "DoseReferenceSequence[1]"),
        "test-SR.dcm": ("ContentSequence[0]", "ContentSequence[2]"),
        "rtstruct.dcm": ("ROIContourSequence[0]", "ROIContourSequence[0].ContourSequence[0]"),
    }[file]
    sign_now(ROOT / file, work / "1", pki.pair("rsa"))
    dcmtk.sign(work / "1", work / "2", pki.pair("ec"), "+m2", item=first)
    sign_now(work / "2", work / "3", pki.pair("ec"), items=second)
    dcmtk.sign(work / "3", work / "4", pki.pair("rsa"), "+m2")
    for number in range(1, 5):
        assert_passed(verify(work / str(number), trust=pki.trust), number)
        assert dcmtk.verify(work / str(number)) == 0
    found = [s.location for s in verify(work / "4").signatures]
    assert sorted(found) == sorted(["", "", first, second])


@pytest.mark.parametrize(
    ("file", "tags"),
    [
        ("MR_small.dcm", ["PatientName", "0010,0020", "PixelData"]),
        ("MR_small_bigendian.dcm", ["PixelData", "Rows"]),
        ("rtplan.dcm", ["BeamSequence", "SOPInstanceUID"]),
        (JPEG, ["PixelData"]),
        ("test-SR.dcm", ["ContentSequence", "PatientName"]),
    ],
)
def test_subset_of_the_elements(
    file: str, tags: list[str], dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    sign_now(ROOT / file, work / "s", pki.pair("rsa"), tags=tags)
    assert dcmtk.verify(work / "s", "+rg") == 0


# --- lengths that were made even -----------------------------------------------------------------


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_length_of_the_certificate(odd: bool, key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    sign_now(ROOT / "rtplan.dcm", work / "s", pki.pair(key, odd))
    (stored,) = leaves((work / "s").read_bytes(), terms.CERTIFICATE_OF_SIGNER)
    assert len(stored) % 2 == 0
    assert stored.endswith(b"\0") or not odd
    assert dcmtk.verify(work / "s", "+rg") == 0


@pytest.mark.parametrize("key", ["ec", "dsa"])
def test_length_of_the_signature(key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    seen = set()
    for _ in range(60):
        sign_now(ROOT / "priv_SQ.dcm", work / "s", pki.pair(key))
        (value,) = leaves((work / "s").read_bytes(), terms.SIGNATURE)
        assert len(value) % 2 == 0
        length = value[1] + 2
        if length % 2 not in seen:
            seen.add(length % 2)
            assert dcmtk.verify(work / "s", "+rg") == 0
        if seen == {0, 1}:
            return
    pytest.fail("no signature value of odd length in 60 attempts")


# --- removal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", KINDS)
def test_dcmsign_removes_ours(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    first = sign_now(ROOT / file, work / "1", pki.pair("rsa"))
    second = sign_now(work / "1", work / "2", pki.pair("ec"))
    dcmtk.remove(work / "2", work / "r", first)
    report = verify(work / "r", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].uid == second
    dcmtk.remove(work / "2", work / "r2")
    assert verify(work / "r2").verdict == "unsigned"


def test_dcmsign_removes_ours_from_an_item(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    uid = sign_now(ROOT / "rtplan.dcm", work / "1", pki.pair("rsa"), items="BeamSequence[0]")
    sign_now(work / "1", work / "2", pki.pair("rsa"))
    dcmtk.remove(work / "2", work / "r", uid)
    report = verify(work / "r", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].location == ""


def test_one_of_ours_is_removed_and_the_other_stays(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dataset = pydicom.dcmread(ROOT / "rtplan.dcm")
    first = sign(dataset, *pki.pair("rsa"), when=datetime.now(UTC))
    sign(dataset, *pki.pair("ec"), when=datetime.now(UTC), item="BeamSequence[0]")
    assert remove(dataset, first) == (1, 1)
    dataset.save_as(work / "r")
    assert dcmtk.verify(work / "r", "+rg") == 0
    assert_passed(verify(work / "r", trust=pki.trust))


# --- tampering, and time -------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["MR_small_implicit.dcm", JPEG, "rtplan.dcm", "test-SR.dcm"])
def test_every_changed_element_is_seen_by_both(
    file: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    sign_now(ROOT / file, work / "s", pki.pair("ec"))
    data = (work / "s").read_bytes()
    count = 0
    for what, changed in tampered(data, largest=60):
        report = verify(changed, trust=pki.trust)
        assert report.verdict == "failed", what
        assert report.signatures[0].integrity == "altered", what
        (work / "t").write_bytes(changed)
        assert dcmtk.verify(work / "t") != 0, what
        count += 1
    assert count > 15


@pytest.mark.parametrize("hours", [-5, 0, 5.5])
def test_time_zone(hours: float, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """dcmsign reads our local time as UTC: west of Greenwich it is before the certificate's."""
    when = datetime.now(timezone(timedelta(hours=hours)))
    sign_file(ROOT / "MR_small.dcm", work / "s", *pki.pair("rsa"), when=when)
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    assert datetime.fromisoformat(report.signatures[0].datetime) == when
    assert dcmtk.verify(work / "s") == (101 if hours < 0 else 0)

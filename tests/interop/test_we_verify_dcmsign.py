"""What dcmsign signs is intact and trusted here, in every encoding; what was changed is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _dcmtk import (
    COMBINATIONS,
    CONVERSIONS,
    CONVERTED,
    DIRECTORIES,
    FORBIDDEN_GROUP,
    FOUND_VR,
    KEYS,
    LOST_VR,
    MACS,
    OTHER_PRIVATE_VR,
    PRIVATE_VR_KNOWN_HERE,
    ROOT,
    SIGNABLE,
    UNREADABLE,
    Dcmtk,
    accepted,
    combination,
    find,
    is_encapsulated,
)
from _tamper import insert_after, leaves, tampered

from dicomseal import ObjectReport, remove_file, sign_file
from dicomseal.standard import mac_algorithms, terms

pytestmark = pytest.mark.peer

# what no signature covers is no matter to dcmsign, and here it is the signatures that are compared
verify = accepted

NATIVE = "MR_small.dcm"
JPEG = "SC_rgb_small_odd_jpeg.dcm"
KINDS = ("MR_small.dcm", "SC_rgb_small_odd_big_endian.dcm", JPEG, "rtplan.dcm", "test-SR.dcm")
ITEMS = [
    ("rtplan.dcm", "BeamSequence[0]"),
    ("rtplan.dcm", "BeamSequence[0].ControlPointSequence[1]"),
    ("rtplan.dcm", "FractionGroupSequence[0].ReferencedBeamSequence[0]"),
    ("rtstruct.dcm", "ROIContourSequence[0].ContourSequence[1]"),
    ("test-SR.dcm", "ContentSequence[1]"),
    ("waveform_ecg.dcm", "WaveformSequence[0]"),
    ("rtdose_expb.dcm", "ReferencedRTPlanSequence[0]"),
    ("liver_expb_1frame.dcm", "ReferencedSeriesSequence[0].ReferencedInstanceSequence[1]"),
]
OB_TRIED = "implicit VR states no VR: signed with PixelData (7FE0,0010) as OB"
LEGACY = "made by dcmsign before 3.5.4"


def assert_passed(report: ObjectReport, count: int = 1) -> None:
    assert report.verdict == "passed", report.sentence()
    assert len(report.signatures) == count


# --- every file, every MAC, every kind of key ----------------------------------------------------


@pytest.mark.parametrize("file", SIGNABLE)
def test_every_file(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    mac, key = combination(file)
    dcmtk.sign(ROOT / file, work / "s", pki.pair(key), MACS[mac])
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    (signature,) = report.signatures
    assert (signature.location, signature.mac_algorithm) == ("", mac)
    assert signature.messages == ()
    assert signature.signer.subject == f"CN=Signer {key}"
    age = datetime.now(UTC) - datetime.fromisoformat(signature.datetime)
    assert timedelta(minutes=-1) < age < timedelta(minutes=1)
    assert (f"MAC {mac}" in signature.weak) == (mac in mac_algorithms.WEAK_MAC_ALGORITHMS)


@pytest.mark.parametrize("file", KINDS)
@pytest.mark.parametrize(("mac", "key"), COMBINATIONS)
def test_every_mac_and_key(
    file: str, mac: str, key: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair(key), MACS[mac])
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].mac_algorithm == mac
    assert report.signatures[0].messages == ()


@pytest.mark.parametrize("file", sorted(UNREADABLE))
def test_what_dcmsign_cannot_read_is_an_error(
    file: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    assert dcmtk.try_to_sign(ROOT / file, work / "s", pki.pair("rsa")) != 0
    # one is in implicit VR, and labelled explicit
    assert verify(ROOT / file).verdict == ("failed" if file == "SC_rgb_jpeg.dcm" else "error")


@pytest.mark.parametrize("file", sorted(FORBIDDEN_GROUP))
def test_a_forbidden_group_beside_the_signature(
    file: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    """dcmsign signs what it can; what it cannot may be anything."""
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"))
    report = verify(work / "s", trust=pki.trust)
    assert report.verdict == "failed"
    assert "(0001,0001) can never be signed" in report.reasons[0].message


@pytest.mark.parametrize("file", DIRECTORIES)
def test_an_empty_list_is_no_signature(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """A DICOMDIR holds nothing that can be signed; dcmsign signs nothing, and then rejects it."""
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"))
    assert dcmtk.verify(work / "s") == 101
    report = verify(work / "s", trust=pki.trust)
    assert report.verdict == "failed"
    assert "lists nothing" in report.sentence()


def test_every_combination_of_mac_and_key_comes_up() -> None:
    assert {combination(file) for file in SIGNABLE} == set(COMBINATIONS)
    assert len(SIGNABLE) > 100


# --- re-encoding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "conversion"), CONVERTED)
def test_converted(
    file: str, conversion: str, signed_once: Any, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.convert(signed_once(file, "dcmsign"), work / "c", *CONVERSIONS[conversion])
    report = verify(work / "c", trust=pki.trust)
    (signature,) = report.signatures
    if conversion == "implicit" and file in LOST_VR:
        assert report.verdict == "indeterminate"
        assert signature.integrity == "unverifiable"
        assert signature.integrity_reason.code == "SIGNED_DATA_NOT_FOUND"
    elif conversion == "implicit" and file in FOUND_VR:
        assert_passed(report)
        assert signature.messages[-1].startswith("implicit VR states no VR: signed with (")
        assert dcmtk.verify(work / "c") == 101
    elif conversion == "implicit" and file in OTHER_PRIVATE_VR:
        assert_passed(report)
        said = "implicit VR states no VR: signed with (0019,1010) as LO"
        assert signature.messages[-1] == said
        assert dcmtk.verify(work / "c") == 101
    else:
        assert_passed(report)
        if signature.messages:
            assert conversion == "implicit"
            assert signature.messages == (OB_TRIED,)
        if not (conversion == "implicit" and file in PRIVATE_VR_KNOWN_HERE):
            assert dcmtk.verify(work / "c") == (101 if signature.messages else 0)


def test_ob_comes_back_from_implicit_vr_as_ow(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """8-bit Pixel Data signed as OB: implicit VR means OW, so the OB is tried, and said."""
    dcmtk.sign(ROOT / "liver_1frame.dcm", work / "s", pki.pair("rsa"))
    dcmtk.convert(work / "s", work / "i", "+ti")
    report = verify(work / "i", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].messages == (OB_TRIED,)


@pytest.mark.parametrize("file", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "reportsi.dcm"])
def test_converted_again_and_again(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / file, work / "0", pki.pair("ec"), "+m2")
    steps = ["big-endian", "undefined-lengths", "implicit", "group-lengths", "deflated", "padding"]
    for number, name in enumerate(steps):
        dcmtk.convert(work / str(number), work / str(number + 1), *CONVERSIONS[name])
        assert_passed(verify(work / str(number + 1), trust=pki.trust))


@pytest.mark.parametrize("options", [("+te",), ("+tb",), ("+ti",), ("-e",), ("+tb", "-e")])
@pytest.mark.parametrize("file", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm"])
def test_written_by_dcmsign_in_another_encoding(
    file: str, options: tuple[str, ...], dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+m2", *options)
    assert_passed(verify(work / "s", trust=pki.trust))


def test_dcmconv_makes_no_native_file_of_a_compressed_one(
    dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.sign(ROOT / JPEG, work / "s", pki.pair("rsa"))
    for name in ("implicit", "big-endian", "little-endian", "deflated"):
        assert dcmtk.try_to_convert(work / "s", work / "c", *CONVERSIONS[name]) == 1
    assert is_encapsulated(JPEG)


# --- items, subsets, several signatures ----------------------------------------------------------


@pytest.mark.parametrize(("file", "item"), ITEMS)
@pytest.mark.parametrize("key", KEYS)
def test_item(file: str, item: str, key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair(key), "+m2", item=item)
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].location == item
    for name, options in CONVERSIONS.items():
        if name == "implicit" and file in LOST_VR:
            continue
        dcmtk.convert(work / "s", work / "c", *options)
        assert_passed(verify(work / "c", trust=pki.trust))


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
    options = [part for tag in tags for part in ("-t", tag)]
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+m2", *options)
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].signed_elements == len(tags)
    assert report.signatures[0].unsigned_elements > 0


@pytest.mark.parametrize("file", KINDS)
def test_several_signatures_by_both(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """dcmsign rewrites the whole file around our signature; we keep every byte of its."""
    now = datetime.now(UTC)
    dcmtk.sign(ROOT / file, work / "1", pki.pair("rsa", odd=True), "+m2", "-t", "PatientName")
    sign_file(work / "1", work / "2", *pki.pair("ec", odd=True), mac="SHA384", when=now)
    dcmtk.sign(work / "2", work / "3", pki.pair("dsa"), "+m5")
    sign_file(work / "3", work / "4", *pki.pair("rsa"), tags=["PatientID"], when=now)
    for number in range(1, 5):
        report = verify(work / str(number), trust=pki.trust)
        assert_passed(report, number)
        assert [s.mac_id for s in report.signatures] == list(range(number))
        assert dcmtk.verify(work / str(number)) == 0


# --- lengths that were made even -----------------------------------------------------------------


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_length_of_the_certificate(odd: bool, key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / "rtplan.dcm", work / "s", pki.pair(key, odd), "+m2")
    assert_passed(verify(work / "s", trust=pki.trust))


@pytest.mark.parametrize("key", ["ec", "dsa"])
def test_length_of_the_signature(key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """The DER of r and s has an odd length in about half of all cases."""
    seen = set()
    for _ in range(60):
        dcmtk.sign(ROOT / "priv_SQ.dcm", work / "s", pki.pair(key), "+m2")
        assert_passed(verify(work / "s", trust=pki.trust))
        (value,) = leaves((work / "s").read_bytes(), terms.SIGNATURE)
        seen.add((value[1] + 2) % 2)
        if seen == {0, 1}:
            return
    pytest.fail("no signature value of odd length in 60 attempts")


# --- removal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", KINDS)
def test_we_remove_what_dcmsign_made(file: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / file, work / "1", pki.pair("rsa"), "+m2")
    dcmtk.sign(work / "1", work / "2", pki.pair("ec"), "+m5")
    first, second = (s.uid for s in verify(work / "2").signatures)
    assert remove_file(work / "2", work / "r", first) == (1, 1)
    report = verify(work / "r", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].uid == second
    assert dcmtk.verify(work / "r", "+rg") == 0
    assert remove_file(work / "2", work / "r") == (2, 0)
    assert verify(work / "r").verdict == "unsigned"
    assert dcmtk.verify(work / "r") == 0
    assert dcmtk.verify(work / "r", "+rg") != 0


# --- tampering -----------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["MR_small.dcm", JPEG, "rtplan.dcm", "test-SR.dcm"])
def test_every_changed_element_is_seen_by_both(
    file: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "+m2")
    data = (work / "s").read_bytes()
    count = 0
    for what, changed in tampered(data, largest=60):
        report = verify(changed, trust=pki.trust)
        assert report.verdict == "failed", what
        assert report.signatures[0].integrity_reason.code == "HASH_FAILURE", what
        (work / "t").write_bytes(changed)
        assert dcmtk.verify(work / "t") != 0, what
        count += 1
    assert count > 15


def test_forged_second_name(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """dcmsign keeps one of two elements with the same tag, and says OK; here such a file fails."""
    dcmtk.sign(ROOT / NATIVE, work / "s", pki.pair("rsa"), "+m2")
    forged = b"\x10\x00\x10\x00" + b"PN" + b"\x0c\x00" + b"Forged^Name "
    data = insert_after((work / "s").read_bytes(), 0x00100010, forged)
    (work / "f").write_bytes(data)
    assert dcmtk.verify(work / "f") == 0
    report = verify(work / "f", trust=pki.trust)
    assert report.verdict == "failed"
    assert "(0010,0010) occurs twice" in report.sentence()


# --- the legacy form -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("file", [JPEG, "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm"])
def test_legacy_form(file: str, key: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair(key), "-fo")
    report = verify(work / "s", trust=pki.trust)
    assert report.verdict == "failed"
    assert report.signatures[0].integrity == "altered"
    assert LEGACY in report.signatures[0].integrity_reason.message
    report = verify(work / "s", trust=pki.trust, accept_legacy=True)
    assert_passed(report)
    assert LEGACY in report.signatures[0].messages[0]


@pytest.mark.parametrize("file", ["MR_small.dcm", "rtplan.dcm", "SC_rgb_small_odd_big_endian.dcm"])
def test_legacy_form_is_the_same_without_fragments(
    file: str, dcmtk: Dcmtk, pki: Any, work: Path
) -> None:
    dcmtk.sign(ROOT / file, work / "s", pki.pair("rsa"), "-fo")
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    assert report.signatures[0].messages == ()


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tz", "hours"), [("EST5", -5), ("JST-9", 9), ("IST-5:30", 5.5), ("UTC", 0)]
)
def test_time_zone(tz: str, hours: float, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    dcmtk.sign(ROOT / NATIVE, work / "s", pki.pair("rsa"), "+m2", tz=tz)
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    when = datetime.fromisoformat(report.signatures[0].datetime)
    assert when.utcoffset() == timedelta(hours=hours)
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)


def test_new_york(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """dcmsign takes its own local time for UTC: a fresh certificate is not yet valid then."""
    if not Path("/usr/share/zoneinfo/America/New_York").exists():
        pytest.skip("the time zone database is not installed")
    dcmtk.sign(ROOT / NATIVE, work / "s", pki.pair("rsa"), "+m2", tz="America/New_York")
    report = verify(work / "s", trust=pki.trust)
    assert_passed(report)
    when = datetime.fromisoformat(report.signatures[0].datetime)
    assert when.utcoffset() in (timedelta(hours=-4), timedelta(hours=-5))
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)
    assert dcmtk.verify(work / "s") == 101


# --- without the peer ----------------------------------------------------------------------------


def test_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipped on a desk, failed in CI: green must mean that these tests ran."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="dcmsign of DCMTK is not on PATH"):
        find("dcmsign")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="must run"):
        find("dcmsign")

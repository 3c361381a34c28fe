"""Files that dcmsign signed, verified without it (tests/data/dcmsign/README.md)."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from _tamper import insert_after, leaves, tampered, tampered_signature

from dicomseal import ObjectReport, TrustStore, remove_file, verify
from dicomseal.signature import dump
from dicomseal.standard import mac_algorithms, terms

FOLDER = Path(__file__).parents[1] / "data" / "dcmsign"
VECTORS: dict[str, dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text())
LEGACY = [name for name, facts in VECTORS.items() if facts["legacy"]]
TODAY = [name for name in VECTORS if name not in LEGACY]
AT = datetime(2030, 1, 1, tzinfo=UTC)
PRIVATE = "private"
OB_IMPLICIT = "ob-implicit"
PATIENT_NAME = 0x00100010


@pytest.fixture(scope="module")
def trust() -> TrustStore:
    return TrustStore.from_files(FOLDER / "ca.pem")


def read(name: str) -> bytes:
    return (FOLDER / f"{name}.dcm").read_bytes()


def check(name: str, report: ObjectReport) -> None:
    """The report has what was asked of dcmsign.

    Of an object whose items alone are signed nobody vouches for what is around them.
    """
    facts = VECTORS[name]
    if name == "rtplan-item":
        assert [reason.code for reason in report.reasons] == ["UNSIGNED_CONTENT"]
        assert report.verdict == "indeterminate"
    else:
        assert report.verdict == "passed", report.sentence()
    assert len(report.signatures) == len(facts["signatures"])
    for signature, expected in zip(report.signatures, facts["signatures"], strict=True):
        assert signature.integrity == "intact"
        assert signature.mac_algorithm == expected["mac_algorithm"]
        assert signature.location == expected["location"]
        assert signature.signer.key == expected["key"]
        assert signature.signer.subject == f"CN=dicomseal test vectors {expected['key']}"
        distance = datetime.fromisoformat(signature.datetime) - datetime.fromisoformat(
            facts["made"]
        )
        assert abs(distance) < timedelta(minutes=1)
        weak = expected["mac_algorithm"] in mac_algorithms.WEAK_MAC_ALGORITHMS
        assert bool(signature.weak) == weak


def test_every_algorithm_and_key_is_there() -> None:
    signatures = [s for facts in VECTORS.values() for s in facts["signatures"]]
    assert {s["mac_algorithm"] for s in signatures} == set(mac_algorithms.MAC_ALGORITHMS)
    assert {s["key"].split()[0] for s in signatures} == {"RSA", "ECDSA", "DSA"}
    assert {path.stem for path in FOLDER.glob("*.dcm")} == set(VECTORS)


OB_TRIED = "implicit VR states no VR: signed with PixelData (7FE0,0010) as OB"


@pytest.mark.parametrize("name", TODAY)
def test_passes(name: str, backend: Any, trust: TrustStore) -> None:
    report = verify(FOLDER / f"{name}.dcm", trust=trust, at=AT)
    check(name, report)
    said = (OB_TRIED,) if name == OB_IMPLICIT else ()
    assert all(s.messages == said for s in report.signatures)
    check(name, verify(read(name), trust=trust, at=AT))


@pytest.mark.parametrize("name", TODAY)
def test_data_set_of_pydicom_passes(
    name: str, backend: Any, trust: TrustStore, request: pytest.FixtureRequest
) -> None:
    dataset = pydicom.dcmread(FOLDER / f"{name}.dcm")
    check(name, verify(dataset, trust=trust, at=AT))


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_form_passes_when_asked_for(name: str, backend: Any, trust: TrustStore) -> None:
    report = verify(FOLDER / f"{name}.dcm", trust=trust, at=AT)
    assert report.verdict == "failed"
    (signature,) = report.signatures
    assert signature.integrity_reason.code == "FORMAT_FAILURE"
    assert "made by dcmsign before 3.5.4" in signature.integrity_reason.message
    report = verify(FOLDER / f"{name}.dcm", trust=trust, at=AT, accept_legacy=True)
    check(name, report)
    assert "made by dcmsign before 3.5.4" in report.signatures[0].messages[0]


@pytest.mark.parametrize("name", [n for n in TODAY if n != OB_IMPLICIT])
def test_stream_is_what_dcmsign_hashed(name: str, backend: Any) -> None:
    facts = VECTORS[name]
    uid = verify(FOLDER / f"{name}.dcm").signatures[-1].uid
    out = bytearray()
    dump.raw(FOLDER / f"{name}.dcm", out.extend, uid)
    assert bytes(out) == (FOLDER / facts["stream"]).read_bytes()


@pytest.mark.parametrize("name", LEGACY)
def test_stream_of_the_legacy_form_has_lengths(name: str, backend: Any) -> None:
    """Four bytes more for every fragment, the Basic Offset Table among them."""
    out = bytearray()
    dump.raw(FOLDER / f"{name}.dcm", out.extend)
    hashed = (FOLDER / f"{name}.stream").read_bytes()
    start = out.index(b"\xe0\x7f\x10\x00OB\0\0")
    fragments = len(hashed) - len(out)
    assert fragments % 4 == 0
    assert fragments >= 8
    assert hashed[:start] == out[:start]
    assert hashed != out


def test_new_york_time() -> None:
    (signature,) = verify(FOLDER / "rtplan-item.dcm").signatures
    offset = datetime.fromisoformat(signature.datetime).utcoffset()
    assert offset in (timedelta(hours=-4), timedelta(hours=-5))


def test_certificate_of_odd_length_was_padded() -> None:
    (stored,) = leaves(read("sr"), terms.CERTIFICATE_OF_SIGNER)
    assert stored[:2] == b"\x30\x82"
    assert len(stored) == 4 + int.from_bytes(stored[2:4], "big") + 1
    assert stored[-1:] == b"\0"


# --- what is not trusted ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rtplan-implicit", "sr", "sr-purpose"])
@pytest.mark.parametrize("year", [2019, 2121])
def test_certificate_is_not_valid_then(name: str, year: int, trust: TrustStore) -> None:
    report = verify(read(name), trust=trust, at=datetime(year, 1, 1, tzinfo=UTC))
    assert report.verdict == "indeterminate"
    assert report.signatures[0].integrity == "intact"
    assert report.signatures[0].trust_reason.code == "OUT_OF_BOUNDS_NO_POE"


# --- changed content ----------------------------------------------------------------------------

WHOLE = [n for n in TODAY if n not in ("rtplan-item", "rtplan-deflated")]


@pytest.mark.parametrize("name", WHOLE)
def test_every_changed_element_is_seen(name: str, backend: Any, trust: TrustStore) -> None:
    data = read(name)
    # in implicit VR a search for other VRs follows each change, in Python on either twin: seconds
    # of it on the pure one, which sees every third change therefore
    step = 3 if "implicit" in name and backend.name == "python" else 1
    count = 0
    for what, changed in itertools.islice(tampered(data), 0, None, step):
        report = verify(changed, trust=trust, at=AT)
        assert report.verdict == "failed", what
        assert report.signatures[0].integrity == "altered", what
        count += 1
    assert count >= (1 if name == PRIVATE else 15 // step)


@pytest.mark.parametrize("name", LEGACY)
def test_accepting_the_legacy_form_accepts_no_change(name: str, trust: TrustStore) -> None:
    for what, changed in tampered(read(name)):
        report = verify(changed, trust=trust, at=AT, accept_legacy=True)
        assert report.verdict == "failed", what


@pytest.mark.parametrize("name", [n for n in WHOLE if "two" not in n])
@pytest.mark.parametrize(
    "tag",
    [
        terms.DIGITAL_SIGNATURE_UID,
        terms.DIGITAL_SIGNATURE_DATETIME,
        terms.SIGNATURE,
        terms.MAC_ID_NUMBER,
    ],
)
def test_changed_signature_item_is_seen(
    name: str, tag: int, backend: Any, trust: TrustStore
) -> None:
    """MAC ID, UID and time are part of the stream; the signature value is judged itself."""
    report = verify(tampered_signature(read(name), tag), trust=trust, at=AT)
    assert report.verdict == "failed"
    assert report.signatures[0].integrity == "altered"


def test_changed_item_breaks_its_own_signature(trust: TrustStore) -> None:
    """A signature in an item says nothing of what is around the item."""
    data = read("rtplan-item")
    verdicts = [
        verify(changed, trust=trust, at=AT, unsigned="accept").verdict
        for _, changed in tampered(data)
    ]
    assert verdicts.count("failed") >= 2
    assert verdicts.count("passed") > verdicts.count("failed")
    assert set(verdicts) == {"passed", "failed"}


def test_change_outside_the_list_breaks_one_of_two(trust: TrustStore) -> None:
    data = read("mr-two")
    changed = data.replace(b"4MR1", b"5MR1", 1)  # Patient ID: not in the second one's list
    assert changed != data
    report = verify(changed, trust=trust, at=AT)
    assert report.verdict == "failed"
    assert [s.integrity for s in report.signatures] == ["altered", "intact"]


@pytest.mark.parametrize("name", ["mr-two", "sr", "jpeg"])
def test_second_name_is_seen(name: str, backend: Any, trust: TrustStore) -> None:
    """dcmsign says OK to this file."""
    forged = b"\x10\x00\x10\x00" + b"PN" + b"\x0c\x00" + b"Forged^Name "
    report = verify(insert_after(read(name), PATIENT_NAME, forged), trust=trust, at=AT)
    assert report.verdict == "failed"
    assert "(0010,0010) occurs twice" in report.sentence()


def test_second_name_is_seen_where_no_signature_covers_it(backend: Any, trust: TrustStore) -> None:
    """The signed item is intact, and the object is still one that two readers see differently."""
    forged = b"\x10\x00\x10\x00" + b"\x0c\x00\x00\x00" + b"Forged^Name "  # implicit VR
    report = verify(insert_after(read("rtplan-item"), PATIENT_NAME, forged), trust=trust, at=AT)
    assert report.verdict == "failed"
    assert report.signatures[0].integrity == "intact"
    assert "(0010,0010) occurs twice" in report.sentence()


@pytest.mark.parametrize("name", VECTORS)
def test_removed(name: str, tmp_path: Path) -> None:
    count = len(VECTORS[name]["signatures"])
    assert remove_file(FOLDER / f"{name}.dcm", tmp_path / "r.dcm") == (count, 0)
    assert verify(tmp_path / "r.dcm").verdict == "unsigned"

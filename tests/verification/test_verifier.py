"""What a verification says of good signatures, of sources, and the verdict on the object."""

from __future__ import annotations

import gc
import gzip
import io
import json
import sys
from datetime import UTC, datetime, timedelta, timezone

import pki
import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian

import dicomseal
from dicomseal import ALLOW_WEAK, TrustStore, sign_file, verify
from dicomseal.encoding.limits import Limits
from dicomseal.errors import TrustError, UsageError, VerificationError
from dicomseal.files.part10 import Part10
from dicomseal.signature import certificate
from dicomseal.standard import mac_algorithms, terms


def anchors(*names):
    return TrustStore([pki.member(name).certificate for name in names])


@pytest.fixture
def make(tmp_path):
    """Sign a small object; the bytes of the signed file."""

    def inner(who="rsa", data=None, form="explicit", **options):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(pki.small(form) if data is None else data)
        sign_file(source, target, *pki.member(who).pair, policy=ALLOW_WEAK, **options)
        return target.read_bytes()

    return inner


def only(report):
    (signature,) = report.signatures
    return signature


# --- integrity -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mac", mac_algorithms.MAC_ALGORITHMS)
@pytest.mark.parametrize(("who", "key"), [("rsa", "RSA 2048"), ("ec", "ECDSA secp256r1"),
                                          ("dsa", "DSA 2048")])  # fmt: skip
@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_every_algorithm(backend, make, form, who, key, mac):
    report = verify(make(who, form=form, mac=mac), trust=anchors("root"))
    signature = only(report)
    assert (report.verdict, signature.integrity, signature.trust) == ("passed", "intact", "trusted")
    assert (signature.mac_algorithm, signature.signer.key) == (mac, key)
    assert (signature.integrity_reason, signature.trust_reason) == (None, None)
    assert signature.mac_transfer_syntax == pki.EXPLICIT
    assert (signature.signed_elements, signature.unsigned_elements) == (6, 0)
    weak = (f"MAC {mac}",) if mac in ("RIPEMD160", "MD5", "SHA1") else ()
    assert signature.weak == weak
    assert report.transfer_syntax == pki.SYNTAX_AND_FORM[form][0]


DEEP = "BeamSequence[0].ControlPointSequence[1]"
PLACES = ["", "BeamSequence[0]", "BeamSequence[1]", "BeamSequence[0].ControlPointSequence[0]", DEEP]


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_signatures_at_every_depth_and_several_in_one_place(backend, make, form):
    data = make(form=form, items=PLACES)
    data = make("ec", data=data, items=PLACES[::-1])
    report = verify(data, integrity_only=True)
    found = [(s.location, s.mac_id, s.signer.subject, s.integrity) for s in report.signatures]
    assert sorted(found) == sorted(
        (place, number, f"CN=Test {who}", "intact")
        for place in PLACES
        for number, who in enumerate(("rsa", "ec"))
    )
    assert len({s.uid for s in report.signatures}) == 10


def test_one_bad_signature_among_good_ones(backend, make):
    """What is changed breaks its own signatures and those around it, and no other."""
    data = make(items=PLACES)
    one = pki.encode([(0x300A0112, "IS", b"1 ")])
    assert data.count(one) == 1
    report = verify(data.replace(one, one[:-2] + b"7 "), integrity_only=True)
    assert report.verdict == "failed"
    changed = {s.location for s in report.signatures if s.integrity == "altered"}
    assert changed == {"", "BeamSequence[0]", DEEP}
    assert {s.integrity for s in report.signatures if s.location not in changed} == {"intact"}


HISTORY = [
    (0x00100020, "LO", b"1234"),
    (0x04000561, "SQ", [[(0x04000550, "SQ", [[(0x00100020, "LO", b"9999")]])]]),
]
PAST = "OriginalAttributesSequence[0].ModifiedAttributesSequence[0]"


def test_history_is_reported_and_not_verified(backend, make):
    data = make(data=pki.small(elements=HISTORY), items=PAST)
    for past in (data, data.replace(b"9999", b"9998")):
        report = verify(past, trust=anchors("root"))
        assert report.verdict == "unsigned"
        signature = only(report)
        assert (signature.location, signature.integrity, signature.trust) == (
            PAST, None, "not_checked",
        )  # fmt: skip
        assert "history, not verified" in signature.messages[0]
        assert signature.signer.subject == "CN=Test rsa"
        assert verify(past, require=["signature"]).verdict == "failed"
        now = verify(make("ec", data=past), trust=anchors("root"))
        assert now.verdict == "passed"
        assert {s.integrity for s in now.signatures} == {None, "intact"}


def test_a_vr_that_implicit_vr_left_open(backend, make):
    data = make(data=pki.small(elements=[(0x7FE00010, "OB", bytes(range(16)))]))
    dataset = dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out)
    signature = only(verify(out.getvalue()))
    assert signature.integrity == "intact"
    said = "implicit VR states no VR: signed with PixelData (7FE0,0010) as OB"
    assert signature.messages[0] == said
    assert only(verify(out.getvalue().replace(bytes(range(16)), bytes(16)))).integrity == "altered"


def test_a_stream_with_fragment_lengths(backend, make):
    """As dcmsign made it before 3.5.4: accepted only when asked, and said aloud."""
    fragments = bytes.fromhex("FEFF00E000000000 FEFF00E004000000 01020304 FEFFDDE000000000")
    pixels = bytes.fromhex("E07F1000 4F420000 FFFFFFFF") + fragments
    data = make(data=pki.part10(pki.encode([(0x00100020, "LO", b"1234")]) + pixels, pki.JPEG))
    assert only(verify(data)).integrity == "intact"
    assert only(verify(data)).mac_transfer_syntax == pki.JPEG
    index = Part10.from_bytes(data).index()
    item = next(index.children(index.find(0, terms.DIGITAL_SIGNATURES_SEQUENCE)))
    hasher = dicomseal.canonical.new_hasher("SHA256")
    index.stream(hasher.update, 0, [0x00100020, 0x7FE00010], legacy=True)
    index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
    value = certificate.sign_mac(pki.key("rsa"), hasher.digest(), "SHA256")
    data = data.replace(index.value(index.find(item, terms.SIGNATURE)), value)
    report = verify(data, integrity_only=True)
    assert (report.verdict, only(report).integrity) == ("failed", "altered")
    assert "dcmsign before 3.5.4" in only(report).integrity_reason.message
    report = verify(data, integrity_only=True, accept_legacy=True)
    assert report.verdict == "passed"
    assert "dcmsign before 3.5.4" in only(report).messages[0]


# --- trust and the verdict -----------------------------------------------------------------------

FAR = datetime.now(UTC) + timedelta(days=15)
PAST_TIME = datetime.now(UTC) - timedelta(days=15)
ROOT = "NO_CERTIFICATE_CHAIN_FOUND"
TIME = "OUT_OF_BOUNDS_NO_POE"
# who signs, trust anchors, intermediates, at -> verdict, trust, reason
TRUST = {
    "none given": ("rsa", (), (), None, "indeterminate", "not_checked", None),
    "the root": ("rsa", ("root",), (), None, "passed", "trusted", None),
    "one of two": ("rsa", ("other root", "root"), (), None, "passed", "trusted", None),
    "the wrong root": ("rsa", ("other root",), (), None, "indeterminate", "untrusted", ROOT),
    "another authority": ("other", ("root",), (), None, "indeterminate", "untrusted", ROOT),
    "not reached": ("below", ("root",), (), None, "indeterminate", "untrusted", ROOT),
    "intermediate": ("below", ("root",), ("intermediate",), None, "passed", "trusted", None),
    "intermediate is no anchor": (
        "below", ("other root",), ("intermediate",), None, "indeterminate", "untrusted", ROOT),
    "expired": ("expired", ("root",), (), None, "indeterminate", "untrusted", TIME),
    "expired, at its time": ("expired", ("root",), (), PAST_TIME, "passed", "trusted", None),
    "not yet valid": ("future", ("root",), (), None, "indeterminate", "untrusted", TIME),
    "not yet valid, at its time": ("future", ("root",), (), FAR, "passed", "trusted", None),
    "valid now, judged later": ("rsa", ("root",), (), FAR, "indeterminate", "untrusted", TIME),
    "self-signed anchor": ("root", ("root",), (), None, "passed", "trusted", None),
}  # fmt: skip


@pytest.mark.parametrize("case", TRUST.values(), ids=TRUST)
def test_trust(make, case):
    who, roots, between, at, verdict, trust, reason = case
    data = make(who)
    store = None
    if roots:
        helpers = [pki.member(name).certificate for name in between]
        store = TrustStore([pki.member(name).certificate for name in roots], helpers)
    report = verify(data, trust=store, at=at)
    signature = only(report)
    assert (report.verdict, signature.integrity, signature.trust) == (verdict, "intact", trust)
    if reason is None:
        assert signature.trust_reason is None
    else:
        assert signature.trust_reason.code == reason
        assert f"CN=Test {who}" in signature.trust_reason.message
    broken = verify(data.replace(b"Doe^John", b"Doe^Jane"), trust=store, at=at)
    assert (broken.verdict, only(broken).trust) == ("failed", trust)  # never mixed
    alone = verify(data, trust=store, at=at, integrity_only=True)
    assert (alone.verdict, only(alone).trust) == ("passed", "not_checked")


def test_the_bounds_of_validity_are_inclusive(make):
    cert = pki.member("rsa").certificate
    data, store, second = make(), anchors("root"), timedelta(seconds=1)
    first, last = cert.not_valid_before_utc, cert.not_valid_after_utc
    answers = [
        only(verify(data, trust=store, at=at)).trust
        for at in (first - 2 * second, first, last, last + 2 * second)
    ]
    assert answers == ["untrusted", "trusted", "trusted", "untrusted"]


@pytest.mark.parametrize("at", [datetime.min, datetime.max])
@pytest.mark.parametrize("hours", [-23, 23])
def test_the_ends_of_time(make, at, hours):
    at = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert only(verify(make(), trust=anchors("root"), at=at)).trust == "untrusted"


def test_two_signers_one_untrusted(make):
    data = make("other", data=make("rsa"))
    assert verify(data, trust=anchors("root")).verdict == "indeterminate"
    assert verify(data, trust=anchors("root", "other root")).verdict == "passed"


def test_unsigned():
    data = pki.small()
    for options in ({}, {"trust": anchors("root")}, {"integrity_only": True}):
        report = verify(data, **options)
        assert (report.verdict, report.signatures, report.reasons) == ("unsigned", (), ())
        for require in ("signature", ["signature"]):
            report = verify(data, require=require, **options)
            assert report.verdict == "failed"
            assert report.reasons[0].code == "SIGNED_DATA_NOT_FOUND"


def test_require(make):
    data = make()
    good = verify(data, trust=anchors("root"))
    assert good.require() is good
    for bad, why in (
        (verify(data), "the object: indeterminate"),
        (verify(data, trust=anchors("other root")), "indeterminate: no chain from"),
        (verify(data.replace(b"Doe", b"Roe")), "failed: the signed content is not the present one"),
        (verify(pki.small()), "the object: unsigned"),
        (verify(pki.small(), require=["signature"]), "failed: a signature is required"),
        (verify(b""), "error: the file is empty"),
        (verify("/no/such/file"), "/no/such/file: error: No such file or directory"),
    ):
        with pytest.raises(VerificationError, match=why):
            bad.require()


def test_a_report_is_no_truth_value(make):
    """`if dicomseal.verify(p):` would be true for a forgery."""
    good = verify(make(), trust=anchors("root"))
    forged = verify(make().replace(b"Doe^John", b"Doe^Jane"), trust=anchors("root"))
    unsigned, broken = verify(pki.small()), verify(b"")
    assert [one.passed for one in (good, forged, unsigned, broken)] == [True, *[False] * 3]
    for one in (good, forged, unsigned, broken):
        with pytest.raises(UsageError, match=r"write `\.passed`, or `\.require\(\)`"):
            bool(one)
    with pytest.raises(UsageError, match="integrity == 'intact'"):
        all(forged.signatures)
    assert len([one for one in (good, None) if one is not None]) == 1
    assert (good == forged, good != forged) == (False, True)
    assert "passed" not in json.loads(good.to_json())  # what it was made of is "verdict"


def test_wrong_arguments():
    for options in (
        {"require": ["beauty"]},
        {"at": datetime(2026, 1, 1)},
        {"at": "2026-01-01"},
        {"trust": "ca.pem"},
    ):
        with pytest.raises(UsageError):
            verify(pki.small(), **options)
    for wrong in ((), ["ca.pem"]):
        with pytest.raises(TrustError):
            TrustStore(wrong)
    with pytest.raises(TrustError, match="null byte"):
        TrustStore.from_files("a\0b")


# --- the report ----------------------------------------------------------------------------------


def test_json(make, tmp_path):
    signed_at = pki.NOW.astimezone(timezone(timedelta(hours=1)))  # while its certificate is valid
    data = make(tags=["PatientName"], when=signed_at, uid="2.25.77")
    (tmp_path / "a.dcm").write_bytes(data)
    report = verify(str(tmp_path / "a.dcm"), trust=anchors("root"))
    cert = pki.member("rsa").certificate
    said = json.loads(report.to_json())
    wanted = {
        "path": str(tmp_path / "a.dcm"), "verdict": "passed", "error": None, "bytes": len(data),
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7", "sop_instance_uid": "2.25.1234",
        "transfer_syntax": pki.EXPLICIT,
    }  # fmt: skip
    assert {name: said[name] for name in wanted} == wanted
    (signature,) = said["signatures"]
    wanted = {
        "location": "", "uid": "2.25.77", "mac_id": 0, "datetime": signed_at.isoformat(),
        "mac_algorithm": "SHA256", "mac_transfer_syntax": pki.EXPLICIT, "purpose": None,
        "integrity": "intact", "integrity_reason": None, "trust": "trusted", "trust_reason": None,
        "signer": {
            "subject": "CN=Test rsa", "issuer": "CN=Test root",
            "serial": f"{cert.serial_number:X}",
            "sha256": cert.fingerprint(certificate.hashes.SHA256()).hex(), "key": "RSA 2048",
            "not_before": cert.not_valid_before_utc.isoformat(),
            "not_after": cert.not_valid_after_utc.isoformat(),
        },
        "timestamp": None, "weak": [], "messages": [], "signed_elements": 1, "unsigned_elements": 5,
    }  # fmt: skip
    assert {name: signature[name] for name in wanted} == wanted
    assert "profiles" in signature
    said = json.loads(verify(b"no DICOM, surely").to_json())
    assert (said["verdict"], said["error"]["code"]) == ("error", "not_dicom")


def test_json_of_a_name_that_is_no_utf_8():
    said = json.loads(verify(b"/nowhere/\xff".decode("utf-8", "surrogateescape")).to_json())
    assert said["path"] == "/nowhere/\\xff"


# --- sources -------------------------------------------------------------------------------------


def test_every_source_says_the_same(make, tmp_path):
    data = make("ec", data=make(items=PLACES))
    path = tmp_path / "signed.dcm"
    path.write_bytes(data)
    options = {"trust": anchors("root"), "at": datetime.now(UTC)}
    reference = verify(data, **options)
    assert reference.verdict == "passed"
    with path.open("rb") as file:
        sources = [
            str(path), path, bytearray(data), memoryview(data), io.BytesIO(data), file,
            dcmread(path), dcmread(path).__deepcopy__({}),
        ]  # fmt: skip
        reports = [verify(source, **options) for source in sources]
    for report in reports:
        assert (report.verdict, report.signatures) == ("passed", reference.signatures)
        assert report.sop_instance_uid == "2.25.1234"
    assert [report.path for report in reports] == [str(path)] * 2 + [""] * 6
    assert {report.bytes for report in reports[:6]} == {len(data)}
    with path.open(encoding="latin-1") as file:
        report = verify(file)
    assert (report.verdict, report.error.code) == ("error", "unreadable")
    assert "open it in binary mode" in report.error.message


class Gives:
    def __init__(self, data):
        self.data = data

    def read(self):
        return self.data


def test_a_file_object_may_give_any_bytes():
    for kind in (bytes, bytearray, memoryview):
        assert verify(Gives(kind(pki.small()))).verdict == "unsigned"


def test_what_is_no_source(tmp_path):
    closed = io.BytesIO(b"x")
    closed.close()
    half = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(bytes(99))[:-9]))
    words = io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8")
    for source in (
        5, None, 2.5, [], object(), io.StringIO("x"), words, closed, half, Gives(None), tmp_path,
        memoryview(bytes(99))[::2], "", "a\0b", tmp_path / "none", "x" * 5000,
    ):  # fmt: skip
        report = verify(source)
        assert report.verdict == "error"
        assert report.error.code in ("unreadable", "not_found")
        assert report.error.message


def test_limits(make):
    assert verify(make(), limits=Limits(records=3)).error.code == "limit"


@pytest.mark.parametrize("decoded", [False, True])
def test_a_data_set_with_a_value_too_long_for_explicit_vr(decoded):
    """PS3.5 Section 6.2.2: it becomes UN; the report says what it says of the file."""
    data = pki.part10(pki.encode([(0x00204000, "LT", b"x" * 70000)], True), pki.IMPLICIT)
    dataset = dcmread(io.BytesIO(data))
    if decoded:
        assert len(dataset.ImageComments) == 70000
    assert verify(data).verdict == verify(dataset).verdict == "unsigned"


@pytest.mark.parametrize("der", [b"0\x03abc", b"\x30\x82\x04\x00abc", b""])
def test_reports_leave_no_cycles(make, der, monkeypatch):
    """A cycle would keep the buffer of the file, and end in a BufferError that nobody sees."""
    data = make().replace(pki.member("rsa").der, der.ljust(len(pki.member("rsa").der), b"\1"))
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    gc.collect()
    gc.disable()
    try:
        assert only(verify(data)).integrity == "unverifiable"
        gc.collect()
    finally:
        gc.enable()
    assert unraisable == []


def test_nothing_but_its_own_errors_for_any_cut(make):
    data = make(items=PLACES)
    for size in range(0, len(data), 7):
        report = verify(data[:size])
        assert (report.verdict == "error") == (report.error is not None)

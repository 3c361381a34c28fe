"""Signatures go in and come out again, and every other byte of the object stays."""

from __future__ import annotations

import io
import os
import stat
import struct
from datetime import UTC, datetime

import pki
import pydicom
import pytest
from pydicom import dcmread

from dicomseal import ALLOW_WEAK, remove, remove_file, sign, sign_file, verify
from dicomseal.encoding import _index_py
from dicomseal.errors import KeyFileError, SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature import certificate
from dicomseal.signature.items import encode

FOLDER = os.path.join(os.path.dirname(pydicom.data.__file__), "test_files")
WHEN = datetime(2026, 11, 22, 1, 2, 3, 456789, UTC)
RSA = pki.member("rsa").pair


def _readable():
    """Pydicom's own test files that are DICOM and have something that can be signed."""
    for folder, _, names in sorted(os.walk(FOLDER)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            report = verify(path)
            if report.verdict != "error" and report.sop_instance_uid:
                yield os.path.relpath(path, FOLDER)


READABLE = list(_readable())
# the elements of these are UN, and dcmread gives those it looks at (SOP Class UID) their VR back
VR_FOUND_AGAIN = ("rtdose_rle.dcm", "rtdose_rle_1frame.dcm")


@pytest.fixture
def files(tmp_path):
    """A file to sign, and a place for the signed one."""
    source = tmp_path / "in.dcm"
    source.write_bytes(pki.small())
    return source, tmp_path / "out.dcm"


def read(name):
    with open(os.path.join(FOLDER, name), "rb") as file:
        return file.read()


def body(data):
    """The data set in a file, inflated, and what stands before it."""
    part10 = Part10.from_bytes(data)
    return bytes(part10.source[part10.start :]), part10.head


def without_signatures(data):
    """The data set of a file, its two top-level sequences cut out by their records."""
    part10 = Part10.from_bytes(data)
    index = _index_py.Index(
        part10.source, part10.start, implicit=part10.implicit, big_endian=part10.big_endian
    )
    out, position = b"", part10.start
    for tag in (0x4FFE0001, 0xFFFAFFFA):
        record = index.record(index.find(0, tag))
        out += bytes(part10.source[position : record.start])
        position = record.end
    return out + bytes(part10.source[position:]), part10.head


def signature_values(source):
    return [item.Signature for item in source.DigitalSignaturesSequence]


# --- real files ----------------------------------------------------------------------------------


def test_there_are_enough_of_every_kind():
    syntaxes = [verify(os.path.join(FOLDER, name)).transfer_syntax for name in READABLE]
    assert len(READABLE) >= 100
    assert {pki.EXPLICIT, pki.IMPLICIT, pki.BIG, pki.JPEG, pki.EXPLICIT + ".99"} <= set(syntaxes)
    bare = [n for n in READABLE if read(n)[128:132] != b"DICM"]
    assert len(bare) >= 2


# elements that say what the pixels mean have the VR UN in them, so no signature can cover these
UNKNOWN_MEANINGS = {"rtdose_rle.dcm", "rtdose_rle_1frame.dcm"}


def verdict_of(name):
    return "indeterminate" if name in UNKNOWN_MEANINGS else "passed"


def named(data: bytes) -> str:
    """The encoding that somebody who holds a bare data set knows."""
    return "" if data[128:132] == b"DICM" else Part10.from_bytes(data).transfer_syntax


@pytest.mark.parametrize("name", READABLE)
def test_into_a_real_file_and_out_again(files, tmp_path, name):
    _, target = files
    original = read(name)
    (uid,) = sign_file(os.path.join(FOLDER, name), target, *RSA, when=WHEN)
    signed = target.read_bytes()
    syntax = named(original)
    report = verify(signed, integrity_only=True, transfer_syntax=syntax)
    assert (report.verdict, len(report.signatures)) == (verdict_of(name), 1)
    assert report.signatures[0].uid == uid
    assert [reason.code for reason in report.reasons] == ["UNSIGNED_CONTENT"] * len(
        UNKNOWN_MEANINGS & {name}
    )
    assert bool(uid.telling) is (name in UNKNOWN_MEANINGS)
    assert (
        verify(signed, integrity_only=True, unsigned="accept", transfer_syntax=syntax).verdict
        == "passed"
    )
    assert without_signatures(signed) == body(original)
    assert remove_file(target, tmp_path / "back.dcm") == (1, 0)
    assert (tmp_path / "back.dcm").read_bytes() == original
    assert sorted(os.listdir(tmp_path)) == ["back.dcm", "in.dcm", "out.dcm"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READABLE)
def test_a_data_set_gets_the_same_signature(tmp_path, name):
    """Read by pydicom and not decoded; what it saves verifies."""
    path, target = os.path.join(FOLDER, name), tmp_path / "out.dcm"
    sign_file(path, target, *RSA, uid="2.25.7", when=WHEN)
    dataset = dcmread(path, force=True)
    assert sign(dataset, *RSA, uid="2.25.7", when=WHEN) == "2.25.7"
    expected = verify(target.read_bytes(), integrity_only=True).signatures
    report = verify(dataset, integrity_only=True)
    assert report.verdict == verdict_of(name)
    same = signature_values(dataset) == signature_values(dcmread(target, force=True))
    assert same == (name not in VR_FOUND_AGAIN)
    if same:
        assert report.signatures[0].signed_elements == expected[0].signed_elements
    out = io.BytesIO()
    dataset.save_as(out)
    written = out.getvalue()
    verified = verify(written, integrity_only=True, transfer_syntax=named(written))
    assert verified.verdict == verdict_of(name)
    assert remove(dataset) == (1, 0)
    assert verify(dataset).verdict == "unsigned"


# --- places --------------------------------------------------------------------------------------

DEEP = "BeamSequence[0].ControlPointSequence[1]"
PLACES = ["", "BeamSequence[0]", "BeamSequence[-1]", "300a,00b0[0].(300A,0111)[0]", DEEP]
LAST = [  # sequences that end where what holds them ends
    (0x00100020, "LO", b"1234"),
    (0x300A00B0, "SQ", [[(0x300A00C0, "IS", b"1 "),
                         (0x300A0111, "SQ", [[(0x300A0112, "IS", b"0 ")]])]]),
]  # fmt: skip


def variants(elements):
    native = [pki.small(form, elements) for form in pki.SYNTAX_AND_FORM]
    return [*native, pki.part10(pki.undefined(elements))]


FORMS = [*pki.SYNTAX_AND_FORM, "undefined"]


@pytest.mark.parametrize("data", variants(pki.SMALL), ids=FORMS)
def test_items(files, data):
    source, target = files
    source.write_bytes(data)
    for place in PLACES:
        sign_file(source, target, *RSA, items=place)
        (signature,) = verify(target, integrity_only=True).signatures
        assert signature.integrity == "intact"
        assert signature.location.count("[") == place.count("[")
        remove_file(target, target)
        assert target.read_bytes() == data
    uids = sign_file(source, target, *RSA, items=PLACES)
    report = verify(target, integrity_only=True)
    assert report.verdict == "passed"
    assert {s.uid for s in report.signatures} == set(uids)
    assert dcmread(target).BeamSequence[0].ControlPointSequence[1].DigitalSignaturesSequence
    assert remove_file(target, target) == (5, 0)
    assert target.read_bytes() == data


@pytest.mark.parametrize("data", variants(LAST), ids=FORMS)
@pytest.mark.parametrize("turn", [1, -1])
def test_items_that_end_together(files, data, turn):
    """Several signatures go in at the same offset; the innermost must come first."""
    source, target = files
    source.write_bytes(data)
    places = ["", "BeamSequence[0]", "BeamSequence[0].ControlPointSequence[0]"][::turn]
    for _ in range(2):
        sign_file(source if not target.exists() else target, target, *RSA, items=places)
        report = verify(target, integrity_only=True)
        assert report.verdict == "passed"
        assert {s.location for s in report.signatures} == set(places)
    assert remove_file(target, target) == (6, 0)
    assert target.read_bytes() == data


def test_an_empty_item_gets_nothing(files):
    source, target = files
    source.write_bytes(pki.small(elements=[(0x300A00B0, "SQ", [[]])]))
    with pytest.raises(SigningError, match="no element that can be signed"):
        sign_file(source, target, *RSA, items="BeamSequence[0]")


def group_lengths(elements, groups=(0x0008, 0x0010, 0x300A, 0x7FE0)):
    """The same with a right group length before each of the groups, at every depth."""
    out = []
    for group in sorted({tag >> 16 for tag, _, _ in elements}):
        inside = [
            (tag, vr, [group_lengths(item, groups) for item in value] if vr == "SQ" else value)
            for tag, vr, value in elements
            if tag >> 16 == group
        ]
        if group in groups:
            out.append((group << 16, "UL", struct.pack("<L", len(encode(inside)))))
        out += inside
    return out


def read_elements(data):
    """Elements as `encode` takes them, group lengths left out."""

    def plain(dataset):
        raw = [dataset.get_item(tag) for tag in sorted(dataset.keys()) if tag.element]
        return [
            (int(e.tag), e.VR, [plain(i) for i in dataset[e.tag]] if e.VR == "SQ" else e.value)
            for e in raw
        ]

    return plain(dcmread(io.BytesIO(data)))


def test_group_lengths_follow(files):
    source, target = files
    source.write_bytes(pki.part10(encode(group_lengths(pki.SMALL))))
    sign_file(source, target, *RSA, items=["BeamSequence[0]", DEEP])
    data = target.read_bytes()
    assert body(data)[0] == encode(group_lengths(read_elements(data)))
    remove_file(target, target)
    assert target.read_bytes() == source.read_bytes()


def test_group_lengths_of_the_signature_sequences_follow(files):
    source, target = files
    sign_file(source, target, *RSA)
    groups = (0x4FFE, 0xFFFA)
    once = pki.part10(encode(group_lengths(read_elements(target.read_bytes()), groups)))
    source.write_bytes(once)
    assert verify(source, integrity_only=True).verdict == "passed"
    sign_file(source, target, *RSA, uid="2.25.99")
    data = target.read_bytes()
    assert body(data)[0] == encode(group_lengths(read_elements(data), groups))
    assert remove_file(target, target, "2.25.99") == (1, 1)
    assert target.read_bytes() == once


# --- several signatures --------------------------------------------------------------------------


def test_mac_ids_do_not_clash(files):
    source, target = files
    sign_file(source, target, *RSA)
    uids = [verify(target).signatures[0].uid]
    for who in ("ec", "dsa", "weak"):
        uids += sign_file(target, target, *pki.member(who).pair, policy=ALLOW_WEAK)
    report = verify(target, integrity_only=True)
    assert report.verdict == "passed"
    assert [(s.uid, s.mac_id) for s in report.signatures] == list(zip(uids, range(4), strict=True))
    assert remove_file(target, target, uids[1]) == (1, 3)
    report = verify(target, integrity_only=True)
    assert [(s.integrity, s.mac_id) for s in report.signatures] == [
        ("intact", 0), ("intact", 2), ("intact", 3),
    ]  # fmt: skip
    sign_file(target, target, *RSA)
    assert sorted(s.mac_id for s in verify(target).signatures) == [0, 1, 2, 3]
    with pytest.raises(SigningError, match=r"no signature has the UID 1\.2\.3") as caught:
        remove_file(target, target, "1.2.3")
    assert caught.value.code == "not_found"
    assert remove_file(target, target) == (4, 0)
    assert target.read_bytes() == source.read_bytes()


def test_a_mac_item_that_is_shared_stays(files):
    """Two signatures with the same parameters may use one MAC Parameters item."""
    source, target = files
    sign_file(source, target, *RSA, uid="2.25.1")
    dataset = dcmread(target)
    mac, first = dataset.MACParametersSequence, dataset.DigitalSignaturesSequence[0]
    del dataset.MACParametersSequence, dataset.DigitalSignaturesSequence
    sign(dataset, *RSA, uid="2.25.2")
    dataset.MACParametersSequence = mac
    dataset.DigitalSignaturesSequence.insert(0, first)
    dataset.save_as(target)
    assert verify(target, integrity_only=True).verdict == "passed"
    for left in ("2.25.1", "2.25.2"):
        gone = "2.25.2" if left == "2.25.1" else "2.25.1"
        assert remove_file(target, source, gone) == (1, 1)
        report = verify(source, integrity_only=True)
        assert (report.verdict, report.signatures[0].uid) == ("passed", left)
        assert len(dcmread(source).MACParametersSequence) == 1
        copy = dcmread(target)
        assert remove(copy, gone) == (1, 1)
        assert verify(copy, integrity_only=True).verdict == "passed"


def test_history_stays(files):
    source, target = files
    past = "OriginalAttributesSequence[0].ModifiedAttributesSequence[0]"
    old = [(0x04000561, "SQ", [[(0x04000550, "SQ", [[(0x00100020, "LO", b"9999")]])]])]
    source.write_bytes(pki.small(elements=[pki.SMALL[3], *old]))
    sign_file(source, source, *RSA, items=past)
    sign_file(source, target, *RSA)
    assert remove_file(target, target) == (1, 0)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(SigningError, match="there is no signature"):
        remove_file(source, target)
    dataset = dcmread(source)
    sign(dataset, *RSA)
    assert remove(dataset) == (1, 0)
    assert len(verify(dataset).signatures) == 1


def test_in_place_keeps_permissions_and_links(files):
    source, target = files
    source.chmod(0o640)
    target.symlink_to(source)
    sign_file(target, target, *RSA)
    assert target.is_symlink()
    assert stat.S_IMODE(source.stat().st_mode) == 0o640
    assert verify(source, integrity_only=True).verdict == "passed"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("mode", "copy"), [(0o640, 0o640), (0o600, 0o600), (0o444, 0o644)])
def test_a_copy_can_be_read_by_nobody_else(files, mode, copy):
    """As `cp` has it, and its owner may write it; also where signatures are removed."""
    source, target = files
    source.chmod(mode)
    mask = os.umask(0o022)
    try:
        sign_file(source, target, *RSA)
        remove_file(target, target.with_suffix(".plain"))
    finally:
        os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == copy
    assert stat.S_IMODE(target.with_suffix(".plain").stat().st_mode) == copy


# --- what is signed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [["PatientID", "PatientName"], ["0010,0020", "(0010,0010)"], [0x00100020, 0x00100010],
     iter(["00100010", "PatientID", "PatientID"])],
)  # fmt: skip
def test_chosen_tags(files, tags):
    source, target = files
    sign_file(source, target, *RSA, tags=tags)
    (signature,) = verify(target).signatures
    assert (signature.signed_elements, signature.unsigned_elements) == (2, 4)
    listed = dcmread(target).MACParametersSequence[0].DataElementsSigned
    assert listed == [0x00100010, 0x00100020]


def test_what_is_written(files):
    source, target = files
    sign_file(source, target, *RSA, uid="2.25.42", when=WHEN, mac="SHA384")
    dataset = dcmread(target)
    (mac,), (signature,) = dataset.MACParametersSequence, dataset.DigitalSignaturesSequence
    assert (mac.MACIDNumber, mac.MACAlgorithm) == (0, "SHA384")
    assert mac.MACCalculationTransferSyntaxUID == pki.EXPLICIT
    assert list(mac.DataElementsSigned) == [tag for tag, _, _ in pki.SMALL]
    assert signature.MACIDNumber == 0
    assert signature.DigitalSignatureUID == "2.25.42"
    assert str(signature.DigitalSignatureDateTime) == "20261122010203.456789+0000"
    assert signature.CertificateType == "X509_1993_SIG"
    assert signature.CertificateOfSigner.rstrip(b"\0") == pki.member("rsa").der.rstrip(b"\0")
    assert len(signature.Signature) == 256
    assert verify(target).signatures[0].datetime == "2026-11-22T01:02:03.456789+00:00"


def test_time_and_uid_of_themselves(files):
    source, target = files
    uids = {uid for _ in range(3) for uid in sign_file(source, target, *RSA)}
    assert len(uids) == 3
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
    said = datetime.fromisoformat(verify(target).signatures[0].datetime)
    assert abs((datetime.now(UTC) - said).total_seconds()) < 60


def test_a_key_elsewhere(files):
    source, target = files

    class Token:
        def sign(self, digest, algorithm):
            return certificate.sign_mac(RSA[0], digest, algorithm)

    sign_file(source, target, Token(), RSA[1])
    assert verify(target, integrity_only=True).verdict == "passed"
    target.unlink()
    Token.sign = lambda *_: b"garbage"
    with pytest.raises(KeyFileError, match="does not verify"):
        sign_file(source, target, Token(), RSA[1])
    assert not target.exists()

"""What looks unsigned and is not whole: stripped, cut, read in part. Never plain `unsigned`."""

from __future__ import annotations

import io
import os
import re
import struct

import pki
import pydicom
import pytest
from pydicom import dcmread
from pydicom.filereader import read_partial
from pydicom.sequence import Sequence

from dicomseal import TrustStore, remove, sign_file, verify
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode

CODE = "SIGNED_DATA_NOT_FOUND"
IMAGE = [
    *pki.SMALL[:-1],
    (0x00280010, "US", struct.pack("<H", 2)),
    (0x00280011, "US", struct.pack("<H", 4)),
    (0x00280100, "US", struct.pack("<H", 16)),
    pki.SMALL[-1],
]
IMAGE.sort()
SIGNATURES, MAC = "DigitalSignaturesSequence", "MACParametersSequence"


@pytest.fixture
def signed(tmp_path):
    """Sign an object; its bytes."""

    def inner(form="explicit", elements=IMAGE, who="rsa", **options):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(pki.small(form, elements))
        sign_file(source, target, *pki.member(who).pair, **options)
        return target.read_bytes()

    return inner


def edited(data, edit):
    dataset = dcmread(io.BytesIO(data))
    edit(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def root():
    return TrustStore([pki.member("root").certificate])


def lacks(source, *said):
    """It is not called unsigned, and it is said what is missing."""
    report = verify(source, trust=root())
    assert report.verdict == "indeterminate", report
    assert [one.code for one in report.reasons] == [CODE]
    for one in said:
        assert any(one in message for message in report.messages), report.messages
    demanded = verify(source, trust=root(), require="signature")
    assert demanded.verdict == "failed"
    assert demanded.messages == report.messages
    assert verify(source, integrity_only=True).verdict == "indeterminate"
    return report


ORPHAN = "MAC Parameters of MAC ID 0 are present, and no signature that uses them"


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_a_stripped_signature_whose_mac_parameters_remain(backend, signed, form, how):
    def strip(dataset):
        if how == "removed":
            delattr(dataset, SIGNATURES)
        else:
            setattr(dataset, SIGNATURES, [])

    lacks(edited(signed(form), strip), ORPHAN)


def test_emptied_mac_parameters(signed):
    def strip(dataset):
        delattr(dataset, SIGNATURES)
        setattr(dataset, MAC, [])

    lacks(edited(signed(), strip), "MAC Parameters are present, and no signature")


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_in_an_item(backend, signed, form):
    data = signed(form, items="BeamSequence[1]")
    lacks(
        edited(data, lambda d: delattr(d.BeamSequence[1], SIGNATURES)),
        "MAC Parameters of MAC ID 0 are present in BeamSequence[1], and no signature",
    )


def test_mac_parameters_of_the_past_are_no_trace(signed):
    """Original Attributes Sequence holds a former state."""

    def edit(dataset):
        past = pydicom.Dataset()
        setattr(past, MAC, getattr(dataset, MAC))
        delattr(dataset, MAC)
        delattr(dataset, SIGNATURES)
        former = pydicom.Dataset()
        former.ModifiedAttributesSequence = Sequence([past])
        dataset.OriginalAttributesSequence = Sequence([former])

    report = verify(edited(signed(), edit))
    assert (report.verdict, report.messages) == ("unsigned", ())


def test_one_of_two_signatures_stripped(signed, tmp_path):
    """The other one still passes: a message alone, as nothing that is there is in doubt."""
    source, target = tmp_path / "one.dcm", tmp_path / "two.dcm"
    source.write_bytes(signed())
    sign_file(source, target, *pki.member("ec").pair)
    assert verify(target, trust=root()).messages == ()
    data = edited(target.read_bytes(), lambda d: getattr(d, SIGNATURES).pop())
    report = verify(data, trust=root())
    assert report.verdict == "passed"
    assert [ORPHAN.replace("ID 0", "ID 1") in one for one in report.messages] == [True]


def test_bytes_that_look_like_the_tag_are_none():
    for data in (b"\xfe\x4f\x01\x00SQ", b"\x4f\xfe\x00\x01SQ"):
        small = pki.small(elements=[*pki.SMALL[:-1], (0x7FE00010, "OW", data)])
        assert verify(small).messages == ()


# --- cut ------------------------------------------------------------------------------------------


def cut_at(data, tag):
    """As where a transfer broke off, or a reader stopped, between two elements."""
    part10 = Part10.from_bytes(data)
    index = part10.index()
    number = next(n for n in index.children(0) if index.record(n).tag >= tag)
    return data[: index.record(number).start]


def test_cut_between_any_two_elements(signed):
    """Wherever it is cut it is not called plain unsigned: it is said what is missing."""
    data = signed()
    index = Part10.from_bytes(data).index()
    seen = set()
    for number in index.children(0):
        tag = index.record(number).tag
        report = verify(data[: index.record(number).start], trust=root())
        assert (report.verdict, bool(report.messages)) != ("unsigned", False) or tag <= 0x00280100
        if tag > 0x00280100:
            assert report.verdict == "indeterminate", hex(tag)
            seen.add(tag)
    assert seen == {0x300A00B0, 0x4FFE0001, 0x7FE00010, 0xFFFAFFFA}


def test_what_is_cut_before_the_mac_parameters(signed):
    lacks(cut_at(signed(), 0x4FFE0001), "PixelData (7FE0,0010) is missing, though the object is an")
    lacks(cut_at(signed(), 0x7FE00010), ORPHAN, "PixelData (7FE0,0010) is missing")
    lacks(cut_at(signed(), 0xFFFAFFFA), ORPHAN)


@pytest.mark.parametrize(
    ("sop_class", "said"),
    [
        ("9.1.1", "WaveformSequence (5400,0100)"),
        ("88.11", "ValueType (0040,A040)"),
        ("104.1", "EncapsulatedDocument (0042,0011)"),
        ("481.3", "RTROIObservationsSequence (3006,0080)"),
    ],
)
def test_what_a_sop_class_must_have(sop_class, said):
    uid = f"1.2.840.10008.5.1.4.1.1.{sop_class}".encode()
    uid += b"\0" * (len(uid) % 2)
    elements = [(0x00080016, "UI", uid), *pki.SMALL[1:4]]
    lacks(pki.small(elements=elements), f"{said} is missing, though the object is of SOP Class")


@pytest.mark.parametrize("elements", [[], [(0x00080005, "CS", b"ISO_IR 100")]])
def test_hardly_begun(elements):
    """Nothing says that it is an object; so it is unsigned, and that is said."""
    report = verify(pki.small(elements=elements))
    assert report.verdict == "unsigned"
    assert "has no SOP Instance UID (0008,0018): was it cut?" in report.messages[0]


def test_an_image_whose_pixels_are_elsewhere():
    for tag, vr in ((0x00287FE0, "UR"), (0x7FE00008, "OF"), (0x7FE00009, "OD")):
        elements = sorted([*IMAGE[:-1], (tag, vr, b"http://x")])
        assert verify(pki.small(elements=elements)).messages == ()


def test_whole_objects_are_unsigned(test_files):
    for name in ("CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm", "rtdose.dcm"):
        path = os.path.join(test_files, name)
        for source in (path, dcmread(path)):
            report = verify(source)
            assert (report.verdict, report.reasons) == ("unsigned", ())
            assert not re.search("missing|to its end|cut|taken out", " ".join(report.messages))


# --- read in part ---------------------------------------------------------------------------------

PARTS = {
    "stop_before_pixels": {"stop_before_pixels": True},
    "specific tags": {"specific_tags": ["PatientName"]},
    "specific tags, its UIDs too": {"specific_tags": ["SOPClassUID", "SOPInstanceUID"]},
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", ["path", "buffer", "file"])
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_data_set_that_was_read_in_part(signed, tmp_path, part, kind, is_signed):
    """Whatever the file holds: its reader did not see it."""
    path = tmp_path / "object.dcm"
    path.write_bytes(signed() if is_signed else pki.small(elements=IMAGE))
    if kind == "file":
        with path.open("rb") as file:
            dataset = dcmread(file, **PARTS[part])
    else:
        dataset = dcmread(path if kind == "path" else io.BytesIO(path.read_bytes()), **PARTS[part])
    lacks(dataset, "the data set was not read to its end, or elements were taken out")


def test_a_data_set_whose_file_has_gone(signed, tmp_path):
    """Then it tells by itself; and what it defers cannot be read."""
    path = tmp_path / "object.dcm"
    path.write_bytes(signed())
    part = dcmread(path, stop_before_pixels=True)
    deferred = dcmread(path, defer_size=8)
    path.unlink()
    lacks(part, ORPHAN, "PixelData (7FE0,0010) is missing")
    report = verify(deferred)
    assert (report.verdict, report.error.code) == ("error", "unreadable")
    assert "the data set was not read to its end: SOPClassUID (0008,0016) and" in (
        report.error.message
    )


def test_a_value_that_cannot_be_written_is_no_deferred_one():
    dataset = dcmread(io.BytesIO(pki.small()))
    dataset.add_new(0x00280010, "US", "many")
    message = verify(dataset).error.message
    assert "(0028,0010)" in message
    assert "read to its end" not in message


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_of_a_file_that_tells_nothing_any_more(signed, tmp_path, how):
    """Nothing is there that a signature leaves, and what it was read from cannot be asked."""
    path = tmp_path / "object.dcm"
    path.write_bytes(signed(elements=pki.SMALL[:-1]))
    part = dcmread(path, specific_tags=["PatientName", "SOPInstanceUID"])
    path.unlink() if how == "gone" else os.utime(path, (1, 1))
    report = verify(part)
    assert report.verdict == "unsigned"
    (said,) = report.messages
    assert "object.dcm has gone or changed since the data set was read from it" in said


@pytest.mark.parametrize("kind", ["path", "buffer"])
def test_stopped_before_the_mac_parameters(signed, tmp_path, kind):
    """What is lacking are the signatures alone: they may have been taken out, or not been read."""
    path = tmp_path / "object.dcm"
    path.write_bytes(signed(elements=pki.SMALL[:-1]))
    with path.open("rb") if kind == "path" else io.BytesIO(path.read_bytes()) as file:
        part = read_partial(file, stop_when=lambda tag, *_: tag >= 0x4FFE0001)
        assert SIGNATURES not in part
        name = str(path) if kind == "path" else "the buffer"
        lacks(
            part,
            f"{name} is signed, and the data set that was read from it is not: its signatures were "
            "taken out since, or it was not read to its end",
        )


@pytest.mark.parametrize(
    "tags", [[SIGNATURES], [SIGNATURES, MAC], [SIGNATURES, "PatientName"]], ids=str
)
@pytest.mark.parametrize("who", ["rsa", "ec"])
def test_signatures_without_what_they_are_over(signed, tags, who):
    data = signed(who=who)
    part = dcmread(io.BytesIO(data), specific_tags=tags)
    report = verify(part, trust=root())
    (signature,) = report.signatures
    assert (signature.integrity, signature.integrity_reason.code) == ("unverifiable", CODE)
    assert "it was not read to its end" in signature.integrity_reason.message
    assert report.verdict == "indeterminate"
    for tag in (MAC,) if MAC not in tags else ():  # of a file it is broken
        assert verify(edited(data, lambda d, tag=tag: delattr(d, tag))).verdict == "failed"


def test_a_data_set_without_its_signatures_is_unsigned(signed, tmp_path):
    path = tmp_path / "object.dcm"
    path.write_bytes(signed())
    dataset = dcmread(path)
    remove(dataset)
    report = verify(dataset)
    assert report.verdict == "unsigned"
    (said,) = report.messages
    assert "object.dcm is signed, and the data set that was read from it is not" in said
    dataset.filename = None  # it is one of its own
    assert verify(dataset).messages == ()


@pytest.mark.parametrize("who", ["rsa", "ec"])
def test_a_list_that_names_what_was_not_read(signed, who):
    """Not *the content was changed*: the signature is there, and what it is over is not."""
    tags = ["PatientName", "SOPInstanceUID", MAC, SIGNATURES]
    data = signed(who=who)
    part = dcmread(io.BytesIO(data), specific_tags=tags)
    (signature,) = verify(part, trust=root()).signatures
    assert (signature.integrity, signature.integrity_reason.code) == ("unverifiable", CODE)
    assert (
        "PixelData (7FE0,0010), listed as signed"
        in signature.integrity_reason.message.replace(" and 1 more", "")
        or " more, listed as signed" in signature.integrity_reason.message
    )
    assert verify(part, trust=root()).verdict == "indeterminate"
    gone = edited(data, lambda d: delattr(d, "PixelData"))
    assert verify(gone, trust=root()).verdict == "failed"  # of a file it is a change
    changed = dcmread(io.BytesIO(data))
    changed.PatientName = "Else"
    assert verify(changed, trust=root()).verdict == "failed"  # all of it is there


def test_another_key_is_no_part(signed):
    """What was not signed by this key is not, however little of it was read."""
    data = bytearray(signed())
    at = bytes(data).index(pki.member("rsa").certificate.signature)  # of the certificate: kept
    index = Part10.from_bytes(bytes(data)).index()
    item = next(index.children(index.find(0, 0xFFFAFFFA)))
    value = index.record(index.find(item, 0x04000120)).value
    data[value] ^= 1
    assert at != value
    part = dcmread(io.BytesIO(bytes(data)), specific_tags=["PatientName", MAC, SIGNATURES])
    (signature,) = verify(part).signatures
    assert (signature.integrity, signature.integrity_reason.code) == (
        "altered", "SIG_CRYPTO_FAILURE",
    )  # fmt: skip


def test_encoded_in_a_syntax_that_is_deflated(signed):
    """The bytes that are searched are those that were inflated."""
    data = edited(signed(), lambda d: delattr(d, SIGNATURES))
    part10 = Part10.from_bytes(data)
    from zlib import MAX_WBITS, compressobj

    deflater = compressobj(wbits=-MAX_WBITS)
    raw = deflater.compress(data[part10.start :]) + deflater.flush()
    uid = b"1.2.840.10008.1.2.1.99"
    meta = encode([(0x00020010, "UI", uid)])
    deflated = bytes(128) + b"DICM" + meta + raw + b"\0" * (len(raw) % 2)
    report = verify(deflated)
    assert any(ORPHAN in one for one in report.messages), report

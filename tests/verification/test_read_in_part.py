"""A data set of which its reader kept a part: it says so, whatever is signed, and never `unsigned`.

What is read by halves is neither unsigned nor changed: nobody knows. What was read to its end, and
lacks an element all the same, was changed.
"""

from __future__ import annotations

import copy
import io
import pickle

import pki
import pydicom
import pytest
from _loaded import an_object
from pydicom import Dataset, dcmread
from pydicom.filereader import read_partial

import dicomseal
from dicomseal import remove, sign, verify

CODE = "SIGNED_DATA_NOT_FOUND"
SIGNATURES, MAC = "DigitalSignaturesSequence", "MACParametersSequence"
# every way of pydicom to leave something out, from the first element to the last
WAYS = {
    "stop_before_pixels": {"stop_before_pixels": True},
    "no tags": {"specific_tags": ["PatientSex"]},
    "one tag": {"specific_tags": ["PatientName"]},
    "the MAC Parameters": {"specific_tags": [MAC]},
    "the signatures": {"specific_tags": [SIGNATURES]},
    "both": {"specific_tags": [MAC, SIGNATURES]},
    "both and one tag": {"specific_tags": ["PatientName", MAC, SIGNATURES]},
    "all but the pixels": {"specific_tags": [
        "SOPClassUID", "SOPInstanceUID", "PatientName", "PatientID", "BeamSequence", MAC,
        SIGNATURES,
    ]},
}  # fmt: skip
FORMS = sorted(pki.SYNTAX_AND_FORM)
STOPS = [
    0x00080016, 0x00080018, 0x00100010, 0x00100020, 0x300A00B0, 0x4FFE0001, 0x7FE00010, 0xFFFAFFFA,
]  # fmt: skip


def not_whole(part, *, of_items=False):
    """The object is in doubt because a part is missing, and nothing is called changed."""
    for options in ({}, {"integrity_only": True}):
        report = verify(part, **options)
        assert report.verdict == "indeterminate", report
        said = [*report.messages, *(one.message for one in report.reasons)]
        for signature in report.signatures:
            if signature.location:
                assert signature.integrity == "intact"
                continue
            assert signature.integrity == "unverifiable", signature
            assert signature.integrity_reason.code == CODE
            said.append(signature.integrity_reason.message)
        assert any("read to its end" in one for one in said), report
        assert not any("was changed" in one for one in said)
    assert verify(part, require="signature").verdict != "unsigned"


@pytest.mark.parametrize("who", ["rsa", "ec"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_by_pydicom(tmp_path, form, way, who):
    path = tmp_path / "object.dcm"
    path.write_bytes(an_object(who, form))
    with path.open("rb") as file:
        for source in (path, file, io.BytesIO(path.read_bytes())):
            not_whole(dcmread(source, **WAYS[way]))
    part = dcmread(path, **WAYS[way])
    for _ in part.iterall():
        pass
    not_whole(part)
    not_whole(copy.deepcopy(part))


@pytest.mark.parametrize("stop", STOPS, ids=hex)
@pytest.mark.parametrize("form", FORMS)
def test_stopped_at_any_element(form, stop):
    file = io.BytesIO(an_object(form=form))
    not_whole(read_partial(file, stop_when=lambda tag, *_: tag >= stop))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["path", "bytes"])
def test_by_dicomseal(tmp_path, way, kind):
    """It holds no file or buffer that could be asked, but knows what it was told to leave out."""
    path = tmp_path / "object.dcm"
    path.write_bytes(an_object())
    source = path if kind == "path" else path.read_bytes()
    part = dicomseal.dcmread(source, integrity_only=True, **WAYS[way])
    assert part.seal.passed
    path.unlink()  # the verified bytes are not asked either
    for one in (part, copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        not_whole(one)


@pytest.mark.parametrize("is_signed", [True, False])
def test_whole_and_then_without_its_signatures(is_signed):
    dataset = dicomseal.dcmread(an_object() if is_signed else pki.small(), integrity_only=True)
    if is_signed:
        delattr(dataset, SIGNATURES), delattr(dataset, MAC)
    report = verify(dataset)
    assert report.verdict == "unsigned"
    said = "what the data set was read from is signed: its signatures were taken out since"
    assert report.messages == ((said,) if is_signed else ())


def test_a_file_that_has_gone():
    """Deferred values cannot be had, and a part tells by what it lacks."""
    held = dicomseal.dcmread(an_object(), integrity_only=True, defer_size=16)
    assert verify(held, integrity_only=True).passed  # from the bytes that were verified
    held.buffer = None
    report = verify(held, integrity_only=True)
    assert report.verdict == "error"
    assert "the data set was not read to its end" in report.error.message


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("who", ["rsa", "ec"])
def test_what_the_file_lacks_too_was_changed(form, who, tmp_path):
    """It was read to its end: as of the file, it is a change."""
    path = tmp_path / "object.dcm"
    dataset = dcmread(io.BytesIO(an_object(who, form)))
    del dataset.PatientName
    dataset.save_as(path)
    for source in (path, io.BytesIO(path.read_bytes())):
        read = dcmread(source)
        (signature,) = verify(read, integrity_only=True).signatures
        assert (signature.integrity, signature.integrity_reason.code) == verdict_of(path)
        assert signature.integrity == "altered"


def verdict_of(path):
    (signature,) = verify(path, integrity_only=True).signatures
    return signature.integrity, signature.integrity_reason.code


def test_what_was_never_read_is_all_there_is():
    built = Dataset()
    built.SOPClassUID, built.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66", "1.2.3"
    built.PatientName, built.PatientID = "A^B", "1"
    sign(built, *pki.member("rsa").pair)
    del built.PatientName
    (signature,) = verify(built, integrity_only=True).signatures
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "HASH_FAILURE")
    del built.MACParametersSequence
    (signature,) = verify(built, integrity_only=True).signatures
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "FORMAT_FAILURE")


def test_an_item_is_never_read_in_part():
    """Not even with `specific_tags`: what it lacks was taken out of it."""
    part = dcmread(
        io.BytesIO(an_object(items="BeamSequence[0]")), specific_tags=["BeamSequence", MAC]
    )
    (signature,) = verify(part, integrity_only=True).signatures
    assert (signature.location, signature.integrity) == ("BeamSequence[0]", "intact")
    item = part.BeamSequence[0]
    del item[next(iter(item.keys()))]
    (signature,) = verify(part, integrity_only=True).signatures
    assert signature.integrity == "altered"
    del item.MACParametersSequence
    (signature,) = verify(part, integrity_only=True).signatures
    assert (signature.integrity, signature.integrity_reason.code) == ("altered", "FORMAT_FAILURE")


def test_after_remove_it_is_unsigned(tmp_path):
    """`remove` is no reader: what it took out was there, and the caller wanted it out."""
    path = tmp_path / "object.dcm"
    path.write_bytes(an_object(elements=pki.SMALL[:-1]))
    dataset = dcmread(path)
    remove(dataset)
    for one in (dataset, copy.deepcopy(dataset)):
        report = verify(one)
        assert report.verdict == "unsigned"
        (said,) = report.messages
        assert said == (
            f"{path} is signed, and the data set that was read from it is not: its signatures "
            "were taken out since"
        )
    out = io.BytesIO()
    dataset.save_as(out)
    assert verify(out.getvalue()).messages == ()
    assert "_dicomseal_removed" not in str(pydicom.dcmread(io.BytesIO(out.getvalue())))

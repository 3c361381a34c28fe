"""Verify on load: `dicomseal.dcmread` reads once, verifies, and parses the same bytes."""

from __future__ import annotations

import copy
import inspect
import io
import json
import pickle
import warnings
from pathlib import Path

import msgspec
import pki
import pydicom
import pytest
from _loaded import FORGED, KINDS, PIXELS, SIGNED, UNSIGNED, an_object, root
from pydicom.dataelem import RawDataElement
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import dicomseal
from dicomseal import Limits, VerificationError, verify
from dicomseal.errors import MalformedError, SourceError, UsageError
from dicomseal.signature.items import encode

# --- the data set ---------------------------------------------------------------------------------


def plain(read, *arguments, **options):
    """What a reader gives: its data set, or that there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read(*arguments, **options)
        except (dicomseal.DicomSealError, *PYDICOM):
            return None


PYDICOM = (pydicom.errors.InvalidDicomError, OSError, EOFError, KeyError, NotImplementedError,
           ValueError, AttributeError)  # fmt: skip


def same(ours, theirs):
    assert list(ours.keys()) == list(theirs.keys())
    for tag in theirs.keys():  # noqa: SIM118 - a Dataset iterates over its elements
        mine, other = ours.get_item(tag), theirs.get_item(tag)
        assert type(mine) is type(other)
        if isinstance(other, RawDataElement):
            assert mine == other, tag
    assert ours.file_meta == theirs.file_meta
    for name in ("preamble", "filename", "timestamp", "original_encoding",
                 "original_character_set"):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    assert type(ours) is type(theirs)


@pytest.mark.parametrize(
    "options",
    [{}, {"stop_before_pixels": True}, {"specific_tags": ["PatientName", 0x00080018]}],
    ids=str,
)
def test_it_is_what_pydicom_reads(way_to_hold, test_files, options):
    """Every file of pydicom's: the same elements, as raw as they are there."""
    found = 0
    for path in sorted(Path(test_files).rglob("*")):
        if not path.is_file() or path.suffix in (".py", ".txt", ".json", ".md"):
            continue
        theirs = plain(pydicom.dcmread, str(path), force=True, **options)
        ours = plain(dicomseal.dcmread, str(path), force=True, on_failed="report", **options)
        if theirs is None or ours is None:
            assert theirs is ours, path
            continue
        assert ours.buffer is None
        same(ours, theirs)
        assert ours.seal == verify(path), path
        found += 1
    assert found > 80


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [*pki.SYNTAX_AND_FORM, "deflated"])
def test_of_every_source(way_to_hold, tmp_path, given, kind, form):
    data = (
        an_object(form=form)
        if form != "deflated"
        else pki.part10(pki.body_of(form), pki.LABELS[form])
    )
    dataset = dicomseal.dcmread(given(data, kind), trust=root())
    assert dataset.seal.verdict == ("unsigned" if form == "deflated" else "passed")
    assert dataset == pydicom.dcmread(io.BytesIO(data))
    path = str(tmp_path / "given.dcm") if kind in ("path", "file") else None
    assert (dataset.filename, dataset.seal.path) == (path, path or "")
    assert dataset.buffer is None  # nothing of the file is held any more


def test_a_file_is_read_from_where_it_is_on(way_to_hold, tmp_path):
    path = tmp_path / "in.dcm"
    path.write_bytes(b"something before" + SIGNED)
    with path.open("rb") as file:
        file.seek(16)
        assert dicomseal.dcmread(file, trust=root()).seal.passed
        assert file.read() == b""
        assert not file.closed


# --- the report -----------------------------------------------------------------------------------


def test_the_report_stays_with_the_data_set_and_goes_into_no_file():
    dataset = dicomseal.dcmread(SIGNED, trust=root())
    assert dataset.seal.passed
    for other in (
        copy.deepcopy(dataset), copy.copy(dataset), pickle.loads(pickle.dumps(dataset)),
    ):  # fmt: skip
        assert other == dataset
        assert other.seal == dataset.seal
    out = io.BytesIO()
    dataset.save_as(out)
    assert out.getvalue() == written(pydicom.dcmread(io.BytesIO(SIGNED)))
    assert not hasattr(pydicom.dcmread(io.BytesIO(out.getvalue())), "seal")
    assert json.loads(dataset.to_json()) == json.loads(
        pydicom.dcmread(io.BytesIO(SIGNED)).to_json()
    )


def written(dataset):
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_read_change_sign_verify():
    dataset = dicomseal.dcmread(SIGNED, trust=root())
    dataset.PatientName = "Roe^Richard"
    assert dataset.seal.passed  # of what was read
    assert verify(dataset, trust=root()).verdict == "failed"
    dicomseal.remove(dataset)
    dicomseal.sign(dataset, *pki.member("rsa").pair)
    assert dicomseal.dcmread(written(dataset), trust=root()).seal.passed


# --- what does not pass ---------------------------------------------------------------------------

REFUSED = {
    "altered": (FORGED, {}, "failed", "the content was changed"),
    "of somebody else": (an_object("other"), {}, "indeterminate", "CN=Test other"),
    "not required": (UNSIGNED, {"require": "signature"}, "failed", "signature"),
    "beside it": (
        SIGNED, {"require_signed": ["PatientSex"]}, "failed", "PatientSex (0010,0040)",
    ),
    "cut": (SIGNED[:-7], {}, "error", "cut short"),
    "no DICOM": (b"GIF89a" * 99, {}, "error", ""),
    "empty": (b"", {}, "error", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_pass_is_not_read(way_to_hold, given, case, kind):
    data, options, verdict, why = REFUSED[case]
    options = {"trust": root(), "at": pki.NOW, **options}
    with pytest.raises(VerificationError) as caught:
        dicomseal.dcmread(given(data, kind), **options)
    seen = caught.value.report
    assert seen.verdict == verdict
    expected = verify(given(data, kind), **options)
    assert seen == msgspec.structs.replace(expected, path=seen.path)
    assert bool(seen.path) == (kind in ("path", "file"))
    assert why in str(caught.value)
    assert caught.value.code == "verification"
    assert pickle.loads(pickle.dumps(caught.value)).report == seen


@pytest.mark.parametrize("case", ["altered", "of somebody else", "not required", "beside it"])
def test_or_read_with_its_report(way_to_hold, case):
    data, options, verdict, _ = REFUSED[case]
    dataset = dicomseal.dcmread(data, trust=root(), on_failed="report", **options)
    assert dataset.seal.verdict == verdict
    assert dataset == pydicom.dcmread(io.BytesIO(data))


def test_what_pydicom_reads_and_we_do_not():
    """A file that ends in the middle of a value: pydicom gives what there is."""
    dataset = dicomseal.dcmread(SIGNED[:-7], on_failed="report")
    assert (dataset.seal.verdict, dataset.seal.error.code) == ("error", "truncated")
    assert dataset.PatientName == "Doe^John"


@pytest.mark.parametrize("on_failed", ["raise", "report"])
def test_what_exceeds_the_limits_never_gets_to_pydicom(monkeypatch, on_failed):
    monkeypatch.setattr(pydicom, "dcmread", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(VerificationError, match=r"records|elements"):
        dicomseal.dcmread(SIGNED, limits=Limits(records=3), on_failed=on_failed)


def test_what_is_unsigned_is_read_unless_a_signature_is_required():
    assert dicomseal.dcmread(UNSIGNED, trust=root()).seal.verdict == "unsigned"


def test_whom_to_trust_was_not_said():
    with pytest.raises(VerificationError, match="whom to trust was not said: trust="):
        dicomseal.dcmread(SIGNED)
    assert dicomseal.dcmread(SIGNED, integrity_only=True).seal.passed
    assert dicomseal.dcmread(SIGNED, on_failed="report").seal.verdict == "indeterminate"
    with pytest.raises(VerificationError) as caught:
        dicomseal.dcmread(an_object("other"), trust=root())
    assert "whom to trust" not in str(caught.value)


def test_require_gives_the_report_as_well():
    report = verify(FORGED)
    with pytest.raises(VerificationError) as caught:
        report.require()
    assert caught.value.report is report


# --- all is verified, part is kept ----------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"stop_before_pixels": True}, {"specific_tags": ["PatientID"]}, {"defer_size": 8}],
    ids=str,
)  # fmt: skip
def test_what_is_not_kept_is_verified(way_to_hold, options):
    changed = SIGNED.replace(PIXELS[:256], bytes(256), 1)
    with pytest.raises(VerificationError, match="the content was changed"):
        dicomseal.dcmread(changed, trust=root(), **options)
    dataset = dicomseal.dcmread(SIGNED, trust=root(), **options)
    assert dataset.seal.passed
    assert dataset.PatientID == "1234"


def test_force():
    bare = pki.body_of("explicit")
    with pytest.raises(MalformedError, match="force=True"):
        dicomseal.dcmread(bare)
    assert dicomseal.dcmread(bare, force=True).PatientName == "Doe^John"


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
@pytest.mark.parametrize("named", [ExplicitVRLittleEndian, ImplicitVRLittleEndian,
                                   ExplicitVRBigEndian])  # fmt: skip
def test_what_the_caller_names_and_pydicom_guesses(form, named):
    """A bare data set: it is read as it was verified, or not at all."""
    bare = pki.body_of(form)
    options = {"force": True, "transfer_syntax": str(named), "on_failed": "report"}
    if pki.LABELS[form] == named:
        assert dicomseal.dcmread(bare, **options).PatientName == "Doe^John"
        return
    try:
        dataset = dicomseal.dcmread(bare, **options)
    except MalformedError as error:
        assert error.code == "contradiction"
    else:
        assert dataset.seal.verdict in ("failed", "error")


def test_what_pydicom_takes_for_big_endian():
    """It does so of a bare data set that begins with a group from 0400 on."""
    value = bytes(512)  # whose length, 0002 in big endian, leads it to zeros
    bare = encode([(0x40100010, "LO", value), (0x40101001, "CS", b"A ")])
    options = {"force": True, "transfer_syntax": str(ExplicitVRLittleEndian)}
    assert verify(bare, transfer_syntax=options["transfer_syntax"]).verdict == "unsigned"
    assert pydicom.dcmread(io.BytesIO(bare), force=True).original_encoding == (False, False)
    with pytest.raises(MalformedError, match="takes it for another encoding"):
        dicomseal.dcmread(bare, **options)


# --- what makes no sense --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_failed": "ignore"}, "on_failed"),
        ({"on_failed": None}, "on_failed"),
        ({"defer_size": "much"}, "defer_size"),
        ({"specific_tags": ["NoSuchName"]}, "specific_tags"),
        ({"specific_tags": 5}, "specific_tags"),
        ({"trust": 5}, "trust"),
        ({"require": "x"}, "x"),
        ({"unsigned": "x"}, "unsigned"),
        ({"weak": "x"}, "weak"),
    ],
    ids=str,
)
def test_arguments(options, said):
    with pytest.raises(UsageError, match=said):
        dicomseal.dcmread(SIGNED, **options)


def test_a_data_set_is_no_source():
    with pytest.raises(UsageError, match="verify takes"):
        dicomseal.dcmread(pydicom.Dataset())


def test_no_such_file(tmp_path):
    for on_failed in ("raise", "report"):
        with pytest.raises(SourceError) as caught:
            dicomseal.dcmread(tmp_path / "none.dcm", on_failed=on_failed)
        assert caught.value.code == "not_found"


def test_the_options_are_those_of_verify():
    one = inspect.signature(verify).parameters
    all_ = inspect.signature(dicomseal.dcmread).parameters
    options = {name: found.default for name, found in one.items() if name != "source"}
    assert {name: all_[name].default for name in options} == options
    assert set(all_) - set(options) == {
        "source", "on_failed", "defer_size", "stop_before_pixels", "force", "specific_tags",
    }  # fmt: skip

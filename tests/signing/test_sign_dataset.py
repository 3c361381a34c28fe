"""A data set in memory is encoded once, whatever is asked of it, and signed as its file."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime

import pki
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomseal import sign, sign_file, sign_items, verify
from dicomseal.encoding import as_written, from_pydicom
from dicomseal.errors import SigningError, UsageError

CT, PLAN = get_testdata_file("CT_small.dcm"), get_testdata_file("rtplan.dcm")
RSA = pki.member("rsa").pair
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS = ["", "BeamSequence[0]", "FractionGroupSequence[0]"]


def decoded(path):
    dataset = dcmread(path)
    for _ in dataset.iterall():
        pass
    return dataset


@pytest.fixture
def calls(monkeypatch):
    """What pydicom was told to write, elements and data sets."""
    written = []
    for module, name in ((from_pydicom, "write_data_element"), (as_written, "write_dataset")):
        real = getattr(module, name)

        def count(out, what, *more, real=real, name=name):
            written.append((name, what))
            return real(out, what, *more)

        monkeypatch.setattr(module, name, count)
    return written


@pytest.mark.parametrize("read", [dcmread, decoded])
@pytest.mark.parametrize("path", [CT, PLAN])
def test_it_has_the_signature_of_its_file(path, read):
    options = {"uid": "2.25.7", "when": WHEN}
    dataset, by_file = read(path), io.BytesIO()
    sign(dataset, *RSA, **options)
    sign_file(path, by_file, *RSA, **options)
    of_file = dcmread(io.BytesIO(by_file.getvalue()))
    for name in ("MACParametersSequence", "DigitalSignaturesSequence"):
        assert dataset[name].value == of_file[name].value
    assert verify(dataset, integrity_only=True).signatures[0].integrity == "intact"


def test_each_element_is_encoded_once(calls):
    dataset = decoded(CT)
    sign(dataset, *RSA)
    assert len(calls) > 50
    assert set(Counter(id(element) for _, element in calls).values()) == {1}


def test_all_items_of_a_data_set_share_its_encoding(calls):
    dataset = decoded(PLAN)
    uids = sign_items(dataset, *RSA, items=ITEMS)
    assert [name for name, _ in calls] == ["write_dataset"]
    assert {one.uid for one in verify(dataset, integrity_only=True).signatures} == set(uids)


def test_what_is_left_out_is_read_from_one_encoding(monkeypatch):
    encoded = []
    real = from_pydicom.encode
    monkeypatch.setattr(from_pydicom, "encode", lambda *args: encoded.append(args) or real(*args))
    dataset = decoded(CT)
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Müller"
    uid = sign(dataset, *RSA, tags=["PatientName", "StudyDate"])
    assert "SpecificCharacterSet (0008,0005)" in uid.telling
    assert len(encoded) == 1


@pytest.mark.parametrize(
    ("items", "error"),
    [
        (["", "BeamSequence[99]"], SigningError),
        (["BeamSequence[0]", "BeamSequence[-1]"], UsageError),
        (["", "BeamSequence[0]", "x"], UsageError),
    ],
)
def test_if_one_cannot_be_signed_none_is(items, error):
    dataset = decoded(PLAN)
    before = dataset.to_json()
    with pytest.raises(error):
        sign_items(dataset, *RSA, items=items)
    assert dataset.to_json() == before

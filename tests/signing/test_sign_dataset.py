"""A data set in memory is encoded once, whatever is asked of it, and signed as its file."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pki
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomseal import sign, sign_file, sign_items, verify
from dicomseal.encoding import from_pydicom
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
    """The data sets that were encoded."""
    encoded = []
    real = from_pydicom.as_in_a_file

    def count(dataset, *more):
        encoded.append(dataset)
        return real(dataset, *more)

    monkeypatch.setattr(from_pydicom, "as_in_a_file", count)
    return encoded


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


@pytest.mark.parametrize("path", [CT, PLAN])
def test_it_is_encoded_once(calls, path):
    dataset = decoded(path)
    sign(dataset, *RSA)
    assert len(calls) == 1
    assert calls[0] is dataset


def test_all_items_of_a_data_set_share_its_encoding(calls):
    dataset = decoded(PLAN)
    uids = sign_items(dataset, *RSA, items=ITEMS)
    assert len(calls) == 1
    assert {one.uid for one in verify(dataset, integrity_only=True).signatures} == set(uids)


def test_what_is_left_out_is_read_from_the_same_encoding(calls):
    dataset = decoded(CT)
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Müller"
    uid = sign(dataset, *RSA, tags=["PatientName", "StudyDate"])
    assert "SpecificCharacterSet (0008,0005)" in uid.telling
    assert len(calls) == 1


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

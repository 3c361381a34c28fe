"""Whatever was signed and tampered with: the report on a data set is that on its file."""

from __future__ import annotations

import io
from random import Random

import msgspec
import pytest
from _signed_in_memory import FORMS, states, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from dicomseal import verify
from dicomseal.report import ObjectReport

pytestmark = pytest.mark.filterwarnings("ignore")
OPTIONS = (
    {}, {"integrity_only": True}, {"integrity_only": True, "unsigned": "reject"},
    {"require_all_signed": True, "list_uncovered": True}, {"integrity_only": True, "require": "sr"},
)  # fmt: skip


def comparable(report: ObjectReport) -> ObjectReport:
    """The report without what is said of File Meta Information, and its bytes in the size."""
    messages = tuple(one for one in report.messages if "File Meta Information" not in one)
    return msgspec.structs.replace(report, bytes=0, messages=messages)


def compare(choose: Random, form: str) -> ObjectReport:
    """Compare every state of a data set with its file."""
    content, options = written(choose, form), choose.choice(OPTIONS)
    expected = comparable(verify(content, **options))
    for state, read in states(content):
        assert comparable(verify(read, **options)) == expected, state
    return expected


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 32))
def test_the_report_is_that_of_the_file(form, seed):
    compare(Random(seed), form)


def test_everything_occurs():
    """What is drawn has signatures in items, several of them, and every verdict and reason."""
    reports = [compare(Random(seed), FORMS[seed % len(FORMS)]) for seed in range(120)]
    assert {one.verdict for one in reports} == {"passed", "failed", "indeterminate", "unsigned"}
    signatures = [signature for one in reports for signature in one.signatures]
    assert {signature.integrity for signature in signatures} >= {"intact", "altered"}
    codes = {one.integrity_reason.code for one in signatures if one.integrity_reason}
    assert codes >= {"HASH_FAILURE", "FORMAT_FAILURE", "SIG_CRYPTO_FAILURE"}
    assert any(len(one.signatures) > 1 for one in reports)
    assert any("." in signature.location for signature in signatures)
    assert len({one.transfer_syntax for one in reports}) > 10


def padded(uid):
    return uid.encode() + b"\0" * (len(uid) % 2)


def relabelled(content, uid):
    """The file with another Transfer Syntax UID, which pydicom would not write."""
    own = padded(dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID)
    longer = len(padded(uid)) - len(own)
    group = int.from_bytes(content[140:144], "little") + longer  # of the File Meta Information
    content = content[:140] + group.to_bytes(4, "little") + content[144:]
    at = content.index(own)
    length = len(padded(uid)).to_bytes(2, "little")
    return content[: at - 2] + length + padded(uid) + content[at + len(own) :]


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.112", "1.2.840.10008.1.2.8.1"])
def test_a_transfer_syntax_that_pydicom_does_not_know(uid):
    """It is read as explicit VR little endian, as all that are new."""
    files = (written(Random(seed), "encapsulated") for seed in range(99))
    content = next(one for one in files if verify(one, integrity_only=True).passed)
    changed = relabelled(content, uid)
    expected = comparable(verify(changed, integrity_only=True))
    assert (expected.verdict, expected.transfer_syntax) == ("passed", uid)
    for state, read in states(changed):
        assert comparable(verify(read, integrity_only=True)) == expected, state

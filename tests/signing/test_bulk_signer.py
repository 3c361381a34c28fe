"""Many files signed by one key: what is new in each signature."""

from __future__ import annotations

import sys
import time
import uuid
from datetime import datetime
from pathlib import Path

import pki
import pytest

from dicomseal import verify
from dicomseal.files.part10 import Part10
from dicomseal.signing.bulk_signer import BulkSigner
from dicomseal.signing.request import SigningOptions


@pytest.fixture
def data(test_files):
    return Path(test_files, "CT_small.dcm").read_bytes()


@pytest.fixture
def signer():
    signer = pki.member("rsa")
    return BulkSigner(*signer.pair, None, SigningOptions())


def sign(signer, data, target):
    part10 = Part10.from_bytes(data)
    return signer.sign(part10, signer.index(part10), str(target), True)


def test_each_uid_is_of_a_random_uuid(signer, data, tmp_path):
    uids = {sign(signer, data, tmp_path / "signed.dcm")[0] for _ in range(50)}
    assert len(uids) == 50
    for uid in uids:
        prefix, _, number = uid.rpartition(".")
        assert (prefix, str(int(number))) == ("2.25", number)
        random = uuid.UUID(int=int(number))
        assert (random.version, random.variant) == (4, uuid.RFC_4122)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no tzset")
@pytest.mark.parametrize(
    ("zone", "offset"),
    [("UTC", "+0000"), ("IST-5:30", "+0530"), ("NST3:30", "-0330"), ("XXX-14", "+1400")],
)
def test_the_datetime_is_local_time(signer, data, tmp_path, monkeypatch, zone, offset):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        before = datetime.now().astimezone()
        _, when = sign(signer, data, tmp_path / "signed.dcm")
        after = datetime.now().astimezone()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert before <= when <= after
    assert when.utcoffset() == before.utcoffset()
    stored = verify(tmp_path / "signed.dcm", integrity_only=True).signatures[0].datetime
    assert datetime.fromisoformat(stored) == when
    assert when.strftime("%z") == offset

"""Digital Signature DateTime as PS3.5 Section 6.2 has it: the second of a leap second is 60."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pki
import pytest

from dicomseal import sign_file, verify
from dicomseal.signature import digital_signature
from dicomseal.signature.digital_signature import parse_datetime

WEST = timezone(timedelta(hours=-5))
TIMES = {
    "20161231235960.000000+0000": datetime(2017, 1, 1, tzinfo=UTC),
    "20161231235960.250000+0000": datetime(2017, 1, 1, 0, 0, 0, 250_000, UTC),
    "20161231185960-0500": datetime(2016, 12, 31, 19, tzinfo=WEST),
    "20161231235960": datetime(2017, 1, 1),
    "20161231235960.5": datetime(2017, 1, 1, 0, 0, 0, 500_000),
    "20161231235959.000000+0000": datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),
    "20161231235961.000000+0000": None,
    "20161231235961": None,
    "20161231236000.000000+0000": None,
    "99991231235960.000000+0000": None,  # no year after that
    "99991231235960": None,
}


@pytest.mark.parametrize("text", TIMES)
def test_leap_seconds(text):
    assert parse_datetime(text) == TIMES[text]


def test_a_signature_of_a_leap_second(tmp_path, monkeypatch):
    """It was 'no time', which left nothing to judge its certificate at."""
    monkeypatch.setattr(
        digital_signature, "format_datetime", lambda when: "20161231235960.000000+0000"
    )
    (tmp_path / "x").write_bytes(pki.small())
    sign_file(tmp_path / "x", tmp_path / "x", *pki.member("rsa").pair)
    (report,) = verify(tmp_path / "x", integrity_only=True).signatures
    assert (report.integrity, report.datetime) == ("intact", "2017-01-01T00:00:00+00:00")
    assert not any("no time" in message for message in report.messages)

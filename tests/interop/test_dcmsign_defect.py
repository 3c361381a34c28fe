"""DCMTK 3.6.7 leaves content of long nested sequences out of what it hashes; docs/dcmsign.md.

If these tests fail with a newer dcmsign, the defect is mended there, and the document must say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicomseal import sign_file, verify
from dicomseal.canonical import digest
from dicomseal.signature.dump import raw

pytestmark = pytest.mark.peer


def test_dcmsign_does_not_see_a_change(dcmtk: Any, pki: Any, long_report: Path, work: Path) -> None:
    signed, tampered = work / "signed.dcm", work / "tampered.dcm"
    dcmtk.sign(long_report, signed, pki.pair("rsa"), "+m2")
    assert dcmtk.verify(signed) == 0
    data = signed.read_bytes()
    for number in range(60, 300):
        other = data.replace(b"Meaning C%03d" % number, b"Meaning X%03d" % number)
        assert other != data
        tampered.write_bytes(other)
        if dcmtk.verify(tampered) == 0:
            break
    else:
        pytest.fail("dcmsign saw every change")
    assert verify(tampered, integrity_only=True).verdict == "failed"


def test_its_signature_is_not_over_the_standards_stream(
    dcmtk: Any, pki: Any, long_report: Path, work: Path
) -> None:
    signed, stream = work / "signed.dcm", work / "stream"
    dcmtk.sign(long_report, signed, pki.pair("rsa"), "+m2", "+d", stream)
    report = verify(signed, integrity_only=True).signatures[0]
    assert (report.integrity, report.integrity_reason.code) == ("altered", "HASH_FAILURE")
    whole = bytearray()
    raw(signed, whole.extend)
    assert stream.stat().st_size < len(whole)
    assert digest(long_report) == digest(signed)


def test_dcmsign_rejects_a_signature_over_the_whole(
    dcmtk: Any, pki: Any, long_report: Path, work: Path
) -> None:
    signed = work / "signed.dcm"
    sign_file(long_report, signed, *pki.pair("rsa"))
    assert verify(signed, trust=pki.trust).verdict == "passed"
    assert dcmtk.verify(signed) == 101

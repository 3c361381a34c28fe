"""Certified Timestamps that count, and what they are for: the time that counts."""

from __future__ import annotations

import builtins
import json
import sys
from datetime import UTC, datetime, timedelta

import pki
import pytest
import tsa
from _stamped import broken, expired, only, store

from dicomseal import sign_file, verify
from dicomseal.errors import UsageError

# --- as it should be ------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize("name", ["rsa", "ec"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_timestamp_that_counts(authority, stamped, who, name, algorithm):
    path = stamped(lambda value: authority(name).token(value, f"-{algorithm}", "-cert"), who)
    report = verify(path, trust=store(), require=["signature", "timestamp"])
    stamp = only(report).timestamp
    assert (stamp.integrity, stamp.trust, stamp.reason) == ("intact", "trusted", None)
    assert stamp.counts
    assert stamp.authority == f"CN=Test {name} TSA"
    assert (stamp.imprint, stamp.policy, stamp.accuracy) == (algorithm.upper(), tsa.POLICY, 1.5)
    time = datetime.fromisoformat(stamp.time)
    assert abs(time - datetime.now(UTC)) < timedelta(minutes=5)
    assert time.utcoffset() == timedelta(0)
    assert (only(report).judged_by, only(report).judged_at) == ("timestamp", stamp.time)
    assert report.verdict == "passed"
    assert only(report).messages == ()


def test_the_report_in_json(authority, stamped):
    path = stamped(authority().token)
    (content,) = json.loads(verify(path, trust=store()).to_json())["signatures"]
    assert content["timestamp"] == {
        "time": content["judged_at"],
        "authority": "CN=Test rsa TSA",
        "policy": "1.2.3.4.1",
        "serial": content["timestamp"]["serial"],
        "imprint": "SHA256",
        "accuracy": 1.5,
        "integrity": "intact",
        "trust": "trusted",
        "revocation": content["timestamp"]["revocation"],
        "reason": None,
        "weak": [],
    }
    assert int(content["timestamp"]["serial"], 16) >= 0x1000


def test_without_a_timestamp_there_is_none(tmp_path):
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small())
    sign_file(source, target, *pki.member("rsa").pair)
    report = verify(target, trust=store())
    assert only(report).timestamp is None
    assert only(report).judged_by == "validation"


# an ECDSA signature is of odd length half the time, and is then padded with a NUL
@pytest.mark.parametrize("parity", [0, 1])
def test_the_imprint_is_over_the_unpadded_signature(authority, stamped, parity):
    taken = []

    def token(value):
        taken.append(value)
        return authority().token(value)

    for _ in range(64):
        path = stamped(token, "ec")
        if len(taken[-1]) % 2 == parity:
            break
    else:
        pytest.fail("64 signatures and none of this parity")
    assert only(verify(path, trust=store())).timestamp.counts
    padded = taken[-1] + b"\0"
    report = verify(stamped(lambda _: authority().token(padded), "ec"), trust=store())
    assert only(report).timestamp.integrity == "altered"


def test_a_timestamp_outlives_the_signers_certificate(authority, stamped):
    report = expired(stamped(authority().token))
    assert (report.verdict, only(report).judged_by) == ("passed", "timestamp")


def test_a_timestamp_that_does_not_count_proves_no_time(authority, stamped):
    report = expired(stamped(authority("other root").token))
    assert report.verdict == "indeterminate"
    assert only(report).judged_by == "validation"
    assert only(report).trust_reason.code == "OUT_OF_BOUNDS_NO_POE"


def test_the_chain_of_the_authority_is_judged_at_its_own_time(authority, stamped):
    """The certificate of this authority is valid for a day, as long as the signer's."""
    report = expired(stamped(authority("short").token))
    assert only(report).timestamp.counts
    assert report.verdict == "passed"


def test_a_timestamp_from_after_the_validation(authority, stamped):
    path = stamped(authority().token)
    report = verify(path, at=pki.NOW - timedelta(hours=12), trust=store())
    stamp = only(report).timestamp
    assert (stamp.integrity, stamp.trust) == ("intact", "untrusted")
    assert stamp.reason.code == "TIMESTAMP_ORDER_FAILURE"
    assert only(report).judged_by == "validation"


def test_a_signature_dated_after_its_timestamp(authority, stamped):
    soon = datetime.now(UTC) + timedelta(hours=1)
    path = stamped(authority().token, when=soon)
    signature = only(verify(path, at=soon + timedelta(hours=1), trust=store()))
    assert f"dated after its Certified Timestamp, {signature.timestamp.time}" in signature.messages


# --- what is not checked --------------------------------------------------------------------------


def test_without_pyhanko_it_is_said_and_does_not_count(authority, stamped, monkeypatch):
    path = stamped(authority().token)
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name.split(".")[0] == "pyhanko":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if n.split(".")[0] == "pyhanko"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", importing)
    report = verify(path, trust=store(), require="timestamp")
    broken(report, None, "not_checked", "GENERIC", "pip install dicomseal[timestamp]")
    assert report.verdict == "indeterminate"
    assert only(report).timestamp.time is not None


def test_integrity_only_does_not_check_it(authority, stamped):
    report = verify(stamped(authority().token), integrity_only=True)
    stamp = only(report).timestamp
    assert (stamp.integrity, stamp.trust, stamp.time) == (None, "not_checked", None)
    assert only(report).messages == ("its Certified Timestamp (0400,0310) was not checked",)
    assert report.verdict == "passed"


def test_required_and_absent(tmp_path):
    source = tmp_path / "in.dcm"
    source.write_bytes(pki.small())
    report = verify(source, require="timestamp")
    assert (report.verdict, report.reasons[0].code) == ("failed", "NO_POE")
    sign_file(source, source, *pki.member("rsa").pair)
    report = verify(source, trust=store(), require="timestamp")
    assert (report.verdict, report.reasons[0].code) == ("failed", "NO_POE")
    with pytest.raises(UsageError, match="cannot require 'time'"):
        verify(source, require="time")


def test_a_timestamp_of_an_item_is_not_one_of_the_object(authority, stamped):
    path = stamped(authority().token, items="BeamSequence[0]")
    report = verify(path, trust=store(), require="timestamp")
    assert only(report).timestamp.counts
    assert (report.verdict, report.reasons[0].code) == ("failed", "NO_POE")

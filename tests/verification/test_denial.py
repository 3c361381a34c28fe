"""Objects that would keep whoever verifies them busy: each ends soon, with an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import _graphs
import pki
import pytest
import tsa
from cryptography.hazmat.primitives import serialization
from tsa import Raw

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import TimestampError
from dicomseal.signature import certificate
from dicomseal.timestamps import token
from dicomseal.trust import pool

GENERAL = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
SOON = 60  # seconds; it was for ever


@pytest.fixture
def stamped(tmp_path):
    """The path of a small signed object with a token that is made of its signature."""

    def inner(make):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(pki.small())
        sign_file(source, target, *pki.member("rsa").pair, tsa=Raw(make))
        return str(target)

    return inner


@pytest.fixture
def anchor(tmp_path):
    path = tmp_path / "root.pem"
    path.write_bytes(pki.member("root").certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


def told(path, *options) -> dict:
    """What the command says of one file; an exception if it does not come back."""
    command = [sys.executable, "-m", "dicomseal", "verify", "--format", "json", *options, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SOON, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


# --- certificates of a stranger -------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 150])
@pytest.mark.parametrize("how", ["judged", "nobody to judge by", "integrity only", "no anchors"])
def test_certificates_of_one_name_in_a_timestamp(stamped, anchor, count, how):
    """Each may have issued each other: there are more paths than anybody can try."""
    path = stamped(lambda value: _graphs.token(value, _graphs.namesakes(count)))
    options = {
        "judged": ["--trust", anchor, "--tsa-trust", anchor],
        "nobody to judge by": ["--trust", anchor],
        "integrity only": ["--trust", anchor, "--integrity-only"],
        "no anchors": [],
    }[how]
    report = told(path, *options)
    stamp = report["signatures"][0]["timestamp"]
    assert report["verdict"] == ("indeterminate" if how == "no anchors" else "passed")
    if how == "integrity only":
        assert stamp["integrity"] is None
        return
    assert stamp["integrity"] == "intact"
    assert stamp["trust"] == ("untrusted" if how == "judged" else "not_checked")
    if how == "judged":
        assert stamp["reason"]["code"] == GENERAL
        assert "too many certificates" in stamp["reason"]["message"]


def test_namesakes_of_an_anchor(stamped):
    """Every path of theirs ends at the anchor, and each has to be validated."""
    root = tsa.certificate("tsa root")
    (common,) = root.subject.get_attributes_for_oid(_graphs.NameOID.COMMON_NAME)
    same = _graphs.namesakes(60, common.value)
    path = stamped(lambda value: _graphs.token(value, same, common.value))
    trust = TrustStore([pki.member("root").certificate], tsa=[root])
    (report,) = verify(path, trust=trust).signatures
    assert (report.integrity, report.timestamp.integrity) == ("intact", "intact")
    assert (report.timestamp.trust, report.timestamp.reason.code) == ("untrusted", GENERAL)


def test_a_token_without_such_certificates_is_judged_as_ever(stamped):
    """No path is looked for while its signature is verified, whatever it brings."""
    path = stamped(lambda value: _graphs.token(value, ()))
    trust = TrustStore([pki.member("root").certificate], tsa=[tsa.certificate("tsa root")])
    (report,) = verify(path, trust=trust).signatures
    assert report.timestamp.integrity == "intact"
    assert report.timestamp.reason.code == "NO_CERTIFICATE_CHAIN_FOUND"


@pytest.mark.parametrize(
    "ask",
    [
        lambda registry, cert: registry.retrieve_by_name(cert.subject),
        lambda registry, cert: registry.retrieve_many_by_key_hash(cert.public_key.sha1),
        lambda registry, cert: registry.retrieve_many_by_key_identifier(cert.public_key.sha1),
        lambda registry, cert: list(
            registry.find_potential_issuers(cert, pool.SimpleTrustManager.build(trust_roots=[]))
        ),
    ],
    ids=["name", "key hash", "key identifier", "issuers"],
)
def test_whatever_a_registry_is_asked_is_counted(monkeypatch, ask):
    monkeypatch.setattr(pool, "MAX_STEPS", 9)
    loaded = [_graphs.asn1.Certificate.load(der) for der in _graphs.namesakes(4)]
    registry = pool.Registry.build(loaded)
    ask(registry, loaded[0])
    assert registry.steps > 1
    with pytest.raises(pool.TooMany):
        for _ in range(9):
            ask(registry, loaded[0])


def test_signatures_of_certificates_are_counted(monkeypatch):
    trust = TrustStore([pki.member("root").certificate])
    monkeypatch.setattr(pool, "STEPS_OF_A_SIGNATURE", pool.MAX_STEPS)
    answer = trust.judge(pki.member("rsa").der)
    assert (answer.trust, answer.reason.code) == ("untrusted", GENERAL)
    monkeypatch.setattr(pool, "STEPS_OF_A_SIGNATURE", 20)
    assert TrustStore([pki.member("root").certificate]).judge(pki.member("rsa").der).trust == (
        "trusted"
    )


def test_what_nests_too_deep_is_no_token(monkeypatch):
    def load(*_, **__):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(_graphs.cms.ContentInfo, "load", load)
    with pytest.raises(TimestampError, match="cannot be parsed: maximum recursion"):
        token.read(b"0\x80")


def test_a_decision_that_is_known_is_the_one_that_was_made():
    """Dates of certificates are whole seconds: so is the moment that is asked for."""
    trust = TrustStore([pki.member("root").certificate])
    signer = certificate.parse(pki.member("rsa").der)
    for moment in (signer.not_before, signer.not_after, pki.NOW):
        asked = moment + timedelta(microseconds=500_000)
        assert trust.decided(signer, asked) is None
        decision = trust.judge(signer, asked)
        assert decision.trust == "trusted"
        assert trust.decided(signer, asked) is decision

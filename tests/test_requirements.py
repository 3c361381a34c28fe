"""Requirements: rules in Python, alone and combined."""

from __future__ import annotations

import pickle

import pki
import pytest
from msgspec.structs import replace

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import UsageError
from dicomseal.report import SignatureReport
from dicomseal.requirements import (
    NAMED,
    AllOf,
    AnyOf,
    AnySignature,
    HasProfile,
    HasPurpose,
    NotWeak,
    Rule,
    SignedBy,
    parse,
    unmet,
)

TRUST = TrustStore([pki.member("root").certificate])


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Signed by "rsa" as author and by "rsa two" for review."""
    folder = tmp_path_factory.mktemp("requirements")
    path = folder / "signed.dcm"
    path.write_bytes(pki.small())
    for who, purpose in (("rsa", 1), ("rsa two", 13)):
        sign_file(path, path, *pki.member(who).pair, purpose=purpose)
    return path


def verdict(path, *require, **options):
    return verify(path, trust=TRUST, require=require, **options).verdict


RSA, TWO = "CN=Test rsa", "CN=Test rsa two"
MET = {
    "any": AnySignature(),
    "profile": HasProfile("base"),
    "purpose": HasPurpose(13),
    "purpose by name": HasPurpose("author"),
    "subject": SignedBy(subject=TWO),
    "issuer": SignedBy(issuer="CN=Test root"),
    "not weak": NotWeak(),
    "one": AllOf([HasPurpose(1)]),
    "the same signature": AllOf([HasPurpose(1), SignedBy(subject=RSA)]),
    "either": AnyOf([HasPurpose(5), HasPurpose(1)]),
    "nested": AllOf([AnyOf([HasPurpose(5), HasPurpose(13)]), SignedBy(subject=TWO), NotWeak()]),
}
NOT_MET = {
    "profile": (HasProfile("creator"), "satisfies the profile creator"),
    "purpose": (HasPurpose(5), "has the purpose 5, Verification Signature"),
    "subject": (SignedBy(subject="CN=Test"), "has a certificate with subject CN=Test"),
    "both names": (SignedBy(subject=RSA, issuer=RSA), "has a certificate with subject"),
    "empty": (AllOf(), "meets AllOf, which names no rule"),
    "empty list": (AllOf([]), "meets AllOf, which names no rule"),
    "empty any": (AnyOf(), "meets AnyOf, which names no rule"),
    "nobody": (SignedBy(), "names none"),
    "an empty name": (SignedBy(subject=""), "names none"),
    "empty within": (AllOf([AnySignature(), AllOf()]), "meets AllOf"),
    "two signatures": (AllOf([HasPurpose(1), SignedBy(subject=TWO)]), "has a certificate with"),
    "neither": (AnyOf([HasPurpose(5), HasPurpose(6)]), "purpose 5.* or .*purpose 6"),
}


@pytest.mark.parametrize("rule", MET.values(), ids=MET.keys())
def test_met(signed, rule):
    assert verdict(signed, rule) == "passed"
    assert verify(signed, trust=TRUST, require=rule).verdict == "passed"
    assert isinstance(rule, Rule)
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert hash(rule) == hash(pickle.loads(pickle.dumps(rule)))


@pytest.mark.parametrize(("rule", "why"), NOT_MET.values(), ids=NOT_MET.keys())
def test_not_met(signed, rule, why):
    import re

    report = verify(signed, trust=TRUST, require=[rule])
    assert report.verdict == "failed"
    (reason,) = report.reasons
    assert reason.code == "SIGNED_DATA_NOT_FOUND"
    assert re.search(why, reason.message)


def test_several_requirements_may_be_met_by_several_signatures(signed):
    assert verdict(signed, HasPurpose(1), SignedBy(subject=TWO)) == "passed"
    assert verdict(signed, "signature", HasPurpose(1), HasPurpose(5)) == "failed"


def test_a_name_is_only_as_good_as_its_authority(signed):
    named = SignedBy(subject=RSA)
    assert verify(signed, integrity_only=True, require=named).verdict == "failed"
    other = TrustStore([pki.member("other root").certificate])
    assert verify(signed, trust=other, require=named).verdict == "failed"
    (one, _) = verify(signed).signatures
    pinned = SignedBy(sha256=one.signer.sha256.upper())
    assert verify(signed, integrity_only=True, require=pinned).verdict == "passed"
    wrong = SignedBy(sha256="00" * 32)
    assert verify(signed, integrity_only=True, require=wrong).verdict == "failed"


def test_weak(tmp_path):
    from dicomseal import ALLOW_WEAK

    path = tmp_path / "weak.dcm"
    path.write_bytes(pki.small())
    sign_file(path, path, *pki.member("rsa").pair, mac="MD5", policy=ALLOW_WEAK)
    report = verify(path, integrity_only=True, require=NotWeak())
    assert report.verdict == "failed"
    assert "free of weak algorithms (MAC MD5)" in report.reasons[0].message
    assert verify(path, integrity_only=True).verdict == "passed"


def test_unsigned_objects_and_items(tmp_path):
    path = tmp_path / "small.dcm"
    path.write_bytes(pki.small())
    for rule in ("signature", "creator", AnySignature(), AllOf(), HasProfile("base")):
        report = verify(path, require=rule)
        assert report.verdict == "failed"
        assert report.reasons[0].message == "a signature is required, and it is unsigned"
    sign_file(path, path, *pki.member("rsa").pair, items="BeamSequence[0]")
    report = verify(path, trust=TRUST, require=HasProfile("base"))
    assert report.reasons[0].message == "a signature is required, and only items of it are signed"


def test_own_rules(signed):
    class Early:
        def unmet(self, signature):
            return "" if signature.datetime < "1999" else "was made in the last century"

    report = verify(signed, trust=TRUST, require=Early())
    assert report.reasons[0].message.startswith("a signature is required that was made in the last")


@pytest.mark.parametrize(
    "wrong", ["creater", 5, ["creator", None], AnySignature, [AllOf], object()]
)
def test_what_is_no_rule(signed, wrong):
    with pytest.raises(UsageError):
        verify(signed, require=wrong)


@pytest.mark.parametrize("make", [
    lambda: HasProfile("none"), lambda: HasProfile(["creator"]), lambda: HasPurpose(0),
    lambda: AllOf(["creater"]), lambda: AllOf(5), lambda: SignedBy(subject=5),
    lambda: AnyOf([None]), lambda: parse(None),
])  # fmt: skip
def test_rules_that_make_no_sense(make):
    with pytest.raises(UsageError):
        make()


def test_names_stand_for_rules():
    assert AllOf(["creator"]) == AllOf([HasProfile("creator")])
    assert NAMED.keys() == {"signature", "creator", "authorization", "sr", "timestamp"}
    from dicomseal.requirements import REQUIREMENTS

    assert tuple(NAMED) == REQUIREMENTS


def test_what_counts_as_met():
    intact = SignatureReport(
        location="", uid="1", mac_id=0, datetime="", integrity="intact", profiles=("base",)
    )
    base = HasProfile("base")
    assert unmet(base, [intact]) == ("", False)
    assert unmet(base, [replace(intact, integrity="altered")])[1] is False
    why, undecided = unmet(base, [replace(intact, integrity="unverifiable")])
    assert why
    assert undecided
    assert unmet(base, [replace(intact, integrity="altered"), intact]) == ("", False)
    why, undecided = unmet(base, [replace(intact, location="BeamSequence[0]")])
    assert ("only items" in why, undecided) == (True, False)

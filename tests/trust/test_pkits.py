"""NIST's Public Key Interoperability Test Suite itself, where DICOMSEAL_PKITS names its folder.

It is the folder of NIST's PKITS_data.zip that holds ``certs`` and ``crls``. All its certificates
and CRLs lie in one store, so that each of its tests has to find its own among those of the others.
The name of an end entity says what is expected of it; where it does not, the tables below do.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicomseal import TrustStore
from dicomseal.errors import CertificateError, TrustError
from dicomseal.policy import DEFAULT
from dicomseal.trust.loading import load_certificates, load_crls

FOLDER = Path(os.environ.get("DICOMSEAL_PKITS", "/none"))
WHEN = datetime(2015, 1, 1, tzinfo=UTC)
# the suite is of 2011 (SHA-1 in places), and asks of paths, not of what a signer's key is for
POLICY = DEFAULT.but(weak="accept", revocation="require", key_usages=frozenset({"any"}))
P1, P2, P3, P6 = (f"2.16.840.1.101.3.2.1.48.{number}" for number in (1, 2, 3, 6))
# cryptography does not parse a DSA key without parameters
UNPARSABLE = ("DSAParametersInheritedCACert", "ValidDSAParameterInheritanceTest5EE")
# sections 4.8 and 4.12, whose names do not say what is expected under any policy
NAMELESS = {
    "AllCertificatesNoPoliciesTest2": True, "AllCertificatesSamePoliciesTest10": True,
    "AllCertificatesSamePoliciesTest13": True, "AllCertificatesanyPolicyTest11": True,
    "AnyPolicyTest14": True, "CPSPointerQualifierTest20": True, "DifferentPoliciesTest12": False,
    "DifferentPoliciesTest3": True, "DifferentPoliciesTest4": False,
    "DifferentPoliciesTest5": False, "DifferentPoliciesTest7": False,
    "DifferentPoliciesTest8": False, "DifferentPoliciesTest9": False,
    "OverlappingPoliciesTest6": True, "UserNoticeQualifierTest15": True,
    "UserNoticeQualifierTest16": True, "UserNoticeQualifierTest17": True,
    "UserNoticeQualifierTest18": True, "UserNoticeQualifierTest19": True,
    "inhibitAnyPolicyTest3": True,
}  # fmt: skip
# end entity, policies that are asked for, whether it is valid for one of them
ASKED = (
    ("ValidCertificatePathTest1", {P1}, True), ("ValidCertificatePathTest1", {P2}, False),
    ("ValidCertificatePathTest1", {P1, P2}, True),
    ("AllCertificatesNoPoliciesTest2", {P1}, False), ("DifferentPoliciesTest3", {P1, P2}, False),
    ("OverlappingPoliciesTest6", {P1}, True), ("OverlappingPoliciesTest6", {P2}, False),
    ("AllCertificatesSamePoliciesTest10", {P2}, True),
    ("AllCertificatesanyPolicyTest11", {P1}, True),
    ("AllCertificatesSamePoliciesTest13", {P3}, True), ("AnyPolicyTest14", {P1}, True),
    ("AnyPolicyTest14", {P2}, False), ("ValidPolicyMappingTest1", {P1}, True),
    ("ValidPolicyMappingTest1", {P2}, False), ("ValidPolicyMappingTest3", {P1}, False),
    ("ValidPolicyMappingTest3", {P2}, True), ("ValidPolicyMappingTest5", {P1}, True),
    ("ValidPolicyMappingTest5", {P6}, False), ("ValidPolicyMappingTest6", {P1}, True),
    ("ValidPolicyMappingTest6", {P6}, False),
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the environment variable DICOMSEAL_PKITS names no folder"
)


def entities():
    return sorted(path.stem for path in (FOLDER / "certs").glob("*EE.crt"))


@pytest.fixture(scope="module")
def store():
    certificates = []
    for path in sorted((FOLDER / "certs").iterdir()):
        try:
            certificates += load_certificates(path)
        except TrustError:
            assert path.stem in UNPARSABLE
    crls = [crl for path in sorted((FOLDER / "crls").iterdir()) for crl in load_crls(path)]
    assert (len(certificates) > 400, len(crls) > 170) == (True, True)
    anchor = load_certificates(FOLDER / "certs" / "TrustAnchorRootCertificate.crt")
    return TrustStore(anchor, certificates, crls=crls, policy=POLICY)


def judge(store, name):
    return store.judge((FOLDER / "certs" / f"{name}.crt").read_bytes(), WHEN)


@pytest.mark.parametrize("name", entities())
def test_pkits(store, name):
    if name in UNPARSABLE:
        with pytest.raises(CertificateError):
            judge(store, name)
        return
    expected = NAMELESS.get(name.removesuffix("EE"), name.startswith("Valid"))
    answer = judge(store, name)
    assert (answer.trust == "trusted") == expected, answer
    if expected:
        assert answer.revocation == "good"


@pytest.mark.parametrize(("name", "policies", "expected"), ASKED)
def test_policies_that_are_asked_for(store, name, policies, expected):
    asking = store.but(certificate_policies=frozenset(policies))
    answer = judge(asking, f"{name}EE")
    assert (answer.trust == "trusted") == expected, answer


def test_all_are_there():
    assert len(entities()) == 223

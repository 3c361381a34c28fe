"""What an anchor restricts, and what is asked of every certificate of a path."""

from __future__ import annotations

import pytest
from _chains import CERT_SIGN, SIGN, constraints, judge, make, raw
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from dicomseal import TrustStore
from dicomseal.errors import TrustError, UsageError
from dicomseal.policy import ANY, DEFAULT, STRICT, Policy, load
from dicomseal.trust.authorities import vouches
from dicomseal.trust.decision import TIME_STAMPING

RULES, BOUNDS = "CHAIN_CONSTRAINTS_FAILURE", "OUT_OF_BOUNDS_NO_POE"
P1, P2 = "1.2.3.1", "1.2.3.2"
UNKNOWN = raw("1.2.3.99", b"\x05\x00"), True
BOTH = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
IGNORE = DEFAULT.but(anchor_validity="ignore")


def refused(decision, code, sentence):
    assert decision.trust == "untrusted"
    assert (decision.reason.code, sentence in decision.reason.message) == (code, True), (
        decision.reason
    )


def usages(*purposes, critical=False):
    return x509.ExtendedKeyUsage(purposes), critical


def policies(*numbers):
    some = [x509.PolicyInformation(ObjectIdentifier(one), None) for one in numbers]
    return x509.CertificatePolicies(some), False


def old(tbs):
    """Make it one of version 1, which has no extensions."""
    tbs["version"] = "v1"
    del tbs["extensions"]


# --- authorities, and what is none ----------------------------------------------------------------

NO_CA = {
    "CA:FALSE": ({"ca": False}, "(CA:FALSE)"),
    "CA:FALSE, and may sign certificates": ({"ca": False, "usage": BOTH}, "(CA:FALSE)"),
    "may not sign certificates": ({"usage": SIGN}, "Key Usage does not let it sign certificates"),
    "says nothing but that": ({"ca": None, "usage": SIGN}, "does not let it sign certificates"),
}


@pytest.mark.parametrize(("options", "why"), NO_CA.values(), ids=NO_CA)
def test_an_anchor_that_says_it_is_none_is_refused_when_loaded(options, why, tmp_path):
    anchor = make("Ultrasound 3", **options)
    with pytest.raises(TrustError, match="CN=Ultrasound 3 is not one of an authority") as caught:
        TrustStore([anchor.certificate])
    assert why in str(caught.value)
    assert "--trust-signer" in str(caught.value)
    path = tmp_path / "device.pem"
    path.write_bytes(anchor.certificate.public_bytes(Encoding.PEM))
    with pytest.raises(TrustError, match=r"device\.pem: the certificate of CN=Ultrasound 3"):
        TrustStore.from_files(path)
    assert TrustStore.from_files(signers=[path]).judge(anchor.der).trust == "trusted"
    assert not vouches(anchor.certificate)


def test_an_anchor_that_does_not_say_vouches_for_itself_alone():
    anchor = make("device", ca=None)
    assert judge(anchor, anchor).trust == "trusted"
    leaf = make("leaf", anchor, ca=False)
    refused(judge(leaf, anchor), RULES, "but not as an authority: it has no Basic Constraints")


def test_an_anchor_that_may_sign_certificates_and_has_no_basic_constraints():
    anchor = make("anchor", ca=None, usage=CERT_SIGN)
    refused(judge(make("leaf", anchor, ca=False), anchor), RULES, "has no Basic Constraints")


def test_a_root_of_version_1_is_an_authority():
    anchor = make("old root", change=old)
    assert judge(make("leaf", anchor, ca=False), anchor).trust == "trusted"


def test_an_anchor_of_version_1_that_is_no_root_is_none():
    anchor = make("old", make("root"), change=old)
    refused(judge(make("leaf", anchor, ca=False), anchor), RULES, "has no Basic Constraints")


def test_a_timestamp_authority_may_be_its_own_anchor_and_vouches_for_nobody_else():
    stamp = usages(ExtendedKeyUsageOID.TIME_STAMPING, critical=True)
    own = make("tsa", None, stamp, ca=False)
    below = make("below", own, stamp, ca=False)
    store = TrustStore([make("root").certificate], tsa=[own.certificate])
    assert store.judge(own.der, purpose=TIME_STAMPING).trust == "trusted"
    refused(store.judge(below.der, purpose=TIME_STAMPING), RULES, "(CA:FALSE)")


def test_an_authority_without_a_name():
    anchor = make(x509.Name([]))
    refused(judge(make("leaf", anchor, ca=False), anchor), RULES, "has no name")
    root = make("root")
    nameless = make(x509.Name([]), root)
    refused(judge(make("leaf", nameless, ca=False), root, nameless), RULES, "has no name")
    assert judge(make(x509.Name([]), root, ca=False), root).trust == "trusted"  # a signer may


# --- validity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [(-100, -1), (1, 100)])
def test_validity(days):
    anchor = make("anchor", days=days)
    leaf = make("leaf", anchor, ca=False)
    refused(judge(leaf, anchor), BOUNDS, "the trusted certificate CN=anchor is valid from")
    assert judge(leaf, anchor, policy=IGNORE).trust == "trusted"


def test_a_policy_file_says_whether_an_anchors_validity_counts(tmp_path):
    path = tmp_path / "ours.json"
    for text, choice in (("{}", "check"), ('{"anchor_validity": "ignore"}', "ignore"),
                         ('{"anchor_dates": false}', "ignore"),
                         ('{"anchor_dates": true}', "check")):  # fmt: skip
        path.write_text(text)
        assert load(path).anchor_validity == choice
    path.write_text('{"anchor_validity": "maybe"}')
    with pytest.raises(UsageError, match="anchor_validity is one of check, ignore"):
        load(path)
    assert Policy(anchor_dates=False) == IGNORE
    assert STRICT.anchor_validity == "check"


# --- path length ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "trust"), [(0, "untrusted"), (1, "trusted"), (None, "trusted")])
def test_path_length(length, trust):
    anchor = make("anchor", length=length)
    between = make("ca", anchor)
    judged = judge(make("leaf", between, ca=False), anchor, between)
    assert judged.trust == trust
    if trust == "untrusted":
        refused(judged, RULES, "allows no more than 0 authorities below it")
    assert judge(make("leaf", anchor, ca=False), anchor).trust == "trusted"


def test_a_key_change_takes_up_no_path_length():
    anchor = make("anchor", length=0)
    again = make("anchor", anchor, key_of="the next key")
    assert judge(make("leaf", again, ca=False), anchor, again).trust == "trusted"


def test_the_longest_chain_of_a_policy():
    anchor = make("anchor")
    between = make("ca", anchor)
    leaf = make("leaf", between, ca=False)
    assert judge(leaf, anchor, between, policy=DEFAULT.but(longest_chain=1)).trust == "trusted"
    none = DEFAULT.but(longest_chain=0)
    refused(judge(leaf, anchor, between, policy=none), RULES, "the policy allows no more than 0")
    assert judge(make("leaf", anchor, ca=False), anchor, policy=none).trust == "trusted"


# --- extensions -----------------------------------------------------------------------------------


def test_an_unknown_critical_extension():
    anchor = make("anchor", None, UNKNOWN)
    refused(judge(make("leaf", anchor, ca=False), anchor), RULES, "of CN=anchor has a critical")
    harmless = make("anchor", None, (UNKNOWN[0], False))
    assert judge(make("leaf", harmless, ca=False), harmless).trust == "trusted"
    # that of another anchor does not matter
    leaf = make("leaf", harmless, ca=False)
    both = TrustStore([make("other", None, UNKNOWN).certificate, harmless.certificate])
    assert both.judge(leaf.der).trust == "trusted"


NEVER_CRITICAL = {
    "authority key identifier": x509.AuthorityKeyIdentifier(b"\x01" * 20, None, None),
    "key identifier": x509.SubjectKeyIdentifier(b"\x01" * 20),
    "authority information access": x509.AuthorityInformationAccess([
        x509.AccessDescription(x509.AuthorityInformationAccessOID.CA_ISSUERS,
                               x509.UniformResourceIdentifier("http://ca.example"))]),
    "freshest crl": x509.FreshestCRL([x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://ca.example")], None, None, None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", NEVER_CRITICAL)
@pytest.mark.parametrize("critical", [False, True])
def test_extensions_that_must_not_be_critical(name, critical):
    extension = NEVER_CRITICAL[name], critical
    if name != "authority key identifier":  # of the anchor it names nobody
        anchor = make("anchor", None, extension)
        judged = judge(make("leaf", anchor, ca=False), anchor)
        assert judged.trust == ("untrusted" if critical else "trusted")
    root = make("root", None, (x509.SubjectKeyIdentifier(b"\x01" * 20), False))
    judged = judge(make("leaf", root, extension, ca=False), root)
    assert judged.trust == ("untrusted" if critical else "trusted")
    if critical:
        why = f"of CN=leaf has a critical extension that is unknown or must not be: {name}"
        refused(judged, RULES, why)


def test_an_extension_that_is_there_twice():
    def twice(tbs):
        tbs["extensions"].append(tbs["extensions"][0].copy())

    anchor = make("anchor", change=twice)
    refused(judge(make("leaf", anchor, ca=False), anchor), RULES, "CN=anchor has the extension")


def test_name_constraints_of_what_is_no_authority():
    anchor = make("anchor")
    name = asn1.GeneralName("dns_name", "clinic.example")
    leaf = make("leaf", anchor, constraints([name]), ca=False)
    refused(
        judge(leaf, anchor), RULES, "CN=leaf has Name Constraints, and is not one of an authority"
    )


def test_a_signer_that_may_sign_certificates_and_is_no_authority():
    anchor = make("anchor")
    leaf = make("leaf", anchor, ca=False, usage=BOTH)
    refused(judge(leaf, anchor), RULES, "may sign certificates, and is not one of an authority")
    assert judge(make("leaf", anchor, usage=BOTH), anchor).trust == "trusted"


# --- certificate policies -------------------------------------------------------------------------

ASKED = DEFAULT.but(certificate_policies=frozenset({P1}))


@pytest.mark.parametrize(("own", "below", "default", "asked"), [
    ((P1,), (P1,), True, True),
    ((P2,), (P1,), True, False),  # nobody asks for a policy, or for one that the anchor has not
    ((P1, P2), (P1,), True, True),
    ((P1,), (), True, False),
    (("2.5.29.32.0",), (P1,), True, True),  # any policy
    ((), (P1,), True, True),
])  # fmt: skip
def test_policies(own, below, default, asked):
    anchor = make("anchor", None, *([policies(*own)] if own else []))
    leaf = make("leaf", anchor, *([policies(*below)] if below else []), ca=False)
    assert (judge(leaf, anchor).trust == "trusted") == default
    assert (judge(leaf, anchor, policy=ASKED).trust == "trusted") == asked


@pytest.mark.parametrize(("needed", "trust"), [(0, "untrusted"), (1, "untrusted"), (2, "untrusted"),
                                               (3, "trusted")])  # fmt: skip
def test_an_explicit_policy_is_required(needed, trust):
    anchor = make("anchor", None, (x509.PolicyConstraints(needed, None), True))
    between = make("ca", anchor)
    assert judge(make("leaf", between, ca=False), anchor, between).trust == trust
    with_policy = make("ca", anchor, policies(P1))
    leaf = make("leaf", with_policy, policies(P1), ca=False)
    assert judge(leaf, anchor, with_policy).trust == "trusted"


@pytest.mark.parametrize(("limit", "trust"), [(0, "untrusted"), (9, "trusted")])
def test_policy_mapping_is_inhibited(limit, trust):
    mapping = asn1.PolicyMappings([{"issuer_domain_policy": P1, "subject_domain_policy": P2}])
    anchor = make("anchor", None, (x509.PolicyConstraints(None, limit), True))
    between = make("ca", anchor, policies(P1), (raw("2.5.29.33", mapping.dump()), True))
    leaf = make("leaf", between, policies(P2), ca=False)
    assert judge(leaf, anchor, between, policy=ASKED).trust == trust


@pytest.mark.parametrize(("skip", "trust"), [(0, "untrusted"), (9, "trusted")])
def test_any_policy_is_inhibited(skip, trust):
    anchor = make("anchor", None, (x509.InhibitAnyPolicy(skip), True))
    leaf = make("leaf", anchor, policies("2.5.29.32.0"), ca=False)
    assert judge(leaf, anchor, policy=ASKED).trust == trust


# --- extended key usage ---------------------------------------------------------------------------

SERVER, MAIL = usages(ExtendedKeyUsageOID.SERVER_AUTH), usages(ExtendedKeyUsageOID.EMAIL_PROTECTION)
EVERY = usages(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
NOBODY = DEFAULT.but(authority_usages=ANY)


def test_an_anchor_for_servers_alone_vouches_for_no_signature():
    anchor = make("anchor", None, SERVER)
    for leaf in (make("leaf", anchor, ca=False), make("leaf", anchor, SERVER, ca=False),
                 make("leaf", anchor, MAIL, ca=False)):  # fmt: skip
        refused(judge(leaf, anchor), RULES, "CN=anchor lets those below it be used for")
        assert judge(leaf, anchor, policy=NOBODY).trust == "trusted"
    between = make("ca", anchor)
    assert judge(make("leaf", between, ca=False), anchor, between).trust == "untrusted"


@pytest.mark.parametrize("extension", [MAIL, EVERY])
def test_an_anchor_for_signatures(extension):
    anchor = make("anchor", None, extension)
    assert judge(make("leaf", anchor, ca=False), anchor).trust == "trusted"


def test_what_authorities_leave_in_common():
    anchor = make("anchor", None, usages(
        ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH))  # fmt: skip
    between = make("ca", anchor, usages(
        ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION))  # fmt: skip
    refused(judge(make("leaf", between, ca=False), anchor, between), RULES, "CN=ca lets those")


def test_an_anchor_of_timestamps():
    stamp = usages(ExtendedKeyUsageOID.TIME_STAMPING, critical=True)
    root = make("root").certificate
    for extension, trust in ((MAIL, "untrusted"), (EVERY, "trusted"), (stamp, "trusted")):
        anchor = make("tsa root", None, extension)
        leaf = make("tsa", anchor, stamp, ca=False)
        store = TrustStore([root], tsa=[anchor.certificate])
        decision = store.judge(leaf.der, purpose=TIME_STAMPING)
        assert decision.trust == trust
        if trust == "untrusted":
            assert "not for time stamping" in decision.reason.message


@pytest.mark.parametrize("directly", [False, True])
def test_a_critical_extended_key_usage_that_forbids_signatures_is_said(directly):
    anchor = make("anchor")
    for extension, said in ((SERVER, False), ((SERVER[0], True), True), ((MAIL[0], True), False)):
        leaf = make("leaf", anchor, extension, ca=False)
        own = [leaf.certificate] if directly else []
        store = TrustStore([anchor.certificate], signers=own)
        decision = store.judge(leaf.der)
        assert decision.trust == "trusted"
        assert any("critical, and forbids signatures" in one for one in decision.messages) == said
        strict = store.but(extended_key_usages=STRICT.extended_key_usages).judge(leaf.der)
        assert (strict.trust == "trusted") == (extension is not SERVER and not said)


def test_an_extended_key_usage_that_names_nothing():
    anchor = make("anchor")
    leaf = make("leaf", anchor, (x509.ExtendedKeyUsage([]), False), ca=False)
    refused(judge(leaf, anchor), RULES, "an Extended Key Usage that names nothing")


# --- signature algorithms -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["leaf", "ca", "anchor"])
def test_two_signature_algorithms_that_differ(where):
    def differ(tbs):
        tbs["signature"] = {"algorithm": "sha384_ecdsa"}

    change = {where: differ}
    anchor = make("anchor", change=change.get("anchor"))
    between = make("ca", anchor, change=change.get("ca"))
    leaf = make("leaf", between, ca=False, change=change.get("leaf"))
    refused(judge(leaf, anchor, between), RULES, f"CN={where} names one signature algorithm inside")
    # nobody's signature is believed there
    assert TrustStore([], signers=[leaf.certificate]).judge(leaf.der).trust == "trusted"

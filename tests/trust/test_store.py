"""Every kind of certificate and chain: expected trust, reason and sentence, in one table.

NIST's PKITS is the model for the chains; its numbers stand beside them in `trust_table`.
"""

from __future__ import annotations

import itertools
import time
from typing import Any, NamedTuple

import pytest
import trust_pki as pki
from cryptography.hazmat.primitives import serialization

from dicomseal import TrustStore
from dicomseal.errors import CertificateError, TrustError
from dicomseal.policy import DEFAULT, STRICT
from dicomseal.trust import certification_paths, pool
from dicomseal.trust.decision import TIME_STAMPING

ISSUERS = {row.issuer for row in pki.TABLE.values()}
CAS = tuple(
    name for name, row in pki.TABLE.items()
    if row.issuer != name and not row.subject and (row.ca or name in ISSUERS)
)  # fmt: skip
NO_CHAIN = "NO_CERTIFICATE_CHAIN_FOUND"
BOUNDS = "OUT_OF_BOUNDS_NO_POE"
RULES = "CHAIN_CONSTRAINTS_FAILURE"
CRYPTO = "CRYPTO_CONSTRAINTS_FAILURE"
GENERAL = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
ACCEPT, REJECT = DEFAULT.but(weak="accept"), DEFAULT.but(weak="reject")
P1, P2 = (DEFAULT.but(certificate_policies=frozenset({one})) for one in (pki.P1, pki.P2))
OLD = DEFAULT.but(weak_hashes=frozenset({"sha1"}))
LAX_STRICT = STRICT.but(revocation="off")


class Case(NamedTuple):
    of: str
    reason: str | None = None  # trusted
    sentence: str = ""
    anchors: tuple[str, ...] = ("root",)
    between: tuple[str, ...] = CAS
    policy: Any = DEFAULT
    days: float = 0
    weak: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


SMALL_CA = "a key RSA 1024 signs CN=below small ca"
TABLE = {
    "directly below the anchor": Case("direct"),
    "below an intermediate": Case("leaf"),
    "the intermediate is missing": Case(
        "leaf", NO_CHAIN, "no chain from the certificate of CN=leaf, issued by CN=ca, to a trusted",
        between=()),
    "another root": Case("leaf", NO_CHAIN, "of CN=leaf, issued by CN=ca, to a trusted one",
                         anchors=("other root",)),
    "an intermediate as anchor": Case("leaf", anchors=("ca",), between=()),
    "the anchor itself": Case("root", RULES, "CN=root is for crl sign, key cert sign, not for"),
    # signatures
    "forged": Case("forged", GENERAL, "was not signed by the issuer it names"),
    "below a forged CA": Case("below forged ca", GENERAL, "was not signed by the issuer it names"),
    # validity
    "expired": Case("expired", BOUNDS, "CN=expired: its certificate expired"),
    "expired, at its time": Case("expired", days=-15),
    "not yet valid": Case("future", BOUNDS, "CN=future: its certificate is valid from"),
    "below an expired CA": Case("below expired ca", BOUNDS, "an authority in its chain expired"),
    "below an expired CA, in its time": Case("below expired ca", days=-50),
    "below a future CA": Case("below future ca", BOUNDS, "an authority in its chain is valid from"),
    "below an expired root": Case(
        "below expired root", BOUNDS, "the trusted certificate CN=expired root is valid from",
        anchors=("expired root",)),
    "below an expired root, whose dates are ignored": Case(
        "below expired root", anchors=("expired root",),
        policy=DEFAULT.but(anchor_validity="ignore")),
    # names
    "the issuer in capitals": Case("capitals"),
    "the issuer with spaces": Case("spaces"),
    "another issuer's name": Case("misnamed", NO_CHAIN, "of CN=misnamed, issued by CN=another ca"),
    "the issuer's name": Case("ordered", between=("ordered ca",)),
    "the issuer's name in another order": Case(
        "reordered", NO_CHAIN, "issued by O=Clinic CAs,CN=one, to a", between=("ordered ca",)),
    # keys that authorities change
    "below the CA's next key": Case("below the next key", between=("ca", "ca's next key")),
    "below the CA's next key, which is missing": Case(
        "below the next key", GENERAL, "was not signed by the issuer it names", between=("ca",)),
    "the next key takes up no path length": Case(
        "below length 0's next key", between=("length 0", "length 0's next key")),
    "but a CA below it does": Case(
        "two below length 0's next key", RULES, "maximum path length",
        between=("length 0", "length 0's next key", "ca below length 0's next key")),
    # version 1
    "version 1": Case("v1"),
    "version 1, strict": Case("v1", RULES, "CN=v1 has no Key Usage; the policy requires it",
                              policy=LAX_STRICT),
    "below a CA of version 1": Case("below v1 ca", RULES, "is not a CA"),
    "below an anchor of version 1": Case("below v1 root", anchors=("v1 root",)),
    # basic constraints
    "issued by a certificate that is no CA": Case("below no ca", RULES, "is not a CA"),
    "issued by one that does not say": Case("below no constraints", RULES, "is not a CA"),
    "path length 0, leaf": Case("below length 0"),
    "path length 0, CA below": Case("two below length 0", RULES, "maximum path length"),
    "path length 1, CA below": Case("two below length 1"),
    "path length 1, two CAs below": Case("three below length 1", RULES, "maximum path length"),
    # usages
    "CA that may not sign certificates": Case(
        "below ca without cert sign", RULES, "is not allowed to sign certificates"),
    "CA that may not sign certificates, not critical": Case(
        "below ca that hints at no cert sign", RULES, "is not allowed to sign certificates"),
    "CA without key usage": Case("below ca without usage"),
    "no key usage": Case("no usage"),
    "no key usage, strict": Case("no usage", RULES, "no Key Usage; the policy requires it",
                                 policy=LAX_STRICT),
    "non-repudiation": Case("non-repudiation", policy=LAX_STRICT),
    "encipherment only": Case("encipherment", RULES, "is for key encipherment, not for signatures"),
    "encipherment only, nothing asked for": Case(
        "encipherment", policy=DEFAULT.but(key_usages=frozenset({"any"}))),
    "a CA's own key": Case("signing ca"),
    "server": Case("server"),
    "server, strict": Case("server", RULES, "is for server auth, which the policy does not accept",
                           policy=LAX_STRICT),
    "e-mail, strict": Case("e-mail", policy=LAX_STRICT),
    "document, strict": Case("document", policy=LAX_STRICT),
    # certificate policies
    "policy asked for": Case("policy one", policy=P1),
    "another policy asked for": Case("policy one", RULES, "no valid set of policies", policy=P2),
    "policy of the leaf alone": Case("policy two", RULES, "no valid set of policies", policy=P2),
    "no policy, none asked for": Case("no policy"),
    "no policy, one asked for": Case("no policy", RULES, "no valid set of policies", policy=P1),
    "any policy of the CA": Case("one below any policy", policy=P1),
    "any policy of the CA, another asked for": Case(
        "one below any policy", RULES, "no valid set of policies", policy=P2),
    "the CA requires a policy": Case("explicit one"),
    "the CA requires a policy, there is none": Case(
        "explicit none", RULES, "no valid set of policies"),
    "a policy is required further down": Case(
        "none two below explicit 2", RULES, "no valid set of policies"),
    "a policy is required further down, and it ends before": Case("none below explicit 2"),
    "a policy is required beyond the end": Case("none two below explicit 3"),
    "mapped policy": Case("mapped", policy=P1),
    "mapped policy, by its new name": Case("mapped", RULES, "no valid set of policies", policy=P2),
    "mapped policy, the old one in use": Case(
        "not mapped", RULES, "no valid set of policies", policy=P1),
    "mapped from any policy": Case("mapped from any", RULES, "any policy"),
    "mapping forbidden": Case(
        "mapped below no mapping", RULES, "no valid set of policies", policy=P1),
    "mapping forbidden further down": Case("mapped below mapping 1", policy=P1),
    "any policy forbidden": Case(
        "any below no any policy", RULES, "no valid set of policies", policy=P1),
    "any policy forbidden, one named": Case("one below no any policy", policy=P1),
    "any policy forbidden further down": Case("any below any policy 1", policy=P1),
    # name constraints
    "permitted directory name": Case("named inside"),
    "directory name not permitted": Case("named outside", RULES, "is not among what is permitted"),
    "excluded directory name": Case("excluded", RULES, "is excluded"),
    "directory name not excluded": Case("not excluded"),
    "permitted DNS name": Case("dns inside"),
    "DNS name not permitted": Case("dns outside", RULES, "is not among what is permitted"),
    "permitted mail address": Case("mail inside"),
    "mail address not permitted": Case("mail outside", RULES, "is not among what is permitted"),
    "excluded URI": Case("uri excluded", RULES, "is excluded"),
    "URI not excluded": Case("uri not excluded"),
    "permitted by one CA, not by the next": Case(
        "named inside both", RULES, "is not among what is permitted",
        between=("names ca", "names sub ca")),
    # extensions
    "unknown critical extension": Case(
        "unknown critical", RULES, "unsupported critical extension: 2.16.840.1.101.2.1.12.2"),
    "unknown extension": Case("unknown"),
    "unknown critical extension of a CA": Case(
        "below unknown critical ca", RULES, "unsupported critical extension"),
    # algorithms and keys
    "SHA-1": Case("sha1", CRYPTO, "the hash SHA1, which signs the certificate of CN=sha1, is too"),
    "SHA-1 accepted": Case("sha1", policy=ACCEPT, weak=("hash SHA1 signs CN=sha1",)),
    "SHA-1 merely weak": Case("sha1", policy=OLD, weak=("hash SHA1 signs CN=sha1",)),
    "SHA-1 merely weak, rejected": Case("sha1", CRYPTO, "CN=sha1,", policy=OLD.but(weak="reject")),
    "SHA-1 of a CA": Case("below sha1 ca", CRYPTO, "certificate of CN=sha1 ca, is too weak"),
    "SHA-1 of a CA accepted": Case("below sha1 ca", policy=ACCEPT,
                                   weak=("hash SHA1 signs CN=sha1 ca",)),
    "an anchor's own signature is believed by nobody": Case(
        "below sha1 root", anchors=("sha1 root",), policy=REJECT),
    "RSA 1024 of an anchor": Case("below small root", anchors=("small root",), weak=(
        "a key RSA 1024 signs CN=below small root",)),
    "RSA 1024 of an anchor, rejected": Case(
        "below small root", CRYPTO, "a key RSA 1024, which signs the certificate of CN=below small",
        anchors=("small root",), policy=REJECT),
    "MD5": Case("md5", CRYPTO, "the hash MD5, which signs the certificate of CN=md5, is too weak"),
    "MD5 accepted": Case("md5", policy=ACCEPT, weak=("hash MD5 signs CN=md5",)),
    "RSA 1024": Case("small"),  # its own key: in the report of the signature
    "RSA 1024 rejected": Case("small", CRYPTO, "CN=small has a key RSA 1024: it is too weak",
                              policy=REJECT),
    "EC 192": Case("small ec"),
    "EC 192 rejected": Case("small ec", CRYPTO, "CN=small ec has a key ECDSA 192",
                            policy=REJECT),
    "RSA 2048": Case("rsa", policy=REJECT),
    "RSA 1024 of a CA": Case("below small ca", weak=(SMALL_CA,)),
    "RSA 1024 of a CA rejected": Case("below small ca", CRYPTO, "a key RSA 1024, which signs",
                                      policy=REJECT),
    "Ed25519 of a CA": Case("below ed ca", policy=REJECT),
    "Ed25519 of a signer": Case("edwards", CRYPTO, "is of a kind the policy does not accept"),
    # several ways up
    "crossed, one root": Case("below crossed", between=("crossed", "crossed otherwise")),
    "crossed, the other root": Case("below crossed", anchors=("other root",),
                                    between=("crossed", "crossed otherwise")),
    "a loop": Case("below loop", NO_CHAIN, "no chain from"),
    # trusted by themselves
    "self-signed": Case("modality", NO_CHAIN, "no chain from"),
    "trusted signer": Case("modality", anchors=(), signers=("modality",)),
    "trusted signer, expired": Case(
        "old modality", BOUNDS, "the certificate of CN=old modality is valid from",
        anchors=(), signers=("old modality",)),
    "trusted signer, in its time": Case("old modality", anchors=(), signers=("old modality",),
                                        days=-50),
    "trusted signer with a small key": Case("small", anchors=(), signers=("small",)),
    "trusted signer with a small key, rejected": Case(
        "small", CRYPTO, "CN=small has a key RSA 1024: it is too weak", anchors=(),
        signers=("small",), policy=REJECT),
    "trusted signer with a key of another kind": Case(
        "edwards", CRYPTO, "is of a kind the policy does not accept", anchors=(),
        signers=("edwards",)),
    "trusted signer over MD5": Case("md5 modality", anchors=(), signers=("md5 modality",)),
    "another is trusted": Case("modality", NO_CHAIN, "of CN=modality, issued by CN=modality, to",
                               anchors=(), signers=("old modality",)),
    "trusted signer that should not sign": Case("encipherment", RULES, "not for signatures",
                                                anchors=(), signers=("encipherment",)),
    "self-signed as anchor": Case("modality", anchors=("modality",)),
    "expired self-signed as anchor": Case("old modality", BOUNDS, "CN=old modality is valid from",
                                          anchors=("old modality",)),
}  # fmt: skip


def store(*anchors, between=CAS, signers=(), **options):
    return TrustStore(
        pki.certs(*anchors), pki.certs(*between), signers=pki.certs(*signers), **options
    )


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_table(case):
    trust_store = store(
        *case.anchors, between=case.between, signers=case.signers, policy=case.policy
    )
    answer = trust_store.judge(pki.cert(case.of), pki.at(case.days))
    if case.reason is None:
        assert (answer.trust, answer.reason) == ("trusted", None)
        assert answer.weak == case.weak
    else:
        assert answer.trust == "untrusted"
        assert answer.reason.code == case.reason
        assert case.sentence
        assert case.sentence in answer.reason.message
        assert answer.reason.message.count("CN=") >= 1  # it names a certificate
        assert answer.weak == ()


def test_a_signer_by_its_public_key():
    for key, trust in ((pki.key("modality"), "trusted"), (pki.key("leaf"), "untrusted")):
        trust_store = TrustStore([], signers=[key.public_key()])
        assert trust_store.judge(pki.cert("modality")).trust == trust


def test_the_same_key_in_another_certificate_is_not_a_trusted_certificate():
    trust_store = TrustStore([], signers=[pki.cert("crossed")])
    assert trust_store.judge(pki.cert("crossed otherwise")).trust == "untrusted"


TSA = {
    "tsa": None, "tsa not critical": RULES, "tsa and more": RULES, "tsa without": RULES,
    "leaf": RULES, "tsa for other things": RULES, "tsa without usage": None,
}  # fmt: skip


@pytest.mark.parametrize(("of", "reason"), TSA.items(), ids=TSA)
def test_timestamp_authorities(of, reason):
    trust_store = store("root", tsa=pki.certs("tsa root"))
    answer = trust_store.judge(pki.cert(of), purpose=TIME_STAMPING)
    assert (answer.reason and answer.reason.code) == reason
    if reason:
        assert f"the certificate of CN={of} is " in answer.reason.message


def test_a_signer_that_is_trusted_directly_is_no_timestamp_authority():
    trust_store = TrustStore([], signers=[pki.cert("tsa")])
    assert trust_store.judge(pki.cert("tsa")).trust == "trusted"
    assert trust_store.judge(pki.cert("tsa"), purpose=TIME_STAMPING).reason.code == NO_CHAIN


def test_anchors_for_signers_and_for_timestamps_are_apart():
    trust_store = store("tsa root")
    answer = trust_store.judge(pki.cert("tsa"), purpose=TIME_STAMPING)
    assert answer.reason.code == NO_CHAIN
    assert "to an authority trusted for timestamps" in answer.reason.message
    trust_store = store("root", tsa=pki.certs("tsa root"))
    assert trust_store.judge(pki.cert("tsa without")).reason.code == NO_CHAIN


def test_other_certificates_help_and_are_no_anchors():
    trust_store = store("root", between=())
    assert trust_store.judge(pki.cert("leaf"), others=[pki.der("ca")]).trust == "trusted"
    assert trust_store.judge(pki.cert("leaf")).trust == "untrusted"
    assert trust_store.judge(pki.cert("leaf"), others=[b"0\x00", pki.der("ca")]).trust == "trusted"
    trust_store = store("other root", between=())
    others = [pki.der("ca"), pki.der("root")]
    assert trust_store.judge(pki.cert("leaf"), others=others).reason.code == NO_CHAIN


# --- what costs too much, and what makes no sense ------------------------------------------------


def test_ten_thousand_intermediates():
    """That all could be each other's issuer: bounded time, and the right one is still found."""
    many = _namesakes(10_000)
    begin = time.process_time()
    answer = TrustStore(pki.certs("other root"), many).judge(_below_namesakes())
    assert answer.reason.code == GENERAL
    assert "too many certificates that might stand in it" in answer.reason.message
    assert time.process_time() - begin < 30
    trust_store = TrustStore(pki.certs("root"), [*many, pki.cert("ca")])
    assert trust_store.judge(pki.cert("leaf")).trust == "trusted"


def _namesakes(count):
    """Certificates of one name that all seem to be issued by that name."""
    one = pki.cert("loop one").public_bytes(serialization.Encoding.DER)
    number = pki.cert("loop one").serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")  # as DER has it
    # the same names for issuer and subject; the signatures are never looked at
    one = one.replace(b"loop two", b"loop one")
    assert one.count(serial) == 1
    listed = []
    for number in range(count):
        other = (0x11 << 8 * (len(serial) - 1)) + number
        der = one.replace(serial, other.to_bytes(len(serial), "big"))
        listed.append(pki.x509.load_der_x509_certificate(der))
    return listed


def _below_namesakes():
    return pki.cert("below loop")


def test_a_chain_of_a_thousand(monkeypatch):
    monkeypatch.setattr(pool, "MAX_STEPS", 10**9)
    names = [f"c{number:04}" for number in range(1500)]
    one = pki.cert("loop one").public_bytes(serialization.Encoding.DER)
    many = [
        pki.x509.load_der_x509_certificate(
            one.replace(b"loop one", upper.encode().ljust(8)).replace(
                b"loop two", lower.encode().ljust(8)))
        for upper, lower in itertools.pairwise(names)
    ]  # fmt: skip
    leaf = pki.der("below loop").replace(b"loop one", names[0].encode().ljust(8))
    answer = TrustStore(pki.certs("root"), many).judge(leaf)
    assert answer.reason.code in (GENERAL, NO_CHAIN)


def test_wrong_arguments():
    with pytest.raises(TrustError, match="no anchor"):
        TrustStore([], tsa=pki.certs("tsa root"))
    for wrong in ({"tsa": [b"x"]}, {"intermediates": ["ca.pem"]}, {"signers": ["a"]},
                  {"crls": [b"x"]}, {"ocsps": [b"x"]}, {"crls": [pki.der("ca")]}):  # fmt: skip
        with pytest.raises(TrustError):
            TrustStore(pki.certs("root"), **wrong)
    with pytest.raises(CertificateError):
        store("root").judge(b"0\x00")


def test_whatever_the_library_raises_is_a_reason(monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("no way")

    monkeypatch.setattr(certification_paths, "validate", fail)
    answer = store("root").judge(pki.cert("leaf"))
    assert (answer.trust, answer.reason.code) == ("untrusted", GENERAL)
    assert "no way" in answer.reason.message

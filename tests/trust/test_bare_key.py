"""A bare public key that is trusted: nothing is told of the certificate around it.

Certificate of Signer is in no MAC, so that anybody can put another one with the same key there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

import dicomseal
from dicomseal import TrustStore
from dicomseal.requirements import SignedBy

YEARS = timedelta(days=30000)
HOUSE, MINISTRY = "Dr. Gregory House", "Federal Ministry of Health Root CA"
SECRETS = (HOUSE, MINISTRY, "4711081547110815", "1990-01", "2072-02")


def forged(public: Any) -> bytes:
    """A certificate around somebody's key that nobody has signed who may."""
    own = ec.generate_private_key(ec.SECP256R1())
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (HOUSE, MINISTRY)
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(public)
        .serial_number(0x4711_0815_4711_0815)
        .not_valid_before(datetime(1990, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(1990, 1, 1, tzinfo=UTC) + YEARS)
        # forbids signatures, which does not count either
        .add_extension(
            x509.KeyUsage(False, False, True, False, False, False, False, False, False), True
        )
    )
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory):
    """An object by a signer, in which the certificate was exchanged; its path."""
    from io import BytesIO

    import pydicom

    target = tmp_path_factory.mktemp("bare") / "house.dcm"
    key, certificate = pki.member("rsa").pair
    signed = BytesIO()
    dicomseal.sign_file(BytesIO(pki.small()), signed, key, certificate)
    signed.seek(0)
    dataset = pydicom.dcmread(signed, force=True)
    der = forged(certificate.public_key())
    dataset.DigitalSignaturesSequence[0].CertificateOfSigner = der + b"\0" * (len(der) % 2)
    dataset.save_as(target, enforce_file_format=False)
    return target


@pytest.fixture(scope="module")
def bare():
    return pki.member("rsa").certificate.public_key()


def fingerprint(public: Any) -> str:
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@pytest.mark.parametrize("at", [None, datetime(2080, 1, 1, tzinfo=UTC)])
def test_only_the_fingerprint_is_told(exchanged, bare, at):
    report = dicomseal.verify(exchanged, trust=TrustStore([], signers=[bare]), at=at)
    assert report.verdict == "passed"
    one = report.signatures[0]
    assert (one.signer.sha256, one.signer.key) == (fingerprint(bare), "RSA 2048")
    rest = [getattr(one.signer, name) for name in one.signer.__struct_fields__]
    assert sorted(rest) == sorted(["", "", "", "", "", fingerprint(bare), "RSA 2048"])
    for secret in SECRETS:
        assert secret not in str(report)
    assert "by the public key" in one.messages[0]


def test_the_command(exchanged, bare, tmp_path, run):
    path = tmp_path / "key.pem"
    path.write_bytes(bare.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for form in ("text", "json", "jsonl"):
        code, out, _ = run("verify", "--trust-signer", path, "--format", form, exchanged)
        assert code == 0
        assert fingerprint(bare) in out
        assert not any(secret in out for secret in SECRETS)


def test_a_changed_content_tells_no_name_either(exchanged, bare):
    data = exchanged.read_bytes().replace(b"Doe^John", b"Doe^Jack")
    report = dicomseal.verify(data, trust=TrustStore([], signers=[bare]))
    assert (report.verdict, report.signatures[0].integrity) == ("failed", "altered")
    assert HOUSE not in str(report)


def test_a_key_that_is_too_weak_tells_no_name():
    key = pki.KEYS["RSA 1024"]().public_key()
    store = TrustStore([], signers=[key]).but(weak="reject")
    decision = store.judge(forged(key))
    assert (decision.trust, decision.by_key) == ("untrusted", True)
    assert (
        "the public key that is trusted directly: it is a key RSA 1024" in decision.reason.message
    )
    assert HOUSE not in str(decision)


def test_a_name_that_nobody_vouches_for_meets_no_rule(exchanged, bare):
    store = TrustStore([], signers=[bare])
    for rule, verdict in (
        (SignedBy(subject=f"CN={HOUSE}"), "failed"),
        (SignedBy(issuer=f"CN={MINISTRY}"), "failed"),
        (SignedBy(sha256=sha256(forged(bare)).hexdigest()), "failed"),
        (SignedBy(sha256=fingerprint(bare)), "passed"),
    ):
        assert dicomseal.verify(exchanged, trust=store, require=rule).verdict == verdict


def test_a_certificate_that_chains_to_an_anchor_is_told():
    member, root = pki.member("rsa"), pki.member("root").certificate
    store = TrustStore([root], signers=[member.certificate.public_key()])
    decision = store.judge(member.der)
    assert (decision.trust, decision.by_key) == ("trusted", False)
    other = store.judge(forged(member.certificate.public_key()))
    assert (other.trust, other.by_key) == ("trusted", True)


def test_another_key_is_not_trusted(exchanged):
    other = pki.member("rsa two").certificate.public_key()
    report = dicomseal.verify(exchanged, trust=TrustStore([], signers=[other]))
    assert (report.verdict, report.signatures[0].trust) == ("indeterminate", "untrusted")


def test_the_certificate_of_a_signer_that_is_named_is_told(bare):
    member = pki.member("rsa")
    trust_store = TrustStore([], signers=[member.certificate]).judge(member.der)
    assert (trust_store.trust, trust_store.by_key) == ("trusted", False)
    assert TrustStore([], signers=[member.certificate]).judge(forged(bare)).trust == "untrusted"


def test_an_archive(exchanged, bare, tmp_path, run):
    key, ledger = tmp_path / "key.pem", tmp_path / "ledger"
    key.write_bytes(bare.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    code, *_ = run("archive", "verify", "--trust-signer", key, "--ledger", ledger, exchanged.parent)
    assert code == 0
    for form in ("text", "json", "html"):
        code, out, _ = run("archive", "report", ledger, "--format", form)
        assert code == 0
        assert fingerprint(bare) in out
        assert not any(secret in out for secret in SECRETS)


def test_a_key_has_no_end_that_a_proof_of_existence_could_miss(exchanged, bare, tmp_path, run):
    key, ledger = tmp_path / "key.pem", tmp_path / "ledger"
    key.write_bytes(bare.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    run("archive", "verify", "--trust-signer", key, "--ledger", ledger, exchanged.parent)
    code, *_ = run("archive", "verify", "--trust-signer", key, "--poe-ledger", ledger,
                   "--ledger", tmp_path / "second", exchanged.parent)  # fmt: skip
    assert code == 0

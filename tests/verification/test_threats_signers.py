"""The same for keys, certificates, weak algorithms and claims: a test for each row."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pki
import pytest
from _threats import CRYPTO, GOOD, HASH, NOBODY, SIGNATURE, answer, edited, transplant
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydicom import Dataset
from pydicom.sequence import Sequence

from dicomseal import remove_file, verify
from dicomseal.signature import certificate
from dicomseal.standard import mac_algorithms


def issue(subject, key, issuer="root", issuer_key=None):
    """A certificate for a key that may be somebody else's."""
    issuer_key = issuer_key or pki.key(issuer)
    builder = x509.CertificateBuilder(
        pki._name(issuer), pki._name(subject), key.public_key(), x509.random_serial_number(),
        pki.NOW - timedelta(days=1), pki.NOW + timedelta(days=1),
    )  # fmt: skip
    return builder.sign(issuer_key, hashes.SHA256())


# --- weak algorithms -----------------------------------------------------------------------------


@pytest.mark.parametrize("mac", ["MD5", "SHA1", "RIPEMD160"])
def test_a_weak_mac_passes_and_is_named(sign, root, mac):
    report = verify(sign(mac=mac), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].weak == (f"MAC {mac}",)


@pytest.mark.parametrize(("name", "last"), [("SHA1", b"\x05"), ("MD5", b"\x04")])
def test_a_certificate_that_was_signed_with_a_weak_hash(sign, root, name, last):
    """Forged certificates have been made by collisions of both."""
    rsa_oid = bytes.fromhex("2a864886f70d0101")
    der = pki.member("rsa").der.replace(rsa_oid + b"\x0b", rsa_oid + last)
    body = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    digest = hashlib.new(name, body).digest()
    der = der[:-256] + certificate.sign_mac(pki.key("root"), digest, name)
    data = edited(sign(), lambda d: setattr(getattr(d, SIGNATURE)[0], "CertificateOfSigner", der))
    assert answer(verify(data, trust=root)) == (
        "indeterminate", "intact", None, "untrusted", "CRYPTO_CONSTRAINTS_FAILURE",
    )  # fmt: skip


def test_an_rsa_signature_forged_for_the_exponent_3(sign, root):
    """A cube whose first bytes look right: a lax reader ignores what follows the digest."""
    key = rsa.generate_private_key(3, 2048)
    pair = key, issue("exponent 3", key)
    data = sign(pair=pair)
    assert answer(verify(data, trust=root)) == GOOD
    digest = hashlib.sha256(b"any MAC will do").digest()
    start = b"\0\1" + b"\xff" * 8 + b"\0" + mac_algorithms.DIGEST_INFO["SHA256"] + digest
    target = int.from_bytes(start.ljust(256, b"\0"), "big")
    low, high = 0, 1 << 700
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < target else (low, middle)
    assert (low**3).to_bytes(256, "big").startswith(start)
    forged = low.to_bytes(256, "big")
    assert not certificate.verify_mac(key.public_key(), digest, "SHA256", forged)
    report = verify(edited(data, lambda d: setattr(getattr(d, SIGNATURE)[0], "Signature", forged)))
    assert answer(report)[:3] == ("failed", "altered", CRYPTO)


# --- keys and certificates -----------------------------------------------------------------------


def test_the_attackers_own_certificate(sign, root):
    """Made up by the attacker, with the names of the real ones."""
    own = rsa.generate_private_key(65537, 2048)
    real = pki.member("rsa").certificate
    made_up = issue("rsa", own, "root", own)
    assert (made_up.subject, made_up.issuer) == (real.subject, real.issuer)
    forged = sign(pki.small(elements=NOBODY), pair=(own, made_up))
    assert answer(verify(forged, trust=root)) == (
        "indeterminate", "intact", None, "untrusted", "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    )  # fmt: skip
    assert answer(verify(forged)) == ("indeterminate", "intact", None, "not_checked", None)
    assert verify(forged, integrity_only=True).verdict == "passed"


def test_a_self_signed_certificate(sign, root):
    own = rsa.generate_private_key(65537, 2048)
    forged = sign(pair=(own, issue("nobody", own, "nobody", own)))
    *said, code = answer(verify(forged, trust=root))
    assert said == ["indeterminate", "intact", None, "untrusted"]
    assert code == "NO_CERTIFICATE_CHAIN_FOUND"


def test_another_trusted_signer_signs_the_forgery(sign, root, tmp_path):
    """Whoever has a key under the anchor can; the report names who did."""
    path = tmp_path / "signed.dcm"
    path.write_bytes(sign())
    remove_file(path, path)
    plain = path.read_bytes().replace(b"Doe^John", b"Roe^Jane")
    report = verify(sign(plain, "rsa two"), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].signer.subject == "CN=Test rsa two"


def test_another_certificate_for_the_same_key(sign, root):
    """Certificate of Signer is in no MAC: the name in it is as good as the authority behind it."""
    key = pki.key("rsa")

    def exchanged(certificate):
        der = certificate.public_bytes(serialization.Encoding.DER)
        return edited(
            sign(), lambda d: setattr(getattr(d, SIGNATURE)[0], "CertificateOfSigner", der)
        )

    report = verify(exchanged(issue("somebody else", key)), trust=root)
    assert answer(report) == GOOD
    assert report.signatures[0].signer.subject == "CN=Test somebody else"
    own = rsa.generate_private_key(65537, 2048)
    report = verify(exchanged(issue("somebody else", key, "nobody", own)), trust=root)
    assert answer(report)[1:4] == ("intact", None, "untrusted")


def test_a_signature_that_does_not_fit_makes_an_object_fail(sign, root):
    """Anyone who can write can do that: it hinders, and forges nothing."""
    stranger = transplant(sign(), pki.small(elements=NOBODY))
    report = verify(sign(stranger, "rsa two"), trust=root)
    assert report.verdict == "failed"
    assert [s.integrity for s in report.signatures] == ["altered", "intact"]


# --- claims --------------------------------------------------------------------------------------


def test_the_time_is_the_signers_claim(sign, root):
    """An expired key can still sign, and say it was then; only the caller chooses the moment."""
    then = datetime.now(UTC) - timedelta(days=15)
    report = verify(sign(who="expired", when=then), trust=root)
    assert answer(report) == ("indeterminate", "intact", None, "untrusted", "OUT_OF_BOUNDS_NO_POE")
    assert report.signatures[0].datetime == then.isoformat()
    assert answer(verify(sign(who="expired", when=then), trust=root, at=then)) == GOOD


def test_the_time_cannot_be_changed_by_others(sign, root):
    def edit(d):
        getattr(d, SIGNATURE)[0].DigitalSignatureDateTime = "20200101000000.000000+0000"

    assert answer(verify(edited(sign(), edit), trust=root))[:3] == ("failed", "altered", HASH)


def test_a_purpose_added_by_others(sign, root):
    def edit(d):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = "5", "ASTM-sigpurpose"
        code.CodeMeaning = "Verification Signature"
        getattr(d, SIGNATURE)[0].DigitalSignaturePurposeCodeSequence = Sequence([code])

    report = verify(edited(sign(), edit), trust=root)
    assert answer(report)[:3] == ("failed", "altered", HASH)


def test_a_timestamp_is_outside_the_mac(sign, root):
    """Anyone can add or remove one; what is in it must speak for itself, and no token does not."""

    def edit(d):
        item = getattr(d, SIGNATURE)[0]
        item.CertifiedTimestampType, item.CertifiedTimestamp = "CMS_TSP", b"0\2\5\0"

    report = verify(edited(sign(), edit), trust=root)
    assert answer(report) == ("failed", *GOOD[1:])
    assert [reason.code for reason in report.reasons] == ["FORMAT_FAILURE"]

"""Policies: grades, presets, files; and what is weak, through whole verifications."""

from __future__ import annotations

import json
from datetime import timedelta

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import UsageError
from dicomseal.policy import ANY, DEFAULT, PRESETS, STRICT, load
from dicomseal.signing.policy import ALLOW_WEAK


def test_grades():
    for name, grade in (("sha256", "strong"), ("sha3_512", "strong"), ("sha1", "broken"),
                        ("md5", "broken"), ("md2", "broken"), ("rot13", "broken")):  # fmt: skip
        assert DEFAULT.grade_hash(name) == grade
    for kind, size, grade in (
        ("RSA", 2048, "strong"), ("RSA", 2047, "weak"), ("RSA", 1024, "weak"),
        ("RSA", 1023, "broken"), ("ECDSA", 256, "strong"), ("ECDSA", 192, "weak"),
        ("ECDSA", 112, "broken"), ("DSA", 2048, "strong"), ("Ed25519", 0, ""), ("GOST", 256, ""),
    ):  # fmt: skip
        assert DEFAULT.grade_key(kind, size) == grade, (kind, size)
    assert DEFAULT.but(weak_hashes=frozenset({"sha1"})).grade_hash("sha1") == "weak"
    assert DEFAULT.grade_key("Ed25519", 0, ca=True) == "strong"
    assert STRICT.grade_key("DSA", 3072) == ""


def test_what_is_accepted():
    for weak, accepted in (("accept", (1, 1, 1)), ("warn", (1, 1, 0)), ("reject", (1, 0, 0))):
        policy = DEFAULT.but(weak=weak)
        grades = ("strong", "weak", "broken")
        assert tuple(policy.accepts(grade) for grade in grades) == accepted
        assert not policy.accepts("")


def test_presets_and_files(tmp_path):
    assert load("default") is DEFAULT
    assert load("strict") is STRICT
    assert list(PRESETS) == ["default", "strict"]
    path = tmp_path / "ours.json"
    path.write_text(
        json.dumps({"name": "ours", "weak": "reject", "signer_keys": {"RSA": [3072, 2048]}})
    )
    policy = load(path)
    assert policy == DEFAULT.but(name="ours", weak="reject", signer_keys={"RSA": (3072, 2048)})
    for text, said in (("{", "no policy"), ('{"wek": "reject"}', "unknown field `wek`"),
                       ('{"weak": "perhaps"}', "weak is one of"), ('{"weak": 1}', "no policy"),
                       ('{"revocation": "no"}', "revocation is one of")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(UsageError, match=said):
            load(path)
    with pytest.raises(UsageError, match="neither a file nor a policy's name"):
        load("lenient")
    with pytest.raises(UsageError, match="no policy"):
        load(tmp_path)


def test_changes():
    assert DEFAULT.but(weak=None) == DEFAULT
    for wrong in ({"weak": "x"}, {"revocation": "x"}, {"colour": "x"}):
        with pytest.raises(UsageError):
            DEFAULT.but(**wrong)


# --- through whole verifications -----------------------------------------------------------------

STORE = TrustStore([pki.member("root").certificate])
# who, mac, weak -> verdict, trust
WEAK = {
    "strong": ("rsa", "SHA256", "reject", "passed", "trusted"),
    "MAC, default": ("rsa", "MD5", None, "passed", "trusted"),
    "MAC, accepted": ("rsa", "SHA1", "accept", "passed", "trusted"),
    "MAC, warned": ("rsa", "SHA1", "warn", "passed", "trusted"),
    "MAC, rejected": ("rsa", "SHA1", "reject", "indeterminate", "untrusted"),
    "dcmsign's default, rejected": ("rsa", "RIPEMD160", "reject", "indeterminate", "untrusted"),
    "key, default": ("weak", "SHA256", None, "passed", "trusted"),
    "key, rejected": ("weak", "SHA256", "reject", "indeterminate", "untrusted"),
}


@pytest.mark.parametrize(("who", "mac", "weak", "verdict", "trust"), WEAK.values(), ids=WEAK)
def test_weak(tmp_path, who, mac, weak, verdict, trust):
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small())
    sign_file(source, target, *pki.member(who).pair, mac=mac, policy=ALLOW_WEAK)
    report = verify(target, trust=STORE, weak=weak)
    (signature,) = report.signatures
    assert (report.verdict, signature.integrity, signature.trust) == (verdict, "intact", trust)
    assert bool(signature.weak) == ((who, mac) != ("rsa", "SHA256"))
    if trust == "untrusted":
        assert signature.trust_reason.code == "CRYPTO_CONSTRAINTS_FAILURE"
    for options in ({}, {"integrity_only": True}):
        alone = verify(target, weak=weak, **options)
        refused = weak == "reject" and bool(signature.weak)
        wanted = "passed" if options and not refused else "indeterminate"
        assert alone.verdict == wanted
        reason = alone.signatures[0].trust_reason
        assert (reason is not None) == refused


def test_a_wrong_choice():
    with pytest.raises(UsageError, match="weak is one of"):
        verify(pki.small(), weak="perhaps")


# --- what is not looked at is called "any" -------------------------------------------------------


def _for_signatures():
    """A certificate for digital signatures and e-mail, and its key."""
    usages = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test usage")])
    key = pki.key("rsa two")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(pki.member("root").certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(pki.NOW - timedelta(days=1))
        .not_valid_after(pki.NOW + timedelta(days=1))
        .add_extension(
            x509.KeyUsage(**{usage: usage == "digital_signature" for usage in usages}), True
        )
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    )
    return key, builder.sign(pki.key("root"), hashes.SHA256())


NONE = frozenset[str]()
CHOICES = {
    "default": ({}, "passed"),
    "key usage": ({"key_usages": frozenset({"digital_signature"})}, "passed"),
    "another key usage": ({"key_usages": frozenset({"crl_sign"})}, "indeterminate"),
    "no key usage": ({"key_usages": NONE}, "indeterminate"),
    "any key usage": ({"key_usages": ANY}, "passed"),
    "extended": ({"extended_key_usages": frozenset({"email_protection"})}, "passed"),
    "another extended": ({"extended_key_usages": frozenset({"client_auth"})}, "indeterminate"),
    "no extended": ({"extended_key_usages": NONE}, "indeterminate"),
    "any extended": ({"extended_key_usages": ANY}, "passed"),
    "a policy it has not": ({"certificate_policies": frozenset({"1.2.3"})}, "indeterminate"),
    "no policy": ({"certificate_policies": NONE}, "indeterminate"),
    "any policy": ({"certificate_policies": ANY}, "passed"),
    "no kind of key": ({"signer_keys": {}}, "indeterminate"),
    "no hash": ({"hashes": NONE}, "indeterminate"),
}


@pytest.mark.parametrize(("changes", "verdict"), CHOICES.values(), ids=CHOICES)
def test_an_empty_choice_accepts_nothing(tmp_path, changes, verdict):
    """A check that is to be skipped has to be named: an empty list skips none."""
    path = tmp_path / "signed.dcm"
    path.write_bytes(pki.small())
    sign_file(path, path, *_for_signatures())
    store = TrustStore([pki.member("root").certificate], policy=DEFAULT.but(**changes))
    assert verify(path, trust=store).verdict == verdict


def test_any_in_a_file(tmp_path):
    path = tmp_path / "ours.json"
    path.write_text('{"name": "ours", "key_usages": ["any"], "extended_key_usages": []}')
    assert load(path) == DEFAULT.but(name="ours", key_usages=ANY, extended_key_usages=NONE)

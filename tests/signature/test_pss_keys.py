"""Keys for RSASSA-PSS alone (RFC 4055): they make no PKCS#1 v1.5 signature, and pass none."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pki
import pytest
from asn1crypto import algos
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

import dicomseal
from dicomseal import TrustStore
from dicomseal.errors import CertificateError, KeyFileError, TrustError
from dicomseal.keys.key_files import load_key
from dicomseal.signature import certificate
from dicomseal.trust import pool

ALONE = "is for RSASSA-PSS alone"
V15 = "sha256_rsa"
SALT = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
PARAMETERS = {
    "hash_algorithm": {"algorithm": "sha256"},
    "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha256"}},
    "salt_length": 32,
}


@cache
def key(of: str) -> Any:
    return rsa.generate_private_key(65537, 2048)


def certificate_for(of: str, issuer: str, *, for_pss: bool = False, signed: str = V15) -> bytes:
    """A certificate whose key, or whose signature, is of RSASSA-PSS."""
    ca = of == issuer
    builder = (
        x509.CertificateBuilder().public_key(key(of).public_key()).serial_number(1000 + len(of))
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, of)])
    above = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])
    builder = builder.subject_name(name).issuer_name(above)
    builder = builder.not_valid_before(pki.NOW - pki.timedelta(9))
    builder = builder.not_valid_after(pki.NOW + pki.timedelta(9))
    builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    plain = builder.sign(key(issuer), hashes.SHA256()).public_bytes(Encoding.DER)
    parsed = asn1.Certificate.load(plain)
    tbs = parsed["tbs_certificate"]
    if for_pss:
        spki = tbs["subject_public_key_info"]
        spki["algorithm"] = {"algorithm": "rsassa_pss"}
    if signed != V15:
        for algorithm in (tbs["signature"], parsed["signature_algorithm"]):
            algorithm["algorithm"] = "rsassa_pss"
            algorithm["parameters"] = algos.RSASSAPSSParams(PARAMETERS)
    how = padding.PKCS1v15() if signed == V15 else SALT
    parsed["signature_value"] = key(issuer).sign(tbs.dump(force=True), how, hashes.SHA256())
    return parsed.dump(force=True)


def test_the_certificate_says_it():
    for for_pss, kind in ((True, "RSASSA-PSS 2048"), (False, "RSA 2048")):
        one = certificate.parse(certificate_for("signer", "root", for_pss=for_pss))
        assert (one.pss_only, one.signer.key) == (for_pss, kind)


@pytest.fixture(scope="module")
def exchanged():
    """An object that the key has signed, with a certificate that says what it is for."""
    from io import BytesIO

    import pydicom

    plain = x509.load_der_x509_certificate(certificate_for("signer", "root"))
    signed = BytesIO()
    dicomseal.sign_file(BytesIO(pki.small()), signed, key("signer"), plain)

    def with_certificate(der: bytes) -> bytes:
        signed.seek(0)
        dataset = pydicom.dcmread(signed, force=True)
        dataset.DigitalSignaturesSequence[0].CertificateOfSigner = der + b"\0" * (len(der) % 2)
        out = BytesIO()
        dataset.save_as(out, enforce_file_format=False)
        return out.getvalue()

    return with_certificate


def test_a_signature_by_such_a_key_fails(exchanged):
    root = TrustStore([x509.load_der_x509_certificate(certificate_for("root", "root"))])
    good = dicomseal.verify(exchanged(certificate_for("signer", "root")), trust=root)
    assert good.verdict == "passed"
    bad = dicomseal.verify(exchanged(certificate_for("signer", "root", for_pss=True)), trust=root)
    assert bad.verdict == "failed"
    reason = bad.signatures[0].integrity_reason
    assert (reason.code, ALONE in reason.message) == ("CRYPTO_CONSTRAINTS_FAILURE", True)


def test_none_is_made(tmp_path):
    der = certificate_for("signer", "root", for_pss=True)
    for source in (der, x509.load_der_x509_certificate(der), certificate.parse(der)):
        with pytest.raises(CertificateError, match=ALONE):
            dicomseal.sign_file(_file(tmp_path), tmp_path / "out.dcm", key("signer"), source)
    assert not (tmp_path / "out.dcm").exists()


def _file(folder):
    path = folder / "in.dcm"
    path.write_bytes(pki.small())
    return path


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_key_file_that_says_it(tmp_path, encoding):
    plain = key("signer").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    info = asn1_keys.PrivateKeyInfo.load(plain)
    info["private_key_algorithm"] = {"algorithm": "rsassa_pss"}
    path = tmp_path / "pss.key"
    pki.secret(path, _encoded(info.dump(force=True), "PRIVATE KEY", encoding))
    with pytest.raises(KeyFileError, match=ALONE):
        load_key(path)
    pki.secret(path, _encoded(plain, "PRIVATE KEY", encoding))
    assert load_key(path)[0].key_size == 2048


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_that_says_it_is_no_signer(tmp_path, encoding):
    plain = key("signer").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = asn1_keys.PublicKeyInfo.load(plain)
    info["algorithm"] = {"algorithm": "rsassa_pss"}
    path = tmp_path / "pss.pub"
    path.write_bytes(_encoded(info.dump(force=True), "PUBLIC KEY", encoding))
    with pytest.raises(TrustError, match=ALONE):
        TrustStore.from_files(signers=[path])
    path.write_bytes(_encoded(plain, "PUBLIC KEY", encoding))
    assert TrustStore.from_files(signers=[path]).signers


def _encoded(der: bytes, label: str, encoding: Any) -> bytes:
    from asn1crypto import pem

    return pem.armor(label, der) if encoding == Encoding.PEM else der


@pytest.mark.parametrize(("for_pss", "signed", "trust"), [
    (False, V15, "trusted"), (False, "pss", "trusted"),
    (True, V15, "untrusted"), (True, "pss", "trusted"),
])  # fmt: skip
def test_an_authority_whose_key_says_it(for_pss, signed, trust):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = x509.load_der_x509_certificate(certificate_for("root", "root", for_pss=for_pss))
    leaf = certificate_for("signer", "root", signed=signed)
    answer = TrustStore([root]).judge(leaf)
    assert answer.trust == trust
    if trust == "untrusted":
        assert "signed with sha256_rsa, by a key that is for RSASSA-PSS" in answer.reason.message


def test_no_crl_of_such_a_key_counts():
    root = x509.load_der_x509_certificate(certificate_for("root", "root", for_pss=True))
    builder = x509.CertificateRevocationListBuilder().issuer_name(root.subject)
    builder = builder.last_update(pki.NOW - pki.timedelta(1))
    crl = builder.next_update(pki.NOW + pki.timedelta(1)).sign(key("root"), hashes.SHA256())
    store = TrustStore([root], crls=[crl.public_bytes(Encoding.DER)])
    answer = store.judge(certificate_for("signer", "root", signed="pss"))
    assert (answer.trust, answer.reason.code) == ("untrusted", "TRY_LATER")


def test_the_library_is_not_left_alone_with_it():
    spki = asn1.Certificate.load(certificate_for("root", "root", for_pss=True)).public_key
    value = key("root").sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    algorithm = algos.SignedDigestAlgorithm({"algorithm": V15})
    verifier = pool._Signatures(pool.Registry())
    with pytest.raises(pool.InvalidSignature):
        verifier.validate_signature(value, b"data", spki, algorithm)

"""Certificates, keys, CRLs and OCSP responses from files and folders; what is wrong with others."""

from __future__ import annotations

import os
import subprocess

import pytest
import trust_pki as pki
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from dicomseal import TrustStore
from dicomseal.errors import LeftOutWarning, TrustError
from dicomseal.trust import loading

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
TWO = pki.certs("root", "ca")
HIDDEN = serialization.BestAvailableEncryption(b"secret")
OPEN = serialization.NoEncryption()


def pem(*names):
    return b"".join(pki.cert(name).public_bytes(PEM) for name in names)


def private(name):
    form = serialization.PrivateFormat.PKCS8
    return pki.key(name).private_bytes(PEM, form, OPEN)


def public(name, encoding=PEM):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return pki.key(name).public_key().public_bytes(encoding, form)


def p12(key=None, cert=None, others=(), encryption=OPEN):
    own = pki.cert(cert) if cert else None
    return pkcs12.serialize_key_and_certificates(
        b"x", pki.key(key) if key else None, own, pki.certs(*others), encryption
    )


def crl_pem():
    parsed = pki.x509.load_der_x509_crl(pki.crl("ca"))
    return parsed.public_bytes(PEM)


@pytest.fixture
def write(tmp_path):
    def inner(data, name="file"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return inner


GOOD = {
    "PEM": (pem("root"), ["root"]),
    "PEM with text around": (b"Subject: x\n" + pem("root") + b"\nbye\n", ["root"]),
    "PEM, several": (pem("root", "ca"), ["root", "ca"]),
    "PEM, one twice": (pem("root", "ca", "root"), ["root", "ca"]),
    "PEM with its key": (private("root") + pem("root"), ["root"]),
    "PEM with a CRL": (crl_pem() + pem("root"), ["root"]),
    "PEM of long ago": (pem("root").replace(b"CERTIFICATE", b"X509 CERTIFICATE"), ["root"]),
    "OpenSSL's own": (pem("root").replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), ["root"]),
    "DER": (pki.der("root"), ["root"]),
    "PKCS#7 PEM": (pkcs7.serialize_certificates(TWO, PEM), ["root", "ca"]),
    "PKCS#7 DER": (pkcs7.serialize_certificates(TWO, DER), ["root", "ca"]),
    "PKCS#12 of certificates": (p12(others=("root", "ca")), ["root", "ca"]),
    "PKCS#12 of a signer": (p12("leaf", "leaf", ("root", "ca")), ["root", "ca"]),
}


@pytest.mark.parametrize(("data", "names"), GOOD.values(), ids=GOOD)
def test_certificates(write, data, names):
    found = loading.load_certificates(write(data))
    assert sorted(c.subject.rfc4514_string() for c in found) == sorted(f"CN={n}" for n in names)


def test_a_folder(write, tmp_path):
    write(pem("root"), "certs/a.pem")
    write(pki.der("ca"), "certs/b.cer")
    write(pem("root"), "certs/c.crt")  # the same again
    others = (
        b"", b"Read me", private("root"), crl_pem(), pki.crl("ca"), public("root"),
        public("root", DER), pki.ocsp("leaf"),
    )  # fmt: skip
    for number, data in enumerate(others):
        write(data, f"certs/other{number}")
    write(pem("direct"), "certs/below/deeper.pem")
    found = loading.load_certificates(tmp_path / "certs")
    assert [c.subject.rfc4514_string() for c in found] == ["CN=root", "CN=ca"]
    os.remove(tmp_path / "certs" / "a.pem")
    assert TrustStore.from_files(tmp_path / "certs").anchors


def test_a_folder_hashed_by_openssl(write, tmp_path):
    write(pem("root"), "certs/a.pem")
    crl = crl_pem()
    write(crl, "certs/crl.pem")
    folder = str(tmp_path / "certs")
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    assert [name for name in os.listdir(folder) if name.endswith(".0")]
    assert len(loading.load_certificates(folder)) == 1
    assert loading.load_crls(folder) == [pki.x509.load_pem_x509_crl(crl).public_bytes(DER)]


BROKEN = pki.der("root")[:50] + b"\xff" + pki.der("root")[51:]
CUT = pem("root").replace(b"M", b"A", 1)
BAD = {
    "nothing": (b"", "no certificate in it"),
    "text": (b"not a certificate", "no certificate in it"),
    "a private key": (private("root"), "no certificate in it"),
    "a CRL": (pki.crl("ca"), "no certificate in it"),
    "a damaged DER": (BROKEN, "the certificate cannot be parsed: "),
    "a cut DER": (pki.der("root")[:-9], "the certificate cannot be parsed: "),
    "a damaged PKCS#7": (b"-----BEGIN PKCS7-----\nMAAA\n-----END PKCS7-----", "the PKCS#7 cannot"),
    "PKCS#12, locked": (p12(others=("root",), encryption=HIDDEN), "it needs a password"),
    "PKCS#12 of a signer alone": (p12("leaf", "leaf"), "no certificate in it"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("in_folder", [False, True])
def test_bad_certificates(write, tmp_path, data, said, in_folder):
    path = write(data, "certs/bad")
    with pytest.raises(TrustError) as caught:
        loading.load_certificates(tmp_path / "certs" if in_folder else path)
    assert said in str(caught.value)
    assert str(tmp_path / "certs") in str(caught.value)


def test_a_damaged_second_certificate_is_left_out(write):
    path = write(pem("ca") + CUT)
    with pytest.warns(LeftOutWarning, match=r"certificate 2 cannot be parsed: .*; it is left out"):
        assert loading.load_certificates(path) == [pki.cert("ca")]


def test_passwords_of_pkcs12(write):
    path = write(p12(others=("root", "ca"), encryption=HIDDEN))
    assert len(loading.load_certificates(path, "secret")) == 2
    assert TrustStore.from_files(path, password=b"secret").anchors
    with pytest.raises(TrustError, match="the password is wrong"):
        loading.load_certificates(path, "guess")


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(TrustError, match="no certificate in it"):
        TrustStore.from_files(tmp_path)
    for option in ("intermediates", "tsa", "signers", "crls", "ocsps"):
        root = tmp_path.parent / "root.pem"
        root.write_bytes(pem("root"))
        with pytest.raises(TrustError, match=" in it"):
            TrustStore.from_files(root, **{option: [tmp_path]})


def test_what_is_not_there(tmp_path):
    for load in (loading.load_certificates, loading.load_signers, loading.load_crls,
                 loading.load_ocsps):  # fmt: skip
        with pytest.raises(TrustError, match="No such file"):
            load(tmp_path / "none")


def test_a_file_too_large(write, monkeypatch):
    monkeypatch.setattr(loading, "MAX_FILE", 100)
    with pytest.raises(TrustError, match="larger than"):
        loading.load_certificates(write(pem("root")))


@pytest.mark.parametrize("data", [public("leaf"), public("leaf", DER), pem("leaf"),
                                  pki.der("leaf"), p12("leaf", "leaf", ("ca",))],
                         ids=["key", "DER key", "PEM", "DER", "PKCS#12"])  # fmt: skip
def test_signers(write, data):
    trust_store = TrustStore.from_files(signers=[write(data)])
    assert trust_store.judge(pki.cert("leaf")).trust == "trusted"
    assert trust_store.judge(pki.cert("direct")).trust == "untrusted"


def test_crls(write):
    der = pki.crl("ca")
    other = pki.crl("root")
    as_pem = pki.x509.load_der_x509_crl(der).public_bytes(PEM)
    more = pki.x509.load_der_x509_crl(other).public_bytes(PEM)
    assert loading.load_crls(write(der)) == [der]
    assert loading.load_crls(write(as_pem + pem("ca") + more + more)) == [der, other]
    for data, said in ((der[:-9], "the CRL cannot be parsed"), (pki.der("ca"), "no cert"),
                       (as_pem.replace(b"M", b"A", 1), "the CRL cannot be parsed")):  # fmt: skip
        with pytest.raises(TrustError, match=said):
            loading.load_crls(write(data))


def test_ocsps(write):
    from cryptography.x509 import ocsp

    der = pki.ocsp("leaf")
    busy = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    assert loading.load_ocsps(write(der)) == [der]
    for data, said in ((der[:-9], "the OCSP response cannot be parsed"), (b"text", "no OCSP"),
                       (pki.der("ca"), "no OCSP"),
                       (busy.public_bytes(DER), "answered try_later")):  # fmt: skip
        with pytest.raises(TrustError, match=said):
            loading.load_ocsps(write(data))

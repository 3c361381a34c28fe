"""Certificates as hospitals have them: odd in what decides nothing, and good.

Each kind is tried as the certificate of a signer and of an authority; the openssl command says OK
to nearly all of them.
"""

from __future__ import annotations

import itertools
import os
import pickle
import ssl
import warnings
from io import BytesIO
from typing import Any

import pki
import pytest
from _chains import Member, constraints, key, make, raw, tlv
from _odd import (
    BEYOND_OPENSSL,
    CN,
    DATES,
    NAMES,
    OTHERS,
    T61,
    UTF8,
    armored,
    named,
    no_ascii,
    part,
    says_openssl,
    signed_with,
    time,
    unlocked,
)
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives.asymmetric import rsa
from tsa import openssl

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import CertificateError, KeyFileError, LeftOutWarning, TrustError
from dicomseal.keys.key_files import load_key
from dicomseal.signature import certificate, lenient_certificate
from dicomseal.trust import formats, loading, restrictions


def check(tmp_path, leaf: Member, anchor: Member, subject: str, kind: str = "") -> Any:
    """It signs, is intact and trusted, and a report tells the name."""
    assert says_openssl(tmp_path, anchor.der, leaf.der) == (kind not in BEYOND_OPENSSL)
    (tmp_path / "ca.der").write_bytes(anchor.der)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeftOutWarning)
        store = TrustStore.from_files(tmp_path / "ca.der")
        assert len(TrustStore.from_files(tmp_path / "root.pem").anchors) == 1
    for one in (store, pickle.loads(pickle.dumps(store))):
        report = verify(signed_with(leaf.der, leaf.key), trust=one)
        assert report.verdict == "passed", report
    signature = report.signatures[0]
    assert (signature.integrity, signature.trust, signature.trust_reason) == (
        "intact",
        "trusted",
        None,
    )
    assert signature.signer.subject == subject
    return store


# --- whose they are ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NAMES)
def test_the_name_of_a_signer(tmp_path, kind):
    data, text = NAMES[kind]
    anchor = make("root")
    leaf = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, subject=data))
    check(tmp_path, leaf, anchor, text, kind)
    assert TrustStore([], signers=[certificate.parse(leaf.der)]).judge(leaf.der).trust == "trusted"


@pytest.mark.parametrize("kind", NAMES)
def test_the_name_of_an_authority(tmp_path, kind):
    data, text = NAMES[kind]
    anchor = make("root", change=lambda tbs: named(tbs, data, data))
    leaf = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, issuer=data))
    store = check(tmp_path, leaf, anchor, "CN=leaf", kind)
    assert certificate.parse(leaf.der).signer.issuer == text
    # and in between
    root = make("top")
    between = make("root", root, change=lambda tbs: named(tbs, subject=data))
    for some in ([loading.load_certificates(tmp_path / "ca.der")[0]], [root.certificate]):
        helpers = [certificate.parse(between.der)]
        assert TrustStore(some, helpers).judge(leaf.der).trust == "trusted"
    # another name is another authority
    other = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, issuer=data + data))
    assert store.judge(other.der).reason.code == "NO_CERTIFICATE_CHAIN_FOUND"


# --- extensions, and what else -------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds(tmp_path, kind):
    change = OTHERS[kind]
    plain = make("root")
    check(tmp_path, make("leaf", plain, ca=False, change=change), plain, "CN=leaf")
    odd = make("root", change=change)
    check(tmp_path, make("leaf", odd, ca=False, change=change), odd, "CN=leaf")


@pytest.mark.parametrize("at", [3, 7], ids=["outer", "inner"])
@pytest.mark.parametrize("kind", ["critical FALSE", "TRUE as 01"])  # in DER they would be others
def test_a_length_that_ends_with_80_is_no_indefinite_one(tmp_path, kind, at):
    """One in 256: asn1crypto writes such a certificate anew, in DER; it was signed otherwise."""
    anchor, closest = make("root"), 0
    for size in itertools.chain.from_iterable([n] * 8 for n in range(1, 300)):
        if size < closest:
            continue
        filling = raw("1.2.3.9", tlv(4, bytes(size))), False
        leaf = make("leaf", anchor, filling, ca=False, change=OTHERS[kind])
        if leaf.der[at] == 0x80:
            break
        # serial numbers and signatures differ in length: near the goal a size is tried again
        closest = size + (abs(leaf.der[at] - 0x80) > 4)
    else:
        raise AssertionError("none has such a length")
    check(tmp_path, leaf, anchor, "CN=leaf")
    assert lenient_certificate.Certificate.load(leaf.der)["tbs_certificate"].dump() in leaf.der


def test_what_an_odd_authority_restricts_holds():
    """Lenient in its name, strict in the rest."""
    data, _ = NAMES["Latin-1 in a T61String"]
    host = [asn1.GeneralName("dns_name", "clinic.example")]
    for extensions, ca, days, code in (
        ([constraints(host)], True, 100, "CHAIN_CONSTRAINTS_FAILURE"),
        ([], True, -1, "OUT_OF_BOUNDS_NO_POE"),
        ([(raw("1.2.3.9", b"\5\0"), True)], True, 100, "CHAIN_CONSTRAINTS_FAILURE"),
    ):
        anchor = make("root", None, *extensions, ca=ca, days=(-9, days),
                      change=lambda tbs: named(tbs, data, data))  # fmt: skip
        leaf = make("leaf", anchor, ca=False, change=lambda tbs: (named(tbs, issuer=data),
                                                                  no_ascii(tbs)))  # fmt: skip
        trust_store = TrustStore([certificate.parse(anchor.der)]).judge(leaf.der)
        assert (trust_store.trust, trust_store.reason.code) == ("untrusted", code)
    none = make("root", ca=False, change=lambda tbs: named(tbs, data, data))
    with pytest.raises(TrustError, match="CN=Müller CT is not one of an authority"):
        TrustStore([certificate.parse(none.der)])


def test_a_name_with_the_same_text_in_another_encoding():
    """Equal as text is equal (RFC 5280 Section 7.1), as far as it is text."""
    t61, utf8 = part(CN, T61, b"M\xfcller"), part(CN, UTF8, "MÜLLER".encode())
    anchor = make("root", change=lambda tbs: named(tbs, t61, t61))
    leaf = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, issuer=utf8))
    assert TrustStore([certificate.parse(anchor.der)]).judge(leaf.der).trust == "trusted"


EXTENSIONS = {
    "subject alt name": ("2.5.29.17", b"\x30\x02\x8f\0"),
    "basic constraints": ("2.5.29.19", b"\x30\x03\x04\x01\x00"),
    "key usage": ("2.5.29.15", b"\x02\x01\x00"),
    "extended key usage": ("2.5.29.37", b"\x30\x03\x02\x01\x00"),
    "name constraints": ("2.5.29.30", b"\x30\x06\xa0\x04\x30\x02\x8f\0"),
    "policy constraints": ("2.5.29.36", b"\x30\x03\x04\x01\x00"),
    "inhibit any policy": ("2.5.29.54", b"\x04\x01\x00"),
    "basic constraints ": ("2.5.29.19", b"\x30\x06\x02\x01\x00\x01\x01\xff"),
    "basic constraints  ": ("2.5.29.19", b"\x30\x03\x01\x01\xff\0"),
    "key identifier": ("2.5.29.14", b"\x02\x01\x00"),
}


@pytest.mark.parametrize("name", EXTENSIONS)
@pytest.mark.parametrize("cut", [False, True])
def test_extensions_that_are_not_what_they_should_be(name, cut):
    """A sentence about the certificate, and no error of Python."""
    anchor = make("root")
    number, value = EXTENSIONS[name]
    odd = raw(number, b"\x30\x7f\x01" if cut else value), False
    trust_store = TrustStore([anchor.certificate]).judge(make("leaf", anchor, odd, ca=None).der)
    assert (trust_store.trust, trust_store.reason.code) == (
        "untrusted",
        "CHAIN_CONSTRAINTS_FAILURE",
    )
    sentence = f"of CN=leaf has an extension that is not what it should be: {name.strip()}"
    assert sentence in trust_store.reason.message
    between = make("ca", anchor, odd, ca=None, usage=None)
    trust_store = TrustStore([anchor.certificate], [between.certificate]).judge(
        make("leaf", between, ca=False).der
    )
    assert "of CN=ca has an extension that is not what it should be" in trust_store.reason.message


def test_an_odd_name_is_no_way_around_what_a_key_is_for():
    def for_pss(tbs: Any) -> None:
        named(tbs, subject=NAMES["& in a PrintableString"][0])
        tbs["subject_public_key_info"] = public

    rsa_key = rsa.generate_private_key(65537, 2048).public_key()
    form = pki.serialization.PublicFormat.SubjectPublicKeyInfo
    public = asn1.PublicKeyInfo.load(rsa_key.public_bytes(pki.serialization.Encoding.DER, form))
    for only in (False, True):
        if only:
            public["algorithm"] = {"algorithm": "rsassa_pss"}
        issued = certificate.parse(make("leaf", make("root"), ca=False, change=for_pss).der)
        assert (issued.pss_only, issued.x509) == (only, None)


# --- what stays refused --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("data", [b"", NAMES["Latin-1 in a T61String"][0]])
def test_dates_are_read_strictly(tmp_path, kind, data):
    def dated(tbs: Any) -> None:
        named(tbs, subject=data)
        tbs["validity"]["not_before"] = time(*DATES[kind])

    anchor = make("root")
    leaf = make("leaf", anchor, ca=False, change=dated)
    with pytest.raises(CertificateError, match="the certificate cannot be parsed"):
        certificate.parse(leaf.der)
    with pytest.raises(lenient_certificate.UNREADABLE):
        lenient_certificate.read(leaf.der)


def test_what_is_no_certificate_is_none():
    der = make("root").der
    for bad in (b"\x30\x03\x02\x01\x01", der[:-1], der + b"\0",
                der.replace(b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a" * 7)):  # fmt: skip
        with pytest.raises(CertificateError):
            certificate.parse(bad)


# --- one of several that cannot be read ----------------------------------------------------------


@pytest.fixture
def refused():
    def dated(tbs: Any) -> None:
        tbs["validity"]["not_before"] = time(*DATES["with a fraction"])

    return make("bad root", change=dated).der


@pytest.mark.parametrize("form", ["one file", "two files", "folder"])
def test_one_authority_that_cannot_be_read_does_not_end_the_run(tmp_path, run, refused, form):
    anchor = make("root")
    leaf = make("leaf", anchor, ca=False)
    good, bad, folder = tmp_path / "a.pem", tmp_path / "b.pem", tmp_path / "both"
    folder.mkdir()
    for where in (tmp_path, folder):
        (where / "a.pem").write_bytes(armored(anchor.der))
        (where / "b.pem").write_bytes(armored(refused))
    given = {"one file": [good], "two files": [good, bad], "folder": [folder]}[form]
    if form == "one file":
        good.write_bytes(armored(refused, anchor.der))
    with pytest.warns(LeftOutWarning, match="cannot be parsed.*it is left out"):
        store = TrustStore.from_files(*given)
    assert store.judge(leaf.der).trust == "trusted"
    target = tmp_path / "signed.dcm"
    target.write_bytes(signed_with(leaf.der, leaf.key))
    code, out, err = run("verify", *(x for one in given for x in ("--trust", one)), target)
    assert (code, out.startswith("passed")) == (0, True)
    assert "dicomseal: warning: " in err
    assert err.rstrip().endswith("; it is left out")


def test_nothing_but_what_cannot_be_read_is_an_error(tmp_path, refused):
    path = tmp_path / "bad.der"
    path.write_bytes(refused)
    for load in (loading.load_certificates, loading.load_signers, TrustStore.from_files):
        with pytest.raises(TrustError, match=r"bad\.der: the certificate cannot be parsed"):
            load(path)
    with pytest.raises(CertificateError, match=r"bad\.der"):
        sign_file(BytesIO(pki.small()), BytesIO(), key("CN=leaf"), path)


# --- bundles of operating systems ----------------------------------------------------------------

BUNDLES = [
    path
    for path in ("/etc/ssl/certs/ca-certificates.crt", ssl.get_default_verify_paths().cafile,
                 os.environ.get("DICOMSEAL_BUNDLE"))
    if path and os.path.isfile(path)
]  # fmt: skip


@pytest.mark.skipif(not BUNDLES, reason="no bundle of roots here; DICOMSEAL_BUNDLE may name one")
@pytest.mark.parametrize("path", dict.fromkeys(BUNDLES))
def test_a_bundle_of_roots_loads_without_a_refusal(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeftOutWarning)
        store = TrustStore.from_files(path)
    with open(path, "rb") as file:
        assert len(store.anchors) == file.read().count(b"-----BEGIN CERTIFICATE-----") > 80
    for one in store.anchors:
        parsed = lenient_certificate.Certificate.load(formats.der_of(one))
        assert restrictions.no_authority(parsed) == ""
        assert restrictions.check_extensions(parsed) is None
        decision = store.judge(one)
        # what it says is its own: no root is a certificate to sign objects with
        assert "Error" not in str(decision.reason)
    assert store._pool("signing", ()).roots


# --- PKCS#12 -------------------------------------------------------------------------------------


def pkcs12(tmp_path, kind: str) -> Any:
    anchor = make("root")
    data, _ = NAMES[kind]
    leaf = make("leaf", anchor, ca=False, change=lambda tbs: named(tbs, subject=data))
    pki.secret(tmp_path / "key.pem", unlocked(leaf))
    (tmp_path / "cert.pem").write_bytes(armored(leaf.der))
    (tmp_path / "ca.pem").write_bytes(armored(anchor.der))
    openssl("pkcs12", "-export", "-inkey", f"{tmp_path}/key.pem", "-in", f"{tmp_path}/cert.pem",
            "-certfile", f"{tmp_path}/ca.pem", "-out", f"{tmp_path}/all.p12",
            "-passout", "pass:secret")  # fmt: skip
    os.chmod(tmp_path / "all.p12", 0o600)
    return tmp_path / "all.p12"


def test_a_pkcs12_with_a_name_that_is_read_late(tmp_path):
    path = pkcs12(tmp_path, "Latin-1 in a T61String")
    loaded, beside = load_key(path, "secret")
    out = BytesIO()
    sign_file(BytesIO(pki.small()), out, loaded, beside)
    store = TrustStore.from_files(path, password="secret")
    report = verify(out.getvalue(), trust=store)
    assert (report.verdict, report.signatures[0].signer.subject) == ("passed", "CN=Müller CT")


def test_a_pkcs12_that_is_not_read_says_why(tmp_path):
    """The password is right, and nobody is told otherwise."""
    path = pkcs12(tmp_path, "& in a PrintableString")
    sentence = r"all\.p12: PKCS#12: a certificate in it cannot be parsed .* openssl pkcs12 -in"
    with pytest.raises(KeyFileError, match=sentence):
        load_key(path, "secret")
    with pytest.raises(TrustError, match=sentence):
        loading.load_certificates(path, "secret")
    for load in (load_key, loading.load_certificates):
        with pytest.raises((KeyFileError, TrustError), match="the password is wrong"):
            load(path, "another")
    # what it says helps
    openssl("pkcs12", "-in", str(path), "-nodes", "-passin", "pass:secret", "-out",
            f"{tmp_path}/all.pem")  # fmt: skip
    os.chmod(tmp_path / "all.pem", 0o600)
    sign_file(BytesIO(pki.small()), BytesIO(), tmp_path / "all.pem", tmp_path / "cert.pem")

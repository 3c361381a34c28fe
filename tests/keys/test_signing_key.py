"""Private keys from files of every form; a password never appears in a message."""

from __future__ import annotations

import pki
import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ed448, x25519
from cryptography.hazmat.primitives.serialization import pkcs12

from dicomseal.errors import CertificateError, KeyFileError
from dicomseal.keys.key_files import load_key
from dicomseal.keys.signing_key import SigningKey
from dicomseal.signature import certificate

SECRET = "correct horse battery"
PEM, DER = form.Encoding.PEM, form.Encoding.DER
PKCS8, TRADITIONAL = form.PrivateFormat.PKCS8, form.PrivateFormat.TraditionalOpenSSL
LOCKED, OPEN = form.BestAvailableEncryption(SECRET.encode()), form.NoEncryption()
DIGEST = bytes(range(32))

# name: (bytes of the file, whether it is encrypted)
FORMS = {
    "pem pkcs8": lambda key: (key.private_bytes(PEM, PKCS8, OPEN), False),
    "der pkcs8": lambda key: (key.private_bytes(DER, PKCS8, OPEN), False),
    "pem traditional": lambda key: (key.private_bytes(PEM, TRADITIONAL, OPEN), False),
    "der traditional": lambda key: (key.private_bytes(DER, TRADITIONAL, OPEN), False),
    "pem pkcs8 encrypted": lambda key: (key.private_bytes(PEM, PKCS8, LOCKED), True),
    "der pkcs8 encrypted": lambda key: (key.private_bytes(DER, PKCS8, LOCKED), True),
    "pem traditional encrypted": lambda key: (key.private_bytes(PEM, TRADITIONAL, LOCKED), True),
    "pkcs12": lambda key: (bundle(key, OPEN), False),
    "pkcs12 encrypted": lambda key: (bundle(key, LOCKED), True),
    "pkcs12 without certificate": lambda key: (bundle(key, LOCKED, None), True),
}
ENCRYPTED = [name for name in FORMS if "encrypted" in name]


def bundle(key, encryption, cert=...):
    if cert is ...:
        cert = pki.member("rsa").certificate
    return pkcs12.serialize_key_and_certificates(b"name", key, cert, None, encryption)


@pytest.fixture
def write(tmp_path):
    def inner(name, who="rsa"):
        data, encrypted = FORMS[name](pki.key(who))
        path = tmp_path / "a key"
        pki.secret(path, data)
        return path, encrypted

    return inner


@pytest.mark.parametrize("name", FORMS)
def test_every_form(write, name):
    path, encrypted = write(name)
    loaded, cert = load_key(path, SECRET if encrypted else None)
    assert loaded.private_numbers() == pki.key("rsa").private_numbers()
    inside = "pkcs12" in name and "without" not in name
    assert (cert == pki.member("rsa").certificate) if inside else cert is None


@pytest.mark.parametrize("who", ["ec", "dsa", "weak"])
@pytest.mark.parametrize("name", ["pem pkcs8", "der traditional", "pem traditional encrypted"])
def test_every_kind(write, who, name):
    path, _ = write(name, who)
    key = SigningKey(str(path), pki.member(who).certificate, SECRET)
    assert certificate.verify_mac(
        key.certificate.public_key, DIGEST, "SHA256", key.sign(DIGEST, "SHA256")
    )


@pytest.mark.parametrize("name", FORMS)
def test_a_password_that_is_not_needed_does_no_harm(write, name):
    path, _ = write(name)
    assert load_key(path, SECRET)[0].key_size == 2048


@pytest.mark.parametrize(
    "given", [SECRET, SECRET.encode(), lambda: SECRET, lambda: SECRET.encode()]
)
@pytest.mark.parametrize("name", ENCRYPTED)
def test_every_form_of_password(write, name, given):
    assert load_key(write(name)[0], given)[0].key_size == 2048


def test_a_password_is_asked_for_only_if_needed(write):
    def ask():
        raise AssertionError("asked")

    assert load_key(write("pem pkcs8")[0], ask)[0].key_size == 2048


@pytest.mark.parametrize("name", ENCRYPTED)
@pytest.mark.parametrize("given", ["wrong password", "", b"\xff\0", "pässword", lambda: "wrong", 7])
def test_wrong_password(write, name, given):
    path, _ = write(name)
    with pytest.raises(KeyFileError, match="a key: the password is wrong") as caught:
        load_key(path, given)
    assert caught.value.code == "password"
    assert str(caught.value) == f"{path}: the password is wrong"  # and nothing else in it


@pytest.mark.parametrize("name", ENCRYPTED)
@pytest.mark.parametrize("given", [None, lambda: None])
def test_missing_password(write, name, given):
    with pytest.raises(KeyFileError, match="the key is encrypted; give its password") as caught:
        load_key(write(name)[0], given)
    assert caught.value.code == "password"


def contents():
    key, cert = pki.member("rsa").pair
    plain = key.private_bytes(PEM, PKCS8, OPEN)
    spki = form.PublicFormat.SubjectPublicKeyInfo
    return {
        "empty": b"",
        "garbage": b"\x30\x82" + SECRET.encode(),
        "text": b"hello\n" * 9,
        "cut pem": plain[:200],
        "cut der": key.private_bytes(DER, PKCS8, OPEN)[:-9],
        "public pem": key.public_key().public_bytes(PEM, spki),
        "public der": key.public_key().public_bytes(DER, spki),
        "certificate pem": cert.public_bytes(PEM),
        "certificate der": cert.public_bytes(DER),
        "pkcs12 without key": pkcs12.serialize_key_and_certificates(None, None, cert, None, OPEN),
    }


@pytest.mark.parametrize("given", [None, SECRET])
@pytest.mark.parametrize("name", contents())
def test_no_key_in_it(tmp_path, name, given):
    path = tmp_path / "file"
    pki.secret(path, contents()[name])
    with pytest.raises(KeyFileError, match=r"file: no private key in it \(PEM, DER") as caught:
        load_key(path, given)
    assert SECRET not in str(caught.value)


def test_not_a_readable_file(tmp_path):
    for path, why in (
        (tmp_path, "Is a directory"),
        (tmp_path / "nowhere", "No such file or directory"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(KeyFileError, match=why):
            load_key(path)


# --- key and certificate -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["object", "der", "pem file", "der file", "pkcs12"])
def test_every_form_of_certificate(tmp_path, how):
    who = pki.member("rsa")
    path = tmp_path / "file"
    given: object = who.certificate
    key: object = who.key
    if how == "der":
        given = who.der
    elif how.endswith("file"):
        path.write_bytes(who.certificate.public_bytes(PEM if "pem" in how else DER))
        given = str(path)
    elif how == "pkcs12":
        pki.secret(path, bundle(who.key, OPEN))
        key, given = path, None
    assert SigningKey(key, given).certificate.der == who.der


@pytest.mark.parametrize("other", ["rsa two", "ec", "dsa"])
def test_key_of_another_certificate(other):
    with pytest.raises(KeyFileError, match="not the one of the certificate of CN=Test"):
        SigningKey(pki.key("rsa"), pki.member(other).certificate)


def test_a_certificate_that_is_none(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    for given, why in (
        (None, "there is no certificate"),
        (5, "a int is not a certificate"),
        (b"x", "cannot be parsed"),
        (b"", "there is no certificate"),
        (pki.member("rsa").der[:-9], "cut short"),
        (path, "file: no certificate in it"),
        (tmp_path / "nowhere", "No such file"),
    ):
        with pytest.raises(CertificateError, match=why):
            SigningKey(pki.key("rsa"), given)


@pytest.mark.parametrize("kind", [ed448.Ed448PrivateKey, x25519.X25519PrivateKey])
def test_a_kind_that_cannot_sign_dicom(kind):
    with pytest.raises(KeyFileError, match=kind.__name__.removesuffix("PrivateKey")):
        SigningKey(kind.generate(), pki.member("rsa").certificate)
    with pytest.raises(CertificateError, match="Ed25519 cannot sign DICOM"):
        SigningKey(*pki.member("ed25519").pair)
    with pytest.raises(KeyFileError, match="Ed25519 cannot sign DICOM: take RSA, EC or DSA"):
        SigningKey(pki.key("ed25519"), pki.member("rsa").certificate)


# --- keys that live elsewhere --------------------------------------------------------------------


class Elsewhere:
    """An HSM: nothing but sign(digest, algorithm); some also tell their public key."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def public_key(self):
        return pki.key("rsa").public_key()

    def sign(self, digest, algorithm):
        self.asked.append((digest, algorithm))
        return self.answer(digest, algorithm)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
def test_a_key_elsewhere(who, kind):
    far = Elsewhere(lambda *a: kind(certificate.sign_mac(pki.key(who), *a)))
    value = SigningKey(far, pki.member(who).certificate).sign(DIGEST, "SHA256")
    assert far.asked == [(DIGEST, "SHA256")]
    assert isinstance(value, bytes)


def fail(*_):
    raise OSError("the token was pulled out")


@pytest.mark.parametrize("who", ["rsa", "ec", "dsa"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda *_: b"", "does not verify"),
        (lambda *_: b"\x30\x82\xff\xff garbage", "does not verify"),
        (lambda *_: bytes(256), "does not verify"),
        (lambda d, a: certificate.sign_mac(pki.key("rsa two"), d, a), "does not verify"),
        (lambda d, a: certificate.sign_mac(pki.key("ec"), d[::-1], a), "does not verify"),
        (lambda *_: None, "cannot sign a SHA256 MAC"),
        (lambda *_: "text", "cannot sign a SHA256 MAC"),
        (fail, "the token was pulled out"),
    ],
)
def test_a_key_elsewhere_that_misbehaves(who, answer, why):
    key = SigningKey(Elsewhere(answer), pki.member(who).certificate)
    with pytest.raises(KeyFileError, match=why):
        key.sign(DIGEST, "SHA256")


@pytest.mark.parametrize("key", [None, 5, b"bytes", object()])
def test_what_is_no_key(key):
    with pytest.raises(KeyFileError, match="is not a private key: it has no sign"):
        SigningKey(key, pki.member("rsa").certificate)


def test_a_small_key_with_a_large_hash():
    """A DigestInfo with SHA-512 does not fit into 512 bits; 1024 hold it."""
    key = SigningKey(*pki.member("weak").pair)
    assert len(key.sign(bytes(64), "SHA512")) == 128

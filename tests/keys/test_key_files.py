"""Key files as the openssl command writes them, old and new."""

from __future__ import annotations

import pytest
import tsa
from cryptography import x509

from dicomseal.errors import KeyFileError
from dicomseal.keys.signing_key import SigningKey

PASSWORD = "a password"
# {k}: PEM of the key, {c}: PEM of the certificate, {o}: the file to make
COMMANDS = {
    "pkcs8 pem": "pkcs8 -topk8 -nocrypt -in {k} -out {o}",
    "pkcs8 der": "pkcs8 -topk8 -nocrypt -outform DER -in {k} -out {o}",
    "pkcs8 aes": "pkcs8 -topk8 -v2 aes-256-cbc -in {k} -out {o} -passout pass:{p}",
    "pkcs8 aes der": "pkcs8 -topk8 -outform DER -v2 aes-256-cbc -in {k} -out {o} -passout pass:{p}",
    "pkcs8 scrypt": "pkcs8 -topk8 -scrypt -in {k} -out {o} -passout pass:{p}",
    "pkcs8 3des": "pkcs8 -topk8 -v2 des3 -in {k} -out {o} -passout pass:{p}",
    "pkcs8 v1": "pkcs8 -topk8 -v1 PBE-SHA1-3DES -in {k} -out {o} -passout pass:{p}",
    "traditional": "pkey -traditional -in {k} -out {o}",
    "traditional aes": "pkey -traditional -aes128 -in {k} -out {o} -passout pass:{p}",
    "pkcs12": "pkcs12 -export -inkey {k} -in {c} -out {o} -passout pass:{p}",
    "pkcs12 3des": "pkcs12 -export -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1 "
                   "-inkey {k} -in {c} -out {o} -passout pass:{p}",
    "pkcs12 rc2": "pkcs12 -export -legacy -inkey {k} -in {c} -out {o} -passout pass:{p}",
    "pkcs12 no password": "pkcs12 -export -inkey {k} -in {c} -out {o} -passout pass:",
    "pkcs12 no encryption": "pkcs12 -export -keypbe NONE -certpbe NONE -inkey {k} -in {c} -out {o} "
                            "-passout pass:{p}",
}  # fmt: skip
CURVES = ("prime256v1", "secp384r1", "secp521r1", "brainpoolP256r1")


def openssl(line, **names):
    tsa.openssl(*(part.format(**names) for part in line.split()))


@pytest.fixture(scope="module", params=["rsa", "ec"])
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    key, cert = folder / "key.pem", folder / "cert.pem"
    kind = {"rsa": "RSA -pkeyopt rsa_keygen_bits:2048",
            "ec": "EC -pkeyopt ec_paramgen_curve:P-256"}[request.param]  # fmt: skip
    openssl(f"genpkey -algorithm {kind} -out {{k}}", k=key)
    openssl("req -x509 -key {k} -out {c} -subj /CN=openssl -days 2", k=key, c=cert)
    return key, cert


@pytest.mark.parametrize("name", COMMANDS)
def test_key_files_of_openssl(pair, tmp_path, name):
    key_file = tmp_path / "made"
    openssl(COMMANDS[name].replace(" ", "\0").replace("\0", " "), k=pair[0], c=pair[1], o=key_file,
            p=PASSWORD.replace(" ", "-"))  # fmt: skip
    key_file.chmod(0o600)
    given = None if name.startswith("pkcs12") else pair[1]
    password = PASSWORD.replace(" ", "-") if "{p}" in COMMANDS[name] else None
    if name == "pkcs12 no password":
        password = ""
    key = SigningKey(key_file, given, password)
    assert key.sign(bytes(32), "SHA256")
    assert key.certificate.x509 == x509.load_pem_x509_certificate(pair[1].read_bytes())
    if password and name != "pkcs12 no encryption":
        with pytest.raises(KeyFileError) as caught:
            SigningKey(key_file, given, "another")
        assert caught.value.code == "password"
        assert "another" not in str(caught.value)


@pytest.mark.parametrize("curve", CURVES)
def test_a_file_that_begins_with_ec_parameters(tmp_path, curve):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl(f"ecparam -name {curve} -genkey -out {{k}}", k=key)
    assert key.read_text().startswith("-----BEGIN EC PARAMETERS-----")
    key.chmod(0o600)
    openssl("req -x509 -key {k} -out {c} -subj /CN=x -days 2", k=key, c=cert)
    assert SigningKey(key, cert).sign(bytes(32), "SHA256")


def test_certificate_and_key_in_one_file(pair, tmp_path):
    for number, order in enumerate((pair, pair[::-1])):
        both = tmp_path / f"both{number}.pem"
        both.write_bytes(b"".join(path.read_bytes() for path in order))
        both.chmod(0o600)
        assert SigningKey(both, both).sign(bytes(32), "SHA256")

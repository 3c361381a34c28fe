"""`dicomweb+https://`: whose certificate is taken, and that nothing is asked of anyone else."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import ssl

import _dicomweb
import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

pytest.importorskip("httpx")
STUDY = "2.25.1"
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM


def issued(name, issuer=None, **names):
    """A key and a certificate: of an authority, or of a server with these names, issued by one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, by = issuer or (key, None)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if names:
        found = [x509.IPAddress(ipaddress.ip_address(one)) for one in names.get("ip", ())]
        found += [x509.DNSName(one) for one in names.get("dns", ())]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    return key, builder.sign(signer, hashes.SHA256())


@contextlib.contextmanager
def tls(server, folder, pair):
    """Have the server speak TLS with this certificate."""
    key, certificate = pair
    (folder / "server.pem").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield server.name(STUDY).replace("dicomweb+http://", "dicomweb+https://")


@pytest.fixture
def server(tmp_path, monkeypatch):
    with _dicomweb.asked(tmp_path, monkeypatch) as server:
        server.objects[STUDY, "2.25.2", "2.25.3"] = pki.small(
            elements=_dicomweb.elements(STUDY, "2.25.2", "2.25.3")
        )
        yield server


@pytest.mark.parametrize(
    ("names", "known", "verdict"),
    [
        ({"ip": ["127.0.0.1"]}, True, "unsigned"),
        ({"ip": ["127.0.0.2"], "dns": ["pacs.example", "127.0.0.1"]}, True, "error"),
        ({}, True, "error"),
        ({"ip": ["127.0.0.1"]}, False, "error"),
    ],
    ids=["its own", "another's name", "no name", "an authority that nobody named"],
)
def test_whose_certificate(run, server, tmp_path, monkeypatch, names, known, verdict):
    authority, stranger = issued("the authority"), issued("a stranger")
    (tmp_path / "anchors.pem").write_bytes(authority[1].public_bytes(PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "anchors.pem"))
    monkeypatch.setenv("DICOMSEAL_DICOMWEB_TOKEN", "a secret")
    with tls(server, tmp_path, issued("pacs", authority if known else stranger, **names)) as name:
        code, out, _ = run("verify", name, "--trust", "root.cert.pem")
    assert out.split()[0] == verdict
    if verdict == "error":
        assert code == 4
        assert "unreachable: " in out
        assert "certificate verify failed" in out
        assert server.asked == []  # nobody else has seen the token
    else:
        assert server.asked[-1][1]["Authorization"] == "Bearer a secret"

"""STOW-RS over TLS at the gate."""

from __future__ import annotations

import socket
import ssl

import pki
import pytest
from _dicomweb import RELATED, multipart
from _gate import file_of, trust_file
from _gate_process import gate

httpx = pytest.importorskip("httpx")
JSON = {"Content-Type": RELATED, "Accept": "application/dicom+json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    trust_file(folder)
    return folder


def test_tls(folder, tmp_path):
    key, certificate = pki.member("rsa").write(tmp_path)
    with (
        gate(tmp_path / "store", "--trust", folder / "ca.pem", "--stow-port", 0, "--no-sync",
             "--tls-cert", certificate, "--tls-key", key) as running,
        httpx.Client(trust_env=False, verify=False) as client,
    ):  # fmt: skip
        url = f"https://127.0.0.1:{running.ports['stow']}/studies"
        assert client.post(url, content=multipart([file_of("good", 1)]), headers=JSON).is_success
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(url.replace("https", "http"), content=b"", headers=JSON)


def test_tls_with_certificates_of_clients(folder, tmp_path):
    """With authorities a client needs a certificate of theirs, here as for C-STORE."""
    key, certificate = pki.member("rsa").write(tmp_path)
    body = multipart([file_of("good", 1)])
    with gate(
        tmp_path / "store", "--trust", folder / "ca.pem", "--stow-port", 0, "--no-sync",
        "--tls-cert", certificate, "--tls-key", key, "--tls-ca", folder / "ca.pem",
    ) as running:  # fmt: skip
        url = f"https://127.0.0.1:{running.ports['stow']}/studies"
        for pair, accepted in (
            ((certificate, key), True), (None, False),
            (pki.member("other").write(tmp_path)[::-1], False),
        ):  # fmt: skip
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if pair is not None:
                context.load_cert_chain(*pair)
            with httpx.Client(trust_env=False, verify=context) as client:
                if accepted:
                    assert client.post(url, content=body, headers=JSON).is_success
                else:
                    with pytest.raises(httpx.TransportError):
                        client.post(url, content=body, headers=JSON)
        assert len(running.objects()) == 1


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_requests_in_one_record(folder, tmp_path, cut):
    """What is decrypted already is served: two requests, or the end of one with a whole one."""
    key, certificate = pki.member("rsa").write(tmp_path)
    requests = []
    for number in (1, 2):
        body = multipart([file_of("good", number)])
        head = f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        headers = "".join(f"{name}: {value}\r\n" for name, value in JSON.items())
        requests.append(f"{head}{headers}\r\n".encode() + body)
    sent = b"".join(requests)
    assert len(sent) < 16384  # bytes that a record can have
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with gate(
        tmp_path / "store", "--trust", folder / "ca.pem", "--stow-port", 0, "--no-sync",
        "--tls-cert", certificate, "--tls-key", key,
    ) as running:  # fmt: skip
        with (
            socket.create_connection(("127.0.0.1", running.ports["stow"]), timeout=20) as plain,
            client.wrap_socket(plain) as connection,
        ):
            if cut:
                connection.sendall(sent[:cut])
            connection.sendall(sent[cut:])
            answers = b""
            while answers.count(b"HTTP/1.1 200") < 2 or answers.count(b'"00081199"') < 2:
                more = connection.recv(1 << 16)
                assert more, answers
                answers += more
        assert len(running.objects()) == 2

"""The documents on timestamps and keys against the program: their commands and their Python."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pki
import pytest
import tsa
from _hsm import PIN
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.serialization import pkcs12
from tsa import Tsa, serving

import dicomseal

DOCS = Path(__file__).parents[2] / "docs"
URL = "http://tsa.example/tsr"


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text("utf-8"), re.DOTALL)


def anonymous(text: str) -> str:
    text = re.sub(r"2\.25\.\d+", "2.25.UID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+-]+", "TIME", text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The demo's PKI and object, in the current folder."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dicomseal", "demo", "--keep", "demo"], check=True,
                   capture_output=True)  # fmt: skip
    for name in ("ca.pem", "key.pem", "cert.pem"):
        os.rename(f"demo/{name}", name)
    dicomseal.remove_file("demo/CT_small.dcm", "ct.dcm")
    return tmp_path


def run(line: str, **names: str) -> str:
    """A command of a document; what it prints."""
    for name, value in names.items():
        line = line.replace(name, value)
    command = shlex.split(line)
    if command[0] == "dicomseal":
        command[:1] = [sys.executable, "-m", "dicomseal"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


@pytest.fixture
def authority(folder):
    authority = Tsa(folder / "tsa")
    (folder / "tsa.cnf").write_text(authority.config.read_text())
    root = tsa.certificate("tsa root").public_bytes(form.Encoding.PEM)
    (folder / "tsa-root.pem").write_bytes(root)
    return authority


def test_timestamps_on_the_command_line(authority):
    compared = 0
    with serving(authority) as url:
        for block in blocks("timestamps.md", "console"):
            for part in block.split("$ ")[1:]:
                line, _, expected = part.partition("\n")
                assert anonymous(run(line, **{URL: url})) == anonymous(expected), line
                compared += 1
    assert compared == 6


def test_timestamps_in_python(authority):
    with serving(authority) as url:
        for block in blocks("timestamps.md", "python"):
            exec(
                compile(block.replace(URL, url), "timestamps.md", "exec"), {"dicomseal": dicomseal}
            )
    report = dicomseal.verify("stamped.dcm")
    assert report.signatures[0].timestamp.imprint == "SHA384"


def test_keys_on_the_command_line(folder, hsm, monkeypatch):
    monkeypatch.setenv("HSM_PIN", PIN)
    key = form.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    hsm.put("signer", "77", key)

    cert = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    locked = form.BestAvailableEncryption(b"secret")
    pkcs12_file = pkcs12.serialize_key_and_certificates(b"", key, cert, None, locked)
    for name, data in (("signer.p12", pkcs12_file), ("password", b"secret\n")):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    ran = 0
    for block in blocks("keys.md", "console"):
        for line in re.findall(r"^\$ (dicomseal .*)$", block, re.MULTILINE):
            assert run(line).startswith("2.25.")
            assert dicomseal.verify("signed.dcm").signatures[0].integrity == "intact"
            os.unlink("signed.dcm")
            ran += 1
    assert ran == 3


class Client:
    """A key management service of the kind the example speaks to."""

    def __init__(self, key):
        self.key = key

    def sign(self, KeyId, Message, MessageType, SigningAlgorithm):
        assert (KeyId, MessageType) == ("alias/archive", "DIGEST")
        assert SigningAlgorithm == "RSASSA_PKCS1_V1_5_SHA_384"
        prehashed = utils.Prehashed(hashes.SHA384())
        return {"Signature": self.key.sign(Message, padding.PKCS1v15(), prehashed)}


def test_a_key_management_service(folder):
    key = form.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    (block,) = blocks("keys.md", "python")
    exec(compile(block, "keys.md", "exec"), {"client": Client(key)})
    signature = dicomseal.verify("signed.dcm").signatures[0]
    assert (signature.integrity, signature.mac_algorithm) == ("intact", "SHA384")


def test_a_service_with_another_key(folder):
    (block,) = blocks("keys.md", "python")
    with pytest.raises(dicomseal.DicomSealError, match="do not belong together"):
        exec(compile(block, "keys.md", "exec"), {"client": Client(pki.key("rsa two"))})

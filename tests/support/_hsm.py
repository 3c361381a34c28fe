"""A SoftHSM token for the tests: one in each process, as the library can be initialized once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dicomseal.keys.pkcs11 import MODULE_VARIABLE

PIN = "24680"
LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
# label: (id, key)
KEYS = {
    "rsa": ("01", lambda: rsa.generate_private_key(65537, 2048)),
    "rsa3072": ("02", lambda: rsa.generate_private_key(65537, 3072)),
    "p256": ("03", lambda: ec.generate_private_key(ec.SECP256R1())),
    "p384": ("04", lambda: ec.generate_private_key(ec.SECP384R1())),
    "p521": ("05", lambda: ec.generate_private_key(ec.SECP521R1())),
}


class Hsm:
    """A SoftHSM token with the keys of the table, and a certificate of each in a file."""

    def __init__(self, folder: Path, library: str) -> None:
        self.folder, self.library = folder, library
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(config)  # read when the library is initialized
        os.environ[MODULE_VARIABLE] = library
        for label in ("archive", "other"):
            self.util("--init-token", "--free", "--label", label, "--so-pin", "1357", "--pin", PIN)
        for label, (number, make) in KEYS.items():
            self.put(label, number, make())
        self.put("twice", "10", KEYS["p256"][1]())
        self.put("twice", "11", KEYS["p256"][1]())
        self._certificate_on_token("rsa")

    def util(self, *arguments: str) -> None:
        done = subprocess.run(["softhsm2-util", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def put(self, label: str, number: str, key) -> None:
        path = self.folder / f"{label}.key.pem"
        pkcs8 = form.PrivateFormat.PKCS8
        path.write_bytes(key.private_bytes(form.Encoding.PEM, pkcs8, form.NoEncryption()))
        self.util("--import", str(path), "--token", "archive", "--label", label, "--id", number,
                  "--pin", PIN)  # fmt: skip
        path.unlink()
        root = pki.member("root")
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, label)]))
            .issuer_name(root.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(root.certificate.not_valid_before_utc)
            .not_valid_after(root.certificate.not_valid_after_utc)
            .sign(root.key, hashes.SHA256())
        )
        self.file(label).write_bytes(builder.public_bytes(form.Encoding.DER))

    def file(self, label: str) -> Path:
        return self.folder / f"{label}.der"

    def _certificate_on_token(self, label: str) -> None:
        """By python-pkcs11, in another process: this one is to begin with nothing opened."""
        program = f"""
import pkcs11
from pkcs11.util.x509 import decode_x509_certificate
token = pkcs11.lib({self.library!r}).get_token(token_label="archive")
with token.open(rw=True, user_pin={PIN!r}) as session:
    made = decode_x509_certificate(open({str(self.file(label))!r}, "rb").read())
    made[pkcs11.Attribute.ID] = bytes.fromhex({KEYS[label][0]!r})
    made[pkcs11.Attribute.TOKEN] = True
    session.create_object(made)
"""
        subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture(scope="session")
def hsm(tmp_path_factory):
    library = next((path for path in LIBRARIES if os.path.exists(path)), None)
    if library is None or shutil.which("softhsm2-util") is None:
        reason = "SoftHSM (Debian's softhsm2) is not installed"
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"{reason}, and CI is set: the tests of PKCS#11 must run", False)
        pytest.skip(reason)
    before = {name: os.environ.get(name) for name in ("SOFTHSM2_CONF", MODULE_VARIABLE)}
    yield Hsm(tmp_path_factory.mktemp("hsm"), library)
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value

"""A folder of objects, keys and certificates that commands are tried on."""

from __future__ import annotations

import pki
import pytest
from cryptography.hazmat.primitives import serialization as form

from dicomseal import sign_file

PASSWORD = "correct horse"


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder with keys, and one object for each verdict (with the root as anchor)."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in ("root", "intermediate", "rsa", "ec", "below", "other"):
        pki.member(name).write(folder)
    (folder / "unsigned.dcm").write_bytes(pki.small())
    for name, who in (("passed", "rsa"), ("indeterminate", "other"), ("below", "below")):
        sign_file(folder / "unsigned.dcm", folder / f"{name}.dcm", *pki.member(who).pair)
    good = (folder / "passed.dcm").read_bytes()
    (folder / "failed.dcm").write_bytes(good.replace(b"Doe^John", b"Doe^Jane"))
    (folder / "error.dcm").write_bytes(good[:-9])
    locked = pki.key("rsa").private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8,
        form.BestAvailableEncryption(PASSWORD.encode()),
    )  # fmt: skip
    pki.secret(folder / "locked.pem", locked)
    pki.secret(folder / "password", f"{PASSWORD}\r\nmore\n".encode())
    return folder


@pytest.fixture
def work(shelf, monkeypatch):
    monkeypatch.chdir(shelf)
    return shelf


TRUST = ("--trust", "root.cert.pem")

"""An archive of every kind of object to sign, and what the tests of signing share."""

from __future__ import annotations

import os

import pki
import pytest
from _archive import rows

from dicomseal import sign_file, verify

NAMED = [*pki.SMALL[:2], (0x00080060, "CS", b"OT"), *pki.SMALL[2:]]


@pytest.fixture
def archive_to_sign(tmp_path, monkeypatch):
    """An archive of every kind of object, its ledger beside it, and the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("root", "rsa", "other", "ec"):
        pki.member(name).write(tmp_path)
    archive = tmp_path / "archive"
    (archive / "a" / "b").mkdir(parents=True)
    plain = archive / "unsigned.dcm"
    plain.write_bytes(pki.small())
    (archive / "a" / "b" / "implicit.dcm").write_bytes(pki.small("implicit"))
    sign_file(plain, archive / "a" / "own.dcm", *pki.member("rsa").pair)
    sign_file(plain, archive / "a" / "foreign.dcm", *pki.member("other").pair)
    data = (archive / "a" / "foreign.dcm").read_bytes()
    (archive / "broken.dcm").write_bytes(data.replace(b"Doe^John", b"Doe^Jane"))
    sign_file(plain, archive / "item.dcm", *pki.member("rsa").pair, items="BeamSequence[0]")
    (archive / "error.dcm").write_bytes(data[:-9])
    (archive / "notes.txt").write_text("no DICOM at all, and longer than a few bytes")
    (archive / "nothing").write_bytes(b"")
    return tmp_path


KEY = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
SIGN = ("archive", "sign", "archive", "--ledger", "ledger.db", *KEY)
VERDICTS = {
    "unsigned.dcm": "signed", "a/b/implicit.dcm": "signed", "a/foreign.dcm": "signed",
    "item.dcm": "signed", "a/own.dcm": "already_signed", "broken.dcm": "refused",
    "error.dcm": "error", "notes.txt": "not_dicom", "nothing": "not_dicom",
}  # fmt: skip


def found(run=None):
    return {os.path.relpath(row.path, "archive"): row for row in rows(run=run)}


def contents(name):
    return {path: path.read_bytes() for path in name.rglob("*") if path.is_file()}


def own(path):
    """The signatures of the main data set by the key that signs here."""
    mine = pki.member("rsa").certificate.fingerprint(pki.hashes.SHA256()).hex()
    report = verify(path, integrity_only=True)
    return [one for one in report.signatures if one.location == "" and one.signer.sha256 == mine]

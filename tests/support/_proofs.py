"""Ledgers that prove that signatures existed: what the tests of these share."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta

import pki
import pydicom
import pytest
from _archive import VERIFY, rows
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from dicomseal import remove_file, sign_file

DAY = timedelta(days=1)
LATER = (pki.NOW + 2 * DAY).isoformat()  # the certificates have expired
SIGNED = ("--sign-run", "rsa.key.pem", "rsa.cert.pem")
AFTER = ("archive", "verify", "archive", "--ledger", "new.db", "--trust", "root.cert.pem")
POE = ("--poe-ledger", "ledger.db")
PASSED = "archive/a/passed.dcm"


@pytest.fixture
def old(run, folder):
    """An archive, and the ledger of a run over it while the certificates were valid."""
    assert run(*VERIFY, *SIGNED)[0] == 1
    return folder


def found(path="new.db"):
    """Of each file the verdict, and who proved the time of its first signature."""
    by_name = {}
    for row in rows(path):
        (one,) = row.signatures or (None,)
        by_name[os.path.basename(row.path)] = (
            row.verdict, one and one.judged_by, one and one.reason,
        )  # fmt: skip
    return by_name


EXPIRED = ("indeterminate", "validation", "OUT_OF_BOUNDS_NO_POE")
PROVEN = ("passed", "poe_ledger", "")


def edit(statement, *values, path="ledger.db"):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute(statement, values).rowcount > 0


def forged(kind):
    """Put a stolen key to use after its certificate expired; the UID of the signature is kept."""
    data = pydicom.dcmread(PASSED)
    (item,) = data.DigitalSignaturesSequence
    if kind == "content":
        remove_file(PASSED, PASSED)
        changed = pydicom.dcmread(PASSED)
        changed.PatientName = "Doe^Jane"
        changed.save_as(PASSED)
        sign_file(PASSED, PASSED, *pki.member("rsa").pair)
        signed = pydicom.dcmread(PASSED)
        assert signed.DigitalSignaturesSequence[0].CertificateOfSigner == item.CertificateOfSigner
    elif kind == "certificate":  # of the same key, which is the only thing the MAC binds
        one = pki.member("rsa").certificate
        root = pki.member("root")
        builder = x509.CertificateBuilder().subject_name(one.subject).issuer_name(one.issuer)
        builder = builder.public_key(one.public_key()).serial_number(7)
        builder = builder.not_valid_before(pki.NOW - 9 * DAY).not_valid_after(pki.NOW + DAY)
        der = builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        item.CertificateOfSigner = der + b"\0" * (len(der) % 2)
        data.save_as(PASSED)

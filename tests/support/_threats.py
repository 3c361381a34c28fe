"""What an attacker does to signed objects, and what is answered."""

from __future__ import annotations

import copy
import io

import pki
import pytest
from pydicom import dcmread

from dicomseal import ALLOW_WEAK, TrustStore, sign_file

MAC, SIGNATURE = "MACParametersSequence", "DigitalSignaturesSequence"
HASH, CRYPTO = "HASH_FAILURE", "SIG_CRYPTO_FAILURE"
NOBODY = [
    (0x00080018, "UI", b"2.25.99\0"),
    (0x00100010, "PN", b"Roe^Jane"),
    (0x00100020, "LO", b"9876"),
    (0x300A00B0, "SQ", [[(0x300A00C0, "IS", b"1 ")], [(0x300A00C0, "IS", b"2 ")]]),
]


@pytest.fixture
def sign(tmp_path):
    """Sign an object; the bytes of the signed file."""

    def inner(data=None, who="rsa", *, pair=None, **how):
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(data or pki.small())
        sign_file(source, target, *(pair or pki.member(who).pair), policy=ALLOW_WEAK, **how)
        return target.read_bytes()

    return inner


@pytest.fixture(scope="module")
def root():
    return TrustStore([pki.member("root").certificate])


def edited(data, edit):
    """A file after something was done to its data set."""
    dataset = dcmread(io.BytesIO(data))
    edit(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def answer(report):
    """Verdict; integrity and its code, trust and its code, of the only signature."""
    (signature,) = report.signatures
    codes = [
        reason.code if reason else None
        for reason in (signature.integrity_reason, signature.trust_reason)
    ]
    return report.verdict, signature.integrity, codes[0], signature.trust, codes[1]


GOOD = ("passed", "intact", None, "trusted", None)


def transplant(signed, target):
    """The signatures of one object, in another."""
    source = dcmread(io.BytesIO(signed))

    def edit(d):
        setattr(d, MAC, copy.deepcopy(getattr(source, MAC)))
        setattr(d, SIGNATURE, copy.deepcopy(getattr(source, SIGNATURE)))

    return edited(target, edit)

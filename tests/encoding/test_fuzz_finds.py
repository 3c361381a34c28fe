"""What fuzzing found (docs/fuzzing.md), cut down to the bytes that matter."""

from __future__ import annotations

import _forms
import _write_stds as std
import pki
import pytest
from _write_stds import item, sequence
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from dicomseal import remove_file, verify
from dicomseal.files import reader
from dicomseal.signature import certificate

SIGNATURES = (
    b"\xfa\xff\xfa\xff"  # (FFFA,FFFA)
    b"SQ"  # VR
    b"\x00\x00"  # reserved
)
MAC_PARAMETERS = (
    b"\xfe\x4f\x01\x00"  # (4FFE,0001)
    b"SQ"  # VR
    b"\x00\x00"  # reserved
)
MAC_ID = (
    b"\x00\x04\x05\x00"  # (0400,0005)
    b"US"  # VR
    b"\x02\x00"  # length 2
    b"\x07\x00"  # value
)
UID_ONE = (
    b"\x00\x04\x00\x01"  # (0400,0100)
    b"UI"  # VR
    b"\x06\x00"  # length 6
    b"2.25.1"  # value
)
UID_TWO = (
    b"\x00\x04\x00\x01"  # (0400,0100)
    b"UI"  # VR
    b"\x06\x00"  # length 6
    b"2.25.2"  # value
)
FILE = std.PREAMBLE + std.META_EXPLICIT


@pytest.fixture(params=[False, True], ids=["undefined", "defined"])
def nested(request):
    """Sequences and items of undefined or of defined length: the latter have lengths to change."""
    defined = request.param

    def build(head, *contents):
        return sequence(b"".join(item(c, defined) for c in contents), head, defined)

    return build


def removed(tmp_path, data, uid=None):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(FILE + data)
    return remove_file(source, target, uid), target.read_bytes().removeprefix(FILE)


def test_remove_a_signature_inside_a_signature(backend, nested, tmp_path):
    """Both were cut, the inner one from what was gone: struct.error, or a file with bytes lost."""
    inner = nested(SIGNATURES, UID_ONE)
    outer = nested(SIGNATURES, UID_TWO + inner)
    data = nested(std.REFERENCED_IMAGES, std.PATIENT_ID + outer) + std.TEXT_VALUE
    plain = nested(std.REFERENCED_IMAGES, std.PATIENT_ID) + std.TEXT_VALUE
    assert removed(tmp_path, data) == ((2, 0), plain)
    assert removed(tmp_path, data, "2.25.2") == ((2, 0), plain)  # the inner one was part of it
    left = nested(SIGNATURES, UID_TWO)
    assert removed(tmp_path, data, "2.25.1") == (
        (1, 1),
        nested(std.REFERENCED_IMAGES, std.PATIENT_ID + left) + std.TEXT_VALUE,
    )


def test_remove_a_signature_inside_mac_parameters(backend, nested, tmp_path):
    """The same with the sequence that is cut last and stands first."""
    macs = nested(MAC_PARAMETERS, MAC_ID + nested(SIGNATURES, UID_ONE))
    data = std.PATIENT_ID + macs + nested(SIGNATURES, MAC_ID + UID_TWO)
    assert removed(tmp_path, data) == ((2, 0), std.PATIENT_ID)


def test_remove_from_a_sequence_that_comes_twice(backend, nested, tmp_path):
    """The second was left, and the call said that none was."""
    twice = nested(SIGNATURES, UID_ONE) + nested(SIGNATURES, UID_TWO)
    data = std.PATIENT_ID + twice
    assert verify(FILE + data).verdict == "failed"
    assert removed(tmp_path, data) == ((2, 0), std.PATIENT_ID)
    assert removed(tmp_path, data, "2.25.2") == (
        (1, 1),
        std.PATIENT_ID + nested(SIGNATURES, UID_ONE),
    )


def test_remove_leaves_history_alone(backend, nested, tmp_path):
    original = (
        b"\x00\x04\x61\x05"  # (0400,0561)
        b"SQ"  # VR
        b"\x00\x00"  # reserved
    )
    history = nested(original, nested(SIGNATURES, UID_ONE))
    data = history + nested(SIGNATURES, UID_TWO)
    assert removed(tmp_path, data) == ((1, 0), history)


def test_signature_of_odd_length():
    """A NUL behind a DER value of even length is no padding: dcmsign rejects it, and we passed."""
    signer = pki.member("ec")
    digest = bytes(32)
    values = {}
    while len(values) < 2:  # how long the DER of r and s is depends on them
        value = signer.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        values[len(value) % 2] = value
    public = signer.key.public_key()
    assert certificate.verify_mac(public, digest, "SHA256", values[1] + b"\0")
    assert certificate.verify_mac(public, digest, "SHA256", values[0])
    assert not certificate.verify_mac(public, digest, "SHA256", values[0] + b"\0")
    assert not certificate.verify_mac(public, digest, "SHA256", values[1] + b"\0\0")


def test_rsa_signature_of_odd_length():
    """The same behind the value of an RSA key, whose length is that of the key."""
    signer = pki.member("rsa")
    digest = bytes(32)
    prehashed = utils.Prehashed(hashes.SHA256())
    value = signer.key.sign(digest, padding.PKCS1v15(), prehashed)
    public = signer.key.public_key()
    assert certificate.verify_mac(public, digest, "SHA256", value)
    assert not certificate.verify_mac(public, digest, "SHA256", value + b"\0")


def test_empty_value_in_big_endian(backend):
    """It was undefined behaviour in C, a copy from NULL, which only `make sanitize` sees."""
    tag = BaseTag(0x00280010)
    element = RawDataElement(tag, "US", 0, None, 0, False, False)
    data_set, out = Dataset(), bytearray()
    data_set[tag] = element
    data_set.set_original_encoding(False, False, "iso8859")
    canonical = backend.module("dataset").canonical
    assert canonical(out.extend, data_set, None, (), (False, False)).signed == 1
    assert bytes(out) == std.H("2800 1000  5553  0000")


def test_a_signed_tag_that_stands_twice_the_second_time_as_un(backend):
    """The differential test: an AssertionError left `verify`."""
    data = _forms.signed(pki.small())
    for before in (0x00100010, 0x00100020):  # in front of the signed one, and behind it
        report = _forms.answer(_forms.put(data, _forms.explicit(0x00100010, "UN", b"a"), before))
        assert report.verdict == "failed"
        assert "(0010,0010) occurs twice" in report.reasons[0].message


def test_a_data_set_too_short_for_a_vr_in_a_file_read_in_pieces(backend, monkeypatch, tmp_path):
    """It was said to have become shorter while it was read."""
    path = tmp_path / "short.dcm"
    path.write_bytes(pki.part10(b"\x10\0\x10\0P"))
    whole = verify(path).error
    monkeypatch.setattr(reader, "SNAPSHOT", 64)
    assert whole.code == "truncated"
    assert verify(path).error == whole

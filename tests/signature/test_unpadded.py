"""OW of an odd length as dcmsign hashes it, in a signature that is made here without it."""

from __future__ import annotations

import struct

import pki
import pytest
from _forms import answer, signed
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from dicomseal import Limits
from dicomseal.encoding.limits import ReadBudget
from dicomseal.encoding.values import items_of
from dicomseal.files.part10 import Part10
from dicomseal.files.reader import SNAPSHOT
from dicomseal.signature import digital_signature
from dicomseal.signature.dump import raw
from dicomseal.signature.unpadded import MESSAGE
from dicomseal.standard import terms

ODD = bytes(range(1, 8))
BITS = (0x00280100, "US", b"\x10\0")


def unpadded(data: bytes, value: bytes = ODD, vr: str = "OW") -> bytes:
    """A signed object with its signature over the stream in which this value is not padded."""
    stream = bytearray()
    raw(data, stream.extend)
    head = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, vr.encode(), len(value) + 1)
    assert stream.count(head + value + b"\0") == 1
    short = head[:8] + struct.pack("<L", len(value))
    stream = bytes(stream).replace(head + value + b"\0", short + value)
    signature = pki.member("rsa").key.sign(stream, padding.PKCS1v15(), hashes.SHA256())
    return data.replace(signature_of(data), signature)


def signature_of(data: bytes) -> bytes:
    index = Part10.from_bytes(data).index()
    (item,) = items_of(index, 0, terms.DIGITAL_SIGNATURES_SEQUENCE)
    return digital_signature.read(index, item, Limits()).signature


def odd(form: str = "explicit", value: bytes = ODD, vr: str = "OW") -> bytes:
    return signed(pki.small(form, [*pki.SMALL[:4], BITS, (0x7FE00010, vr, value)]))


@pytest.mark.parametrize("form", ["explicit", "implicit"])
def test_it_is_accepted_and_said(backend, form):
    data = odd(form)
    report = answer(data)
    assert (report.verdict, report.signatures[0].messages) == ("passed", ())
    report = answer(unpadded(data))
    assert report.verdict == "passed"
    assert MESSAGE in report.signatures[0].messages
    assert report.signatures[0].signed_elements == 6


def test_in_pieces(backend):
    """A value that is not in memory at once; every byte of it is protected, the last one too."""
    value = bytes(range(251)) * (SNAPSHOT // 251 + 1)
    value += b"\1" if len(value) % 2 == 0 else b""
    data = unpadded(odd(value=value), value)
    assert answer(data).verdict == "passed"
    at = data.index(value)
    for place in (at, at + len(value) // 2, at + len(value) - 1):
        other = bytearray(data)
        other[place] ^= 1
        report = answer(bytes(other))
        assert report.verdict == "failed"
        assert report.signatures[0].integrity_reason.code == "HASH_FAILURE"


def test_a_byte_more_is_another_content(backend):
    """What is made even afterwards is not what was signed."""
    data = unpadded(odd())
    head = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OW", len(ODD))
    even = data.replace(head + ODD, head[:8] + struct.pack("<L", 8) + ODD + b"\0")
    assert even != data
    assert answer(even).verdict == "failed"


def test_no_other_vr_has_this_form(backend):
    data = odd(vr="OB")
    assert answer(data).verdict == "passed"
    assert answer(unpadded(data, vr="OB")).verdict == "failed"


def test_in_a_sequence(backend):
    """The signature is intact; the object fails, as GDCM leaves out the last byte."""
    icon = (0x00880200, "SQ", [[BITS, (0x7FE00010, "OW", ODD)]])
    even = signed(pki.small(elements=[*pki.SMALL[:4], (0x00880200, "SQ", [[BITS]])]))
    # the object is not one that is signed here, so its stream is put together from another
    stream = bytearray()
    raw(even, stream.extend)
    pixels = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OW", len(ODD)) + ODD
    bits = struct.pack("<HH2sH", 0x0028, 0x0100, b"US", 2) + b"\x10\0"
    longer_stream = bytes(stream).replace(bits, bits + pixels)
    value = pki.member("rsa").key.sign(longer_stream, padding.PKCS1v15(), hashes.SHA256())
    plain = pki.small(elements=[*pki.SMALL[:4], icon])
    tail = even[even.index(b"\xfe\x4f\x01\x00SQ") :].replace(signature_of(even), value)
    report = answer(plain + tail)
    assert (report.verdict, report.signatures[0].integrity) == ("failed", "intact")
    assert "of which some readers leave out the last" in report.reasons[0].message
    other = answer(plain + tail.replace(value, signature_of(even)))
    assert other.signatures[0].integrity == "altered"


def test_it_counts_as_another_passage(backend):
    """A signature that needs none may cost nothing; the form is not tried for nothing."""
    none = Limits(passes=0)
    assert answer(odd(), limits=none).verdict == "passed"
    report = answer(unpadded(odd()), limits=none)
    assert (report.verdict, report.error.code) == ("error", "limit")


@pytest.mark.parametrize("signature", ["padded", "unpadded", "broken"])
def test_all_of_the_object_is_counted(backend, signature, monkeypatch):
    """What is read for the form, and the verification, where the form is tried; else neither."""
    counted = []
    monkeypatch.setattr(ReadBudget, "read", lambda _, length: counted.append(length))
    monkeypatch.setattr(ReadBudget, "verification", lambda *_: counted.append("verification"))
    data = odd()
    if signature != "padded":
        data = unpadded(data)
    if signature == "broken":
        data = data.replace(ODD, ODD[:-1] + b"!")
    assert answer(data).verdict == ("failed" if signature == "broken" else "passed")
    tried = signature != "padded"
    assert counted.count(len(data)) == tried
    assert counted.count("verification") >= 1 + tried

"""What the signatures of an object may take to compute is counted, whatever a key costs."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import _graphs
import pki
import pytest
from _apart import MACS, SIGNATURES, Signed, sequence
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from tests.encoding.test_limits import answer, told

from dicomseal import TrustStore, verify
from dicomseal.encoding import limits
from dicomseal.encoding.limits import Limits, ReadBudget
from dicomseal.errors import MalformedError
from dicomseal.signature import certificate
from dicomseal.signature.items import binary, encode

BY_KIND = {
    "RSA 2048": lambda: rsa.RSAPublicNumbers(65537, (1 << 2047) + 1).public_key(),
    "RSA 2048, exponent 2047": lambda: rsa.RSAPublicNumbers(
        (1 << 2046) + 1, (1 << 2047) + 1
    ).public_key(),
    "RSA 16384": lambda: rsa.RSAPublicNumbers(65537, (1 << 16383) + 1).public_key(),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()).public_key(),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()).public_key(),
    "brainpool 512": lambda: ec.generate_private_key(ec.BrainpoolP512R1()).public_key(),
    "DSA 2048": lambda: dsa.generate_private_key(2048).public_key(),
}


@pytest.fixture
def ct(test_files, tmp_path) -> Signed:
    return Signed(tmp_path, Path(test_files, "CT_small.dcm"))


def made_out_to(key) -> bytes:
    """A certificate for a public key."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(_graphs.name("x"))
        .issuer_name(_graphs.name("x"))
        .public_key(key)
        .serial_number(1)
        .not_valid_before(_graphs.NOW)
        .not_valid_after(_graphs.NOW)
    )
    signed = builder.sign(_graphs.key(0), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def by(ct: Signed, der: bytes, *more: bytes) -> bytes:
    """The content of a signature's item, with another certificate."""
    content = ct.content(SIGNATURES)
    for tag in (0x04000115, 0x04000120):
        content = ct.without(content, tag)
    return (
        content
        + encode([binary(0x04000115, der), binary(0x04000120, b"\1" * 256)])
        + b"".join(more)
    )


def signatures(ct: Signed, *contents: bytes) -> bytes:
    return ct.rebuilt(tfffafffa=sequence(SIGNATURES, *contents))


@pytest.mark.parametrize("kind", BY_KIND)
def test_every_verification_is_counted_by_its_key(ct, monkeypatch, kind):
    """Several that fail: each is verified, and an RSA value is looked into to say why."""
    key = BY_KIND[kind]()
    each = certificate.effort_of(key) * (2 if kind.startswith("RSA") else 1)
    data = signatures(ct, *[by(ct, made_out_to(key))] * 10)
    for allowed, verdict in ((10 * each, "failed"), (8 * each, "error")):
        monkeypatch.setattr(limits, "MIN_EFFORT", allowed)
        answered = answer(data, passes=1)
        assert answered.verdict == verdict, answered.sentence()
    assert "too much computing" in told(answered)


def test_what_a_verification_takes_is_about_what_is_counted():
    """Within a factor that leaves room for slow machines; what is dear is not counted as cheap."""
    for make in BY_KIND.values():
        key = make()
        verifies = certificate.verifier(key, "SHA256")
        times = []
        for _ in range(5):
            begin = time.process_time_ns()
            for _ in range(5):
                verifies(bytes(32), b"\1" * ((key.key_size + 7) // 8))
            times.append((time.process_time_ns() - begin) / 5)
        assert min(times) < 20 * certificate.effort_of(key)


def test_the_first_is_free(ct):
    """So an object with one signature costs what it did, and the usual way need not count."""
    assert answer(ct.data, passes=0).verdict == "passed"
    work = ReadBudget(10, Limits(passes=0))
    work.verification(10**9)
    with pytest.raises(MalformedError):
        work.verification(1)


def test_a_certificate_counts_once(monkeypatch):
    monkeypatch.setattr(limits, "MIN_EFFORT", 10_000_000)
    work = ReadBudget(10, Limits())
    assert not work.certificate(b"first")
    assert work.certificate(b"second")
    for _ in range(1000):
        assert not work.certificate(b"first")
        assert not work.certificate(b"second")
    with pytest.raises(MalformedError, match="too much computing"):
        for number in range(1000):
            work.certificate(b"%d" % number)


def test_certificates_in_memory_are_limited(ct, monkeypatch):
    """A report names each signer: their names are as long as their certificates let them be."""
    names = [x509.NameAttribute(_graphs.NameOID.COMMON_NAME, "x" * 60)] * 100
    one = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name(names))
        .public_key(_graphs.key(0).public_key())
        .not_valid_before(_graphs.NOW)
        .not_valid_after(_graphs.NOW)
    )
    ders = [
        one.serial_number(number + 1)
        .sign(_graphs.key(0), hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
        for number in range(10)
    ]
    assert len(ders[0]) > limits.USUAL_CERTIFICATE
    data = signatures(ct, *[by(ct, der) for der in ders])
    assert answer(data).verdict == "failed"
    monkeypatch.setattr(limits, "MAX_CERTIFICATES", 8 * len(ders[0]))
    assert "the certificates of its signatures have more than" in told(answer(data))
    before = certificate._parsed.cache_info().currsize
    for der in ders:
        assert certificate.parse(der) is not certificate.parse(der)
    assert certificate._parsed.cache_info().currsize == before


def test_timestamps_are_counted(ct, monkeypatch):
    token = _graphs.token(b"another", _graphs.namesakes(10))
    stamp = encode([(0x04000305, "CS", b"CMS_TSP "), binary(0x04000310, token)])
    data = signatures(ct, *[ct.content(SIGNATURES) + stamp] * 10)
    trust = TrustStore([pki.member("root").certificate])
    assert verify(data, trust=trust).error is None
    monkeypatch.setattr(limits, "MIN_EFFORT", 20_000_000)
    assert "too much computing" in told(verify(data, trust=trust, limits=Limits(passes=1)))


def test_what_it_takes_to_judge_a_timestamp_is_counted(ct, monkeypatch):
    """The same whether it was decided for this object or for one before."""
    (item,) = ct.index.children(ct.index.find(0, SIGNATURES))
    (value,) = ct.index.values(item, (0x04000120,))
    root = pki.member("root").certificate
    token = _graphs.token(value, _graphs.namesakes(100))
    stamp = encode([(0x04000305, "CS", b"CMS_TSP "), binary(0x04000310, token)])
    data = signatures(ct, *[ct.content(SIGNATURES) + stamp] * 20)
    for _ in range(2):
        trust = TrustStore([root], tsa=[root])
        monkeypatch.setattr(limits, "MIN_EFFORT", 1 << 32)
        report = verify(data, trust=trust)
        assert report.verdict == "passed", report.sentence()
        monkeypatch.setattr(limits, "MIN_EFFORT", 500_000_000)
        for _ in range(2):
            assert "too much computing" in told(verify(data, trust=trust, limits=Limits(passes=1)))


def scattered(elements: int, items: int) -> bytes:
    """So many elements, one out of order, and items with signatures whose times have no offset."""
    main = b"".join(
        struct.pack("<HH2sH", 0x0011 + 2 * (n // 0xE000), 0x1000 + n % 0xE000, b"UL", 0)
        for n in range(elements)
    )
    signature = encode([(0x04000105, "DT", b"20260101")])
    item = sequence(MACS) + sequence(SIGNATURES, signature)
    odd = encode([(0x00090010, "LO", b""), (0x00080050, "SH", b"")])
    meta = encode([(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")])
    meta = encode([(0x00020000, "UL", struct.pack("<L", len(meta)))]) + meta
    return bytes(128) + b"DICM" + meta + odd + main + sequence(0x7FDF1010, *[item] * items)


def test_searches_for_each_signature_cost_so_many_times_one():
    taken = []
    for size in (1, 8):
        data = scattered(size * 40_000, size * 1_000)
        times = []
        for _ in range(3):
            begin = time.process_time()
            assert answer(data).verdict == "failed"
            times.append(time.process_time() - begin)
        taken.append(min(times))
    assert taken[1] < 8 * taken[0] * 2.5  # the square would be 64


def test_nested_reports_are_looked_through_within_the_budget(ct, monkeypatch):
    """What a profile asks of all that is inside a scope, scopes inside one another ask again."""
    from dicomseal.signature.element_views import Elements

    index = ct.index
    monkeypatch.setattr(limits, "MIN_READ_BUDGET", 100_000)
    elements = Elements(index, 0, ReadBudget(0, Limits()))
    with pytest.raises(MalformedError, match="times over"):
        for tag in range(1000):
            elements.texts(tag, 0x00080008)

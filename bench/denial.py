"""What hostile objects cost, as they grow: ``python -m bench.denial``.

Each family is what somebody sent, or might: many elements and many signatures for each of which
something is looked up among them; many signatures by a key that is slow to verify with; many
certificates; a deflated data set that inflates. For each size: bytes, processor time, the verdict,
and the exponent of growth over the size before, where 1 is linear. A limit ends a family, and is an
answer: what then is to be seen is that it came soon.
"""

from __future__ import annotations

import math
import struct
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import dicomseal

from . import encode
from .encode import Writer

W = Writer()
_DEFLATED = "1.2.840.10008.1.2.1.99"
_TAGS = (0x00100010, 0x00100020)


def file(content: bytes, syntax: str = encode.EXPLICIT) -> bytes:
    """A file with a data set."""
    return encode.meta(encode.SECONDARY_CAPTURE_BYTE, "2.25.1", syntax) + content


def searches(size: int) -> bytes:
    """An element out of order, so that a search goes through all; times without an offset."""
    odd = W.element(0x00090010, "LO", "") + W.element(0x00080050, "SH", "")
    numbers = ((0x0011 + 2 * (n // 0xE000), 0x1000 + n % 0xE000) for n in range(size))
    many = b"".join(W.element(group << 16 | element, "UL", b"") for group, element in numbers)
    signature = W.element(0x04000105, "DT", "20260101")
    item = W.sequence(0x4FFE0001, []) + W.sequence(0xFFFAFFFA, [signature])
    return file(odd + many + W.sequence(0x7FDF1010, [item] * (size // 100)))


@lru_cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.BrainpoolP512R1())


@lru_cache
def _certificate(number: int) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x" * 60)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(number + 1)
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(1000))
    )
    return builder.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _signed(items: list[bytes]) -> bytes:
    listed = b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in _TAGS)
    parameters = (
        W.element(0x04000005, "US", b"\0\0")
        + W.element(0x04000010, "UI", encode.EXPLICIT)
        + W.element(0x04000015, "CS", "SHA256")
        + W.element(0x04000020, "AT", listed)
    )
    main = b"".join(W.element(tag, "LO", "x") for tag in _TAGS)
    return file(main + W.sequence(0x4FFE0001, [parameters]) + W.sequence(0xFFFAFFFA, items))


def _item(der: bytes, more: bytes = b"") -> bytes:
    value = _key().sign(b"something else", ec.ECDSA(hashes.SHA256()))
    return (
        W.element(0x04000005, "US", b"\0\0")
        + W.element(0x04000100, "UI", "1.2")
        + W.element(0x04000105, "DT", "20260101120000+0000")
        + W.element(0x04000110, "CS", "X509_1993_SIG")
        + W.element(0x04000115, "OB", der)
        + W.element(0x04000120, "OB", value)
        + more
    )


def slow_keys(size: int) -> bytes:
    """Signatures that do not fit, by a key on a curve for which there is no quick code."""
    return _signed([_item(_certificate(0))] * size)


def certificates(size: int) -> bytes:
    """As many, each with a certificate of its own."""
    return _signed([_item(_certificate(number)) for number in range(size)])


def deflated(size: int) -> bytes:
    """So many mebibytes of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packer.compress(W.header(0x7FE00010, "OB", size << 20))]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(size)]
    return file(b"".join(parts) + packer.flush(), _DEFLATED)


FAMILIES: dict[Callable[[int], bytes], tuple[int, ...]] = {
    searches: (10_000, 100_000, 1_000_000),
    slow_keys: (100, 1_000, 10_000),
    certificates: (100, 1_000, 5_000),
    deflated: (10, 100, 1_000, 1_100),
}


def main() -> None:
    """Print a table."""
    trust = dicomseal.TrustStore([x509.load_der_x509_certificate(_certificate(0))])
    chosen = sys.argv[1:]
    print("| what | size | bytes | s | exponent | verdict | peak, MiB |\n" + "| --- " * 7 + "|")
    for family, sizes in FAMILIES.items():
        if chosen and family.__name__ not in chosen:
            continue
        before = (0, 0.0)
        for size in sizes:
            data = family(size)
            begun = time.process_time()
            report = dicomseal.verify(data, trust=trust)
            taken = time.process_time() - begun
            exponent = ""
            if before[0]:
                exponent = f"{math.log(taken / before[1]) / math.log(size / before[0]):.2f}"
            said = (
                f"{report.verdict} {report.error.code if report.error is not None else ''}".strip()
            )
            print(f"| {family.__name__} | {size:,} | {len(data):,} | {taken:.2f} | {exponent} "
                  f"| {said} | {_peak()} |", flush=True)  # fmt: skip
            before = (size, taken)


def _peak() -> str:
    """The most memory of this process so far, as Linux tells it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return ""
    (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return f"{int(line.split()[1]) >> 10}"


if __name__ == "__main__":
    main()

"""The key, the certificate, and how workloads are signed (RSA-2048, SHA256)."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, encode, public

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


@functools.cache
def key_and_certificate() -> tuple[Path, Path]:
    """Paths of the PEM files in the cache; made when they are missing."""
    key_path, certificate_path = cache() / "key.pem", cache() / "certificate.pem"
    if key_path.exists() and certificate_path.exists():
        return key_path, certificate_path
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dicomseal benchmark")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2049, 12, 31, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    key_path.touch(0o600)
    key_path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    certificate_path.write_bytes(certificate.public_bytes(pem))
    return key_path, certificate_path


@functools.cache
def private_key() -> RSAPrivateKey:
    """The key itself."""
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key_and_certificate()[0].read_bytes(), None)


def sign(source: Path, target: Path) -> None:
    """Sign all that can be signed in the main data set of a file.

    Raises:
        Unavailable: `dicomseal.sign_file` is not here.
    """
    key, certificate = key_and_certificate()
    public("sign_file")(source, target, key, certificate, mac="SHA256")


def write_signed(
    path: Path,
    meta: bytes,
    before: Iterable[encode.Piece],
    after: Iterable[encode.Piece],
    tags: Iterable[int],
) -> None:
    """Write a signed file with holes in it, which no signer would leave.

    The data set must be canonical as it stands: Explicit VR Little Endian without sequences.

    Args:
        meta: what stands before the data set.
        before, after: its elements with tags below and above (4FFE,0001).
        tags: all tags of the data set.
    """
    before, after = list(before), list(after)
    w = encode.Writer()
    listed = b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
    mac_id = w.element(0x04000005, "US", struct.pack("<H", 0))
    mac_parameters = (
        mac_id
        + w.element(0x04000010, "UI", encode.EXPLICIT)
        + w.element(0x04000015, "CS", "SHA256")
        + w.element(0x04000020, "AT", listed)
    )
    protected = (
        mac_id
        + w.element(0x04000100, "UI", "2.25.1")
        + w.element(0x04000105, "DT", "20260101120000+0000")
        + w.element(0x04000110, "CS", "X509_1993_SIG")
    )
    hasher = hashlib.sha256()
    for chunk in encode.chunks([*before, *after, protected]):
        hasher.update(chunk)
    signature = (
        protected
        + w.element(0x04000115, "OB", certificate_der())
        + w.element(0x04000120, "OB", sign_digest(hasher.digest()))
    )
    pieces = [meta, *before, w.sequence(0x4FFE0001, [mac_parameters]), *after]
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        encode.write(file, [*pieces, w.sequence(0xFFFAFFFA, [signature])])
    os.replace(partial, path)


def sign_digest(digest: bytes) -> bytes:
    """The PKCS#1 v1.5 signature of a SHA-256 digest."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, utils

    return private_key().sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))


def certificate_der() -> bytes:
    """The certificate as it stands in an object."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = x509.load_pem_x509_certificate(key_and_certificate()[1].read_bytes())
    return certificate.public_bytes(Encoding.DER)

"""A throw-away PKI, declared in one table, and small objects to sign with it.

Every key and certificate is made once per process, when it is first asked for.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from dicomseal.signature.items import encode
from dicomseal.standard import transfer_syntaxes

# --- certificates -------------------------------------------------------------------------------

NOW = datetime.now(UTC).replace(microsecond=0)


def dsa_key() -> dsa.DSAPrivateKey:
    """Make a DSA key whose r and s have every length about as often as that of other keys.

    r and s are below the subgroup's order q. Where q is little more than a power of two, both
    values nearly always have one bit less, and their DER is never of odd length.
    """
    while True:
        key = dsa.generate_private_key(2048)
        q = key.private_numbers().public_numbers.parameter_numbers.q
        if q >> (q.bit_length() - 2) == 0b11:
            return key


KEYS = {
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA 1024": lambda: rsa.generate_private_key(65537, 1024),
    "EC P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "DSA 2048": dsa_key,
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


class Row(NamedTuple):
    issuer: str
    key: str = "RSA 2048"
    days: tuple[int, int] = (-1, 1)  # validity, counted from now
    is_ca: bool = False


TABLE = {
    "root": Row("root", days=(-4000, 4000), is_ca=True),
    "intermediate": Row("root", days=(-4000, 4000), is_ca=True),
    "other root": Row("other root", days=(-4000, 4000), is_ca=True),
    "rsa": Row("root"),
    "rsa two": Row("root"),
    "below": Row("intermediate"),
    "weak": Row("root", "RSA 1024"),
    "ec": Row("root", "EC P-256"),
    "dsa": Row("root", "DSA 2048"),
    "ed25519": Row("root", "Ed25519"),
    "expired": Row("root", days=(-20, -10)),
    "future": Row("root", days=(10, 20)),
    "other": Row("other root"),
}


class Member(NamedTuple):
    """One line of the table, made."""

    name: str
    key: Any
    certificate: x509.Certificate

    @property
    def pair(self) -> tuple[Any, x509.Certificate]:
        return self.key, self.certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder: Any) -> tuple[str, str]:
        """The paths of its key and its certificate, in PEM, in a folder."""
        pem = serialization.Encoding.PEM
        private = self.key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        paths = []
        for kind, data in (("key", private), ("cert", self.certificate.public_bytes(pem))):
            paths.append(os.path.join(folder, f"{self.name.replace(' ', '-')}.{kind}.pem"))
            secret(paths[-1], data)
        return paths[0], paths[1]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {text}")])


@lru_cache
def key(name: str) -> Any:
    return KEYS[TABLE[name].key]()


@lru_cache
def member(name: str) -> Member:
    """A key and its certificate by the name in the table."""
    row = TABLE[name]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(row.issuer))
        .public_key(key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=row.days[0]))
        .not_valid_after(NOW + timedelta(days=row.days[1]))
        .add_extension(x509.BasicConstraints(row.is_ca, None), critical=True)
    )
    return Member(name, key(name), builder.sign(key(row.issuer), hashes.SHA256()))


# --- small objects ------------------------------------------------------------------------------

EXPLICIT = transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
IMPLICIT = transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
BIG = transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
JPEG = "1.2.840.10008.1.2.4.50"

SMALL = [
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    (0x00080018, "UI", b"2.25.1234\0"),
    (0x00100010, "PN", b"Doe^John"),
    (0x00100020, "LO", b"1234"),
    (0x300A00B0, "SQ", [
        [
            (0x300A00C0, "IS", b"1 "),
            (0x300A0111, "SQ", [[(0x300A0112, "IS", b"0 ")], [(0x300A0112, "IS", b"1 ")]]),
        ],
        [(0x300A00C0, "IS", b"2 ")],
    ]),
    (0x7FE00010, "OW", bytes(range(16))),
]  # fmt: skip
SYNTAX_AND_FORM = {
    "explicit": (EXPLICIT, False, False),
    "implicit": (IMPLICIT, True, False),
    "big endian": (BIG, False, True),
}


def part10(data: bytes, syntax: str = EXPLICIT) -> bytes:
    """A DICOM file around an encoded data set."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = encode([(0x00020010, "UI", uid)])
    length = encode([(0x00020000, "UL", len(meta).to_bytes(4, "little"))])
    return b"\0" * 128 + b"DICM" + length + meta + data


def small(form: str = "explicit", elements: Iterable[Any] = SMALL) -> bytes:
    """A small object as a file, sequences with explicit lengths."""
    syntax, implicit, big_endian = SYNTAX_AND_FORM[form]
    return part10(encode(elements, implicit, big_endian), syntax)


LABELS = {form: row[0] for form, row in SYNTAX_AND_FORM.items()} | {
    "deflated": transfer_syntaxes.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
}


def body_of(form: str, elements: Iterable[Any] = SMALL) -> bytes:
    """A data set alone, in one of these encodings."""
    if form == "deflated":
        packer = zlib.compressobj(wbits=-15)
        body: bytes = packer.compress(encode(elements)) + packer.flush()
        return body + b"\0" * (len(body) % 2)
    return encode(elements, *SYNTAX_AND_FORM[form][1:])


def secret(path: Any, data: bytes) -> Any:
    """Write a file that only its owner can read, as a key should be."""
    with open(path, "wb") as file:
        os.chmod(path, 0o600)
        file.write(data)
    return path


def undefined(elements: Iterable[Any]) -> bytes:
    """As `encode`, explicit VR little endian, but sequences and items of undefined length."""
    out = b""
    for tag, vr, value in elements:
        if isinstance(value, list):
            out += encode([(tag, vr, b"")])[:-4] + b"\xff" * 4
            for item in value:
                out += bytes.fromhex("FEFF00E0FFFFFFFF") + undefined(item)
                out += bytes.fromhex("FEFF0DE000000000")
            out += bytes.fromhex("FEFFDDE000000000")
        else:
            out += encode([(tag, vr, value)])
    return out

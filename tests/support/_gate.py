"""Objects that arrive at a gate, each of a kind, and what is said of them."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import pki
from cryptography.hazmat.primitives import serialization

from dicomseal import TrustStore, sign_file
from dicomseal.gate import Policy

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
KINDS = {
    "good": "passed",
    "altered": "failed",
    "untrusted": "indeterminate",
    "unsigned": "unsigned",
    "truncated": "error",
}


def uid(number: int) -> str:
    """The SOP Instance UID of an object by its number."""
    return f"1.2.826.0.1.3680043.8.498.3.{number}"


def text(value: str) -> bytes:
    return value.encode() + b"\0" * (len(value) % 2)


def elements(number: int = 1, size: int = 512, study: str = STUDY, sop_class: str = CT) -> Any:
    """A CT image, as far as a gate looks at one."""
    return [
        (0x00080016, "UI", text(sop_class)),
        (0x00080018, "UI", text(uid(number))),
        (0x00080060, "CS", b"CT"),
        (0x00100010, "PN", b"Doe^John"),
        (0x00100020, "LO", b"PAT-4711"),
        (0x0020000D, "UI", text(study)),
        (0x0020000E, "UI", text(SERIES)),
        (0x00280010, "US", b"\x10\0"),
        (0x7FE00010, "OW", bytes(size)),
    ]


def part10(data: bytes, sop_class: str, instance: str, syntax: str = pki.EXPLICIT) -> bytes:
    """A file with all that DCMTK's clients look for."""
    meta = pki.encode(
        [
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", text(sop_class)),
            (0x00020003, "UI", text(instance)),
            (0x00020010, "UI", text(syntax)),
            (0x00020012, "UI", b"1.2.3.4\0"),
        ]
    )
    length = pki.encode([(0x00020000, "UL", len(meta).to_bytes(4, "little"))])
    return bytes(128) + b"DICM" + length + meta + data


def file_of(kind: str, number: int = 1, size: int = 512) -> bytes:
    """A file of a kind, see `KINDS`; the same each time, unless it is a large one."""
    return (_file if size <= 1 << 20 else _file.__wrapped__)(kind, number, size)


@lru_cache(maxsize=64)
def _file(kind: str, number: int, size: int) -> bytes:
    data = part10(pki.encode(elements(number, size)), CT, uid(number))
    if kind == "unsigned":
        return data
    out = io.BytesIO()
    sign_file(data, out, *pki.member("other" if kind == "untrusted" else "rsa").pair)
    data = out.getvalue()
    if kind == "altered":
        assert data.count(b"Doe^John") == 1
        return data.replace(b"Doe^John", b"Roe^Jane")
    if kind == "truncated":
        return data[:-20]
    return data


def trust() -> TrustStore:
    """Of those who sign the good ones."""
    return TrustStore([pki.member("root").certificate])


def policy(**options: Any) -> Policy:
    return Policy.of(trust(), **options)


def trust_file(folder: Any) -> str:
    """The same in a file."""
    path = folder / "ca.pem"
    path.write_bytes(pki.member("root").certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


def one_of_each(folder: Any) -> Any:
    """A folder with an object of each kind, by its name, and the trust file."""
    for number, kind in enumerate(KINDS):
        (folder / f"{kind}.dcm").write_bytes(file_of(kind, number))
    trust_file(folder)
    return folder

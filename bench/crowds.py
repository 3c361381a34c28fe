"""Objects with very many signatures, MAC Parameters items or listed tags, each of them intact.

No signer makes them; who sends them wants the work to grow with the square.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from . import encode, signing
from .encode import Writer

SIGNATURES = (100, 1_000, 10_000, 65_535)
MACS = (1_000, 10_000, 100_000)
TAGS = (1_000, 10_000, 100_000, 1_000_000)
_ELEMENTS = (
    (0x00080016, "UI", encode.SECONDARY_CAPTURE_BYTE),
    (0x00080018, "UI", "2.25.1"),
    (0x00100010, "PN", "Example^Erika^M"),
    (0x00100020, "LO", "PID-004711"),
)


def crowd(path: Path, *, signatures: int = 1, macs: int = 1, tags: int = 2) -> None:
    """Write a signed object.

    Args:
        path: where.
        signatures: how many, all over the same elements.
        macs: MAC Parameters items; the first one is the signatures'.
        tags: how many Data Elements Signed lists; the object has the first four of them. In
            implicit VR, for only there the list has a length of 32 bits.
    """
    w, explicit = Writer(implicit=True), Writer()
    listed = [tag for tag, _, _ in _ELEMENTS]
    beyond = (tag for tag in range(0x00120000, 0xFFF00000) if tag & 0xFFFF)
    listed += [next(beyond) for _ in range(max(0, tags - len(listed)))]
    words = b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in listed)
    tail = (
        w.element(0x04000010, "UI", encode.EXPLICIT)
        + w.element(0x04000015, "CS", "SHA256")
        + w.element(0x04000020, "AT", words)
    )
    short = tail[: len(tail) - len(words)][:-4] + struct.pack("<L", 4) + words[:4]
    others = [_id(w, 1) + short] * (macs - 1)
    protected = (
        (0x04000100, "UI", "2.25.2"),
        (0x04000105, "DT", "20260101120000.000000+0000"),
        (0x04000110, "CS", "X509_1993_SIG"),
    )
    hasher = hashlib.sha256()
    for element in _ELEMENTS:
        hasher.update(explicit.element(*element))
    hasher.update(_id(explicit, 0))
    for element in protected:
        hasher.update(explicit.element(*element))
    signature = (
        _id(w, 0)
        + b"".join(w.element(*element) for element in protected)
        + w.element(0x04000115, "OB", signing.certificate_der())
        + w.element(0x04000120, "OB", signing.sign_digest(hasher.digest()))
    )
    with path.open("wb") as file:
        pieces = [
            encode.meta(encode.SECONDARY_CAPTURE_BYTE, "2.25.1", encode.IMPLICIT),
            *(w.element(*element) for element in _ELEMENTS),
            w.sequence(0x4FFE0001, [_id(w, 0) + tail, *others]),
            w.sequence(0xFFFAFFFA, [signature] * signatures),
        ]
        encode.write(file, pieces)


def _id(w: Writer, number: int) -> bytes:
    return w.element(0x04000005, "US", struct.pack("<H", number))

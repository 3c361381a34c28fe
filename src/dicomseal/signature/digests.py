"""Digests to compare: whether two signatures are the same, and whether two contents are.

In: the MAC, its algorithm, the certificate and the value of an intact signature.
Out: digests.
PS3: none.

The digest of a signature covers everything that decides what it vouches for. Digital Signature UID
and the place in the object are not part of it (the MAC protects the UID). An attacker who moves a
signature to other content, puts another certificate of the same key beside it, or finds a key under
which the same value fits other content (which ECDSA allows) gets another digest.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

CONTENT_BYTES = 32
"""The number of bytes of a content digest that are kept, whatever its algorithm."""

_MARK = b"dicomseal signature 1\0"
_SIZES = struct.Struct(">4I").pack  # before each part, so that no two lists of parts look alike


def signature_digest(algorithm: str, mac: bytes, certificate: bytes, signature: bytes) -> bytes:
    """Return the SHA-256 of an intact signature.

    Args:
        algorithm: MAC Algorithm (0400,0015).
        mac: the MAC, computed from the object as it is.
        certificate: Certificate of Signer (0400,0115), DER without padding.
        signature: Signature (0400,0120), **without padding**.
    """
    name = algorithm.encode("utf-8", "backslashreplace")
    sizes = _SIZES(len(name), len(mac), len(certificate), len(signature))
    parts = _MARK, sizes[:4], name, sizes[4:8], mac, sizes[8:12], certificate, sizes[12:], signature
    return hashlib.sha256(b"".join(parts)).digest()


@lru_cache(maxsize=8)  # the objects of a device list the same elements; a hostile list may be long
def elements_digest(tags: tuple[int, ...]) -> bytes:
    """Return 16 bytes that tell whether two signatures list the same elements, in any order.

    Args:
        tags: Data Elements Signed (0400,0020).
    """
    return hashlib.sha256(struct.pack(f">{len(tags)}I", *sorted(tags))).digest()[:16]

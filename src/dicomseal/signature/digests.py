"""What makes two signatures the same one, and two contents the same content: digests to compare.

A digest of a signature is over all that decides what it vouches for: the MAC over the content, its
algorithm, the certificate, and the signature value. Digital Signature UID and the place in the
object are not in it by themselves (the MAC protects the UID); whoever moves a signature to other
content, puts another certificate of the same key beside it, or finds a key under which the same
value fits other content (which ECDSA allows) gets another digest.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

CONTENT_BYTES = 32
"""So many bytes of a digest of content are kept, whatever its algorithm."""

_MARK = b"dicomseal signature 1\0"


def signature_digest(algorithm: str, mac: bytes, certificate: bytes, signature: bytes) -> bytes:
    """SHA-256 of an intact signature.

    Args:
        algorithm: MAC Algorithm (0400,0015).
        mac: the MAC, computed from the object as it is.
        certificate: Certificate of Signer (0400,0115), DER without padding.
        signature: Signature (0400,0120), **without padding**.
    """
    made = hashlib.sha256(_MARK)
    for part in (algorithm.encode("utf-8", "backslashreplace"), mac, certificate, signature):
        made.update(len(part).to_bytes(4, "big"))  # so that no two lists of parts look alike
        made.update(part)
    return made.digest()


@lru_cache(maxsize=8)  # the objects of a device list the same elements; a hostile list may be long
def elements_digest(tags: tuple[int, ...]) -> bytes:
    """16 bytes that say whether two signatures list the same elements, in whatever order.

    Args:
        tags: Data Elements Signed (0400,0020).
    """
    return hashlib.sha256(struct.pack(f">{len(tags)}I", *sorted(tags))).digest()[:16]

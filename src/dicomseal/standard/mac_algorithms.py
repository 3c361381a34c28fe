"""The defined terms of MAC Algorithm (0400,0015) and their hashers (PS3.3 C.12.1.1.3.1.2)."""

from __future__ import annotations

import functools
import hashlib

from ..errors import UsageError

# DER of a DigestInfo up to the digest (RFC 8017 Section 9.2, note 1; RIPEMD-160 is 1.3.36.3.2.1)
DIGEST_INFO = {
    "RIPEMD160": bytes.fromhex("3021300906052b2403020105000414"),
    "MD5": bytes.fromhex("3020300c06082a864886f70d020505000410"),
    "SHA1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "SHA256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "SHA384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "SHA512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
# PS3.3 Table C.12-6, MAC Algorithm (0400,0015): defined term -> name for hashlib
MAC_ALGORITHMS = {
    "RIPEMD160": "ripemd160",
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA256": "sha256",
    "SHA384": "sha384",
    "SHA512": "sha512",
}
# several times faster than hashlib.new, which has no other way to RIPEMD-160
_MAKERS = {
    term: getattr(hashlib, name, functools.partial(hashlib.new, name))
    for term, name in MAC_ALGORITHMS.items()
}
WEAK_MAC_ALGORITHMS = frozenset(("RIPEMD160", "MD5", "SHA1"))
# the hashes of a timestamp request: the imprint has to stay secure for longer than the signature
TIMESTAMP_ALGORITHMS = ("SHA256", "SHA384", "SHA512")


def new_hasher(algorithm: str) -> hashlib._Hash:
    """Return a hashlib hasher for a defined term of MAC Algorithm (0400,0015).

    Raises:
        UsageError: the term does not exist, or this Python's OpenSSL does not offer it.
    """
    make = _MAKERS.get(algorithm) if isinstance(algorithm, str) else None
    if make is None:
        known = ", ".join(MAC_ALGORITHMS)
        raise UsageError(f"{algorithm!r} is not a MAC algorithm; the standard has {known}")
    try:
        return make(usedforsecurity=False)
    except ValueError:
        raise UsageError(f"this Python's OpenSSL does not offer {algorithm}") from None

"""The certificates of the signers of a run, and how many signatures each has."""

from __future__ import annotations

import msgspec


class SignerSum(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of signers, and its signatures.

    Attributes:
        signatures, intact, trusted: how many.
        without_timestamp: how many of the trusted ones have no Certified Timestamp. Unless
            something else proves when they were made, they are no longer trusted after
            ``not_after``.
        by_ledger: how many of the trusted ones are trusted by the proof of an earlier ledger.
    """

    subject: str
    issuer: str
    serial: str
    sha256: str
    key: str
    not_before: str
    not_after: str
    signatures: int
    intact: int
    trusted: int
    without_timestamp: int
    by_ledger: int

    @property
    def name(self) -> str:
        """The subject, or the fingerprint of a bare public key, which has no name."""
        return self.subject or f"the public key with the SHA-256 {self.sha256}"

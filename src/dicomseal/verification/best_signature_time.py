"""The time that counts: the moment at which a signer's certificate is judged, and its source.

In: the time of a timestamp, the time of validation, the claimed time, and proofs by ledgers.
Out: a `CountedTime`.
PS3: PS3.15 Section C.1; ETSI EN 319 102-1 Section 5.6.2.

This is the only place where it is decided, for every signature: it is a time that is proven by a
valid certified timestamp; otherwise the time of validation. Digital Signature DateTime is a claim
of the signature itself: it counts only if the caller accepts claims.

If the certificate is not trusted at that time, e.g. because it has expired since, an earlier time
counts if a ledger of an earlier run proves that the signature existed then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import msgspec

from ..report import ProofReport

# the sources of the time
TIMESTAMP, VALIDATION, CLAIMED = "timestamp", "validation", "claimed"
POE_LEDGER = "poe_ledger"

# the validity of a bare key, which has no dates
EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class Proof(msgspec.Struct, frozen=True):
    """A proof that a signature existed at a time, aware, and its ledger."""

    time: datetime
    where: ProofReport


class Proofs(Protocol):
    """The interface of a source of proofs of existence."""

    def of(self, digest: bytes) -> Proof | None:
        """Return the earliest proof for a signature, by its digest (`digests.signature_digest`).

        Raises:
            LedgerError: the ledger cannot be read.
        """


class CountedTime(msgspec.Struct, frozen=True, gc=False):
    """The moment at which a certificate is judged.

    Attributes:
        at: aware.
        by: ``timestamp``, ``validation``, ``poe_ledger`` or ``claimed``.
        messages: oddities of the times, for people.
        proof: the ledger that proved it, if one did.
    """

    at: datetime
    by: str
    messages: tuple[str, ...] = ()
    proof: ProofReport | None = None


def time_that_counts(
    proven: datetime | None,
    validation: datetime,
    claimed: datetime | None = None,
    accept_claimed: bool = False,
) -> CountedTime:
    """Return the moment at which a signer's certificate is judged.

    Args:
        proven: the time of a valid certified timestamp, aware; None if there is none.
        validation: the time of validation, aware.
        claimed: Digital Signature DateTime; without an offset from UTC, or None, it never counts.
        accept_claimed: whether a claimed time may count.
    """
    if proven is not None:
        return CountedTime(proven, TIMESTAMP)
    if not accept_claimed:
        return CountedTime(validation, VALIDATION)
    refused = ""
    if claimed is None:
        refused = "there is none"
    elif claimed.tzinfo is None:
        refused = "it has no offset from UTC"
    elif claimed > validation:
        refused = "it is after the time of validation"
    if refused or claimed is None:
        return CountedTime(
            validation, VALIDATION, (f"the claimed time of signing does not count: {refused}",)
        )
    return CountedTime(claimed, CLAIMED)


def with_proof(counted: CountedTime, proof: Proof | None, validation: datetime) -> CountedTime:
    """Return the time that counts if the certificate was not trusted at ``counted``.

    A proof from after the time of validation is not believed; a proof that is later than another
    proven time does not change anything.
    """
    if proof is None or proof.time > validation:
        return counted
    if counted.by != CLAIMED and proof.time >= counted.at:
        return counted
    return CountedTime(proof.time, POE_LEDGER, counted.messages, proof.where)


def oddities(
    claimed: datetime | None,
    validation: datetime,
    not_before: datetime,
    not_after: datetime,
) -> list[str]:
    """Return oddities of a claimed time of signing, for people.

    Args:
        claimed: Digital Signature DateTime.
        validation: the time of validation, aware.
        not_before, not_after: validity of the signer's certificate.
    """
    if claimed is None or claimed.tzinfo is None:
        return []
    found = []
    if claimed < not_before:
        found.append(f"dated before its certificate, which is valid from {not_before.isoformat()}")
    elif claimed > not_after:
        found.append(f"dated after its certificate expired, {not_after.isoformat()}")
    if claimed > validation:
        found.append("dated after the time of validation")
    return found

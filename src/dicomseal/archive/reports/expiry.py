"""The certificates that have expired or expire soon, and what depends on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from ..find.trusted import Trusted
from .signers import SignerSum

DAYS = (30, 90)
MAX_EXPIRING = 500
SIGNER = "signer"
_DAY = 86_400.0


class Expiring(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that has expired, or expires within the longest of `DAYS`.

    Attributes:
        role: ``signer``, ``anchor`` or ``tsa``.
        name: its subject.
        sha256: its fingerprint.
        not_after: ISO 8601.
        days: whole days until then; negative if it has expired.
        signatures: of a signer, its trusted signatures without a Certified Timestamp.
    """

    role: str
    name: str
    sha256: str
    not_after: str
    days: int
    signatures: int = 0


def expiring(signers: Iterable[SignerSum], trusted: Trusted | None, now: float) -> list[Expiring]:
    """Return what has expired or expires soon, the first to expire first.

    Signers are named on whom trusted signatures without a Certified Timestamp depend, and every
    trust anchor. Of more than `MAX_EXPIRING` those stay that are still to be renewed.
    """
    return by_day(first_to_renew(_soon(signers, trusted, now))[:MAX_EXPIRING])


def first_to_renew(found: Iterable[Expiring]) -> list[Expiring]:
    """Return these by their days, those for which it is too late behind all others."""
    return sorted(by_day(found), key=lambda one: one.days < 0)


def by_day(found: Iterable[Expiring]) -> list[Expiring]:
    """Return these by the day on which they expire; of one day, signers come first."""
    return sorted(
        found, key=lambda one: (one.not_after[:10], one.role != SIGNER, one.name, one.sha256)
    )


def within(found: Iterable[Expiring], least: int, most: int) -> list[Expiring]:
    """Return those that expire in ``least`` to ``most`` days from now, the bounds included."""
    return [one for one in found if least <= one.days <= most]


def _soon(signers: Iterable[SignerSum], trusted: Trusted | None, now: float) -> Iterator[Expiring]:
    for one in signers:
        days = days_until(one.not_after, now)
        if one.without_timestamp and days is not None and days <= DAYS[-1]:
            yield Expiring(
                role=SIGNER, name=one.name, sha256=one.sha256, not_after=one.not_after, days=days,
                signatures=one.without_timestamp,
            )  # fmt: skip
    for certificate in trusted.certificates if trusted else ():
        days = days_until(certificate.not_after, now)
        if days is not None and days <= DAYS[-1]:
            yield Expiring(
                role=certificate.role, name=certificate.name, sha256=certificate.sha256,
                not_after=certificate.not_after, days=days,
            )  # fmt: skip


def days_until(text: str, now: float) -> int | None:
    """Return the whole days until a time of the ledger; None for no time, e.g. of a bare key."""
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
        return int(seconds // _DAY)
    except (OverflowError, ValueError):
        return None

"""The Certified Timestamp of one signature: its report, and the time that it proves.

In: the integrity check of a signature.
Out: an `Examined`.
PS3: PS3.3 C.12.1.1.3.1.3; RFC 3161.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .. import report
from ..report import Reason, ReasonCode, SignatureReport, TimestampReport

if TYPE_CHECKING:
    from ..signature.integrity import Check
    from .options import Options

# clocks differ, and many authorities count whole seconds
_TOLERANCE = timedelta(minutes=1)


class Examined(NamedTuple):
    """The result of `examine`.

    Attributes:
        report: for `SignatureReport.timestamp`; None if there is no timestamp.
        proven: the time that it proves, aware; None if it does not count.
        messages: further information for people.
        effort: to judge its authority, see `TrustDecision.effort`.
    """

    report: TimestampReport | None = None
    proven: datetime | None = None
    messages: tuple[str, ...] = ()
    effort: int = 0


NO_TIMESTAMP = Examined()


def examine(
    check: Check, integrity: str | None, claimed: datetime | None, options: Options
) -> Examined:
    """Verify the timestamp of a signature, if it has one.

    Args:
        check: the signature's integrity check, done.
        integrity: its outcome; None for history, whose timestamps are not verified either.
        claimed: Digital Signature DateTime, or None.
        options: of the verification.
    """
    stored = check.stored
    if not stored.timestamp:
        return NO_TIMESTAMP
    if integrity is None or options.integrity_only:
        return Examined(
            TimestampReport(), None, ("its Certified Timestamp (0400,0310) was not checked",)
        )
    from ..signature import certificate
    from ..timestamps import token_report

    key = check.certificate.public_key if check.certificate else None
    stamp, effort = token_report.checked(
        stored.timestamp,
        stored.timestamp_type,
        certificate.unpadded_signature(key, stored.signature),
        options.trust,
        options.at or datetime.now(UTC),
    )
    time = datetime.fromisoformat(stamp.time) if stamp.time else None
    messages = []
    if not stamp.counts:
        why = stamp.reason.message if stamp.reason else "nobody is trusted for timestamps"
        messages.append(f"its Certified Timestamp does not count: {why}")
    elif time and claimed and claimed.tzinfo and claimed - time > _TOLERANCE:
        messages.append(f"dated after its Certified Timestamp, {stamp.time}")
    return Examined(stamp, time if stamp.counts else None, tuple(messages), effort)


def foreign(signatures: Iterable[SignatureReport]) -> list[Reason]:
    """Return why an object fails in spite of intact signatures: a timestamp is not theirs.

    Its imprint is of other data, its authority did not sign it, or it is not a timestamp at all. A
    timestamp that merely does not count is not a reason: another reader may know its authority.
    """
    return [
        Reason(
            stamp.reason.code,
            f"the Certified Timestamp of signature {signature.uid or '(no UID)'} is not its own: "
            f"{stamp.reason.message}",
        )
        for signature in signatures
        if signature.integrity in (report.INTACT, report.UNVERIFIABLE)
        and (stamp := signature.timestamp)
        and stamp.integrity == report.ALTERED
        and stamp.reason
    ]


def missing(signatures: Iterable[SignatureReport]) -> Reason | None:
    """Return why an object fails that must have a timestamp; None if it has one.

    Args:
        signatures: those that are verified, of the main data set and of items.
    """
    stamps = [s.timestamp for s in signatures if s.location == "" and s.timestamp]
    if any(stamp.integrity != report.ALTERED for stamp in stamps):
        return None
    what = "there is none" if not stamps else "none belongs to its signature"
    return Reason(ReasonCode.NO_POE, f"a certified timestamp is required, and {what}")


def proven(signatures: Iterable[SignatureReport]) -> bool:
    """Return whether a signature of the main data set has a timestamp that counts."""
    return any(s.timestamp.counts for s in signatures if s.location == "" and s.timestamp)

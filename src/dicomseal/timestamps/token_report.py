"""The report of a Certified Timestamp (0400,0310): whether it is the signature's, and trusted.

In: the token, the signature's value, the trust store, the time of validation.
Out: a `TimestampReport`.
PS3: PS3.3 C.12.1.1.3.1.3; RFC 3161 Section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from .. import report
from ..report import Reason, ReasonCode, TimestampReport
from ..trust.decision import TIME_STAMPING
from ..trust.formats import der_of
from .token_verification import hash_name, verify_token

if TYPE_CHECKING:
    from ..trust.store import TrustStore


def check(
    der: bytes, kind: str, signature: bytes, store: TrustStore | None, moment: datetime
) -> TimestampReport:
    """Return the report of `checked`, without the effort."""
    return checked(der, kind, signature, store, moment)[0]


def checked(
    der: bytes, kind: str, signature: bytes, store: TrustStore | None, moment: datetime
) -> tuple[TimestampReport, int]:
    """Return the report of a Certified Timestamp, and the effort for it.

    Args:
        der, kind, signature: as for `verify_token`.
        store: the authorities that are trusted for timestamps; the authority is judged at the time
            of the token, and the certificates in the token may be part of its chain, but never
            become anchors.
        moment: the time of validation, aware; a token from after it is not believed.

    Returns:
        The report; the timestamp's time counts only if it is intact and trusted. And the effort
        to judge its authority, see `TrustDecision.effort`.
    """
    verified = verify_token(der, signature, _known(store), kind)
    token, authority = verified.token, verified.authority
    unjudged = TimestampReport(
        time=token.time.isoformat() if token else None,
        authority=authority.signer.subject if authority else None,
        policy=token.policy if token else None,
        serial=f"{token.serial:X}" if token else None,
        imprint=hash_name(token).upper() if token else None,
        accuracy=token.accuracy if token else None,
        integrity=verified.integrity,
        reason=verified.reason,
    )
    if verified.integrity != report.INTACT or token is None or authority is None:
        return unjudged, 0
    if store is None or not store.tsa:
        return unjudged, 0
    reason = verified.weak
    if reason is None and token.time > moment:
        reason = Reason(
            ReasonCode.TIMESTAMP_ORDER_FAILURE,
            f"it is from {token.time.isoformat()}, after the time of validation",
        )
    if reason is not None:
        return replace(unjudged, trust=report.UNTRUSTED, reason=reason), 0
    judged = store.judge(
        authority, token.time, purpose=TIME_STAMPING, others=tuple(token.certificates)
    )
    judged_report = replace(
        unjudged,
        trust=judged.trust,
        reason=judged.reason,
        revocation=judged.revocation,
        weak=judged.weak,
    )
    return judged_report, judged.effort


def _known(store: TrustStore | None) -> Iterator[bytes]:
    """Yield certificates among which an authority's may be if the token leaves it out."""
    for one in (*store.tsa, *store.intermediates) if store else ():
        yield der_of(one)

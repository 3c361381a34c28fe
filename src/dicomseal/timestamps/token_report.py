"""What a report says of a Certified Timestamp (0400,0310): is it the signature's, and trusted?

In: the token, the signature's value, the trust store, the time of validation. Out: a
`TimestampReport`. PS3.3 C.12.1.1.3.1.3, RFC 3161 Section 2.3.
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
    """The report of `checked`."""
    return checked(der, kind, signature, store, moment)[0]


def checked(
    der: bytes, kind: str, signature: bytes, store: TrustStore | None, moment: datetime
) -> tuple[TimestampReport, int]:
    """All that is to be said of a Certified Timestamp.

    Args:
        der, kind, signature: as for `verify_token`.
        store: who is trusted for timestamps; the authority is judged at the time of the token, and
            the certificates that came with it may stand in between, never become anchors.
        moment: the time of validation, aware; a token from after it is not believed.

    Returns:
        The report; the timestamp's time counts only if it is intact and trusted. And what it took
        to judge its authority, see `Judgement.effort`.
    """
    found = verify_token(der, signature, _known(store), kind)
    token, authority = found.token, found.authority
    made = TimestampReport(
        time=token.time.isoformat() if token else None,
        authority=authority.signer.subject if authority else None,
        policy=token.policy if token else None,
        serial=f"{token.serial:X}" if token else None,
        imprint=hash_name(token).upper() if token else None,
        accuracy=token.accuracy if token else None,
        integrity=found.integrity,
        reason=found.reason,
    )
    if found.integrity != report.INTACT or token is None or authority is None:
        return made, 0
    if store is None or not store.tsa:
        return made, 0
    reason = found.weak
    if reason is None and token.time > moment:
        reason = Reason(
            ReasonCode.TIMESTAMP_ORDER_FAILURE,
            f"it is from {token.time.isoformat()}, after the time of validation",
        )
    if reason is not None:
        return replace(made, trust=report.UNTRUSTED, reason=reason), 0
    judged = store.judge(
        authority, token.time, purpose=TIME_STAMPING, others=tuple(token.certificates)
    )
    told = replace(
        made,
        trust=judged.trust,
        reason=judged.reason,
        revocation=judged.revocation,
        weak=judged.weak,
    )
    return told, judged.effort


def _known(store: TrustStore | None) -> Iterator[bytes]:
    """Certificates among which an authority's may be that a token leaves out."""
    for one in (*store.tsa, *store.intermediates) if store else ():
        yield der_of(one)

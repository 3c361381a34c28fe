"""What is decided about a certificate: trusted, not trusted or unknown, and why."""

from __future__ import annotations

import msgspec

from ..report import NOT_CHECKED, Reason

# what a certificate is for
SIGNING, TIME_STAMPING = "signing", "time stamping"


class TrustDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the trust store says of a certificate at a moment.

    Attributes:
        trust: ``trusted`` or ``untrusted``.
        reason: why not, or None.
        revocation: ``good``, ``revoked``, ``unknown`` or ``not_checked``.
        weak: what in its chain is no longer strong.
        messages: what else a person should know.
        effort: about how many nanoseconds the decision took, told from its steps.
        by_key: whether only the public key decided: nothing of the certificate is then to be told.
    """

    trust: str
    reason: Reason | None = None
    revocation: str = NOT_CHECKED
    weak: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    effort: int = 0
    by_key: bool = False

"""The decision about a certificate: trusted or not, the reason, and its revocation."""

from __future__ import annotations

import msgspec

from ..report import NOT_CHECKED, Reason

# the purposes for which a certificate is judged
SIGNING, TIME_STAMPING = "signing", "time stamping"


class TrustDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The decision of the trust store about a certificate at a moment.

    Attributes:
        trust: ``trusted`` or ``untrusted``.
        reason: why not, or None.
        revocation: ``good``, ``revoked``, ``unknown`` or ``not_checked``.
        weak: the parts of its chain that are no longer strong.
        messages: further information for people.
        effort: about how many nanoseconds the decision took, computed from its steps.
        by_key: whether only the public key decided; then reports show nothing of the certificate.
    """

    trust: str
    reason: Reason | None = None
    revocation: str = NOT_CHECKED
    weak: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    effort: int = 0
    by_key: bool = False

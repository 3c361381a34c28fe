"""Phase two for one signature: the time that counts, the trust in the certificate, its strength.

In: the verification material, the integrity, and the times of a signature.
Out: a `Judged`, the part of the report about trust.
PS3: PS3.15 Section C.1.

It does not depend on integrity: a certificate may be trusted though the content was altered.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from .. import report
from ..errors import LedgerError
from ..policy import REJECT
from ..report import Digests, ProofReport, Reason, ReasonCode
from ..signature.digital_signature import iso
from . import time_limit
from .best_signature_time import EVER, oddities, time_that_counts, with_proof

if TYPE_CHECKING:
    from ..report import CertificateInfo
    from ..signature.certificate import Certificate
    from ..signature.material import VerificationMaterial
    from ..trust.decision import TrustDecision
    from ..trust.store import TrustStore
    from .best_signature_time import Proof, Proofs
    from .options import Options


class Judged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fields of `SignatureReport` about trust, and `TrustDecision.effort`.

    Attributes:
        by_key: whether reports show nothing of the certificate, see `TrustDecision`.
    """

    trust: str = report.NOT_CHECKED
    reason: Reason | None = None
    at: str | None = None
    by: str | None = None
    proof: ProofReport | None = None
    revocation: str = report.NOT_CHECKED
    weak: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    effort: int = 0
    signer: CertificateInfo | None = None
    by_key: bool = False


def judge(
    material: VerificationMaterial,
    integrity: str | None,
    claimed: datetime | None,
    options: Options,
    proven: datetime | None = None,
    digests: Digests | None = None,
) -> Judged:
    """Judge the trust in a signature.

    Args:
        material: the verification material of the signature.
        integrity: the result of phase one; None for history, which is not judged.
        claimed: Digital Signature DateTime, or None.
        options: of the verification.
        proven: the time of a valid certified timestamp, aware; None if there is none.
        digests: by which earlier ledgers know the signature, if it is intact.
    """
    weak, cert, store = material.weak, material.certificate, options.trust
    if integrity is None:
        return Judged(weak=weak, signer=material.signer)
    validation = options.at or datetime.now(UTC)
    odd: list[str] = []
    if cert is not None:
        odd = oddities(claimed, validation, cert.not_before, cert.not_after)
    if store is None or options.integrity_only:
        reason = _too_weak(weak) if options.weak == REJECT else None
        return Judged(reason=reason, weak=weak, messages=tuple(odd), signer=material.signer)
    counted = time_that_counts(proven, validation, claimed, options.accept_claimed_time)
    messages = counted.messages
    if cert is None:
        reason = Reason(ReasonCode.NO_SIGNING_CERTIFICATE_FOUND, "there is no certificate to judge")
        return Judged(
            trust=report.UNTRUSTED, reason=reason, at=iso(counted.at), by=counted.by, weak=weak,
            messages=messages,
        )  # fmt: skip
    decision = _decided(store, cert, counted.at, options)
    if decision.trust != report.TRUSTED and options.proofs is not None and digests is not None:
        proof, failures = _ask(options.proofs, digests)
        messages += failures
        earlier = with_proof(counted, proof, validation)
        if earlier is not counted:
            decision, counted = _decided(store, cert, earlier.at, options), earlier
    trust, reason = decision.trust, decision.reason
    if decision.by_key:  # nobody vouches for the dates of the certificate
        odd = oddities(claimed, validation, *EVER)
    weak += decision.weak
    if weak and trust == report.TRUSTED and store.policy.weak == REJECT:
        trust, reason = report.UNTRUSTED, _too_weak(weak)
    return Judged(
        trust=trust,
        reason=reason,
        at=iso(counted.at),
        by=counted.by,
        proof=counted.proof,
        revocation=decision.revocation,
        weak=weak,
        messages=(*odd, *messages, *decision.messages),
        signer=cert.bare_key() if decision.by_key else cert.signer,
        by_key=decision.by_key,
        effort=decision.effort,
    )


def _decided(
    store: TrustStore, cert: Certificate, moment: datetime, options: Options
) -> TrustDecision:
    """Return a remembered decision, or one made within the time limit.

    Here the data of strangers reach the library for the first time.
    """
    known = store.decided(cert, moment)
    if known is not None:
        return known
    return time_limit.within(options.limits.seconds, store.renew_lock, store.judge, cert, moment)


def _ask(proofs: Proofs, digests: Digests) -> tuple[Proof | None, tuple[str, ...]]:
    """Return the proof that a signature existed earlier, if there is one, and what went wrong."""
    try:
        return proofs.of(bytes.fromhex(digests.signature)), ()
    except LedgerError as error:
        return None, (f"no proof of existence could be looked for: {error}",)


def _too_weak(weak: tuple[str, ...]) -> Reason | None:
    if not weak:
        return None
    return Reason(
        ReasonCode.CRYPTO_CONSTRAINTS_FAILURE, f"the policy rejects what is weak: {', '.join(weak)}"
    )

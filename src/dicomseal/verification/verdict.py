"""From the reports on the signatures to the verdict on the object: what failed, what is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from .. import profiles, report
from ..report import Reason, ReasonCode, SignatureReport
from ..signature import element_views
from .signature_timestamp import foreign, missing, proven

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..requirements import Rule
    from .options import Options


def decide(
    signatures: list[SignatureReport],
    reasons: list[Reason],
    options: Options,
    undecided: Sequence[Reason] = (),
) -> str:
    """The verdict.

    Args:
        signatures: the reports on all signatures of the object.
        reasons: why the object cannot pass, whatever they say; more are added here.
        options: what the verification asks for.
        undecided: why it cannot pass, though nothing is broken.
    """
    live, stamped = [], False
    for made in signatures:
        if made.integrity is not None:
            live.append(made)
            stamped |= made.timestamp is not None
    if stamped:
        reasons += foreign(live)
    failed = bool(reasons)
    if options.require:
        failed |= _falls_short(live, reasons, options.require - {"timestamp"})
        if "timestamp" in options.require:
            lacking = missing(live)
            if lacking is not None:
                reasons.append(lacking)
                failed = True
    if failed:
        return report.FAILED
    if not live:
        return report.UNSIGNED
    verdict = report.INDETERMINATE if undecided else report.PASSED
    for made in live:
        if made.integrity == report.ALTERED:
            return report.FAILED
        if made.integrity == report.UNVERIFIABLE:
            verdict = report.INDETERMINATE
        elif made.trust == report.NOT_CHECKED and made.trust_reason:
            verdict = report.INDETERMINATE  # weak, and that is rejected
        elif made.trust != report.TRUSTED and not options.integrity_only:
            verdict = report.INDETERMINATE
    if "timestamp" in options.require and not proven(live):
        return report.INDETERMINATE
    return verdict


def _falls_short(
    live: list[SignatureReport], reasons: list[Reason], require: frozenset[str | Rule]
) -> bool:
    """Whether a requirement is not met; one that is open gives a reason all the same."""
    from .. import requirements

    short = False
    found = []
    for rule in sorted(require, key=str):
        why, undecided = requirements.unmet(requirements.parse(rule), live)
        if why:
            found.append(Reason(ReasonCode.SIGNED_DATA_NOT_FOUND, why))
            short |= not undecided
    reasons[:0] = found
    return short


def of_the_whole(
    index: Index, by_scope: Sequence[tuple[int, list[SignatureReport]]]
) -> list[SignatureReport]:
    """The reports on all signatures; what they are worth together is told in each of them.

    PS3.15 C.4: a VERIFIED report follows the profile only if a verifier signed it.

    Args:
        by_scope: the reports, by the record they sign.
    """
    signatures: list[SignatureReport] = []
    sr, verification = profiles.SR.name, profiles.SR_VERIFICATION.name
    is_sr = False
    for _, some in by_scope:
        signatures += some
        for made in some:
            is_sr |= sr in made.profiles
    if not is_sr:
        return signatures
    if any(verification in made.profiles for made in signatures):
        return signatures
    if not profiles.is_verified(element_views.Elements(index, 0)):
        return signatures
    said = (
        "the Verification Flag (0040,A493) is VERIFIED, and no verification signature (purpose 5) "
        "is there: so the object does not follow PS3.15 C.4"
    )
    return [
        msgspec.structs.replace(
            made,
            profiles=tuple(name for name in made.profiles if name != sr),
            messages=(*made.messages, said),
        )
        if sr in made.profiles
        else made
        for made in signatures
    ]

"""From the reports on the signatures to the verdict on the object.

In: the reports on all signatures, and reasons for the whole object.
Out: ``passed``, ``failed``, ``indeterminate`` or ``unsigned``.
PS3: PS3.15 Section C.4 for reports; ETSI EN 319 102-1 for the words.
"""

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


_SR, _SR_VERIFICATION = profiles.SR.name, profiles.SR_VERIFICATION.name


def decide(
    signatures: list[SignatureReport],
    reasons: list[Reason],
    options: Options,
    undecided: Sequence[Reason] = (),
) -> str:
    """Decide the verdict.

    Args:
        signatures: the reports on all signatures of the object.
        reasons: why the object cannot pass, apart from its signatures; more are added here.
        options: of the verification.
        undecided: why it cannot pass, though nothing is broken.
    """
    live = []
    stamped = altered = False
    undecided_yet = bool(undecided)
    for signature in signatures:
        if signature.integrity is None:
            continue
        live.append(signature)
        if signature.timestamp is not None:
            stamped = True
        if signature.integrity == report.ALTERED:
            altered = True
        elif signature.integrity == report.UNVERIFIABLE:
            undecided_yet = True
        elif signature.trust != report.TRUSTED:
            too_weak = signature.trust == report.NOT_CHECKED and signature.trust_reason
            undecided_yet |= bool(too_weak) or not options.integrity_only
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
    if altered:
        return report.FAILED
    if undecided_yet or ("timestamp" in options.require and not proven(live)):
        return report.INDETERMINATE
    return report.PASSED


def _falls_short(
    live: list[SignatureReport], reasons: list[Reason], require: frozenset[str | Rule]
) -> bool:
    """Return whether a requirement is not met; an undecided one adds a reason all the same."""
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
    """Return the reports on all signatures, where each knows of the others.

    PS3.15 C.4: a VERIFIED report follows the profile only if a verifier signed it.

    Args:
        by_scope: the reports, by the record they sign.
    """
    signatures = by_scope[0][1] if len(by_scope) == 1 else [one for _, of in by_scope for one in of]
    sr, verification = _SR, _SR_VERIFICATION
    for signature in signatures:
        if sr in signature.profiles:
            break
    else:
        return signatures
    if any(verification in signature.profiles for signature in signatures):
        return signatures
    if not profiles.is_verified(element_views.Elements(index, 0)):
        return signatures
    note = (
        "the Verification Flag (0040,A493) is VERIFIED, and no verification signature (purpose 5) "
        "is there: so the object does not follow PS3.15 C.4"
    )
    return [
        msgspec.structs.replace(
            signature,
            profiles=tuple(name for name in signature.profiles if name != sr),
            messages=(*signature.messages, note),
        )
        if sr in signature.profiles
        else signature
        for signature in signatures
    ]

"""Reports as text for people."""

from __future__ import annotations

from .. import report
from ..report import ObjectReport, SignatureReport, TimestampReport, escaped, harmless

__all__ = ["harmless", "render", "summary"]

_ORDER = (report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR)

_TIMES = {
    "timestamp": "time of its timestamp",
    "validation": "time of validation",
    "claimed": "time that the signature claims",
    "poe_ledger": "time when it passed before",
}


def render(made: ObjectReport) -> str:
    """One object: the verdict and its path, then what is known of each signature."""
    lines = [f"{made.verdict:<13} {escaped(made.path)}"]
    if made.error:
        lines.append(f"    {made.error.code}: {made.error.message}")
    lines += [f"    {reason.code}: {reason.message}" for reason in made.reasons]
    lines += [f"    note: {message}" for message in made.messages]
    lines += [f"    not covered: {tag}" for tag in made.uncovered]
    for signature in made.signatures:
        lines += _signature(signature)
    return "\n".join(harmless(line) for line in lines)


def _signature(made: SignatureReport) -> list[str]:
    where = f" in {made.location}" if made.location else ""
    lines = [f"    signature {made.uid or '(no UID)'}{where}"]
    if made.signer and not made.signer.not_after:
        lines.append(f"      signer     the public key with the SHA-256 {made.signer.sha256}")
        lines.append(f"                 {made.signer.key}")
    elif made.signer:
        lines.append(f"      signer     {made.signer.subject}")
        lines.append(f"                 {made.signer.key}, issued by {made.signer.issuer}")
    lines.append(
        f"      signed     {made.datetime or '(no time)'}, MAC {made.mac_algorithm or '?'}"
    )
    if made.purpose:
        code = f" (code {made.purpose_code})" if made.purpose_code else ""
        lines.append(f"      purpose    {made.purpose}{code}")
    if made.integrity is not None:
        covered = f"{made.signed_elements} elements signed, {made.unsigned_elements} not"
        lines.append(f"      integrity  {made.integrity} ({covered})")
    if made.integrity_reason:
        lines.append(
            f"                 {made.integrity_reason.code}: {made.integrity_reason.message}"
        )
    lines.append(f"      trust      {made.trust.replace('_', ' ')}")
    if made.trust_reason:
        lines.append(f"                 {made.trust_reason.code}: {made.trust_reason.message}")
    if made.judged_by:
        lines.append(f"      judged at  {made.judged_at}, the {_TIMES[made.judged_by]}")
        if made.proof:
            lines.append(f"                 as run {made.proof.run} of {made.proof.ledger} proves")
        lines.append(f"      revocation {made.revocation.replace('_', ' ')}")
    if made.timestamp:
        lines += _timestamp(made.timestamp)
    if made.profiles:
        lines.append(f"      profiles   {', '.join(made.profiles)}")
    if made.weak:
        lines.append(f"      weak       {', '.join(made.weak)}")
    lines += [f"      note       {message}" for message in made.messages]
    return lines


def _timestamp(made: TimestampReport) -> list[str]:
    by = f" by {made.authority}" if made.authority else ""
    said = f"{made.integrity or 'not checked'}, {made.trust.replace('_', ' ')}"
    lines = [f"      timestamp  {made.time or '(no time)'}{by}: {said}"]
    if made.reason:
        lines.append(f"                 {made.reason.code}: {made.reason.message}")
    return lines


def summary(counts: dict[str, int]) -> str:
    """How many objects of each verdict."""
    total = sum(counts.values())
    parts = [f"{counts[verdict]} {verdict}" for verdict in _ORDER if counts.get(verdict)]
    return f"{total} object{'s' if total != 1 else ''}: {', '.join(parts) or 'nothing to verify'}"

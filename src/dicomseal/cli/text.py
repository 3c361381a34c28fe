"""Reports as text for people."""

from __future__ import annotations

from .. import report
from ..report import ObjectReport, SignatureReport, TimestampReport, escaped, harmless

__all__ = ["harmless", "render", "summary"]

_ORDER = (report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR)

_INDENT = " " * 17  # of what is said of a signature, below the column of names

_TIMES = {
    "timestamp": "time of its timestamp",
    "validation": "time of validation",
    "claimed": "time that the signature claims",
    "poe_ledger": "time when it passed before",
}


def render(made: ObjectReport) -> str:
    """One object: the verdict and its path, then what is known of each signature."""
    lines = [f"{made.verdict:<13} {escaped(made.path)}"]
    advice = _Advice()
    if made.error:
        lines.append(f"    {made.error.code}: {made.error.message}")
        lines += advice.on(made.error.code, "    ")
    for reason in made.reasons:
        lines.append(f"    {reason.code}: {reason.message}")
        lines += advice.on(reason.code, "    ")
    lines += [f"    note: {message}" for message in made.messages]
    lines += [f"    not covered: {tag}" for tag in made.uncovered]
    for signature in made.signatures:
        lines += _signature(signature, advice, made.verdict == report.INDETERMINATE)
    return "\n".join(harmless(line) for line in lines)


class _Advice:
    """What to do about each code; once in an object, however many signatures have the code."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def on(self, code: str, indent: str) -> list[str]:
        """The line for a code."""
        if code in self._said:
            return []
        from ..remedies.table import sentence  # nobody needs it who is told that all passed

        self._said.add(code)
        what = sentence(code)
        return [] if what is None else [f"{indent}to do: {what}"]


def _signature(made: SignatureReport, advice: _Advice, undecided: bool) -> list[str]:
    where = f" in {made.location}" if made.location else ""
    lines = [f"    signature {made.uid or '(no UID)'}{where}"]
    if made.signer and not made.signer.not_after:
        lines.append(f"      signer     the public key with the SHA-256 {made.signer.sha256}")
        lines.append(f"{_INDENT}{made.signer.key}")
    elif made.signer:
        lines.append(f"      signer     {made.signer.subject}")
        lines.append(f"{_INDENT}{made.signer.key}, issued by {made.signer.issuer}")
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
        lines.append(f"{_INDENT}{made.integrity_reason.code}: {made.integrity_reason.message}")
        lines += advice.on(made.integrity_reason.code, _INDENT)
    lines.append(f"      trust      {made.trust.replace('_', ' ')}")
    if made.trust_reason:
        lines.append(f"{_INDENT}{made.trust_reason.code}: {made.trust_reason.message}")
        lines += advice.on(made.trust_reason.code, _INDENT)
    elif made.trust == report.NOT_CHECKED and made.integrity == report.INTACT and undecided:
        lines += advice.on("NOT_CHECKED", _INDENT)
    if made.judged_by:
        lines.append(f"      judged at  {made.judged_at}, the {_TIMES[made.judged_by]}")
        if made.proof:
            lines.append(f"{_INDENT}as run {made.proof.run} of {made.proof.ledger} proves")
        lines.append(f"      revocation {made.revocation.replace('_', ' ')}")
    if made.timestamp:
        lines += _timestamp(made.timestamp, advice)
    if made.profiles:
        lines.append(f"      profiles   {', '.join(made.profiles)}")
    if made.weak:
        lines.append(f"      weak       {', '.join(made.weak)}")
    lines += [f"      note       {message}" for message in made.messages]
    return lines


def _timestamp(made: TimestampReport, advice: _Advice) -> list[str]:
    by = f" by {made.authority}" if made.authority else ""
    said = f"{made.integrity or 'not checked'}, {made.trust.replace('_', ' ')}"
    lines = [f"      timestamp  {made.time or '(no time)'}{by}: {said}"]
    if made.reason:
        lines.append(f"{_INDENT}{made.reason.code}: {made.reason.message}")
        lines += advice.on(made.reason.code, _INDENT)
    return lines


def summary(counts: dict[str, int]) -> str:
    """How many objects of each verdict."""
    total = sum(counts.values())
    parts = [f"{counts[verdict]} {verdict}" for verdict in _ORDER if counts.get(verdict)]
    return f"{total} object{'s' if total != 1 else ''}: {', '.join(parts) or 'nothing to verify'}"

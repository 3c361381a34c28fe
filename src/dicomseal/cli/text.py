"""Reports as text for people."""

from __future__ import annotations

from .. import report
from ..report import (
    CertificateInfo,
    ObjectReport,
    SignatureReport,
    TimestampReport,
    escaped,
    harmless,
)
from .exit_codes import OTHERS

__all__ = ["harmless", "render", "summary"]

_ORDER = (report.PASSED, report.FAILED, report.INDETERMINATE, report.UNSIGNED, report.ERROR)
_INDENT = " " * 17  # the width of the column with the names of what a report says about a signature

_TIMES = {
    "timestamp": "time of its timestamp",
    "validation": "time of validation",
    "claimed": "time that the signature claims",
    "poe_ledger": "time when it passed before",
}


def render(object_report: ObjectReport) -> str:
    """Return the text about one object: verdict and path, then each signature."""
    lines = [f"{object_report.verdict:<13} {escaped(object_report.path)}"]
    advice = _Advice()
    if object_report.error:
        lines.append(f"    {object_report.error.code}: {object_report.error.message}")
        lines += advice.on(object_report.error.code, "    ")
    for reason in object_report.reasons:
        lines.append(f"    {reason.code}: {reason.message}")
        lines += advice.on(reason.code, "    ")
    lines += [f"    note: {message}" for message in object_report.messages]
    lines += [f"    not covered: {tag}" for tag in object_report.uncovered]
    for signature in object_report.signatures:
        lines += _signature(signature, advice, object_report.verdict == report.INDETERMINATE)
    return "\n".join(harmless(line) for line in lines)


class _Advice:
    """The remedy for each code; printed once for an object, even if several signatures need it."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def on(self, code: str, indent: str) -> list[str]:
        """Return the line for a code."""
        if code in self._printed:
            return []
        from ..remedies.table import sentence  # not needed if all objects pass

        self._printed.add(code)
        what = sentence(code)
        return [] if what is None else [f"{indent}to do: {what}"]


def _signature(signature: SignatureReport, advice: _Advice, undecided: bool) -> list[str]:
    where = f" in {signature.location}" if signature.location else ""
    lines = [f"    signature {signature.uid or '(no UID)'}{where}"]
    lines += _signer(signature.signer)
    lines.append(
        f"      signed     {signature.datetime or '(no time)'}, "
        f"MAC {signature.mac_algorithm or '?'}"
    )
    if signature.purpose:
        code = f" (code {signature.purpose_code})" if signature.purpose_code else ""
        lines.append(f"      purpose    {signature.purpose}{code}")
    if signature.integrity is not None:
        covered = f"{signature.signed_elements} elements signed, {signature.unsigned_elements} not"
        lines.append(f"      integrity  {signature.integrity} ({covered})")
    if signature.integrity_reason:
        lines.append(
            f"{_INDENT}{signature.integrity_reason.code}: {signature.integrity_reason.message}"
        )
        lines += advice.on(signature.integrity_reason.code, _INDENT)
    lines += _trust(signature, advice, undecided)
    if signature.timestamp:
        lines += _timestamp(signature.timestamp, advice)
    if signature.profiles:
        lines.append(f"      profiles   {', '.join(signature.profiles)}")
    if signature.weak:
        lines.append(f"      weak       {', '.join(signature.weak)}")
    lines += [f"      note       {message}" for message in signature.messages]
    return lines


def _signer(signer: CertificateInfo | None) -> list[str]:
    if signer is None:
        return []
    if not signer.not_after:
        return [
            f"      signer     the public key with the SHA-256 {signer.sha256}",
            f"{_INDENT}{signer.key}",
        ]
    return [
        f"      signer     {signer.subject}",
        f"{_INDENT}{signer.key}, issued by {signer.issuer}",
    ]


def _trust(signature: SignatureReport, advice: _Advice, undecided: bool) -> list[str]:
    lines = [f"      trust      {signature.trust.replace('_', ' ')}"]
    if signature.trust_reason:
        lines.append(f"{_INDENT}{signature.trust_reason.code}: {signature.trust_reason.message}")
        lines += advice.on(signature.trust_reason.code, _INDENT)
    elif (
        signature.trust == report.NOT_CHECKED and signature.integrity == report.INTACT and undecided
    ):
        lines += advice.on("NOT_CHECKED", _INDENT)
    if signature.judged_by:
        lines.append(f"      judged at  {signature.judged_at}, the {_TIMES[signature.judged_by]}")
        if signature.proof:
            lines.append(
                f"{_INDENT}as run {signature.proof.run} of {signature.proof.ledger} proves"
            )
        lines.append(f"      revocation {signature.revocation.replace('_', ' ')}")
    return lines


def _timestamp(timestamp: TimestampReport, advice: _Advice) -> list[str]:
    by = f" by {timestamp.authority}" if timestamp.authority else ""
    state = f"{timestamp.integrity or 'not checked'}, {timestamp.trust.replace('_', ' ')}"
    lines = [f"      timestamp  {timestamp.time or '(no time)'}{by}: {state}"]
    if timestamp.reason:
        lines.append(f"{_INDENT}{timestamp.reason.code}: {timestamp.reason.message}")
        lines += advice.on(timestamp.reason.code, _INDENT)
    return lines


def summary(counts: dict[str, int]) -> str:
    """Return how many objects have each verdict, and how many files are not objects."""
    parts = [f"{counts[verdict]} {verdict}" for verdict in _ORDER if counts.get(verdict)]
    total = sum(counts.get(verdict, 0) for verdict in _ORDER)
    skipped = [f"{counts[verdict]} {verdict}" for verdict in OTHERS if counts.get(verdict)]
    return (
        f"{total} object{'s' if total != 1 else ''}: {', '.join(parts) or 'nothing to verify'}"
        + (f"; skipped: {', '.join(skipped)}" if skipped else "")
    )

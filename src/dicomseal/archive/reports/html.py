"""A summary as one HTML file: its plots are SVG, and nothing is loaded from anywhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ...report import harmless
from ...standard.meanings import ARCHIVE, MEANING, OTHER
from ..ledger.ledger import SIGN
from ..ledger.uncovered import UncoveredSum
from .summary import Failure, Summary

COLOURS = {
    "passed": "#2e7d32", "failed": "#c62828", "indeterminate": "#ef8f00", "unsigned": "#78909c",
    "error": "#6a1b9a", "not_dicom": "#cfd8dc", "directory": "#bcaaa4",
}  # fmt: skip
EFFECTS = {MEANING: " (says what signed elements mean)", ARCHIVE: " (added by archives)", OTHER: ""}
_MAX_NAMED = 20  # elements of a class
_LAST = 253402300800.0  # the year 10000
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff } h1 { font-size: 1.6rem }
h2 { font-size: 1.2rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .2rem .6rem;
  border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere }
.n { text-align: right; white-space: nowrap } svg { width: 100%; height: auto; display: block }
text { font: 12px system-ui, sans-serif; fill: #222 } .late { color: #c62828; font-weight: bold }
"""


def render(summary: Summary, now: float) -> str:
    """Return the file's text; ``now`` (seconds since 1970) marks certificates that have expired."""
    title = f"Archive {'signing' if summary.kind == SIGN else 'verification'}, run {summary.run}"
    parts = [
        "<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">',
        _POLICY,
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        _what(summary),
    ]  # fmt: skip
    if summary.passed_over.counts:
        parts.append(f"<p>{'<br>'.join(map(escape, summary.passed_over.lines()))}</p>")
    if summary.sample:
        parts.append(f"<p><strong>A sample:</strong> {escape(summary.sample)}.</p>")
    parts += ["<h2>Verdicts</h2>", _bars(summary.verdicts.items(), COLOURS)]
    if summary.unsigned_share is not None:
        parts.append(f"<p>{summary.unsigned_share:.1%} of the objects are unsigned.</p>")
    parts += _failures("Failures", summary.failures, summary.failures_left_out)
    if summary.undecided or summary.undecided_left_out:
        parts += _failures("Indeterminate", summary.undecided, summary.undecided_left_out)
    if summary.reasons:
        parts += ["<h2>Reasons</h2>", _bars(summary.reasons.items())]
    if summary.remedies:
        parts.append(_table(["Reason", "What to do"], _escaped(summary.remedies.items()), 0))
    if summary.algorithms:
        parts += ["<h2>MAC algorithms, by signatures</h2>", _bars(summary.algorithms.items())]
    if summary.times:
        parts += ["<h2>The time that counted, by signatures</h2>", _bars(summary.times.items())]
    if summary.weak:
        parts += ["<h2>No longer strong, by signatures</h2>", _bars(summary.weak.items())]
    if summary.modalities:
        totals = {name: sum(counts.values()) for name, counts in summary.modalities.items()}
        parts += ["<h2>Modalities, by files</h2>", _bars(totals.items())]
    if summary.sop_classes:
        totals = {name: sum(counts.values()) for name, counts in summary.sop_classes.items()}
        parts += ["<h2>SOP Classes, by files</h2>", _bars(totals.items())]
    parts += _uncovered(summary)
    parts += _signers(summary, now)
    if summary.throughput:
        parts += ["<h2>Throughput, files a second</h2>", _throughput(summary)]
    parts.append("</body></html>")
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Escape a name, as it comes from a stranger: no markup, no change of direction."""
    return html.escape(harmless(text))


def _what(summary: Summary) -> str:
    state = "complete" if summary.complete else "NOT COMPLETE"
    return (
        f"<p>{moment(summary.started)} to {moment(summary.finished)}, {state}, "
        f"{'signed' if summary.signed else 'not signed'}. "
        f"dicomseal {escape(summary.asked.version)}.<br>"
        f"{summary.files:,} files, {summary.bytes:,} bytes in "
        f"{escape(', '.join(summary.asked.selection.roots))}</p>"
    )


def _escaped(rows: Iterable[tuple[str, str]]) -> list[list[str]]:
    return [[escape(cell) for cell in row] for row in rows]


def moment(time: float | None) -> str:
    """Return a time for people, in UTC."""
    if time is None:
        return "(no end)"
    if not 0 <= time < _LAST:
        return f"(no time: {time:g})"
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: int) -> str:
    """Return a table of escaped cells; the last ``right`` columns are numbers."""
    left = len(heads) - right

    def line(kind: str, cells: Sequence[str]) -> str:
        cells_of_line = [
            f'<{kind} class="n">{cell}</{kind}>' if at >= left else f"<{kind}>{cell}</{kind}>"
            for at, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(cells_of_line)}</tr>"

    return f"<table>{line('th', heads)}{''.join(line('td', row) for row in rows)}</table>"


def _bars(items: Iterable[tuple[str, int]], colours: dict[str, str] | None = None) -> str:
    shown = [(name, count) for name, count in items if count]
    most = max((count for _, count in shown), default=1)
    lines = []
    for number, (name, count) in enumerate(shown):
        y, colour = number * 24, (colours or {}).get(name, "#1565c0")
        width = max(1.0, 440 * count / most)
        lines.append(
            f'<text x="250" y="{y + 16}" text-anchor="end">{escape(name[:40])}</text>'
            f'<rect x="260" y="{y + 3}" width="{width:.1f}" height="18" fill="{colour}"/>'
            f'<text x="{265 + width:.1f}" y="{y + 16}">{count:,}</text>'
        )
    return f'<svg viewBox="0 0 800 {len(shown) * 24 + 4}" role="img">{"".join(lines)}</svg>'


def _throughput(summary: Summary) -> str:
    rates, before = [], summary.started
    for point in summary.throughput:
        rates.append(point.files / max(point.time - before, 1e-9))
        before = point.time
    most = max(rates) or 1.0
    step = 700 / len(rates)
    bars = "".join(
        f'<rect x="{60 + n * step:.1f}" y="{160 - 150 * rate / most:.1f}" width="{step:.1f}" '
        f'height="{150 * rate / most:.1f}" fill="#1565c0"/>'
        for n, rate in enumerate(rates)
    )
    seconds = before - summary.started
    return (
        f'<svg viewBox="0 0 800 190" role="img">{bars}'
        f'<text x="55" y="18" text-anchor="end">{most:,.0f}</text>'
        '<text x="55" y="162" text-anchor="end">0</text><text x="60" y="180">0 s</text>'
        f'<text x="760" y="180" text-anchor="end">{seconds:,.1f} s</text></svg>'
    )


def _failures(title: str, listed: list[Failure], left_out: int) -> list[str]:
    if not listed and not left_out:
        return [f"<h2>{title}</h2>", "<p>None.</p>"]
    rows = [(escape(one.path), escape(one.verdict), escape(one.why)) for one in listed]
    parts = [f"<h2>{title}</h2>", _table(("File", "Verdict", "Why"), rows, 0)]
    if left_out:
        parts.append(f"<p>And {left_out:,} more, not listed.</p>")
    return parts


def named(one: UncoveredSum) -> str:
    """Return the elements of a class, the most frequent ones first."""
    names = sorted(one.names, key=lambda name: -one.names[name])
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _uncovered(summary: Summary) -> list[str]:
    if not summary.uncovered:
        return []
    rows = [
        (escape(one.name + EFFECTS[one.effect]), escape(named(one)), f"{one.elements:,}",
         f"{one.objects:,}")
        for one in summary.uncovered
    ]  # fmt: skip
    title = (
        "Left out by signatures" if summary.kind == SIGN else "Not covered by a passing signature"
    )
    total = f"{summary.uncovered_elements:,} elements of {summary.uncovered_objects:,} objects."
    heads = ("Class", "Elements", "How many", "Objects")
    return [f"<h2>{title}</h2>", f"<p>{total}</p>", _table(heads, rows, 2)]


def _expired(not_after: str, now: float) -> bool:
    """Return whether a time has passed; one that cannot be read has."""
    try:
        return datetime.fromisoformat(not_after).timestamp() < now
    except (OverflowError, ValueError):
        return True


def _signers(summary: Summary, now: float) -> list[str]:
    if not summary.signers:
        return []
    rows = []
    for one in summary.signers:
        until = escape(one.not_after)
        if until and _expired(one.not_after, now):
            until = f'<span class="late">{until}, expired</span>'
        rows.append(
            (escape(one.name), escape(one.key), until, f"{one.signatures:,}", f"{one.intact:,}",
             f"{one.trusted:,}", f"{one.without_timestamp:,}", f"{one.by_ledger:,}")
        )  # fmt: skip
    return [
        "<h2>Certificates, by expiry</h2>",
        ("<p>After a certificate has expired, its signatures without a Certified Timestamp are no "
        "longer trusted, unless a ledger proves that they existed before. So many expire in each "
        "month:</p>"),
        _bars(sorted(summary.expiring.items())),
        _table(("Signer", "Key", "Valid until", "Signatures", "intact", "trusted",
                "trusted, without timestamp", "trusted by a ledger"), rows, 5),
    ]  # fmt: skip

"""How figures are written in RESULTS.md."""

from __future__ import annotations

from collections.abc import Iterable


def table(head: Iterable[str], rows: Iterable[list[str]]) -> list[str]:
    """A table in Markdown, the first column to the left."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def ms(seconds: float) -> str:
    """Milliseconds, three figures."""
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float) -> str:
    """Such as 1.32x."""
    return f"{value:,.0f}x" if value >= 100 else f"{value:.2f}x" if value < 10 else f"{value:.1f}x"


def size(count: int) -> str:
    """Bytes with a decimal unit."""
    if count < 1000:
        return f"{count} B"
    for unit in ("KB", "MB", "GB"):
        count_in_unit = count / 1000 ** (("KB", "MB", "GB").index(unit) + 1)
        if count_in_unit < 1000:
            break
    return f"{count_in_unit:.3g} {unit}"


def marked(value: float, met: bool) -> str:
    """A ratio, in bold where a goal is missed."""
    return ratio(value) if met else f"**{ratio(value)}**"

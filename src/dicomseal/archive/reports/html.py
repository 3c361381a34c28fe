"""A summary as one HTML page: its plots are SVG, and nothing is loaded from anywhere.

Names of files, certificates and sentences come from strangers. Jinja2 escapes whatever the template
prints, and before that everything that is not printable is written as a code: no text changes the
direction of the page, and none breaks a line.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from ... import __version__
from ...errors import UsageError
from ...remedies.table import TABLE
from ...report import harmless
from ..ledger.rows import SIGN_VERDICTS, VERDICTS
from . import words
from .diff import ALARMING, MEANINGS
from .expiry import DAYS, within
from .summary import Summary
from .words import BAD, OPEN

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_IN_HTML = 500
"""Failures, and undecided objects, that a page lists unless told; groups are above them."""
_FOLDER = os.path.join(os.path.dirname(__file__), "templates")
_WIDTH = 1000.0  # of a bar
_PLOT = 600.0, 100.0
_LEAST = 4.0  # a bar that is there is seen
_BOUNDS = {
    "MOST_BARS": 15, "MOST_GROUPS": 50, "MOST_ANCHORS": 500, "FEW": 5,
}  # fmt: skip
_MONTHS = 36
_ORDER = ("plain", *dict.fromkeys((*VERDICTS, *SIGN_VERDICTS)))  # of the parts of a bar
_SIGNER_HEADS = (
    "Signatures", "intact", "trusted", "trusted, without timestamp", "trusted by a ledger",
)  # fmt: skip


class Live(NamedTuple):
    """A page that is read again: after how many seconds, and what is said beside that."""

    seconds: int
    note: str = ""


class Part(NamedTuple):
    """A part of a bar, and how many it stands for."""

    kind: str
    number: int
    start: str
    width: str


class Rate(NamedTuple):
    """A bar of the plot of throughput, and its files a second."""

    rate: float
    start: str
    top: str
    width: str
    height: str


def render(summary: Summary, now: float) -> str:
    """Return the page; ``now`` is in seconds since 1970.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    text = io.StringIO()
    write(text, summary, now)
    return text.getvalue()


def write(
    file: IO[str],
    summary: Summary,
    now: float,
    *,
    csv: str | None = None,
    live: Live | None = None,
    changes_note: str = "",
) -> None:
    """Write the page.

    Args:
        file: where to.
        summary: of the run.
        now: in seconds since 1970.
        csv: the name of a file beside the page that lists all objects in trouble; None: there is
            none.
        live: how a page is read again that is served; None for a file.
        changes_note: why there are no changes to show, if there are none.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    stream = _environment().get_template("report.html").stream(
        s=summary,
        now=now,
        title=words.title(summary),
        standing=words.standing(summary),
        policy=content_policy(),
        style=_style(),
        csv=None if csv is None else {"name": csv, "address": f"./{quote(csv, errors='replace')}"},
        live=live,
        changes_note=changes_note,
        sections=list(_sections(summary, changes_note)),
        verdicts=words.verdicts_of(summary),
        expiry=_expiry(summary) if summary.signers or summary.expiry else (),
        signer_heads=_SIGNER_HEADS,
        options=list(words.options({**summary.asked.trust, **summary.asked.signing})),
        figures=_figures(summary),
        tables=(("Modalities, by files", summary.modalities),
                ("SOP Classes, by files", summary.sop_classes)),
        rates=_rates(summary),
        seconds=summary.throughput[-1].time - summary.started if summary.throughput else 0.0,
        alarming=ALARMING,
        meanings=MEANINGS,
        roles=words.ROLES,
        effects=words.EFFECTS,
        version=__version__,
        **_BOUNDS,
    )  # fmt: skip
    stream.enable_buffering(64)
    for piece in stream:
        file.write(piece)


def error_page(sentence: str, now: float, live: Live) -> str:
    """Return the page that is served where there is nothing to show yet, with the reason."""
    return _environment().get_template("error.html").render(
        title="Nothing to show yet", sentence=sentence, now=now, live=live, style=_style(),
        policy=content_policy(),
    )  # fmt: skip


def content_policy() -> str:
    """Return the Content Security Policy of a page: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.cache
def _style() -> str:
    with open(os.path.join(_FOLDER, "report.css"), encoding="utf-8") as file:
        return file.read()


@functools.cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise UsageError("a page needs the extra: pip install dicomseal[archive]") from None

    def printed(value: object) -> object:
        # what is Markup already was printed by a macro
        if isinstance(value, str) and not isinstance(value, Markup):
            return harmless(value)
        return value

    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined,
        finalize=printed,
    )  # fmt: skip
    environment.filters.update(
        n=lambda number: f"{number:,}",
        total=lambda counts: sum(counts.values()),
        few=lambda counts: list(counts.items())[: _BOUNDS["FEW"]],
        day=lambda text: text.partition("T")[0] or "(without an end)",
        steps=_steps, stacked=_stacked, largest=_largest, months=_months, rate=_readable,
        moment=words.moment, named=words.named, days=words.days,
    )  # fmt: skip
    return environment


def check() -> None:
    """Check that a page can be written.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    _environment()


def _sections(summary: Summary, changes_note: str) -> Iterator[tuple[str, str]]:
    yield "verdicts", "Verdicts"
    if summary.changes or changes_note:
        yield "changes", "What changed"
    if summary.groups:
        yield "groups", "What to do"
    yield "failures", "Failures"
    if summary.undecided or summary.undecided_left_out:
        yield "indeterminate", "Indeterminate"
    if summary.signers or summary.expiry:
        yield "certificates", "Certificates"
    yield "trust", "Trust"
    yield "figures", "Figures"
    yield "ledger", "Ledger"


def _expiry(summary: Summary) -> list[tuple[str, list[Any], str]]:
    """Return what has expired and what will, each with a title and a class of style."""
    soon, later = DAYS
    bounds = [
        (f"Within {soon} days", 0, soon), (f"In {soon + 1} to {later} days", soon + 1, later),
    ]  # fmt: skip
    gone = within(summary.expiry, -(1 << 62), -1)
    found = [("Expired", gone, f"{BAD}-text")] if gone else []
    return found + [
        (name, within(summary.expiry, least, most), f"{OPEN}-text") for name, least, most in bounds
    ]


def _figures(summary: Summary) -> tuple[tuple[str, Mapping[str, int]], ...]:
    return (
        ("Reasons, by files", summary.reasons),
        ("MAC algorithms, by signatures", summary.algorithms),
        ("The time that counted, by signatures", summary.times),
        ("No longer strong, by signatures", summary.weak),
    )


def _steps(code: str) -> tuple[tuple[str, str], ...]:
    """Return what to do about a code: pairs of what a command is for and the command."""
    remedy = TABLE.get(code)
    return () if remedy is None else remedy.steps


def _stacked(counts: Mapping[str, int], most: int) -> Iterator[Part]:
    """Yield the parts of a bar, one after the other; ``most`` is a bar of the whole width."""
    start = 0.0
    for kind in sorted(counts, key=_ORDER.index):
        if count := counts[kind]:
            width = max(_LEAST, _WIDTH * count / most)
            yield Part(kind, count, f"{start:.1f}", f"{min(width, _WIDTH - start):.1f}")
            start = min(start + width, _WIDTH - _LEAST)


def _largest(counts: Mapping[str, Any]) -> dict[str, Any]:
    ranked = sorted(
        counts.items(),
        key=lambda item: -(item[1] if isinstance(item[1], int) else sum(item[1].values())),
    )
    return dict(ranked[: _BOUNDS["MOST_BARS"]])


def _months(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the first months, and all later ones as one."""
    months = sorted(counts)
    found = {month: counts[month] for month in months[:_MONTHS]}
    later = sum(counts[month] for month in months[_MONTHS:])
    return found | ({"later": later} if later else {})


def _rates(summary: Summary) -> list[Rate]:
    width, height = _PLOT
    rates, before = [], summary.started
    for point in summary.throughput:
        rates.append(point.files / max(point.time - before, 1e-9))
        before = point.time
    most = max(rates, default=0.0) or 1.0
    step = width / max(len(rates), 1)
    return [
        Rate(rate, f"{at * step:.1f}", f"{height - height * rate / most:.1f}", f"{step:.1f}",
             f"{height * rate / most:.1f}")
        for at, rate in enumerate(rates)
    ]  # fmt: skip


def _readable(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"

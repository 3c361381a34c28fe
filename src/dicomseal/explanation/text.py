"""An explanation as text for a terminal: 80 columns, and colour only on a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator

from ..report import escaped, harmless
from .chain import Link
from .covered import Coverage
from .diagnosis.cause import Cause, Search
from .explanation import Explanation, SignatureExplanation
from .step import BROKEN, OK, TITLES, TRUST, UNKNOWN

WIDTH = 80
Style = Callable[[str, str], str]
"""Gives a text its colour, by the state that it tells."""

_MARKS = {OK: "ok", BROKEN: "BROKEN", UNKNOWN: "?"}
_VERDICTS = {"passed": OK, "failed": BROKEN, "error": BROKEN}


def plain(text: str, _state: str) -> str:
    """Return the text without colour."""
    return text


def render(explanation: Explanation, style: Style = plain) -> Iterator[str]:
    """Yield the lines.

    Args:
        explanation: the explanation.
        style: see `Style`.
    """
    report = explanation.report
    state = _VERDICTS.get(report.verdict, UNKNOWN)
    yield style(f"{report.verdict:<13}", state) + " " + harmless(escaped(report.path))
    if report.error:
        yield from wrapped(f"{report.error.code}: {report.error.message}", 4)
    for reason in report.reasons:
        yield from wrapped(f"{reason.code}: {reason.message}", 4)
    for message in report.messages:
        yield from wrapped(f"note: {message}", 4)
    yield from _causes(explanation.causes, style, 4)
    if not report.signatures and report.error is None:
        yield from wrapped("there is no signature in it that could be explained", 4)
    for number, one in enumerate(explanation.signatures, 1):
        yield ""
        yield from _signature(one, number, style, explanation.listed)
    if explanation.left_out:
        yield ""
        yield from wrapped(
            f"{explanation.left_out} more signatures are not explained here; --uid UID names one", 0
        )
    if explanation.remedy:
        yield ""
        yield from wrapped(f"What to do: {explanation.remedy}", 0)


def _signature(one: SignatureExplanation, number: int, style: Style, listed: bool) -> Iterator[str]:
    report = one.report
    where = f" in {report.location}" if report.location else ""
    yield from wrapped(f"Signature {number}: {report.uid or '(no UID)'}{where}", 0)
    for at, step in enumerate(one.steps, 1):
        mark = style(_MARKS[step.state], step.state)
        yield ""
        yield f"  {at}  {TITLES[step.step]}  [{mark}]"
        yield from wrapped(step.message, 5)
        for line in step.details:
            yield from wrapped(line, 7, "- ")
        if step.step == TRUST:
            yield from _chain(one.links, style)
        if step.step == "covers" and listed:
            yield from _list(one.covered)
    if one.causes or (one.search and one.search.says_something):
        yield ""
        yield "  Why it does not match"
        yield from _causes(one.causes, style, 5)
        yield from _searched(one.causes, one.search)
    if one.by_hand:
        yield ""
        yield from wrapped("To check it without this program (after --export DIR, in DIR):", 2)
        for line in one.by_hand:
            yield from _command(line)


def _list(covered: Coverage) -> Iterator[str]:
    yield f"       {'offset':>10} {'bytes':>9}  VR {'length':>9}  element"
    for element in covered.elements:
        length = "no length" if element.length is None else f"{element.length:,}"
        head = f"       {element.offset:>10} {element.bytes:>9}  {element.vr} {length:>9}  "
        line = f"{head}{element.tag} {element.keyword}".rstrip()
        if len(line) <= WIDTH:
            yield line
        else:
            yield head + element.tag
            yield f"{element.keyword:>{WIDTH}}"
        if element.value:
            yield from wrapped(element.value, 41)
    if covered.cut:
        yield f"       and {covered.cut:,} more, which are too many to be listed"


def _chain(links: tuple[Link, ...], style: Style) -> Iterator[str]:
    """Yield the chain, the anchor on top."""
    first = True
    for at, link in enumerate(reversed(links)):
        mark = style(_MARKS[link.state], link.state)
        arrow = "" if at == 0 else "└─ "
        indent = 7 + 3 * max(0, at - 1)
        lines = list(wrapped(f"{link.role}: {link.subject}", indent, arrow))
        lines[-1] += f"  [{mark}]"
        if link.state == BROKEN and first:
            lines[-1] += style("  <- here it breaks", BROKEN)
            first = False
        yield from lines
        inner = indent + len(arrow)
        if link.not_after:
            yield from wrapped(f"{link.key}, {link.not_before} to {link.not_after}", inner)
        if link.why:
            yield from wrapped(link.why, inner)


def _causes(causes: tuple[Cause, ...], style: Style, indent: int) -> Iterator[str]:
    for cause in causes:
        state = BROKEN if cause.certainty == "proven" else UNKNOWN
        yield " " * indent + style(f"{cause.code.value}, {cause.certainty}", state)
        yield from wrapped(cause.message, indent + 2)
        for element in cause.elements[:20]:
            yield from wrapped(element, indent + 2, "- ")
        if len(cause.elements) > 20:
            yield f"{' ' * indent}  - and {len(cause.elements) - 20} more"


def _searched(causes: tuple[Cause, ...], search: Search | None) -> Iterator[str]:
    if search is None or not search.says_something:
        return
    many = "hypothesis" if search.hashes == 1 else "hypotheses"
    took = f"{search.hashes:,} {many} in {search.seconds:.2f} s"
    if any(cause.certainty == "proven" for cause in causes):
        yield from wrapped(f"proven by {took}: with that taken back, the MAC is the signed one", 5)
    elif search.complete:
        yield from wrapped(f"{took} explained nothing", 5)
    elif search.hashes:
        yield from wrapped(
            f"{took} explained nothing, and the budget is used up; {search.more} tries more", 5
        )
    else:
        yield from wrapped(
            f"nothing was tried, as the budget allows no hash of this object; {search.more} "
            "tries more", 5,
        )  # fmt: skip


def _command(line: str) -> Iterator[str]:
    """Yield a command line; a long one continues after a backslash, as in a shell."""
    parts = textwrap.wrap(
        harmless(line), WIDTH - 7, initial_indent=" " * 5, subsequent_indent=" " * 7,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
    yield from (part + " \\" for part in parts[:-1])
    yield parts[-1]


def wrapped(text: str, indent: int, mark: str = "") -> list[str]:
    """Return a text in lines of at most 80 columns.

    A word that is longer, such as a hash, is broken.
    """
    first = " " * indent + mark
    after = " " * (indent + len(mark))
    text = harmless(text)
    # a MAC is not broken, so that it can be compared with another one
    label = re.fullmatch(r"([a-z ]+: +)([0-9a-f]{40,128})", text)
    if label and indent + len(mark) + len(text) > WIDTH:
        parts = [label[2][at : at + 64] for at in range(0, len(label[2]), 64)]
        return [first + label[1].rstrip(), *(after + part for part in parts)]
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=after, break_on_hyphens=False
    ) or [first.rstrip()]

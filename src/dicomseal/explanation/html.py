"""An explanation as one HTML page: nothing is loaded from anywhere, and a phone can show it."""

from __future__ import annotations

from collections.abc import Iterable

from ..report import escaped
from .chain import Link
from .covered import Covered
from .diagnosis.cause import Cause, Search
from .explanation import Explanation, SignatureExplanation
from .markup import Element, element, written
from .step import BROKEN, OK, TITLES, TRUST, UNKNOWN, Step

MAX_SHOWN = 2000
"""Covered elements of a signature that a page lists; ``--format json`` has all."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STATES = {OK: "ok", BROKEN: "broken", UNKNOWN: "not decided"}
_VERDICTS = {"passed": OK, "failed": BROKEN, "error": BROKEN}
# the words beside a colour say the same, for people who cannot distinguish colours
_STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --page: #ffffff; --box: #f4f6f8; --line: #c9d1d9;
  --soft: #57606a; --ok: #116329; --broken: #b3261e; --unknown: #7a4b00 }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117; --box: #161b22;
  --line: #3d444d; --soft: #9da7b3; --ok: #4ac26b; --broken: #ff8a80; --unknown: #e3a341 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem;
  color: var(--text); background: var(--page); overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.25 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 0 0 .25rem }
p, ul { margin: .25rem 0 } ul { padding-left: 1.2rem } li { margin: .15rem 0 }
code, pre { font: .85rem/1.5 ui-monospace, monospace }
pre { background: var(--box); border: 1px solid var(--line); padding: .5rem; white-space: pre-wrap }
section, .link { border: 1px solid var(--line); border-left-width: .35rem; border-radius: .25rem;
  padding: .6rem .8rem; margin: .6rem 0; background: var(--box) }
.ok { border-left-color: var(--ok) } .broken { border-left-color: var(--broken) }
.unknown { border-left-color: var(--unknown) }
.state { font-weight: 600 } .state.ok { color: var(--ok) } .state.broken { color: var(--broken) }
.state.unknown { color: var(--unknown) } .soft { color: var(--soft); font-size: .9rem }
.link { background: var(--page); margin: .4rem 0 0 } .link .link { margin-left: 0 }
.table { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .85rem }
th, td { text-align: left; padding: .2rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top } .n { text-align: right; white-space: nowrap }
summary { cursor: pointer }
"""


def render(explanation: Explanation) -> bytes:
    """Return the page."""
    report = explanation.report
    name = escaped(report.path) or "an object"
    state = _VERDICTS.get(report.verdict, UNKNOWN)
    body = element(
        "body",
        element("h1", _state(state, report.verdict), " ", name),
        _paragraphs(
            [f"{report.error.code}: {report.error.message}"] if report.error else [],
            [f"{reason.code}: {reason.message}" for reason in report.reasons],
            [f"Note: {message}" for message in report.messages],
        ),
        _causes(explanation.causes, None),
        element("p", element("strong", "What to do: "), explanation.remedy)
        if explanation.remedy
        else None,
    )
    for number, one in enumerate(explanation.signatures, 1):
        body.extend(_signature(one, number))
    if explanation.left_out:
        body.append(
            element(
                "p", f"{explanation.left_out} more signatures are not explained here (--uid UID)."
            )
        )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", **{"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{report.verdict}: {name}"),
    )
    style = element("style")
    style.text = _STYLE
    head.append(style)
    return written(element("html", head, body, lang="en"))


def _state(state: str, word: str = "") -> Element:
    return element("span", word or _STATES[state], class_=f"state {state}")


def _paragraphs(*texts: Iterable[str]) -> Element:
    return element("div", *(element("p", text) for some in texts for text in some))


def _signature(one: SignatureExplanation, number: int) -> Iterable[Element]:
    report = one.report
    where = f" in {report.location}" if report.location else ""
    yield element("h2", f"Signature {number}{where}")
    yield element("p", element("code", report.uid or "(no UID)"), class_="soft")
    if one.causes or (one.search and one.search.says_something):
        yield _causes(one.causes, one.search)
    for at, step in enumerate(one.steps, 1):
        yield _step(one, at, step)
    if one.by_hand:
        yield element(
            "section",
            element("h3", "To check it without this program"),
            element("p", "After --export DIR, in DIR:", class_="soft"),
            element("pre", "\n".join(one.by_hand)),
        )


def _step(one: SignatureExplanation, at: int, step: Step) -> Element:
    box = element(
        "section",
        element("h3", f"{at}. {TITLES[step.step]}: ", _state(step.state)),
        element("p", step.message),
        element("ul", *(element("li", line) for line in step.details)) if step.details else None,
        class_=step.state,
    )
    if step.step == TRUST and one.links:
        box.append(_chain(one.links))
    if step.step == "covers" and one.covered.elements:
        box.append(_elements(one.covered.elements, one.covered.cut))
    return box


def _chain(links: tuple[Link, ...]) -> Element:
    """Return the chain, nested from the anchor to the signer; the first broken link is marked."""
    broken = [n for n in range(len(links) - 1, -1, -1) if links[n].state == BROKEN]
    inner: Element | None = None
    for at, link in enumerate(links):
        here = " Here it breaks." if broken and at == broken[0] else ""
        dates = f"{link.key}, {link.not_before} to {link.not_after}" if link.not_after else ""
        inner = element(
            "div",
            element("strong", f"{link.role}: {link.subject} "),
            _state(link.state),
            element("span", here, class_="state broken") if here else None,
            element("p", dates, class_="soft") if dates else None,
            element("p", link.why) if link.why else None,
            inner,
            class_=f"link {link.state}",
        )
    assert inner is not None  # noqa: S101 - there are links
    return inner


def _elements(covered: tuple[Covered, ...], cut: int) -> Element:
    heads = ("Offset", "Bytes", "VR", "Length", "Element", "Value")
    rows = [element("tr", *(element("th", head) for head in heads))]
    for one in covered[:MAX_SHOWN]:
        length = "none" if one.length is None else f"{one.length:,}"
        rows.append(
            element(
                "tr",
                element("td", f"{one.offset:,}", class_="n"),
                element("td", f"{one.bytes:,}", class_="n"),
                element("td", one.vr),
                element("td", length, class_="n"),
                element("td", f"{one.tag} {one.keyword}"),
                element("td", one.value or ""),
            )
        )
    left = len(covered) - MAX_SHOWN + cut
    return element(
        "details",
        element("summary", f"The {len(covered) + cut:,} elements in the stream"),
        element("div", element("table", *rows), class_="table"),
        element("p", f"and {left:,} more") if left > 0 else None,
    )


def _causes(causes: tuple[Cause, ...], search: Search | None) -> Element:
    box = element("div")
    for cause in causes:
        state = BROKEN if cause.certainty == "proven" else UNKNOWN
        more = len(cause.elements) - 50
        box.append(
            element(
                "section",
                element("h3", "Why it does not match: ",
                        _state(state, f"{cause.code.value}, {cause.certainty}")),
                element("p", cause.message),
                element("ul", *(element("li", name) for name in cause.elements[:50])),
                element("p", f"and {more} more") if more > 0 else None,
                class_=state,
            )
        )  # fmt: skip
    if search is not None and search.says_something:
        end = "" if search.complete else "; the search ended at its budget"
        proven = any(cause.certainty == "proven" for cause in causes)
        found = "" if proven else ", none of which explains it"
        box.append(
            element(
                "p", f"{search.hashes:,} hypotheses in {search.seconds:.2f} s{found}{end}.",
                class_="soft",
            )
        )  # fmt: skip
        if not search.complete and not proven:
            box.append(element("p", "More is tried with: ", element("code", search.more)))
    return box

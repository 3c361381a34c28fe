"""The explanation of an object and its signatures as data, ready for text, JSON and HTML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from ..report import harmless
from . import covered as coverage
from .by_hand import commands
from .chain import Link, chain_of
from .covered import Coverage
from .diagnosis.cause import Cause, Search
from .remedy import remedy_of
from .step import Step
from .steps import steps_of
from .subject import Subject

if TYPE_CHECKING:
    from ..report import ObjectReport, SignatureReport
    from .diagnosis.budget import Effort

MAX_EXPLAINED = 64
"""How many signatures of one object are explained; ``--uid`` names another."""


class SignatureExplanation(msgspec.Struct, frozen=True):
    """One signature explained.

    Attributes:
        report: what `verify` says of it.
        computed, signed: the MACs, hexadecimal; None if there is none, or if the key does not
            reveal it.
        covered: the elements that it covers.
        links: its chain.
        steps: how it was verified.
        by_hand: command lines by which a person can check it without this program.
        causes: why it does not match; empty if it does.
        search: the effort of the search for the causes; None if there was no search.
    """

    report: SignatureReport
    computed: str | None
    signed: str | None
    covered: Coverage
    links: tuple[Link, ...]
    steps: tuple[Step, ...]
    by_hand: tuple[str, ...]
    causes: tuple[Cause, ...] = ()
    search: Search | None = None


class Explanation(msgspec.Struct, frozen=True):
    """An object explained.

    Attributes:
        report: the report of `verify`; the explanation never changes its verdict.
        remedy: what to do, a sentence with a command; None for an object that passed.
        signatures: those that are explained.
        left_out: how many more there are.
        causes: what is wrong with the object as a whole.
        listed: whether a list of the elements was asked for.
    """

    report: ObjectReport
    remedy: str | None
    signatures: tuple[SignatureExplanation, ...]
    left_out: int = 0
    causes: tuple[Cause, ...] = ()
    listed: bool = False

    def at(self, path: str) -> Explanation:
        """Return the same explanation with another path."""
        report = msgspec.structs.replace(self.report, path=path)
        return msgspec.structs.replace(self, report=report)


def explain(subject: Subject, effort: Effort, *, with_values: bool = False) -> Explanation:
    """Explain an object that was opened.

    Args:
        subject: the object.
        effort: the budget of the search for causes, for all signatures together.
        with_values: whether the elements are listed with their values.
    """
    explained, room = [], coverage.MAX_LISTED
    budget = None
    for one in subject.signatures:
        covered = coverage.coverage_of(one, with_values, room)
        room -= len(covered.elements)
        links = chain_of(one, subject.options.trust)
        causes: tuple[Cause, ...] = ()
        search = None
        if one.report.integrity != "intact":
            from .diagnosis.budget import Budget
            from .diagnosis.search import diagnose

            budget = budget or Budget(effort)
            causes, search = diagnose(one, budget)
        explained.append(
            SignatureExplanation(
                one.report,
                one.computed.hex() or None,
                _hexadecimal(one.signed or (one.signed_by_another or ("", None))[1]),
                covered,
                links,
                steps_of(one, covered, links),
                commands(one),
                causes,
                search,
            )
        )
    if subject.part10 is not None:
        subject.part10.check()
    found: tuple[Cause, ...] = ()
    if subject.report.error is not None or not subject.report.signatures:
        from .diagnosis.examine import examine_object

        found = examine_object(subject)
    return Explanation(
        subject.report,
        remedy_of(subject.report, (cause for one in explained for cause in one.causes)),
        tuple(explained),
        subject.left_out,
        found,
        with_values,
    )


def to_json(explanation: Explanation) -> bytes:
    """Return the explanation as JSON: the report of `verify`, with more in each signature."""
    told: dict[str, Any] = json.loads(explanation.report.to_json())
    told["remedy"] = explanation.remedy
    told["causes"] = [_cause(one) for one in explanation.causes]
    told["signatures_not_explained"] = explanation.left_out
    by_place = {id(one.report): one for one in explanation.signatures}
    for report, signature in zip(explanation.report.signatures, told["signatures"], strict=True):
        one = by_place.get(id(report))
        if one is not None:
            signature.update(_signature(one, explanation.listed))
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def _signature(one: SignatureExplanation, listed: bool) -> dict[str, Any]:
    from ..standard.tags import describe

    covered = one.covered
    elements = []
    for element in covered.elements:
        plain = msgspec.to_builtins(element)
        if not listed:
            del plain["value"]
        elements.append(plain)
    return {
        "mac": {"computed": one.computed, "signed": one.signed},
        "covers": elements,
        "covers_not_listed": covered.cut,
        "not_covered": [describe(tag) for tag in covered.left_out],
        "warnings": list(covered.warnings),
        "chain": [
            {key: value for key, value in msgspec.to_builtins(link).items() if key != "der"}
            for link in one.links
        ],
        "causes": [_cause(cause) for cause in one.causes],
        "search": msgspec.to_builtins(one.search),
        "steps": [
            {"step": step.step, "state": step.state, "message": harmless(step.message),
             "details": [harmless(line) for line in step.details]}
            for step in one.steps
        ],
        "by_hand": list(one.by_hand),
    }  # fmt: skip


def _hexadecimal(mac: bytes | None) -> str | None:
    return None if mac is None else mac.hex()


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "code": cause.code.value,
        "certainty": cause.certainty,
        "elements": list(cause.elements),
        "message": harmless(cause.message),
    }

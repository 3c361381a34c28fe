"""The elements that are not signed beside signed ones, and their effect on the verdict.

In: the index of an object, and the reports on its signatures.
Out: an `Examined`: the unsigned elements by class, and a reason or messages.
PS3: PS3.3, by the table in `standard.meanings`.

A signature says nothing of elements that it does not list, and anyone can add some. Most change
nothing; some change the meaning of signed ones. These keep an object from passing unless the caller
accepts them.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from ..encoding import record as r
from ..report import Reason, ReasonCode, SignatureReport, UncoveredClass
from ..signature.signed_values import Scope, Values
from ..standard.dictionary import dictionary
from ..standard.meanings import ARCHIVE, MEANING, OTHER, Signed, row_of
from ..standard.tags import describe
from .coverage import NOTHING_FOUND, Coverage, Examined, counting, measure, of_scope
from .options import ACCEPT, REJECT

if TYPE_CHECKING:
    from ..encoding.backend import Index

CODE = ReasonCode.UNSIGNED_CONTENT
ONLY_ITEMS = "only items are signed: no signature protects the main data set"

_MAX_NAMED = 10  # in a message
_MAX_LISTED = 1000  # in a reason, and of each class in a report


def examine(
    index: Index,
    by_scope: Sequence[tuple[int, list[SignatureReport]]],
    covered: Coverage,
    passing: str,
    policy: str,
) -> Examined:
    """Examine the elements that the signatures of an object leave out.

    An element counts as unsigned if no passing signature covers it; if none passes, if no intact
    one does.

    Args:
        index: the index of the object.
        by_scope: the reports on all its signatures, by the record they sign.
        covered: the coverage of the main data set by the passing ones, from `measure`.
        passing: the ``trust`` of a passing signature; any if it is empty.
        policy: one of `CHOICES`.
    """
    main = [signature for scope, some in by_scope if scope == 0 for signature in some]
    kind = "passing"
    if not counting(main, passing):
        if any(signature.integrity is not None for signature in main):
            if not counting(main, ""):
                return NOTHING_FOUND  # the signatures themselves say what is wrong
            covered, passing, kind = measure(index, main, ""), "", "intact"
        else:
            live = any(
                signature.integrity is not None for _, some in by_scope for signature in some
            )
            if not live:
                return NOTHING_FOUND
            if policy == ACCEPT:
                return Examined(messages=(ONLY_ITEMS,))
            return Examined(reason=Reason(CODE, ONLY_ITEMS))
    if not covered.uncovered:
        return NOTHING_FOUND
    inner = list(_items(index, by_scope, covered.signed, passing))
    every = [Scope(0, covered.signed), *(Scope(scope, found.signed) for scope, _, found in inner)]
    found = list(_classified(index, 0, covered, Values(index, every)))
    telling = [describe(tag) for tag, _, effect in found if effect == MEANING]
    for number, (scope, location, own) in enumerate(inner, 1):
        values = Values(index, every[number : number + 1])
        telling += [
            f"{describe(tag)} in {location}"
            for tag, _, effect in _classified(index, scope, own, values)
            if effect == MEANING
        ]
    return _judged(found, telling, kind, policy)


def _classified(
    index: Index, scope: int, coverage: Coverage, values: Values
) -> Iterator[tuple[int, str, str]]:
    """Yield for each element that is not covered its tag, its class and its effect."""
    signed = Signed(coverage.signed, values.text, values.time)
    for tag in coverage.tags:
        row = row_of(tag, signed)
        if row is None or (row.effect == ARCHIVE and not _as_it_should_be(index, scope, tag)):
            yield tag, OTHER, OTHER
        else:
            yield tag, row.name, row.effect


def _as_it_should_be(index: Index, scope: int, tag: int) -> bool:
    """Return whether it has the VR of the dictionary: a harmless tag must not hide data."""
    return index.record(index.find(scope, tag)).vr == dictionary().public(tag)


def _items(
    index: Index,
    by_scope: Sequence[tuple[int, list[SignatureReport]]],
    signed: Collection[int],
    passing: str,
) -> Iterator[tuple[int, str, Coverage]]:
    """Yield the items that are signed by themselves alone, and the coverage of each.

    Outer items come first: of two records the one that holds the other has the lower number.
    """
    spans: list[tuple[int, int]] = []  # of records that are covered; none in another
    for scope, some in sorted(by_scope, key=itemgetter(0)):
        passed = counting(some, passing)
        if not passed:
            continue
        if scope:
            place = bisect(spans, (scope,))
            if place and spans[place - 1][1] > scope:
                continue
            own = of_scope(index, scope, passed)
            yield scope, passed[0].location, own
            signed = own.signed
        for child in index.children(scope):
            record = index.record(child)
            if record.kind == r.SEQUENCE and record.tag in signed:
                insort(spans, (child, record.next))


def _judged(
    found: list[tuple[int, str, str]], telling: list[str], kind: str, policy: str
) -> Examined:
    """Apply the policy.

    Args:
        found: for each element of the main data set its tag, class and effect.
        telling: the names of those that say what signed ones mean.
        kind: of the signatures that cover none of them.
        policy: one of `CHOICES`.
    """
    classes = tuple(_classes(found))
    if policy == ACCEPT:
        return Examined(classes)
    others = [describe(tag) for tag, _, effect in found if effect == OTHER]
    if policy == REJECT:
        named = _named([describe(tag) for tag, *_ in found], _MAX_LISTED)
        sentence = f"no {kind} signature covers {named}, and nothing unsigned is accepted"
        return Examined(classes, Reason(CODE, sentence))
    messages: tuple[str, ...] = ()
    if others:
        what = f"{len(others)} elements are" if len(others) > 1 else "1 element is"
        named = _named(others, _MAX_NAMED)
        messages = (f"{what} covered by no {kind} signature: {named}",)
    if not telling:
        return Examined(classes, None, messages)
    named = _named(telling, _MAX_LISTED)
    sentence = f"no {kind} signature covers {named}, and that changes what signed elements mean"
    return Examined(classes, Reason(CODE, sentence), messages)


def _named(names: list[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _classes(found: Iterable[tuple[int, str, str]]) -> Iterator[UncoveredClass]:
    """Yield the classes: those that change a meaning first, then in the elements' order."""
    classes: dict[tuple[str, str], list[int]] = {}
    for tag, name, effect in found:
        classes.setdefault((name, effect), []).append(tag)
    ranked = sorted(classes.items(), key=lambda item: (MEANING, OTHER, ARCHIVE).index(item[0][1]))
    for (name, effect), tags in ranked:
        yield UncoveredClass(
            name, effect, len(tags), tuple([describe(tag) for tag in tags[:_MAX_LISTED]])
        )

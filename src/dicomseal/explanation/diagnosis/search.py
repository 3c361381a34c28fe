"""The search: families of hypotheses, the likely and the cheap first, until one is proven."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...ambiguity import open_vrs
from ...errors import EncodingError
from . import examine, families, forms, vrs
from .case import Case, Hypothesis
from .cause import PROVEN, Cause, Search

if TYPE_CHECKING:
    from ..subject import Explained
    from .budget import Budget

_MAX_POLICIES = 12
_SHARE = 0.5  # the part of what is left that one family may use; the last one has the rest


def diagnose(one: Explained, budget: Budget) -> tuple[tuple[Cause, ...], Search]:
    """Return why a signature does not match.

    A proven cause is a fact about bytes: without these changes, the hash is the signed one. The
        verdict does not change.

    Args:
        one: a signature that is not intact.
        budget: of all signatures of the object.
    """
    used, begin = budget.used, budget.seconds
    budget.exhausted = False
    found: tuple[Cause, ...] = ()
    if one.report.integrity is not None and _has_mac(one):
        found = _by_algorithm(one, budget) or (_proven(one, budget) if _tells(one) else ())
    if not found:
        found = tuple(examine.examine(one))
    search = Search(budget.used - used, round(budget.seconds - begin, 3), not budget.exhausted)
    return found, search


def _has_mac(one: Explained) -> bool:
    """Return whether there is a MAC that does not match, and a key that can check another one."""
    return bool(one.mac and one.computed and one.key and one.signed != one.computed)


def _tells(one: Explained) -> bool:
    """Return whether a hash can prove anything: this key made the signature, or may have."""
    return one.signed is not None or one.key in ("DSA", "ECDSA")


def _by_algorithm(one: Explained, budget: Budget) -> tuple[Cause, ...]:
    budget.share(_SHARE)
    if one.signed is not None or not budget.allows(5 * one.index.record(one.scope).end):
        return ()
    found = forms.other_algorithm(one)
    return () if found is None else (found,)


def _proven(one: Explained, budget: Budget) -> tuple[Cause, ...]:
    case = Case(one)
    last = families.FAMILIES[-1]
    for family in families.FAMILIES:
        budget.share(_SHARE if family is not last else 1.0)
        found = _by_vrs(case, budget) if family is families.VRS else _tried(case, family, budget)
        if found:
            return found
        if family is families.VRS:
            found = _with_other_vrs(one, budget)
            if found:
                return found
    return ()


def _tried(case: Case, family: families.Family, budget: Budget) -> tuple[Cause, ...]:
    """Try one family of hypotheses; return the cause that it proves, if any."""
    for hypothesis in family(case):
        if hypothesis.digest is None:
            at = hypothesis.edits[0].start if hypothesis.edits else case.stream.end
            size = case.stream.behind(at)
        else:
            size = hypothesis.cost
        size += case.one.effort // 2  # this number of bytes can be hashed in about the same time
        if not budget.allows(size):
            return ()
        begin = time.monotonic()
        right = _holds(case, hypothesis)
        budget.took(size, time.monotonic() - begin)
        if right:
            both = (hypothesis, hypothesis.also) if hypothesis.also else (hypothesis,)
            return tuple(Cause(one.code, PROVEN, one.elements, one.message) for one in both)
    return ()


def _with_other_vrs(one: Explained, budget: Budget) -> tuple[Cause, ...]:
    """Try the likely families once more, with the VRs that writers of explicit VR choose.

    Implicit VR does not state the VRs, so a change can only be found with the VRs that the signer
    chose. The few rules that writers follow are tried (see `open_vrs.policies`).
    """
    part10 = one.subject.part10
    if part10 is None or not part10.implicit or one.mac is None:
        return ()
    index = one.index
    found = open_vrs.find(index, one.scope, one.elements)
    before = [index.record(open_vr.number).vr for open_vr in found]
    try:
        for number, vrs_of_all in enumerate(open_vrs.policies(index, found)):
            if number >= _MAX_POLICIES:
                break
            if vrs_of_all == before:
                continue
            for open_vr, vr in zip(found, vrs_of_all, strict=True):
                index.choose(open_vr.number, vr)
            case = Case(one)
            for family in families.LIKELY:
                budget.share(_SHARE)
                proven = _tried(case, family, budget)
                if proven:
                    return proven
    finally:
        for open_vr, vr in zip(found, before, strict=True):
            index.choose(open_vr.number, vr)
    return ()


def _by_vrs(case: Case, budget: Budget) -> tuple[Cause, ...]:
    room = budget.room
    if room <= 0:
        return ()
    found, tried, whole = vrs.solve(case, room)
    budget.count(tried)
    budget.exhausted = budget.exhausted or not whole
    return found


def _holds(case: Case, hypothesis: Hypothesis) -> bool:
    try:
        if hypothesis.digest is not None:
            digest = hypothesis.digest()
        else:
            digest = case.stream.digest(hypothesis.edits, hypothesis.own)
    except EncodingError:  # nobody can have signed a value that is too long for its VR
        return False
    return case.one.verifies(digest)

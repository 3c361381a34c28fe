"""AMBIGUOUS_VR and LOST_VR: the VRs that were signed differ from those in the object.

A VR is signed, but implicit VR does not state it. A program that had the object in implicit VR in
between chose the VRs anew, or lost them to UN (PS3.5 Section 6.2.2, 7.1.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ambiguity import open_vrs
from ...ambiguity.vr_search import Search
from ...standard.dictionary import AMBIGUOUS, UNKNOWN
from ...standard.mac_algorithms import new_hasher
from .case import Case, named
from .cause import PROVEN, Cause, CauseCode

if TYPE_CHECKING:
    from ...ambiguity.open_vrs import Open

_MAX_RECORDS = 200_000  # of an object in which VRs are looked for
_MAX_SLIPS = 4096  # records of an object in which every text may have had another VR


def solve(case: Case, room: int) -> tuple[tuple[Cause, ...], int, bool]:
    """Search for the VRs that were signed.

    Args:
        case: the signature.
        room: the number of bytes that may be hashed.

    Returns:
        The causes, how many choices were tried, and whether these were all choices.
    """
    one, index = case.one, case.index
    if index.big_endian or one.mac is None or len(index) > _MAX_RECORDS:
        return (), 0, True
    tried, whole = 0, True
    elements = open_vrs.signed(index, one.scope, one.mac.data_elements_signed)
    for slips in (False, True):
        if slips and len(index) > _MAX_SLIPS:
            break
        found = open_vrs.find(index, one.scope, elements, slips)
        if not found:
            continue
        search = Search(
            index, one.scope, elements, found, one.own, new_hasher(one.mac.algorithm),
            one.verifies, room // 2, one.effort,
        )  # fmt: skip
        solution = search.run()
        tried += search.tried
        whole = whole and search.exhausted
        if solution is not None:
            return tuple(_causes(found, solution.vrs)), tried, True
    return (), tried, whole


def _causes(found: list[Open], vrs: tuple[str, ...]) -> list[Cause]:
    """Return a cause for each kind of difference."""
    lost: list[tuple[Open, str]] = []
    chosen: list[tuple[Open, str]] = []
    for one, vr in zip(found, vrs, strict=True):
        if vr != one.vr or vr == UNKNOWN:
            (chosen if one.kind in AMBIGUOUS or one.kind in ("was", "slip") else lost).append(
                (one, vr)
            )
    causes = []
    if chosen:
        causes.append(
            _cause(
                CauseCode.AMBIGUOUS_VR, chosen,
                "the standard lets each of these have one of several VRs, and another one was "
                "signed than the object has now",
            )
        )  # fmt: skip
    if lost:
        causes.append(
            _cause(
                CauseCode.LOST_VR, lost,
                "the VRs were lost or chosen anew by a program that had the object in implicit VR, "
                "or did not know them",
            )
        )  # fmt: skip
    return causes


def _cause(code: CauseCode, changed: list[tuple[Open, str]], why: str) -> Cause:
    said = ", ".join(f"{named(one.tag)} was signed as {vr}" for one, vr in changed[:6])
    more = f" and {len(changed) - 6} more" if len(changed) > 6 else ""
    elements = tuple(named(one.tag) for one, _ in changed)
    return Cause(code, PROVEN, elements, f"{said}{more}: {why}. Every value keeps its bytes")

"""What of the main data set the signatures that passed cover, and what was demanded of them.

A signature in an item never covers anything of the main data set, whatever its list names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import report
from ..encoding.backend import tags_of
from ..report import Reason, ReasonCode, SignatureReport, UncoveredClass
from ..signature import mac_parameters
from ..standard import terms
from ..standard.tags import describe, is_signable_tag
from .options import NO_DEMANDS, Demands

if TYPE_CHECKING:
    from ..encoding.backend import Index

_MOST_NAMED = 5  # in a sentence; `Demands.listed` gives all


class Coverage(msgspec.Struct, frozen=True):
    """Which elements of a data set or item are covered.

    Attributes:
        covered, uncovered: how many elements whose tag can be signed; the latter counts also what
            no signature can cover and is not as the standard fixes it.
        tags: those that are not covered, ascending.
        signed: those that are; empty if all are and nothing was demanded.
        broken: why a demand is not met.
    """

    covered: int
    uncovered: int
    tags: tuple[int, ...] = ()
    signed: frozenset[int] = frozenset()
    broken: tuple[Reason, ...] = ()


class Examined(NamedTuple):
    """What `unsigned.examine` found.

    Attributes:
        classes: what is not covered, by what it is.
        reason: why the object does not pass; None if nothing speaks against it.
        messages: what else a person should know.
    """

    classes: tuple[UncoveredClass, ...] = ()
    reason: Reason | None = None
    messages: tuple[str, ...] = ()


NOTHING_FOUND = Examined()


def counting(signatures: Iterable[SignatureReport], passing: str) -> list[SignatureReport]:
    """Those that cover what they list: intact, and of that ``trust``; of any if it is empty."""
    return [
        made
        for made in signatures
        if made.integrity == report.INTACT and (not passing or made.trust == passing)
    ]


def measure(
    index: Index, signatures: Iterable[SignatureReport], passing: str, demands: Demands = NO_DEMANDS
) -> Coverage:
    """What the passing ones of some signatures cover of the main data set.

    Args:
        index: of the object.
        signatures: the reports on all its signatures.
        passing: what the ``trust`` of a signature must be for it to pass; any if it is empty.
        demands: what is asked.
    """
    main = counting(signatures, passing)
    if len(main) == 1 and not main[0].location and not main[0].unsigned_elements and not demands:
        return Coverage(main[0].signed_elements, index.free)
    main = [made for made in main if not made.location]
    found = of_scope(index, 0, main)
    if index.free:
        found = msgspec.structs.replace(found, uncovered=found.uncovered + index.free)
    if not demands:
        return found
    there = found.signed.union(found.tags)
    broken = []
    lacking = [tag for tag in demands.signed if tag not in found.signed]
    if lacking:
        broken.append(_reason(lacking, "which must be signed", there))
    if demands.all_signed and found.tags:
        broken.append(_reason(found.tags, "and every element must be signed", there))
    elif demands.all_signed and index.free:
        broken.append(
            Reason(
                ReasonCode.SIG_CONSTRAINTS_FAILURE,
                f"elements that no signature can cover hold what the standard does not fix "
                f"({index.free}), and every element must be signed",
            )
        )
    return msgspec.structs.replace(found, broken=tuple(broken))


def of_scope(index: Index, scope: int, signatures: Iterable[SignatureReport]) -> Coverage:
    """What some signatures of a data set or item, all of which count, cover of it."""
    there = {tag for tag in index.present(scope) if is_signable_tag(tag)}
    listed = _listed(index, scope, {made.mac_id for made in signatures})
    missing = tuple(sorted(there - listed))
    return Coverage(len(there) - len(missing), len(missing), missing, frozenset(there & listed))


def _listed(index: Index, scope: int, mac_ids: set[int | None]) -> set[int]:
    """All tags that the MAC Parameters of these signatures list."""
    found: set[int] = set()
    for mac_id, item in mac_parameters.read_ids(index, scope) if mac_ids else ():
        if mac_id in mac_ids:
            listed = index.listed(item, terms.DATA_ELEMENTS_SIGNED)
            found.update(tags_of(listed, index.big_endian))
    return found


def _reason(lacking: Sequence[int], demand: str, there: Collection[int]) -> Reason:
    named = ", ".join(
        f"{describe(tag)}{'' if tag in there else ' (which is absent)'}"
        for tag in lacking[:_MOST_NAMED]
    )
    more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    return Reason(
        ReasonCode.SIG_CONSTRAINTS_FAILURE,
        f"no passing signature of the main data set covers {named}{more}, {demand}",
    )

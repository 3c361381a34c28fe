"""The coverage of the main data set by the passing signatures, and the demands on it.

In: the index of an object, and the reports on its signatures.
Out: a `Coverage`: which elements are covered, and which demands are not met.
PS3: PS3.3 C.12.1.1.3.1.1.

A signature in an item never covers anything of the main data set, whatever its list names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import report
from ..encoding.backend import first_unsignable, tags_of
from ..report import Reason, ReasonCode, SignatureReport, UncoveredClass
from ..signature import mac_parameters
from ..standard import terms
from ..standard.tags import describe, is_signable_tag
from .options import NO_DEMANDS, Demands

if TYPE_CHECKING:
    from ..encoding.backend import Index

_MAX_NAMED = 5  # in a sentence; `Demands.listed` lists all


class Coverage(msgspec.Struct, frozen=True, gc=False):
    """The elements of a data set or item that are covered, and those that are not.

    Attributes:
        covered, uncovered: how many elements whose tag can be signed; the latter also counts
            elements that no signature can cover and that are not as the standard fixes them.
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
    """Return the signatures that cover their lists: intact, and of this trust unless empty."""
    return [
        signature
        for signature in signatures
        if signature.integrity == report.INTACT and (not passing or signature.trust == passing)
    ]


def measure(
    index: Index, signatures: Iterable[SignatureReport], passing: str, demands: Demands = NO_DEMANDS
) -> Coverage:
    """Measure what the passing signatures cover of the main data set.

    Args:
        index: the index of the object.
        signatures: the reports on all its signatures.
        passing: the ``trust`` of a passing signature; any if it is empty.
        demands: on the coverage.
    """
    main = counting(signatures, passing)
    if len(main) == 1 and not main[0].location and not main[0].unsigned_elements and not demands:
        return Coverage(main[0].signed_elements, index.free)
    main = [signature for signature in main if not signature.location]
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
                f"elements that no signature can cover differ from what the standard fixes "
                f"({index.free}), and every element must be signed",
            )
        )
    return msgspec.structs.replace(found, broken=tuple(broken))


def of_scope(index: Index, scope: int, signatures: Iterable[SignatureReport]) -> Coverage:
    """Measure what some signatures of a data set or item, all of which count, cover of it."""
    there = index.present(scope)
    if first_unsignable(there) is not None:
        there = {tag for tag in there if is_signable_tag(tag)}
    listed = _listed(index, scope, {signature.mac_id for signature in signatures})
    missing = tuple(sorted(there - listed))
    return Coverage(len(there) - len(missing), len(missing), missing, frozenset(there & listed))


def _listed(index: Index, scope: int, mac_ids: set[int | None]) -> set[int]:
    """Return all tags that the MAC Parameters of these signatures list."""
    found: set[int] = set()
    for mac_id, item in mac_parameters.read_ids(index, scope) if mac_ids else ():
        if mac_id in mac_ids:
            listed = index.listed(item, terms.DATA_ELEMENTS_SIGNED)
            found.update(tags_of(listed, index.big_endian))
    return found


def _reason(lacking: Sequence[int], demand: str, there: Collection[int]) -> Reason:
    named = ", ".join(
        f"{describe(tag)}{'' if tag in there else ' (which is absent)'}"
        for tag in lacking[:_MAX_NAMED]
    )
    more = f" and {len(lacking) - _MAX_NAMED} more" if len(lacking) > _MAX_NAMED else ""
    return Reason(
        ReasonCode.SIG_CONSTRAINTS_FAILURE,
        f"no passing signature of the main data set covers {named}{more}, {demand}",
    )

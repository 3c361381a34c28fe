"""What of the main data set the signatures that passed cover, and what was demanded of them.

A signature in an item never covers anything of the main data set, whatever its list names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from . import mac_parameters, report, terms
from .canonical import tags_of
from .errors import UsageError
from .report import Reason, SignatureReport
from .tags import describe, format_tag, is_signable_tag, parse_tags

if TYPE_CHECKING:
    from .canonical import Index

_MOST_NAMED = 5  # in a sentence; `Demands.listed` gives all


class Demands(msgspec.Struct, frozen=True):
    """What a verification asks of the coverage.

    Attributes:
        signed: tags that a passing signature of the main data set must cover.
        all_signed: whether all elements that could be signed must be covered.
        listed: whether the report is to list what is not covered.
    """

    signed: tuple[int, ...] = ()
    all_signed: bool = False
    listed: bool = False

    def __bool__(self) -> bool:
        return bool(self.signed or self.all_signed or self.listed)


class Coverage(msgspec.Struct, frozen=True):
    """Which elements of the main data set are covered.

    Attributes:
        covered, uncovered: how many elements whose tag can be signed.
        tags: those that are not covered, ascending; empty if nothing was demanded.
        broken: why a demand is not met.
    """

    covered: int
    uncovered: int
    tags: tuple[int, ...] = ()
    broken: tuple[Reason, ...] = ()


def measure(
    index: Index, signatures: Iterable[SignatureReport], passing: str, demands: Demands
) -> Coverage:
    """What the passing ones of some signatures cover.

    Args:
        index: of the object.
        signatures: the reports on all its signatures.
        passing: what the ``trust`` of a signature must be for it to pass; any if it is empty.
        demands: what is asked.
    """
    counting = [
        made
        for made in signatures
        if made.location == ""
        and made.integrity == report.INTACT
        and (not passing or made.trust == passing)
    ]
    if len(counting) == 1 and not demands:
        return Coverage(counting[0].signed_elements, counting[0].unsigned_elements)
    there = {tag for tag in index.present(0) if is_signable_tag(tag)}
    covered = there & _listed(index, {made.mac_id for made in counting})
    missing = sorted(there - covered)
    broken = []
    lacking = [tag for tag in demands.signed if tag not in covered]
    if lacking:
        broken.append(_reason(lacking, "which must be signed", there))
    if demands.all_signed and missing:
        broken.append(_reason(missing, "and every element must be signed", there))
    tags = tuple(missing) if demands else ()
    return Coverage(len(covered), len(missing), tags, tuple(broken))


def _listed(index: Index, mac_ids: set[int | None]) -> set[int]:
    """All tags that the MAC Parameters of these signatures list."""
    found: set[int] = set()
    for mac_id, item in mac_parameters.read_ids(index, 0) if mac_ids else ():
        if mac_id in mac_ids:
            listed = index.listed(item, terms.DATA_ELEMENTS_SIGNED)
            found.update(tags_of(listed, index.big_endian))
    return found


def _reason(lacking: list[int], demand: str, there: set[int]) -> Reason:
    named = ", ".join(
        f"{describe(tag)}{'' if tag in there else ' (which is absent)'}"
        for tag in lacking[:_MOST_NAMED]
    )
    more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    return Reason(
        "SIG_CONSTRAINTS_FAILURE",
        f"no passing signature of the main data set covers {named}{more}, {demand}",
    )


def demands(signed: object = (), all_signed: bool = False, listed: bool = False) -> Demands:
    """The demands of a caller.

    Raises:
        UsageError: a tag cannot be parsed, or can never be signed.
    """
    tags = parse_tags(signed) if signed else []  # type: ignore[arg-type]
    for tag in tags:
        if not is_signable_tag(tag):
            raise UsageError(
                f"{format_tag(tag)} can never be signed (PS3.3 C.12.1.1.3.1.1), so it cannot be "
                "required to be"
            )
    return Demands(tuple(tags), all_signed, listed)

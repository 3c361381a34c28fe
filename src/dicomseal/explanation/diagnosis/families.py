"""The families of hypotheses, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import (
    block,
    character_set,
    coerced,
    coerced_and_padded,
    copies,
    forms,
    padding,
    tag_list,
    transcoded,
)
from .case import Case, Hypothesis

Family = Callable[[Case], Iterator[Hypothesis]]


def VRS(_case: Case) -> Iterator[Hypothesis]:  # noqa: N802 - stands in a table of constants
    """Yield nothing: for this family, `vrs.solve` does the search in its own way."""
    return iter(())


FAMILIES: tuple[Family, ...] = (
    transcoded.hypotheses,
    coerced.hypotheses,
    forms.item_fields,
    forms.legacy,
    block.hypotheses,
    padding.single,
    forms.byte_order,
    forms.group_lengths,
    character_set.hypotheses,
    tag_list.removed,
    coerced_and_padded.hypotheses,
    padding.rules,
    tag_list.hypotheses,
    VRS,
    copies.hypotheses,
    padding.long,
    padding.pairs,
)

# these families are tried for each choice of VRs if an object is in implicit VR
LIKELY: tuple[Family, ...] = (
    coerced.hypotheses,
    padding.single,
    character_set.hypotheses,
    tag_list.removed,
)

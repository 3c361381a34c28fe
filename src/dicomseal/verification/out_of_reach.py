"""What no signature can cover, and holds what somebody may have put there; for strict demands.

MAC Parameters that no signature uses, and Data Set Trailing Padding (PS3.10 Section 7.2), have the
form that the standard gives them, and mislead nobody. So they fail nothing by themselves; but who
demands that every element be signed does not get it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..encoding import record, values
from ..signature import locations, mac_parameters
from ..standard import terms
from ..standard.tags import format_tag

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10

_OF_SIGNATURES = (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE)
_PIECE = 1 << 20


def sentences(part10: Part10, index: Index) -> Iterator[str]:
    """Yield what there is of it, wherever in the object.

    Raises:
        SourceError: it cannot be read, or changed meanwhile.
    """
    for number in range(1, len(index)):
        one = index.record(number)
        if one.tag == terms.DATA_SET_TRAILING_PADDING and one.kind == record.ELEMENT:
            if not _is_zero(part10, one.value, one.end):
                yield f"Data Set Trailing Padding (FFFC,FFFC){_in(index, one.parent)} is not zero"
        elif one.tag in _OF_SIGNATURES and one.kind == record.ELEMENT:
            where = _in(index, one.parent)
            yield f"{format_tag(one.tag)}{where} is not a sequence, and may hold anything"
        elif one.tag == terms.MAC_PARAMETERS_SEQUENCE:
            used = {
                values.number_of(index, item, terms.MAC_ID_NUMBER)
                for item in values.items_of(index, one.parent, terms.DIGITAL_SIGNATURES_SEQUENCE)
            } - {None}
            for mac_id, _ in mac_parameters.read_ids(index, one.parent):
                if mac_id not in used:
                    which = "without a MAC ID" if mac_id is None else f"of MAC ID {mac_id}"
                    yield f"MAC Parameters {which}{_in(index, one.parent)} belong to no signature"


def _in(index: Index, scope: int) -> str:
    where = locations.format_location(locations.locate(index, scope))
    return f" in {where}" if where else ""


def _is_zero(part10: Part10, start: int, end: int) -> bool:
    return not any(
        bytes(part10.read(at, min(_PIECE, end - at))).strip(b"\0")
        for at in range(start, end, _PIECE)
    )

"""The obstacles for which an element is not signed though its tag could be signed.

An element with the VR UN is never signed, nor a sequence that holds one (PS3.3 C.12.1.1.3.1.1). An
element may get this VR without a change of its value: implicit VR states no VR, and explicit VR has
no length for a long value of a short VR (PS3.5 Section 6.2.2). A signature over such an element
would break then, so the element is left out from the start.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..standard import terms
from ..standard.dictionary import UNKNOWN, dictionary
from ..standard.tags import describe, is_signable_tag
from . import record as r
from .backend import tags_of

if TYPE_CHECKING:
    from .backend import Index

GUESSED = "its VR is not in the object (implicit VR), only guessed from a private dictionary"
LOST = "its VR is UN or was lost"
TOO_LONG = "not signed (PS3.5 Section 6.2.2)"
_MAX_LOOKED_AT, _MAX_NOTES = 64, 3


class Offer(NamedTuple):
    """An element of a data set or item whose tag can be signed.

    Attributes:
        tag: its tag.
        obstacle: why it cannot be signed, a sentence; empty if it can be.
    """

    tag: int
    obstacle: str = ""


def offers(index: Index, scope: int, include_guessed: bool = False) -> Iterator[Offer]:
    """Yield the elements of a data set or item that can be signed by their tags.

    Args:
        index: the index of the object.
        scope: the record of the data set or item.
        include_guessed: sign private elements of implicit VR with the VRs of a dictionary.
    """
    plain = index.all_signable(scope, include_guessed)
    if plain is not None:  # nothing stands in the way of any of them
        yield from map(Offer, tags_of(plain, big_endian=False))
        return
    for child in index.children(scope):
        record = index.record(child)
        if is_signable_tag(record.tag):
            flag = record.flags & r.UNKNOWN_VR
            if not (flag or include_guessed):
                flag = record.flags & r.PRIVATE
            yield Offer(record.tag, sentence(index, child, flag) if flag else "")


def sentence(index: Index, number: int, flag: int = r.UNKNOWN_VR) -> str:
    """Return why an element is not signed: the first cause inside it.

    Args:
        index: the index of the object.
        number: the record of the element.
        flag: the flag of the record, UNKNOWN_VR or PRIVATE.
    """
    whole = index.record(number)
    for inside in range(number, whole.next):
        record = index.record(inside)
        if record.flags & flag and (record.kind == r.ELEMENT or _is_cause(record, flag)):
            break
    else:
        raise AssertionError("no record has the flag")
    why = _cause(record, flag)
    if inside == number:
        return f"{describe(whole.tag)}: {why}"
    return f"{describe(whole.tag)}: of {describe(record.tag)} in it, {why}"


def _is_cause(record: r.Record, flag: int) -> bool:
    """Return whether a record is itself the cause that a sequence around it is not signed."""
    if record.kind != r.SEQUENCE:
        return False
    return record.vr == UNKNOWN if flag == r.UNKNOWN_VR else bool(record.tag >> 16 & 1)


def _cause(record: r.Record, flag: int) -> str:
    if flag == r.PRIVATE:
        return GUESSED
    length = record.end - record.value
    vr = dictionary().public(record.tag) if record.vr == UNKNOWN else record.vr
    if record.kind == r.ELEMENT and vr in terms.SHORT_VRS and length > terms.MAX_SHORT_LENGTH:
        return (
            f"the value has {length} bytes, more than the VR {vr} can have in explicit VR, where "
            f"it is UN and so is {TOO_LONG}"
        )
    return LOST


def notes(index: Index, scope: int, tags: Iterable[int]) -> tuple[str, ...]:
    """Return sentences for those of some unsigned elements that have too long a value to sign."""
    found = []
    for tag in itertools.islice(tags, _MAX_LOOKED_AT):
        number = index.find(scope, tag)
        if number >= 0 and index.record(number).flags & r.UNKNOWN_VR:
            why = sentence(index, number)
            if why.endswith(TOO_LONG):
                found.append(f"not signed: {why}")
    return tuple(found[:_MAX_NOTES])

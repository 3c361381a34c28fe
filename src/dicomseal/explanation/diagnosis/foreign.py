"""FOREIGN_FORMAT: layouts of writers that do not conform, verified as probably intended.

Signatures inside Original Attributes Sequence (0400,0561), and items that have no MAC ID Number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...encoding import values
from ...errors import UsageError
from ...signature import mac_parameters
from ...signature.certificate import kind_of, verify_mac
from ...standard import terms
from ...standard.mac_algorithms import new_hasher
from .case import named
from .cause import POSSIBLE, PROVEN, Cause, CauseCode

if TYPE_CHECKING:
    from ...encoding.backend import Index
    from ...signature.mac_parameters import MacParameters
    from ..subject import Explained

_MAX_TRIED = 16


def examine(one: Explained) -> Iterator[Cause]:
    """Yield a cause if a signature has such a layout, and whether it verifies as intended."""
    history = one.report.integrity is None
    if not history and one.stored.mac_id is not None:
        return
    tag = terms.ORIGINAL_ATTRIBUTES_SEQUENCE if history else terms.MAC_ID_NUMBER
    layout = (
        f"the signature is inside {named(tag)}, where it is history and covers nothing"
        if history
        else f"the signature has no {named(tag)}, so it names no MAC Parameters"
    )
    for scope, mac in _candidates(one, history):
        if _verifies(one, scope, mac):
            where = "the main data set" if scope == 0 else "its own item"
            yield Cause(
                CauseCode.FOREIGN_FORMAT, PROVEN, (named(tag),),
                f"{layout}. With the MAC Parameters {mac.mac_id} over {where} it verifies: the "
                "writer does not conform, and its content is as it was signed",
            )  # fmt: skip
            return
    if history and not _stands_in(one, tag):
        return  # in Modified Attributes Sequence, which is the right place for a former signature
    yield Cause(
        CauseCode.FOREIGN_FORMAT, POSSIBLE, (named(tag),), f"{layout}: a writer's own layout"
    )


def _stands_in(one: Explained, tag: int) -> bool:
    """Return whether the signature's data set is an item of that sequence itself."""
    sequence = one.index.record(one.scope).parent
    return one.index.record(sequence).tag == tag


def _candidates(one: Explained, history: bool) -> Iterator[tuple[int, MacParameters]]:
    index = one.index
    scopes = [one.scope] if not history else [0, one.scope]
    tried = 0
    for holder in dict.fromkeys((one.scope, 0)):
        for item in values.items_of(index, holder, terms.MAC_PARAMETERS_SEQUENCE):
            mac = mac_parameters.read(index, item)
            for scope in scopes:
                tried += 1
                if tried > _MAX_TRIED:
                    return
                yield scope, mac


def _verifies(one: Explained, scope: int, mac: MacParameters) -> bool:
    key = one.certificate.public_key if one.certificate else None
    if not kind_of(key) or not mac.data_elements_signed:
        return False
    try:
        hasher = new_hasher(mac.algorithm)
    except UsageError:
        return False
    index: Index = one.index
    if not index.stream(hasher.update, scope, mac.data_elements_signed).signed:
        return False
    hasher.update(one.own)
    return verify_mac(key, hasher.digest(), mac.algorithm, one.stored.signature)

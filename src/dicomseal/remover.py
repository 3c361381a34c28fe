"""Take signatures out of objects again, and leave everything else as it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from . import mac_parameters, terms
from . import sequence_items as items
from .canonical import Index, require_dataset
from .errors import SigningError
from .part10 import open_source
from .splice import Splice

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer


class Removed(NamedTuple):
    """What `remove_file` took out: how many signatures, and how many are left."""

    removed: int
    remaining: int


def remove_file(
    source: str | os.PathLike[str] | Buffer | BinaryIO,
    target: str | os.PathLike[str] | BinaryIO,
    uid: str | None = None,
) -> Removed:
    """Take signatures out of a file; every other byte is kept.

    Args:
        source, target: as for `sign_file`.
        uid: the Digital Signature UID of the one to remove; None removes all. MAC Parameters that
            another signature still uses stay, and so does what Original Attributes Sequence
            (0400,0561) holds.

    Raises:
        SigningError: there is no such signature; nothing was written.
        SourceError, MalformedError: for the file.
    """
    part10 = open_source(source, settled=True)
    index = part10.index()
    splice = Splice(part10, index)
    removed = remaining = 0
    for scope in index.scopes:
        if items.is_history(items.locate(index, scope)):
            continue
        found = list(items.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE))
        gone = [
            n for n in found
            if uid is None or items.text_of(index, n, terms.DIGITAL_SIGNATURE_UID) == uid
        ]  # fmt: skip
        if gone or uid is None:
            _cut(index, splice, scope, found, gone)
        removed += len(gone)
        remaining += len(found) - len(gone)
    if not removed:
        what = f"no signature has the UID {uid}" if uid else "there is no signature"
        name = f"{os.fsdecode(source)}: " if isinstance(source, (str, os.PathLike)) else ""
        raise SigningError(f"{name}{what}", "not_found")
    splice.save(target)
    return Removed(removed, remaining)


def _cut(index: Index, splice: Splice, scope: int, found: list[int], gone: list[int]) -> None:
    """Cut signatures, and the MAC Parameters items that only they used."""

    def mac_id(item: int) -> int | None:
        return items.number_of(index, item, terms.MAC_ID_NUMBER)

    used = {mac_id(n) for n in found if n not in set(gone)}
    freed = {mac_id(n) for n in gone} - used
    macs = list(mac_parameters.read_ids(index, scope))
    spare = [n for i, n in macs if i in freed or not used]
    for tag, all_items, out in (
        (terms.DIGITAL_SIGNATURES_SEQUENCE, found, gone),
        (terms.MAC_PARAMETERS_SEQUENCE, [n for _, n in macs], spare),
    ):
        sequence = index.find(scope, tag)
        if sequence >= 0 and len(out) == len(all_items):
            splice.cut(sequence)
        else:
            for number in out:
                splice.cut(number)


def remove(dataset: Dataset, uid: str | None = None) -> Removed:
    """Take signatures out of a `pydicom.Dataset`, as `remove_file` does from a file.

    Raises:
        SigningError: there is no such signature.
    """
    require_dataset(dataset, "remove")
    removed, remaining = _remove_from(dataset, uid)
    if not removed:
        raise SigningError(f"no signature has the UID {uid}" if uid else "there is no signature",
                           "not_found")  # fmt: skip
    return Removed(removed, remaining)


def _remove_from(dataset: Dataset, uid: str | None) -> tuple[int, int]:
    """From the data set and, without recursion, from the items in it."""
    removed = remaining = 0
    pending = [dataset]
    while pending:
        scope = pending.pop()
        gone, left = _remove_here(scope, uid)
        removed, remaining = removed + gone, remaining + left
        for element in scope:
            if element.VR == "SQ" and element.tag != terms.ORIGINAL_ATTRIBUTES_SEQUENCE:
                pending += element.value
    return removed, remaining


def _remove_here(scope: Dataset, uid: str | None) -> tuple[int, int]:
    signatures = list(scope.get("DigitalSignaturesSequence") or ())
    kept = [s for s in signatures if uid is not None and s.get("DigitalSignatureUID") != uid]
    if len(kept) < len(signatures):
        used = {s.get("MACIDNumber") for s in kept}
        freed = {s.get("MACIDNumber") for s in signatures} - used
        macs = [
            m for m in scope.get("MACParametersSequence") or ()
            if kept and m.get("MACIDNumber") not in freed
        ]  # fmt: skip
        for name, left in (("DigitalSignaturesSequence", kept), ("MACParametersSequence", macs)):
            if left:
                setattr(scope, name, left)
            elif name in scope:
                delattr(scope, name)
    return len(signatures) - len(kept), len(kept)

"""Remove signatures from objects, and leave everything else as it is.

In: a file or a data set, and the UID of a signature or none.
Out: the file or data set without the signatures and their MAC Parameters.
PS3: PS3.3 C.12.1.1.3.
"""

from __future__ import annotations

import bisect
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ..encoding import values
from ..encoding.backend import Index
from ..errors import SigningError
from ..files.dataset_source import REMOVED
from ..files.source import open_source, require_dataset
from ..signature import locations
from ..standard import terms
from .splice import Splice

if TYPE_CHECKING:
    from pydicom import Dataset
    from typing_extensions import Buffer


class Removed(NamedTuple):
    """The result of `remove_file`: how many signatures were removed, and how many are left."""

    removed: int
    remaining: int


def remove_file(
    source: str | os.PathLike[str] | Buffer | BinaryIO,
    target: str | os.PathLike[str] | BinaryIO,
    uid: str | None = None,
    orphans: bool = False,
) -> Removed:
    """Remove signatures from a file; every other byte is kept.

    A file that was signed by dicomseal becomes what it was before, byte for byte. One case differs:
    if the signature was put into an empty Digital Signatures or MAC Parameters Sequence, that
    sequence cannot be told from a new one, so it is removed with its last item.

    Args:
        source, target: as for `sign_file`.
        uid: the Digital Signature UID of the one to remove; None removes all. MAC Parameters that
            another signature still uses stay, and so do those that no signature used, and the
            content of Original Attributes Sequence (0400,0561).
        orphans: with the last signature of a data set or item, remove all MAC Parameters, even
            those that no signature used, and empty sequences, as dcmsign does.

    Raises:
        SigningError: there is no such signature; nothing was written.
        SourceError, MalformedError: for the file.
    """
    part10 = open_source(source, settled=True)
    index = part10.index()
    found: list[int] = []
    cuts: list[int] = []
    history = locations.History(index)
    for scope in index.scopes:
        if scope not in history:
            found += _cuts(index, scope, uid, cuts, orphans)
    splice = Splice(part10, index)
    end = 0
    removed = 0
    found.sort()
    for number in sorted(set(cuts)):
        if number >= end:  # otherwise it is inside a part that is removed already
            splice.cut(number)
            end = index.record(number).next
            removed += bisect.bisect_left(found, end) - bisect.bisect_left(found, number)
    if not removed:
        what = f"no signature has the UID {uid}" if uid else "there is no signature"
        name = f"{os.fsdecode(source)}: " if isinstance(source, (str, os.PathLike)) else ""
        raise SigningError(f"{name}{what}", "not_found")
    splice.save(target)
    return Removed(removed, len(found) - removed)


def _cuts(index: Index, scope: int, uid: str | None, cuts: list[int], orphans: bool) -> list[int]:
    """Return the signatures of a scope; append what is to be cut because of them to ``cuts``.

    A damaged object may have a sequence twice: both are searched.
    """

    def mac_id(item: int) -> int | None:
        return values.number_of(index, item, terms.MAC_ID_NUMBER)

    def sequences(tag: int) -> list[int]:
        return [n for n in index.children(scope) if index.record(n).tag == tag]

    signatures = sequences(terms.DIGITAL_SIGNATURES_SEQUENCE)
    found = [n for sequence in signatures for n in index.children(sequence)]
    gone = {
        n for n in found
        if uid is None or values.text_of(index, n, terms.DIGITAL_SIGNATURE_UID) == uid
    }  # fmt: skip
    orphans = orphans and len(gone) == len(found) and (uid is None or bool(gone))
    if not gone and not orphans:
        return found  # a sequence that is empty, or belongs to nothing here, was so before
    used = {mac_id(n) for n in found if n not in gone}
    freed = {mac_id(n) for n in gone} - used
    for sequence in signatures:
        _cut(index, sequence, gone, cuts)
    for sequence in sequences(terms.MAC_PARAMETERS_SEQUENCE):
        spare = {n for n in index.children(sequence) if orphans or mac_id(n) in freed}
        _cut(index, sequence, spare, cuts)
    return found


def _cut(index: Index, sequence: int, out: set[int], cuts: list[int]) -> None:
    """Cut some items of a sequence, or the sequence itself if none of them would be left."""
    numbers = list(index.children(sequence))
    cuts += [sequence] if out.issuperset(numbers) else [n for n in numbers if n in out]


def remove(dataset: Dataset, uid: str | None = None) -> Removed:
    """Remove signatures from a `pydicom.Dataset`, as `remove_file` does from a file.

    Raises:
        SigningError: there is no such signature.
    """
    require_dataset(dataset, "remove")
    removed, remaining = _remove_from(dataset, uid)
    if not removed:
        raise SigningError(f"no signature has the UID {uid}" if uid else "there is no signature",
                           "not_found")  # fmt: skip
    if "DigitalSignaturesSequence" not in dataset:
        setattr(dataset, REMOVED, True)  # it is not what a reader left out
    return Removed(removed, remaining)


def _remove_from(dataset: Dataset, uid: str | None) -> tuple[int, int]:
    """Remove from the data set and, without recursion, from the items in it."""
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
        macs = [m for m in scope.get("MACParametersSequence") or ()
                if m.get("MACIDNumber") not in freed]  # fmt: skip
        for name, left in (("DigitalSignaturesSequence", kept), ("MACParametersSequence", macs)):
            if left:
                setattr(scope, name, left)
            elif name in scope:
                delattr(scope, name)
    return len(signatures) - len(kept), len(kept)

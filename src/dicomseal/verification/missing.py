"""Signs that an object without signatures had some, or is not complete.

In: an object without signatures, or with MAC Parameters that no signature uses.
Out: sentences, and a reason why it cannot be called unsigned.
PS3: PS3.3 C.12.1.1.3 and the Type 1 elements of IODs.

A signature is at the end of a data set (FFFA,FFFA), its MAC Parameters in the middle (4FFE,0001).
An attacker who removes the one and forgets the other, a transfer that broke off, and a reader that
stopped early, leave an object that looks unsigned. It is called so only if nothing contradicts.

Some cases cannot be detected: whether an object that is complete without a signature had one;
whether one that ends between two elements, and lacks nothing mandatory, was cut there; and whether
a data set in memory was read in part, if it does not say from which file it was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..encoding import values
from ..errors import DicomSealError, SourceError
from ..report import Reason, ReasonCode
from ..signature import locations, mac_parameters
from ..signature.locations import format_location
from ..standard import terms
from ..standard.tags import describe

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.dataset_source import DatasetSource
    from ..files.part10 import Part10

_REASON = Reason(
    ReasonCode.SIGNED_DATA_NOT_FOUND,
    "there is no signature, and whether there was one is not known: a part is missing",
)
# the beginning of a sentence about MAC Parameters that no signature uses
ORPHANS = "MAC Parameters"
_MAX_NAMED = 3
_IN_PART = "the data set was not read to its end: it was read with specific_tags or without pixels"
_TAKEN = "its signatures were taken out since"
_PIXELS = (0x7FE00008, 0x7FE00009, terms.PIXEL_DATA, 0x00287FE0)  # the last one is in another place
_IMAGE = (0x00280010, 0x00280011, 0x00280100)  # Rows, Columns, Bits Allocated (PS3.3 C.7.6.3)
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# by the beginning of the SOP Class UID, an element of Type 1 that is late in the data set (PS3.3)
_MUST_HAVE = {
    f"{_STORAGE}9.": 0x54000100,  # Waveform Sequence, C.10.9
    f"{_STORAGE}88.": 0x0040A040,  # Value Type of the root content item, C.17.3
    f"{_STORAGE}104.": 0x00420011,  # Encapsulated Document, C.24.2
    f"{_STORAGE}481.3": 0x30060080,  # RT ROI Observations Sequence, C.8.8.8
}
_OF_SIGNATURES = frozenset((terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE))
_MAC, _MAC_BIG = b"\xfe\x4f\x01\0", b"\x4f\xfe\0\x01"  # the tag as it is encoded
_MAX_RECORDS = 200_000  # records; in a larger file MAC Parameters are not looked for in items


def orphans(index: Index, scopes: list[int]) -> list[str]:
    """Return a sentence for MAC Parameters in each scope that no signature there uses.

    Args:
        index: the index of the object.
        scopes: the data set and items that are examined.
    """
    found = []
    for scope in scopes:
        if index.find(scope, terms.MAC_PARAMETERS_SEQUENCE) < 0:
            continue
        there = mac_parameters.read_ids(index, scope)
        named = {
            values.number_of(index, item, terms.MAC_ID_NUMBER)
            for item in values.items_of(index, scope, terms.DIGITAL_SIGNATURES_SEQUENCE)
        }
        lone = [str(mac_id) for mac_id, _ in there if mac_id is not None and mac_id not in named]
        if lone or not named:
            ids = f" of MAC ID {', '.join(lone[:_MAX_NAMED])}" if lone else ""
            where = format_location(locations.locate(index, scope))
            found.append(
                f"{ORPHANS}{ids} are present{f' in {where}' if where else ''}, and no signature "
                "that uses them: it was removed, or the object was cut, or not read to its end"
            )
    return found


class Lacking(NamedTuple):
    """The evidence that an object without signatures is not complete.

    Attributes:
        sentences: for people.
        reason: why it cannot be called unsigned; None if there is no evidence that it is an object
            of which a part is missing.
    """

    sentences: list[str]
    reason: Reason | None


def evidence(part10: Part10, index: Index) -> Lacking:
    """Return the evidence that an object without signatures is not complete.

    Raises:
        SourceError: it cannot be read, or changed meanwhile.
    """
    history = locations.History(index)
    scopes = [scope for scope in _with_mac_parameters(part10, index) if scope not in history]
    part, told = _read_in_part(part10.dataset, index)
    found = [*orphans(index, scopes), *_cut(index), *part]
    rest = [*told, *_hardly_begun(index), *_open(index)]
    return Lacking([*found, *rest], _REASON if found else None)


def _with_mac_parameters(part10: Part10, index: Index) -> list[int]:
    """Return the data set and items that hold MAC Parameters."""
    if hasattr(part10.source, "readinto"):
        if len(index) > _MAX_RECORDS:
            return [0]
    else:
        data = getattr(part10.source, "obj", part10.source)  # of a view, which does not have `find`
        if not hasattr(data, "find"):
            data = bytes(part10.source)
        if data.find(_MAC_BIG if index.big_endian else _MAC) < 0:
            return []
    records = map(index.record, range(1, len(index)))
    return sorted({one.parent for one in records if one.tag == terms.MAC_PARAMETERS_SEQUENCE})


def _hardly_begun(index: Index) -> Iterator[str]:
    """Yield a sentence if there is not even the UID of an object."""
    last = max(index.present(0), default=0)
    if last < terms.SOP_INSTANCE_UID and last >> 16 != 0x0004:  # a DICOMDIR ends there
        what = "is empty" if not last else f"ends with {describe(last)}"
        yield f"the data set {what}, and has no SOP Instance UID (0008,0018): was it cut?"


def _open(index: Index) -> Iterator[str]:
    """Yield a sentence if the file ends with the pixels; signatures come after them."""
    if "open" in index.noted:
        yield (
            "Pixel Data (7FE0,0010) end with the file and without their delimiter, the bytes "
            "FEFFDDE000000000: some readers refuse the file, show no pixels, or others"
        )


def _cut(index: Index) -> Iterator[str]:
    """Yield a sentence if an element is missing that the object's own class requires."""
    if index.holds(0, _IMAGE) and all(index.find(0, tag) < 0 for tag in _PIXELS):
        yield _without(terms.PIXEL_DATA, "an image")
    sop_class = values.text_of(index, 0, terms.SOP_CLASS_UID)
    for beginning, tag in _MUST_HAVE.items():
        if sop_class.startswith(beginning) and index.find(0, tag) < 0:
            yield _without(tag, f"of SOP Class {sop_class}")


def _without(tag: int, what: str) -> str:
    return (
        f"{describe(tag)} is missing, though the object is {what}: it was cut, or not read to its "
        "end, and what followed is not known"
    )


def _read_in_part(source: DatasetSource | None, index: Index) -> tuple[list[str], list[str]]:
    """Find out whether the file that a data set was read from has more elements.

    Returns:
        Sentences on elements that are missing or may be; and others that cast no doubt on the
        object: `dicomseal.remove` took the signatures out, or the file has gone or changed, and
        tells nothing.
    """
    if source is None:
        return [], []
    name, there = source.name, source.tags
    if source.is_part:
        return [_IN_PART], []
    if there is None:
        if name:
            sentence = (
                f"{name} has gone or changed since the data set was read from it: whether it was "
                "read to its end is not known"
            )
            return [], [sentence]
        signed = [f"what the data set was read from is signed: {_TAKEN}"]
        return [], signed if source.was_signed else []
    # group lengths are never written (PS3.5 Section 7.2)
    more = sorted(t for t in there - index.present(0) if t & 0xFFFF)
    others = [tag for tag in more if tag not in _OF_SIGNATURES]
    if others:
        named = ", ".join(describe(tag) for tag in others[:_MAX_NAMED])
        rest = f" and {len(others) - _MAX_NAMED} more" if len(others) > _MAX_NAMED else ""
        sentence = (
            f"the data set was not read to its end, or elements were taken out: {name} has also "
            f"{named}{rest}"
        )
        return [sentence], []
    if not more:
        return [], []
    sentence = f"{name} is signed, and the data set that was read from it is not: {_TAKEN}"
    if source.were_removed:
        return [], [sentence]
    return [f"{sentence}, or it was not read to its end"], []


def unread(dataset: Any, error: DicomSealError) -> DicomSealError:
    """Return the error for a data set that cannot be encoded, also if it was not read."""
    deferred = [
        tag
        for tag, element in getattr(dataset, "_dict", {}).items()
        if getattr(element, "is_raw", False) and element.value is None and element.length
    ]
    if not deferred:
        return error
    more = f" and {len(deferred) - 1} more" if len(deferred) > 1 else ""
    return SourceError(
        f"the data set was not read to its end: {describe(min(deferred))}{more}, deferred, "
        f"cannot be read any more ({error})"
    )

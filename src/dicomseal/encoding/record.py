"""What both twins of the index share: the shape of a record, the limits, the kinds of trouble."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..errors import MalformedError
from ..standard.tags import format_tag

# kinds of record
ELEMENT, SEQUENCE, ENCAPSULATED, ITEM, FRAGMENT = range(5)

# flags of a record
UNDEFINED = 1  # its length was undefined: a delimiter of 8 bytes stands at its end, but see "open"
UNKNOWN_VR = 2  # its VR is UN or cannot be known, or it is a sequence that holds such an element
LONG_HEADER = 4  # its header has 12 bytes, not 8
REWRITE = 8  # its header must be written anew: reserved bytes not zero, or an odd length
GUESSED = 16  # its VR was ambiguous (see standard.dictionary)
PRIVATE = 32  # implicit VR and private: a dictionary's VR; or a sequence that holds such an element


class Record(NamedTuple):
    """One element, item or fragment of an indexed data set.

    Attributes:
        tag: group << 16 | element; for an item or fragment its number, from 0.
        vr: two letters; empty for items and fragments.
        kind: ELEMENT, SEQUENCE, ENCAPSULATED, ITEM or FRAGMENT.
        flags: see the constants of this module.
        start: offset of its first byte in the source.
        value: offset of its value or content.
        end: offset after its last byte, delimiters included.
        next: number of the first record that is not inside it.
        parent: number of the record that holds it; the root is its own parent.
    """

    tag: int
    vr: str
    kind: int
    flags: int
    start: int
    value: int
    end: int
    next: int
    parent: int


# what an index notes: of the first group every one is a reason to fail, see `Ambiguity`
AMBIGUITIES = {
    "duplicate": "occurs twice",
    "order": "stands out of order",
    "vr": "has a VR that the standard does not know, so its length is a guess",
    "place": "can never be signed, and the standard gives it no place here",
    "form": "can never be signed, and has not the VR and the length that the standard gives it",
    "macro": "does not belong into this item of the Digital Signatures Macro, or not in this form",
    "odd": "has an odd number of bytes, of which some readers leave out the last",
    "repaired": "has a length that some readers take for another",
    "explicit": "begins what is in implicit VR, and looks like explicit VR",
    "items": "begins as items do, and they end elsewhere than its value",
    "open": "ends with the file and without its delimiter, the bytes FEFFDDE000000000",
}
# and of the second every one is a message
_ODDITIES = {
    "odd value": "has an odd number of bytes",
    "width": "has a length that is no whole number of its values",
    "reserved": "has reserved bytes that are not zero",
    "delimiter": "ends with a delimiter that has a length",
    "undefined": "has an undefined length and is not Pixel Data",
    "group length": "does not say how long its group is",
    "directory": "belongs into a DICOMDIR",
}
KINDS = (*AMBIGUITIES, *_ODDITIES)  # the compiled twin knows them by their numbers


class Ambiguity(NamedTuple):
    """Something that readers may take differently, or that is not as the standard has it.

    Attributes:
        kind: a word of the two tables above.
        tag: the tag of the element, or of the second one.
        record: its number in the index.
    """

    kind: str
    tag: int
    record: int

    def sentence(self) -> str:
        """What is wrong, for people."""
        what = AMBIGUITIES.get(self.kind)
        if what is None:
            return f"{format_tag(self.tag)} {_ODDITIES[self.kind]}"
        return f"{format_tag(self.tag)} {what}: two readers may see two contents"


EVEN_UNSIGNED = frozenset(("duplicate", "order", "vr", "explicit"))
"""The kinds that make an object fail that nobody signed, too."""


LEAST_OPEN = 2
"""How many items Pixel Data without a delimiter must have: an offset table, and a fragment.

With fewer of them there are no pixels, and the file was cut (PS3.5 Annex A.4).
"""


class Coverage(NamedTuple):
    """What went into the canonical stream.

    Attributes:
        signed: how many elements of the scope itself (not counting what is inside sequences).
        unsigned: how many elements of the scope did not, though their tag could be signed.
        unknown: tags that were asked for, are there, and cannot be signed because their VR is UN
            or cannot be known.
    """

    signed: int
    unsigned: int
    unknown: tuple[int, ...]


class Source(Protocol):
    """Bytes that are not all in memory at once: a window on a large file."""

    def __len__(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or a SourceError."""

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``, or raise a SourceError."""


MAX_AMBIGUITIES = 100
MAX_LEVELS = 8  # of values that look like sequences, inside one another

_TROUBLE = {
    "header": "ends inside an element's header",
    "value": "ends inside the value of {tag}",
    "delimiter": "ends before its delimiter",
    "overrun": "holds {tag}, whose length runs past the end of what holds it",
    "no item": "holds {tag} where an item must stand",
    "stray": "holds a stray {tag}",
    "vr": "holds {tag} with {detail}, which is no value representation",
    "length": "holds {tag} with the VR {detail} and no length",
    "records": "holds more than {detail} elements and items",
    "depth": "holds sequences nested deeper than {detail}",
}


def malformed(
    trouble: str,
    position: int,
    holder: Record,
    owner: int,
    at_end: bool,
    tag: int = 0,
    detail: object = "",
) -> MalformedError:
    """The exception for bytes that are no data set: what, in which element, at which offset.

    Args:
        trouble: a key of the table above.
        position: the offset.
        holder: the record whose content it is.
        owner: if that is an item, the tag of its sequence.
        at_end: whether the bytes simply stop there, so that a longer file might have been right.
        tag, detail: what was met.
    """
    if holder.start == holder.value:
        subject = "the data set"
    elif holder.kind == ITEM:
        subject = f"item {holder.tag} of {format_tag(owner)}"
    else:
        subject = format_tag(holder.tag)
    what = _TROUBLE[trouble].format(tag=format_tag(tag), detail=detail)
    if trouble in ("records", "depth"):
        code = "limit"
    elif at_end:
        code, what = "truncated", what + ": the bytes are cut short"
    else:
        code = "malformed"
    return MalformedError(f"{subject} {what} (offset {position})", code, position)


def too_long(tag: int, start: int, length: int, limit: int) -> MalformedError:
    """The exception for a value that is longer than its limit lets it be."""
    return MalformedError(
        f"{format_tag(tag)} has {length} bytes; at most {limit} are read (offset {start})",
        "limit", start,
    )  # fmt: skip

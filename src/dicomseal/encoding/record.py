"""The data that both twins of the index share: records, limits, kinds of ambiguities and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from ..errors import MalformedError
from ..standard import terms
from ..standard.tags import format_tag

# kinds of record
ELEMENT, SEQUENCE, ENCAPSULATED, ITEM, FRAGMENT = range(5)

# flags of a record
# its length was undefined, so a delimiter of 8 bytes ends it; for an exception see "open"
UNDEFINED = 1
UNKNOWN_VR = 2  # its VR is UN or cannot be known, or it is a sequence that holds such an element
LONG_HEADER = 4  # its header has 12 bytes, not 8
REWRITE = 8  # its header must be rewritten: the reserved bytes are not zero, or the length is odd
GUESSED = 16  # its VR was ambiguous (see standard.dictionary)
# private in implicit VR, with a VR of a dictionary; or a sequence that holds such an element
PRIVATE = 32
IMAGE = 64  # it is a fragment that begins as a compressed image, see standard.compressed_images


Update: TypeAlias = "Callable[[bytes | memoryview], object]"
"""The method of a hasher, or of another consumer of a stream."""


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


# the notes of an index: each of the first table makes the object fail, see `Ambiguity`
AMBIGUITIES = {
    "duplicate": "occurs twice",
    "order": "stands out of order",
    "vr": "has a VR that the standard does not know, so its length is a guess",
    "place": "can never be signed, and is not allowed in this place",
    "form": "can never be signed, and does not have the VR and the length of the standard",
    "macro": "does not belong in this item of the Digital Signatures Macro, or not in this form",
    "odd": "has an odd number of bytes, of which some readers leave out the last",
    "repaired": "has a length that some readers take for another",
    "explicit": "begins what is in implicit VR, and looks like explicit VR",
    "items": "begins as items do, and they end elsewhere than its value",
    "open": "ends with the file and without its delimiter, the bytes FEFFDDE000000000",
}
# and each of the second one becomes a message
_ODDITIES = {
    "odd value": "has an odd number of bytes",
    "width": "has a length that is not a multiple of the size of its values",
    "reserved": "has reserved bytes that are not zero",
    "delimiter": "ends with a delimiter that has a length",
    "undefined": "has an undefined length and is not Pixel Data",
    "group length": "does not say how long its group is",
    "directory": "belongs in a DICOMDIR",
}
KINDS = (*AMBIGUITIES, *_ODDITIES)  # the compiled twin knows the kinds by their numbers


class Ambiguity(NamedTuple):
    """A part of a data set that readers may take differently, or that differs from the standard.

    Attributes:
        kind: a word of the two tables above.
        tag: the tag of the element, or of the second one.
        record: its number in the index.
    """

    kind: str
    tag: int
    record: int

    def sentence(self) -> str:
        """Return a sentence about it, for people."""
        what = AMBIGUITIES.get(self.kind)
        if what is None:
            return f"{format_tag(self.tag)} {_ODDITIES[self.kind]}"
        return f"{format_tag(self.tag)} {what}: two readers may see two contents"


EVEN_UNSIGNED = frozenset(("duplicate", "order", "vr", "explicit"))
"""The kinds that make an object fail even if it has no signature."""


MIN_OPEN = 2
"""The smallest number of items of Pixel Data without a delimiter: offset table and fragment.

With fewer items there are no pixels, and the file was cut (PS3.5 Annex A.4).
"""


class Coverage(NamedTuple):
    """The counts of the elements that went into the canonical stream.

    Attributes:
        signed: how many elements of the scope itself (not counting what is inside sequences).
        unsigned: how many elements of the scope did not, though their tag could be signed.
        unknown: the requested tags that are present and cannot be signed because their VR is UN
            or cannot be known.
    """

    signed: int
    unsigned: int
    unknown: tuple[int, ...]


class SignatureValues(NamedTuple):
    """The values in an item of the Digital Signatures Sequence (PS3.3 Table C.12-6).

    Text is without padding, and empty if the element is absent; so are bytes, as stored.

    Attributes:
        mac_id: MAC ID Number (0400,0005); None if it is absent, or not one number.
        uid: Digital Signature UID (0400,0100).
        datetime: Digital Signature DateTime (0400,0105).
        certificate_type: Certificate Type (0400,0110).
        certificate: Certificate of Signer (0400,0115).
        signature: Signature (0400,0120).
        timestamp_type: Certified Timestamp Type (0400,0305).
        timestamp: Certified Timestamp (0400,0310).
        purposed: whether there is a Digital Signature Purpose Code Sequence (0400,0401).
    """

    mac_id: int | None
    uid: str
    datetime: str
    certificate_type: str
    certificate: bytes
    signature: bytes
    timestamp_type: str
    timestamp: bytes
    purposed: bool


SIGNATURE_FIELDS = (
    terms.MAC_ID_NUMBER,
    terms.DIGITAL_SIGNATURE_UID,
    terms.DIGITAL_SIGNATURE_DATETIME,
    terms.CERTIFICATE_TYPE,
    terms.CERTIFICATE_OF_SIGNER,
    terms.SIGNATURE,
    terms.CERTIFIED_TIMESTAMP_TYPE,
    terms.CERTIFIED_TIMESTAMP,
)


class RawMac(NamedTuple):
    """The values in an item of the MAC Parameters Sequence, as stored; None if absent.

    Equal ones mean the same in one byte order.

    Attributes:
        mac_id: MAC ID Number (0400,0005).
        transfer_syntax: MAC Calculation Transfer Syntax UID (0400,0010).
        algorithm: MAC Algorithm (0400,0015).
        listed: Data Elements Signed (0400,0020); empty if absent.
    """

    mac_id: bytes | None
    transfer_syntax: bytes | None
    algorithm: bytes | None
    listed: bytes


MAC_FIELDS = (
    terms.MAC_ID_NUMBER,
    terms.MAC_CALCULATION_TRANSFER_SYNTAX_UID,
    terms.MAC_ALGORITHM,
)


class SoleSignature(NamedTuple):
    """The only signature of an object: its two items, and the values in them.

    Attributes:
        parameters: the record of the MAC Parameters item.
        item: the record of the signature's item.
        values, mac: what they hold; both have the same MAC ID Number.
    """

    parameters: int
    item: int
    values: SignatureValues
    mac: RawMac


class Source(Protocol):
    """Bytes that are not all in memory at once: a window on a large file."""

    def __len__(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``, or raise a SourceError."""

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``, or raise a SourceError."""


MAX_AMBIGUITIES = 100
MAX_LEVELS = 8  # of values that look like sequences, nested in one another

_TROUBLE = {
    "header": "ends inside an element's header",
    "value": "ends inside the value of {tag}",
    "delimiter": "ends before its delimiter",
    "overrun": "holds {tag}, whose length runs past the end of what holds it",
    "no item": "holds {tag} where an item must stand",
    "stray": "holds a stray {tag}",
    "vr": "holds {tag} with {detail}, which is not a value representation",
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
    """Return the exception for bytes that are not a data set: what is wrong, where.

    Args:
        trouble: a key of the table above.
        position: the offset.
        holder: the record in whose content the error is.
        owner: if that is an item, the tag of its sequence.
        at_end: whether the bytes simply stop there, so that a longer file might have been right.
        tag, detail: of the element that is wrong.
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
    """Return the exception for a value that is longer than its limit."""
    return MalformedError(
        f"{format_tag(tag)} has {length} bytes; at most {limit} are read (offset {start})",
        "limit", start,
    )  # fmt: skip

"""What both twins of the index share: the shape of a record, the limits, the kinds of trouble."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .errors import MalformedError, UsageError
from .tags import format_tag

# kinds of record
ELEMENT, SEQUENCE, ENCAPSULATED, ITEM, FRAGMENT = range(5)

# flags of a record
UNDEFINED = 1  # its length was undefined: a delimiter of 8 bytes stands at its end, but see "open"
UNKNOWN_VR = 2  # its VR is UN or cannot be known, or it is a sequence that holds such an element
LONG_HEADER = 4  # its header has 12 bytes, not 8
REWRITE = 8  # its header must be written anew: reserved bytes not zero, or an odd length
GUESSED = 16  # its VR was ambiguous (see dicomseal.dictionary)
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


class Limits(NamedTuple):
    """What a hostile file may cost. Exceeding one is a `MalformedError` with code ``limit``.

    Attributes:
        depth: sequences inside one another.
        value: bytes of a value that is read as such: a UID, a certificate, a signature. Data
            Elements Signed may have 16 times as many.
        records: elements, items and fragments; the index takes 32 bytes for each.
        inflated: bytes of a deflated data set.
        certificate: bytes of a Certificate of Signer, or of a Certified Timestamp.
        signature: bytes of a Signature value.
        signatures: how many an object may have.
        passes: how many times over its own size an object's signatures may make it be read, all
            together; for a small object it is at least `LEAST_WORK` bytes. Signatures over the same
            elements share a pass. What they may take to compute, see `Work.effort`, follows from it
            too; and how many bytes may be hashed to find the VRs that implicit VR does not state,
            at most `MOST_SEARCHES` times the size and at least `LEAST_SEARCH`.
        seconds: that the signatures of an object may take to be verified, and one more for every
            `BYTES_OF_A_SECOND` of it.
    """

    depth: int = 2048
    value: int = 1 << 20
    records: int = 10_000_000
    inflated: int = 1 << 30
    certificate: int = 1 << 16
    signature: int = 1 << 14
    signatures: int = 1 << 16
    passes: int = 64
    seconds: int = 120

    @classmethod
    def checked(cls, limits: Limits | None) -> Limits:
        """The limits to go by, where a caller gave these, or none.

        Raises:
            UsageError: they are no limits, or one is not a number from 0 on.
        """
        if limits is None:
            return _DEFAULT
        if not isinstance(limits, cls):
            raise UsageError(f"limits takes dicomseal.Limits(...), not {limits!r}")
        for name, value in zip(limits._fields, limits, strict=True):
            if type(value) is not int or not 0 <= value <= _MOST:
                raise UsageError(f"the limit {name} is {value!r}; it takes a number from 0 on")
        return limits


_MOST = 1 << 60
_DEFAULT = Limits()

LEAST_WORK = 1 << 30
BYTES_OF_A_SECOND = 1 << 22
LEAST_EFFORT = 1 << 32
USUAL_CERTIFICATE = 8192  # bytes; what is longer is nowhere kept for the next object
MOST_CERTIFICATES = 64 << 20
_EFFORT_OF_A_CERTIFICATE, _EFFORT_OF_ITS_BYTE = 200_000, 1_000
LEAST_SEARCH = 1 << 29
MOST_SEARCHES = 32  # passes over an object


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


class Work:
    """What the signatures of one object may cost, and have cost so far.

    Args:
        size: bytes of the object.
        limits: see `Limits.passes` and `Limits.signatures`.
    """

    def __init__(self, size: int, limits: Limits) -> None:
        self._limits = limits
        self._left = max(limits.passes * size, LEAST_WORK if limits.passes > 0 else 0)
        self._effort = max(limits.passes * size, LEAST_EFFORT if limits.passes > 0 else 0)
        self._signatures = limits.signatures
        self._verified = False
        self._known: set[bytes] = set()
        self._room = MOST_CERTIFICATES
        searches = min(limits.passes, MOST_SEARCHES) * size
        self._search = max(searches, LEAST_SEARCH if limits.passes > 0 else 0)

    def signature(self) -> None:
        """Count one signature; a `MalformedError` with code ``limit`` if it is one too many."""
        self._signatures -= 1
        if self._signatures < 0:
            raise MalformedError(
                f"the object has more than {self._limits.signatures} signatures", "limit"
            )

    def search(self) -> int:
        """How many bytes the next search for VRs may hash: half of what is left for all of them."""
        return self._search // 2

    def searched(self, length: int) -> None:
        """Count the bytes that a search hashed."""
        self._search -= min(length, self._search)

    def read(self, length: int) -> None:
        """Count so many bytes to be read for a signature, before they are; errors likewise."""
        self._left -= length
        if self._left < 0:
            raise MalformedError(
                f"to verify its signatures, the object would have to be read more than "
                f"{self._limits.passes} times over",
                "limit",
            )

    def effort(self, cost: int) -> None:
        """Count what is computed, before it is; errors likewise.

        An object may take as many nanoseconds as bytes (see `Limits.passes`), and `LEAST_EFFORT` at
        least. They are not measured: what something costs is told from its size, as it is on an
        ordinary machine, so that one object gets one answer.
        """
        self._effort -= cost
        if self._effort < 0:
            raise MalformedError(
                "to verify its signatures would take too much computing: keys, certificates and "
                "timestamps that are very large, or very many",
                "limit",
            )

    def verification(self, cost: int) -> None:
        """Count the verification of a Signature value; the first of an object is free."""
        if self._verified:
            self.effort(cost)
        self._verified = True

    def certificate(self, der: bytes) -> bool:
        """Count a Certificate of Signer that was not met yet; the first of an object is free.

        Returns:
            Whether it was, so that what it takes to judge it counts as well.
        """
        if der in self._known:
            return False
        first = not self._known
        if len(der) <= USUAL_CERTIFICATE or first:
            self._known.add(der)
        if first:
            return False
        self._room -= len(der)
        if self._room < 0:
            raise MalformedError(
                f"the certificates of its signatures have more than {MOST_CERTIFICATES} bytes",
                "limit",
            )
        self.effort(_EFFORT_OF_A_CERTIFICATE + _EFFORT_OF_ITS_BYTE * len(der))
        return True

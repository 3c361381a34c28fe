"""The index of an encoded data set, written to be read; the compiled twin has the same interface.

In: the bytes of a data set, and whether they are implicit VR and big endian.
Out: records (where every element, item and fragment lies), values, and the canonical stream.
PS3: PS3.5 Section 7; PS3.3 C.12.1.1.3.1.1.

One walk over the bytes makes the records (`_walk_py`). This module looks them up, and reads the
values that signatures need.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence

from ..standard import terms
from ..standard.tags import is_signable_tag
from . import record as r
from ._encoder_py import Encoder
from ._stream_py import Stream
from ._walk_py import Walk


def first_unsignable(tags: Iterable[int]) -> int | None:
    """Return the first of some tags that can never be signed (PS3.3 C.12.1.1.3.1.1), or None."""
    return next((tag for tag in tags if not is_signable_tag(tag)), None)


def first_repeated(tags: Sequence[int]) -> int | None:
    """Return the first of some tags that occurred before, or None."""
    seen: set[int] = set()
    for tag in tags:
        if tag in seen:
            return tag
        seen.add(tag)
    return None


def as_text(value: bytes | None) -> str:
    """Return a text value without its padding; empty if there is none."""
    return value.rstrip(b"\0 ").decode("ascii", "replace").strip() if value else ""


def tags_of(value: bytes, big_endian: bool) -> tuple[int, ...]:
    """Return the value of an AT element as tags; an incomplete tag at its end is ignored."""
    value = value[: len(value) - len(value) % 4]
    order = ">" if big_endian else "<"
    return tuple(g << 16 | e for g, e in struct.iter_unpack(order + "HH", value))


class Index(Walk):
    """The records of an encoded data set.

    Args:
        source: bytes-like, or a `Source` for what does not fit in memory.
        start, stop: the part of it that is the data set.
        implicit, big_endian: how it is encoded.
        root: ITEM for a data set, SEQUENCE or ENCAPSULATED for the value of such an element.
        limits: what a hostile file may cost.
        pixel_representation: the nearest Pixel Representation (0028,0103) around the source, for
            what is in implicit VR.

    Attributes:
        scopes: the records (root or items) that directly hold a Digital Signatures Sequence.
        ambiguities: the first 100 places that readers may take differently: tags that come twice
            or out of order, and more (`encoding.record.Ambiguity`).
        oddities: the first 100 places that differ from the standard and mislead nobody.
        noted: the kinds of everything that was noted.
        free: how many elements have a content that neither a signature nor a rule fixes.
        trailing: how many zero bytes follow the data set.
        fragmented: whether there is a fragment anywhere.
        guessed: which kinds of ambiguous VR occur, see `dictionary.AMBIGUOUS`.
        implicit, big_endian: how it is encoded.

    Raises:
        MalformedError: the bytes are not a data set, are cut short, or exceed a limit.
    """

    @property
    def unknown(self) -> bool:
        """Whether the root is a sequence that holds an element of unknown VR."""
        return bool(self._nodes[0].flags & r.UNKNOWN_VR)

    def children(self, number: int) -> Iterator[int]:
        """Yield the numbers of the records directly inside one."""
        return self._inside(number)

    def starts(self, number: int) -> list[int]:
        """Return the offsets of the first bytes of the records directly inside one."""
        return [self._nodes[child].start for child in self.children(number)]

    def images(self, number: int) -> int:
        """Return how many fragments of a value begin as an image.

        The first one is not counted: it is the Basic Offset Table.
        """
        inside = [self._nodes[child] for child in self.children(number)]
        return sum(bool(node.flags & r.IMAGE) for node in inside[1:])

    def present(self, scope: int) -> set[int]:
        """Return the tags of the elements directly inside a scope."""
        return {self._nodes[child].tag for child in self.children(scope)}

    def all_signable(self, scope: int, include_guessed: bool = False) -> bytes | None:
        """Return the list of the elements directly inside a scope that can be signed.

        Args:
            scope: the record of the root or of an item.
            include_guessed: private elements of implicit VR are signed, too.

        Returns:
            Their tags as a value of Data Elements Signed (0400,0020), in little endian. None if an
            element cannot be signed though its tag could be, see `encoding.obstacles`.
        """
        obstacles = r.UNKNOWN_VR if include_guessed else r.UNKNOWN_VR | r.PRIVATE
        inside = [self._nodes[child] for child in self.children(scope)]
        found = [node for node in inside if is_signable_tag(node.tag)]
        if any(node.flags & obstacles for node in found):
            return None
        return b"".join(struct.pack("<HH", node.tag >> 16, node.tag & 0xFFFF) for node in found)

    def following(self, scope: int, tag: int) -> int:
        """Return the number of the first element inside a scope with a greater tag, or -1."""
        return next((c for c in self.children(scope) if self._nodes[c].tag > tag), -1)

    def fragments(self, scope: int) -> list[int]:
        """Return the numbers of all fragments inside a scope, nested ones too."""
        inside = range(scope + 1, self._nodes[scope].next)
        return [number for number in inside if self._nodes[number].kind == r.FRAGMENT]

    def find(self, scope: int, tag: int) -> int:
        """Return the number of the first element with this tag directly inside a scope, or -1."""
        return next((c for c in self.children(scope) if self._nodes[c].tag == tag), -1)

    def sole_signature(self) -> r.SoleSignature | None:
        """Return the signature of an object that has one, with the MAC Parameters it names.

        Both must be in the main data set, with no other beside them, and nothing may be ambiguous
        or superfluous anywhere; else None.
        """
        parameters = self._only_item(terms.MAC_PARAMETERS_SEQUENCE)
        item = self._only_item(terms.DIGITAL_SIGNATURES_SEQUENCE)
        if parameters < 0 or item < 0 or len(self.scopes) != 1 or self.noted or self.trailing:
            return None
        values, mac = self.signature(item), self.mac_parameters(parameters)
        if values.mac_id is None or values.mac_id != self._number(mac.mac_id):
            return None
        return r.SoleSignature(parameters, item, values, mac)

    def signature(self, item: int) -> r.SignatureValues:
        """Return the values in an item of the Digital Signatures Sequence."""
        mac_id, uid, when, kind, certificate, value, timestamp_type, timestamp = self.values(
            item, r.SIGNATURE_FIELDS
        )
        return r.SignatureValues(
            self._number(mac_id), as_text(uid), as_text(when), as_text(kind), certificate or b"",
            value or b"", as_text(timestamp_type), timestamp or b"",
            self.find(item, terms.DIGITAL_SIGNATURE_PURPOSE_CODE_SEQUENCE) >= 0,
        )  # fmt: skip

    def mac_parameters(self, item: int) -> r.RawMac:
        """Return the values in an item of the MAC Parameters Sequence."""
        mac_id, transfer_syntax, algorithm = self.values(item, r.MAC_FIELDS)
        listed = self.listed(item, terms.DATA_ELEMENTS_SIGNED)
        return r.RawMac(mac_id, transfer_syntax, algorithm, listed)

    def _number(self, value: bytes | None) -> int | None:
        if value is None or len(value) != 2:
            return None
        return int.from_bytes(value, "big" if self.big_endian else "little")

    def _only_item(self, tag: int) -> int:
        number = self.find(0, tag)
        if number < 0 or self._nodes[number].kind != r.SEQUENCE:
            return -1
        inside = list(self.children(number))
        return inside[0] if len(inside) == 1 else -1

    def holds(self, scope: int, tags: Collection[int]) -> bool:
        """Return whether all these tags are directly inside a scope."""
        return self.present(scope).issuperset(tags)

    def value(self, number: int) -> bytes:
        """Return a copy of the stored value of an element or fragment."""
        node = self._nodes[number]
        return self._read(node.value, node.end - node.value)

    def values(self, scope: int, tags: Sequence[int]) -> list[bytes | None]:
        """Return the values of the first elements with these tags directly inside a scope.

        Args:
            scope: the record of the root or of an item.
            tags: of the elements; an absent element, or a sequence, gives None.
        """
        found: list[bytes | None] = []
        for number in [self.find(scope, tag) for tag in tags]:
            plain = number >= 0 and self._nodes[number].kind == r.ELEMENT
            found.append(self._bounded(number, self._limits.value) if plain else None)
        return found

    def _bounded(self, number: int, limit: int) -> bytes:
        node = self._nodes[number]
        if node.end - node.value > limit:
            raise r.too_long(node.tag, node.start, node.end - node.value, limit)
        return self.value(number)

    def listed(self, scope: int, tag: int) -> bytes:
        """Return the value of the first element with this tag; empty without one, or if not AT."""
        number = self.find(scope, tag)
        if number < 0 or self._nodes[number].vr != "AT":
            return b""
        return self._bounded(number, 16 * self._limits.value)

    # --- the canonical stream --------------------------------------------------------------------

    def stream(
        self,
        update: r.Update,
        scope: int = 0,
        tags: Collection[int] | None = None,
        *,
        without: Collection[int] = (),
        legacy: bool = False,
    ) -> r.Coverage:
        """Feed the canonical form of a scope's elements to a hasher (PS3.3 C.12.1.1.3.1.1).

        Args:
            update: the hasher's method; the buffers it gets are valid during the call only.
            scope: the record of the root or of an item.
            tags: of the elements that are fed; None means all that can be signed.
            without: tags that are left out, and are not counted either.
            legacy: hash the lengths of fragments too, as dcmsign did before 3.5.4.
        """
        return self.stream_to(Encoder(update), scope, tags, without=without, legacy=legacy)

    def stream_to(
        self,
        encoder: Encoder,
        scope: int = 0,
        tags: Collection[int] | None = None,
        *,
        without: Collection[int] = (),
        legacy: bool = False,
        kind: type[Stream] = Stream,
    ) -> r.Coverage:
        """Write the same stream to an encoder of the caller's, so that the steps can be watched."""
        return kind(self._nodes, self._pieces, encoder, legacy).scope(scope, tags, without)

    def tags(self, start: int, stop: int) -> list[int]:
        """Return the tags of these records; -1 for items and fragments."""
        plain = (r.ELEMENT, r.SEQUENCE, r.ENCAPSULATED)
        return [node.tag if node.kind in plain else -1 for node in self._nodes[start:stop]]

    def choose(self, number: int, vr: str) -> None:
        """Choose another VR for an element of a data set that is not in big endian."""
        if self._nodes[number].kind == r.ELEMENT and len(vr) == 2:
            self._nodes[number].vr = vr

    def know(self, number: int, vr: str) -> None:
        """Do as `choose`, for an element whose VR was not known.

        It is in the stream from now on.
        """
        self.choose(number, vr)
        while number > 0:
            self._nodes[number].flags &= ~r.UNKNOWN_VR
            number = self._nodes[number].parent

    def stream_between(
        self, update: r.Update, start: int, stop: int, inside: int, scope: int
    ) -> None:
        """Feed a part of the canonical form of one signed element.

        Args:
            update: as for `stream`.
            start, stop: the range of records; what ends before ``stop`` is closed.
            inside: the element before ``start``, or the scope at the beginning: the sequences
                around it are open.
            scope: the data set or item that the signed element belongs to.
        """
        ends: list[int] = []
        while inside != scope:
            inside = self._nodes[inside].parent
            if inside != scope and self._nodes[inside].kind != r.ITEM:
                ends.insert(0, self._nodes[inside].next)
        encoder = Encoder(update)
        Stream(self._nodes, self._pieces, encoder, False).emit(start, stop, ends)

    def stream_items(self, encoder: Encoder, legacy: bool = False) -> None:
        """Write the items or fragments of an index whose root is a sequence to an encoder."""
        Stream(self._nodes, self._pieces, encoder, legacy).emit(1, len(self))

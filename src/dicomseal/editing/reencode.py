"""Write an indexed data set in another encoding: VRs, byte order, lengths, deflation.

In: an object and its index.
Out: the bytes of a file, and a `Loss` for each VR that a reader of them no longer knows.
PS3: PS3.5 Section 7 and Annex A; PS3.10 Section 7.

Every value is kept as it is stored, except for the byte order. A VR that the new encoding cannot
hold is reported as a `Loss`, never dropped silently. The writer works from the index, without
recursion; pydicom's own writer decodes values and so may change their padding.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from ..encoding import record as r
from ..encoding._encoder_py import swap
from ..encoding.backend import Index
from ..errors import SigningError
from ..files.part10 import Part10
from ..signature import items
from ..standard import terms, transfer_syntaxes
from ..standard.dictionary import AMBIGUOUS, dictionary
from ..standard.tags import describe, format_tag

SYNTAXES = {
    "implicit": transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
    "explicit": transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN,
    "big-endian": transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
    "deflated": transfer_syntaxes.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
}
"""The transfer syntaxes between which an object can be converted without touching a value."""

KEEP, EXPLICIT, UNDEFINED = "keep", "explicit", "undefined"
"""How the lengths of sequences and items are written."""

_META_VERSION = 0x00020001
_MEDIA_STORAGE_CLASS, _MEDIA_STORAGE_INSTANCE = 0x00020002, 0x00020003
_IMPLEMENTATION_CLASS_UID = 0x00020012
_IMPLEMENTATION = "2.25.328957194170695688999850527630083745841"
_ITEM_DELIMITER = (0xFFFE, 0xE00D)
_SEQUENCE_DELIMITER = (0xFFFE, 0xE0DD)


class Loss(NamedTuple):
    """An element whose VR a reader of the new encoding will not know.

    Attributes:
        record: its number in the index of the source.
        tag: its tag.
        before, after: the VR now, and the one that a reader of the new encoding uses.
    """

    record: int
    tag: int
    before: str
    after: str

    def sentence(self) -> str:
        """Return a sentence about the loss, for people."""
        return f"the VR {self.before} of {describe(self.tag)} would be read as {self.after}"


class _Open(NamedTuple):
    """A sequence, item or encapsulated value that is being written."""

    next: int  # the first record that is not inside it
    kind: int
    length_at: int  # the offset of its length in the output, -1 if the length is undefined
    start: int  # the offset of its content in the output
    source: tuple[bool, bool]  # implicit, big endian: of its content as it is read
    target: tuple[bool, bool]  # and as it is written


def resolve(name: str) -> str:
    """Return a transfer syntax UID for a UID or a name of `SYNTAXES`.

    Raises:
        SigningError: an object cannot be converted into it without decoding pixels.
    """
    uid = SYNTAXES.get(name, name)
    if uid not in SYNTAXES.values():
        raise SigningError(
            f"{name!r}: an object can be re-encoded as {', '.join(SYNTAXES)}", "transfer_syntax"
        )
    return uid


def reencode(
    part10: Part10,
    index: Index,
    transfer_syntax: str = "",
    lengths: str = KEEP,
    convert_un: bool = False,
) -> tuple[bytes, list[Loss]]:
    """Return the whole object in another encoding, as the bytes of a file.

    Args:
        part10: the object.
        index: its index.
        transfer_syntax: a UID; empty keeps it. Another one needs native Pixel Data, or none.
        lengths: of sequences and items: ``keep``, ``explicit`` or ``undefined``.
        convert_un: give UN elements of defined length the VR that the dictionary knows for them
            (PS3.5 Section 6.2.2); their content is little endian.

    Returns:
        The bytes, and the VRs that a reader of them will no longer know.

    Raises:
        SigningError: it cannot be done without decoding, or without guessing.
    """
    uid = transfer_syntax or part10.transfer_syntax
    if uid != part10.transfer_syntax and not _can_change(part10, index):
        raise SigningError(
            f"from transfer syntax {part10.transfer_syntax} to {uid}: the Pixel Data would have "
            "to be decoded",
            "transfer_syntax",
        )
    if any(ambiguity.kind == "vr" for ambiguity in index.ambiguities):
        raise SigningError("it has a VR that the standard does not know", "transfer_syntax")
    writer = _Writer((part10.implicit, part10.big_endian), index, uid, lengths, convert_un)
    body = writer.write()
    losses = [] if convert_un else _losses(index, body, uid)
    losses += writer.unswapped
    padding = b"\0" * index.trailing
    head = _head(part10, index, uid)
    if uid in transfer_syntaxes.DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(body + padding) + packer.flush()
        return head + packed + b"\0" * (len(packed) % 2), losses
    return head + body + padding, losses


def _can_change(part10: Part10, index: Index) -> bool:
    """Return whether another transfer syntax changes the encoding alone."""
    if part10.transfer_syntax not in SYNTAXES.values() and not transfer_syntaxes.is_encapsulated(
        part10.transfer_syntax
    ):
        return False  # private, or one that says where the pixels are
    return all(index.record(number).kind != r.ENCAPSULATED for number in range(len(index)))


def needs_other_lengths(index: Index, lengths: str) -> bool:
    """Return whether a sequence or item has another kind of length than the wanted one."""
    for number in range(1, len(index)):
        record = index.record(number)
        if record.kind in (r.SEQUENCE, r.ITEM) and record.vr != "UN":
            undefined = bool(record.flags & r.UNDEFINED)
            if lengths != KEEP and undefined != (lengths == UNDEFINED):
                return True
    return False


class _Writer:
    """One pass over the records; lengths are filled in when their content is complete."""

    def __init__(
        self, source: tuple[bool, bool], index: Index, uid: str, lengths: str, convert_un: bool
    ) -> None:
        self._source, self._index, self._uid, self._lengths = source, index, uid, lengths
        self._convert_un = convert_un
        self.implicit = uid == transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
        self.big_endian = uid == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
        self._out = bytearray()
        self._open: list[_Open] = []
        self._groups: list[tuple[int, int, int] | None] = [None]  # tag, offset of the value, end
        self.unswapped: list[Loss] = []

    def write(self) -> bytes:
        index, number, count = self._index, 1, len(self._index)
        root = (self.implicit, self.big_endian)
        kind = index.record(0).kind
        self._open.append(_Open(count, kind, -1, 0, self._source, root))
        while True:
            while number == self._open[-1].next:
                if len(self._open) == 1:
                    self._group_ends(0)
                    return bytes(self._out)
                self._close()
            record = index.record(number)
            if record.kind == r.FRAGMENT:
                self._tag_and_length(terms.ITEM, record.end - record.value, False)
                self._out += index.value(number)
                number = record.next
            elif record.kind == r.ELEMENT:
                self._group_ends(record.tag)
                self._element(number, record)
                number = record.next
            else:
                if record.kind != r.ITEM:
                    self._group_ends(record.tag)
                self._start(record)
                number += 1

    # --- elements ---------------------------------------------------------------------------------

    def _element(self, number: int, record: r.Record) -> None:
        here = self._open[-1]
        (_, source_big), (implicit, big) = here.source, here.target
        value = self._index.value(number)
        vr = record.vr
        if vr == "UN" and self._convert_un:
            vr = self._known_vr(record) or vr
            if vr == "SQ":
                self._un_sequence(record.tag, value)
                return
        if vr in terms.SHORT_VRS and len(value) > 0xFFFE:
            vr = "UN"  # PS3.5 Section 6.2.2: explicit VR has no length for it
        if vr == "UN" and source_big != big and value:
            self.unswapped.append(Loss(number, record.tag, "UN", "UN in another byte order"))
        self._header(record.tag, vr, len(value), implicit, big)
        if record.tag & 0xFFFF == 0 and len(value) == 4:
            self._groups[-1] = record.tag, len(self._out), len(self._out) + 4
        self._out += swap(value, vr) if source_big != big else value

    def _known_vr(self, record: r.Record) -> str:
        """Return the VR that the dictionary has for a tag; empty if it has none, or several."""
        if record.tag >> 16 & 1 == 0:
            vr = dictionary().public(record.tag)
        else:
            creator = self._index.find(
                record.parent, record.tag & 0xFFFF0000 | record.tag >> 8 & 0xFF
            )
            vr = dictionary().private(
                record.tag, self._index.value(creator) if creator >= 0 else None
            )
        return "" if vr in AMBIGUOUS or vr == "UN" else vr

    def _un_sequence(self, tag: int, value: bytes) -> None:
        """Write the items in a UN element: implicit VR little endian (PS3.5 Section 6.2.2)."""
        index = Index(value, implicit=True, root=r.SEQUENCE)
        inner = _Writer((True, False), index, self._uid, self._lengths, True)
        implicit, big = self._open[-1].target
        inner.implicit, inner.big_endian = implicit, big
        data = inner.write()
        self._header(tag, "SQ", len(data), implicit, big)
        self._out += data

    def _header(self, tag: int, vr: str, length: int, implicit: bool, big: bool) -> None:
        order = ">" if big else "<"
        if implicit:
            self._out += struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)
        elif vr in terms.LONG_VRS:
            form = order + "HH2s2xL"
            self._out += struct.pack(form, tag >> 16, tag & 0xFFFF, vr.encode(), length)
        else:
            form = order + "HH2sH"
            self._out += struct.pack(form, tag >> 16, tag & 0xFFFF, vr.encode(), length)

    def _group_ends(self, tag: int) -> None:
        """Fill in the group length before this element, if it belongs to another group."""
        group = self._groups[-1]
        if group is not None and group[0] >> 16 != tag >> 16:
            order = ">L" if self._open[-1].target[1] else "<L"
            struct.pack_into(order, self._out, group[1], len(self._out) - group[2])
            self._groups[-1] = None

    # --- what holds others ------------------------------------------------------------------------

    def _start(self, record: r.Record) -> None:
        here = self._open[-1]
        implicit, big = here.target
        undefined = bool(record.flags & r.UNDEFINED)
        if self._lengths != KEEP:
            undefined = self._lengths == UNDEFINED
        if record.kind == r.ENCAPSULATED or record.vr == "UN":
            undefined = True  # only the undefined length makes it a sequence
        length = terms.UNDEFINED_LENGTH if undefined else 0
        source, target = here.source, here.target
        if record.kind == r.ITEM:
            self._tag_and_length(terms.ITEM, length, big)
        else:
            self._header(record.tag, record.vr, length, implicit, big)
            if record.vr == "UN":  # PS3.5 Section 6.2.2: implicit VR little endian inside
                source = target = True, False
        length_at = -1 if undefined else len(self._out) - 4
        self._open.append(
            _Open(record.next, record.kind, length_at, len(self._out), source, target)
        )
        if record.kind == r.ITEM:
            self._groups.append(None)

    def _close(self) -> None:
        if self._open[-1].kind == r.ITEM:
            self._group_ends(0)
            self._groups.pop()
        done = self._open.pop()
        outer_big = self._open[-1].target[1]
        if done.length_at < 0:
            # the delimiter of a UN sequence is in the byte order of what is inside it
            big = done.target[1]
            delimiter = _ITEM_DELIMITER if done.kind == r.ITEM else _SEQUENCE_DELIMITER
            self._out += struct.pack(">HHL" if big else "<HHL", *delimiter, 0)
            return
        length = len(self._out) - done.start
        if length >= terms.UNDEFINED_LENGTH:
            raise SigningError("a sequence would become longer than 4 GiB", "transfer_syntax")
        struct.pack_into(">L" if outer_big else "<L", self._out, done.length_at, length)

    def _tag_and_length(self, tag: int, length: int, big: bool) -> None:
        self._out += struct.pack(">HHL" if big else "<HHL", tag >> 16, tag & 0xFFFF, length)


def _losses(index: Index, body: bytes, uid: str) -> list[Loss]:
    """Read it again as any reader would, and compare: the same elements, and which VRs."""
    again = Index(
        body,
        implicit=uid == transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
        big_endian=uid == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
    )
    if len(again) != len(index):
        raise SigningError("re-encoded it would hold other elements", "transfer_syntax")
    losses = []
    for number in range(1, len(index)):
        before, after = index.record(number), again.record(number)
        if (before.tag, before.kind) != (after.tag, after.kind):
            raise SigningError(
                f"re-encoded, {format_tag(before.tag)} would be another element", "transfer_syntax"
            )
        if before.vr not in (after.vr, "UN"):
            losses.append(Loss(number, before.tag, before.vr, after.vr))
    return losses


def file_of(part10: Part10, index: Index) -> bytes:
    """Return a data set as a file, with File Meta Information that states its transfer syntax."""
    if part10.head and part10.stated:
        raise SigningError("it is a file already", "transfer_syntax")
    source = part10.source
    stop = len(source)
    body = (
        source.read(part10.start, stop - part10.start)
        if hasattr(source, "read")
        else (bytes(source[part10.start :]))
    )
    return _head(part10, index, part10.transfer_syntax) + body


# --- File Meta Information -----------------------------------------------------------------------


def _head(part10: Part10, index: Index, uid: str) -> bytes:
    """Return preamble and File Meta Information, with the new Transfer Syntax UID (PS3.10)."""
    if uid == part10.transfer_syntax and part10.stated and part10.head:
        return part10.head
    head = part10.head
    preamble = head[:128] if head[128:132] == b"DICM" else b"\0" * 128
    meta = head[132:] if head[128:132] == b"DICM" else head
    elements = _meta_elements(meta) if meta else _new_meta(index)
    syntax = items.text(terms.TRANSFER_SYNTAX_UID, "UI", uid)
    elements[terms.TRANSFER_SYNTAX_UID] = items.encode([syntax])
    elements.pop(0x00020000, None)
    rest = b"".join(elements[tag] for tag in sorted(elements))
    length = items.encode([(0x00020000, "UL", struct.pack("<L", len(rest)))])
    return preamble + b"DICM" + length + rest


def _meta_elements(meta: bytes) -> dict[int, bytes]:
    index = Index(meta)
    return {
        record.tag: meta[record.start : record.end]
        for record in (index.record(n) for n in index.children(0))
    }


def _new_meta(index: Index) -> dict[int, bytes]:
    sop_class, instance = index.values(0, (terms.SOP_CLASS_UID, terms.SOP_INSTANCE_UID))
    values = (
        (_META_VERSION, "OB", b"\0\1"),
        (_MEDIA_STORAGE_CLASS, "UI", sop_class or b""),
        (_MEDIA_STORAGE_INSTANCE, "UI", instance or b""),
        (_IMPLEMENTATION_CLASS_UID, "UI", _IMPLEMENTATION.encode()),
    )
    return {
        tag: items.encode([(tag, vr, value + b"\0" * (len(value) % 2))])
        for tag, vr, value in values
    }

"""The header of an element, in implicit and in explicit VR, for the walk of the pure index.

In: the bytes of a header, and the data set or item that it is in.
Out: a `Header`: VR, length, and what is known or not known of both.
PS3: PS3.5 Sections 6.2.2, 7.1, 7.5 and Annex A.4.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..standard import terms
from ..standard.dictionary import AMBIGUOUS, dictionary
from . import record as r
from ._notes_py import Node, Notes


class Header(NamedTuple):
    """A header that was read.

    Attributes:
        tag: group << 16 | element.
        vr: two letters; UN if it cannot be known.
        length: as stored; it may be undefined.
        value: offset of the value.
        flags: see `encoding.record`.
        guess: the kind of ambiguous VR, see `dictionary.AMBIGUOUS`; empty if it is certain.
    """

    tag: int
    vr: str
    length: int
    value: int
    flags: int = 0
    guess: str = ""


def _is_certain(tag: int) -> bool:
    """Return whether the standard fixes the VR of a private tag: group length, Private Creator."""
    return tag & 0xFFFF == 0 or 0x10 <= tag & 0xFFFF <= 0xFF


class Headers(Notes):
    """What reads headers; `_walk_py.Walk` goes from one to the next."""

    def _tag_and_length(self, position: int, top: Node) -> tuple[int, int]:
        if position + 8 > top.stop:
            raise self._error("header", position, top, top.stop)
        group, element, length = struct.unpack(
            ">HHL" if top.big_endian else "<HHL", self._read(position, 8)
        )
        return group << 16 | element, length

    def _implicit_header(
        self, position: int, top: Node, tag: int, length: int, tells: bool
    ) -> Header:
        """Read the header of an element in implicit VR, whose VR comes from the dictionary.

        Args:
            position: its offset.
            top: the data set or item that it is in.
            tag, length: as stored.
            tells: whether some readers guess the encoding by this element.
        """
        flags, guess = 0, ""
        vr = self._implicit_vr(tag, top)
        private = tag >> 16 & 1 and not _is_certain(tag)
        if length == terms.UNDEFINED_LENGTH and (private or vr == "UN"):
            vr = "SQ"  # PS3.5 Section 7.5: a sequence, whatever VR a dictionary gives
        if private and vr != "UN":
            flags |= r.PRIVATE
        if vr in AMBIGUOUS:
            guess, vr = vr, AMBIGUOUS[vr][0]
            flags |= r.GUESSED
        letters = self._read(position + 4, 2)
        if tells and letters.isalpha() and letters.isupper():
            self._note("explicit", tag)
        return Header(tag, vr, length, position + 8, flags, guess)

    def _implicit_vr(self, tag: int, top: Node) -> str:
        if not tag >> 16 & 1:
            return dictionary().public(tag)
        return dictionary().private(tag, top.creators.get(tag >> 8))

    def _explicit_header(self, position: int, top: Node, tag: int) -> Header:
        """Read the header of an element in explicit VR."""
        head = self._read(position + 4, 4)
        vr = head[:2].decode("latin-1")
        if vr in terms.SHORT_VRS and vr not in terms.LONG_VRS:
            (length,) = struct.unpack(">H" if top.big_endian else "<H", head[2:])
            return Header(tag, vr, length, position + 8)
        if not (vr.isascii() and vr.isalpha() and vr.isupper()):
            raise self._error("vr", position, top, tag=tag, detail=head[:2])
        if position + 12 > top.stop:
            raise self._error("header", position, top, top.stop)
        flags = r.LONG_HEADER
        if head[2:] != b"\0\0":
            flags |= r.REWRITE
            self._note("reserved", tag)
        order = ">L" if top.big_endian else "<L"
        (length,) = struct.unpack(order, self._read(position + 8, 4))
        if vr not in terms.LONG_VRS:
            self._note("vr", tag)
            vr = "UN"  # a VR newer than this program: its length has 32 bits
        return Header(tag, vr, length, position + 12, flags)

    def _kind(self, position: int, top: Node, header: Header) -> tuple[int, Header]:
        """Return which kind of record the element is, and what follows from that for its VR."""
        vr, length = header.vr, header.length
        if vr == "UN" or (length > 0xFFFE and vr in terms.SHORT_VRS):
            # explicit VR cannot hold such a length (PS3.5 Section 6.2.2)
            header = header._replace(flags=header.flags | r.UNKNOWN_VR)
        if vr == "SQ" or (vr == "UN" and length == terms.UNDEFINED_LENGTH):
            return r.SEQUENCE, header
        if length != terms.UNDEFINED_LENGTH:
            return r.ELEMENT, header
        if vr not in ("OB", "OW"):
            raise self._error("length", position, top, tag=header.tag, detail=vr)
        if header.tag != terms.PIXEL_DATA:
            self._note("undefined", header.tag)
        # PS3.5 Annex A.4
        return r.ENCAPSULATED, header._replace(vr="OB", guess="", flags=header.flags & ~r.GUESSED)

"""The notes that the pure index takes on its walk: what is ambiguous, what is odd.

In: an element's tag, VR, length and place, and its bytes where they matter.
Out: notes (`encoding.record.Ambiguity`), from which `parser_differentials` makes reasons.
PS3: PS3.5 Sections 6.2, 7.1 to 7.5 and 7.8; PS3.3 Table C.12-6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import MalformedError
from ..standard import terms
from ..standard.tags import is_signable_tag
from . import record as r
from .limits import Limits


class Node:
    """A record under construction; `Index.record` returns it as a `Record`."""

    __slots__ = ("before", "big_endian", "creators", "end", "flags", "implicit", "kind", "last",
                 "next", "number", "parent", "start", "stop", "tag", "value", "vr")  # fmt: skip

    def __init__(self, tag: int, vr: str, kind: int, flags: int, start: int, value: int,
                 end: int, parent: int) -> None:  # fmt: skip
        self.tag, self.vr, self.kind, self.flags = tag, vr, kind, flags
        self.start, self.value, self.end, self.parent = start, value, end, parent
        self.next = self.number = 0
        # while it is open:
        # of a private sequence: the notes before it, see `_give_up`
        self.before: tuple[Any, ...] = ()
        self.stop = end  # the limit for its end
        self.last = -1  # the tag of the last element, or the number of the last item
        self.implicit = self.big_endian = False
        self.creators: dict[int, bytes] = {}


class Notes:
    """The notes about the records, taken while the records are made and when they are complete."""

    def __init__(self, source: Any, limits: Limits, level: int) -> None:
        self._source, self._limits, self._level = source, limits, level
        self._read: Callable[[int, int], bytes]
        self._nodes: list[Node] = []
        self.ambiguities: list[r.Ambiguity] = []
        self.oddities: list[r.Ambiguity] = []
        self.noted: frozenset[str] = frozenset()
        self.free = 0
        self._lengths: list[int] = []  # the group lengths
        self._macros: list[int] = []  # the sequences of the Digital Signatures Macro

    def _note(self, kind: str, tag: int, number: int = -1) -> None:
        self.noted |= {kind}
        notes = self.ambiguities if kind in r.AMBIGUITIES else self.oddities
        if len(notes) < r.MAX_AMBIGUITIES:
            notes.append(r.Ambiguity(kind, tag, len(self._nodes) if number < 0 else number))

    def _check_form(self, outermost: bool, tag: int, vr: str, length: int) -> None:
        """Check the form of elements that no signature covers: the standard must fix their content.

        These are group lengths and Length to End (PS3.5 Section 7.2), Data Set Trailing Padding
        (PS3.10 Section 7.2) and the sequences of the Digital Signatures Macro. Commands, meta
        information and the groups that PS3.5 Section 7.8.1 forbids are noted wherever they occur.
        """
        if is_signable_tag(tag):
            return
        kind = ""
        if tag in (terms.MAC_PARAMETERS_SEQUENCE, terms.DIGITAL_SIGNATURES_SEQUENCE):
            kind = "" if vr in ("SQ", "UN") else "form"
        elif tag == terms.DATA_SET_TRAILING_PADDING:
            kind = "" if vr == "OB" and length != terms.UNDEFINED_LENGTH else "form"
        elif tag >> 16 == 4:
            kind = "directory" if terms.DIRECTORY_VRS.get(tag) == vr else "place"
        elif tag >> 16 >= 8 and (tag & 0xFFFF == 0 or (tag == terms.LENGTH_TO_END and outermost)):
            kind = "" if vr == "UL" and length == 4 else "form"
        else:
            kind = "place"
        if kind:
            self._note(kind, tag)
            self.free += kind != "directory"

    def _check_length(self, top: Node, tag: int, vr: str, length: int) -> None:
        """Note lengths that some readers replace by others, and those that split a value.

        GDCM leaves out the last byte of an odd text, and DCMTK that of odd words; for Pixel Data
        see `parser_differentials`. In implicit VR GDCM reads the length 13 as 10, as one device
        meant it, and likewise 6 of a UL in group 0009; it reads (00FF,4AA5) as Pixel Data up to the
        end of the file.
        """
        width = terms.SWAP_WIDTH.get(vr, 1)
        if (
            (top.implicit and (length == 13 or (tag == 0x031E0324 and length == 0x031F031C)))
            or (vr == "UL" and length == 6 and tag >> 16 == 9)
            or tag == 0x00FF4AA5
        ):
            self._note("repaired", tag)
        elif length % 2:
            # for the image itself the check is that no byte is missing; for an icon there is no
            # check
            image = tag == terms.PIXEL_DATA and top.number == 0
            bytes_alone = vr in ("OB", "UN") or image
            self._note("odd value" if bytes_alone else "odd", tag)
        elif length % (4 if vr == "AT" else width):
            self._note("width", tag)

    def _check_group_lengths(self) -> None:
        """Check that group lengths are the bytes to the end of the group (PS3.5 Section 7.2)."""
        for number in self._lengths:
            node = self._nodes[number]
            if node.end - node.value != 4:
                continue
            end, after = node.end, node.next
            if node.tag == terms.LENGTH_TO_END:
                end = self._nodes[0].end
            else:
                while after < self._nodes[node.parent].next:
                    other = self._nodes[after]
                    if other.tag >> 16 != node.tag >> 16 or other.tag & 0xFFFF == 0:
                        break
                    end, after = other.end, other.next
            order = ">L" if self._nodes[node.parent].big_endian else "<L"
            if struct.unpack(order, self._read(node.value, 4))[0] != end - node.end:
                self._note("group length", node.tag, number)
                self.free += 1

    def _check_macros(self) -> None:
        """Check that items of the Digital Signatures Macro hold what PS3.3 Table C.12-6 has."""
        for sequence in self._macros:
            parameters = self._nodes[sequence].tag == terms.MAC_PARAMETERS_SEQUENCE
            known = terms.MAC_PARAMETERS_VRS if parameters else terms.DIGITAL_SIGNATURE_VRS
            for item in self._inside(sequence):
                for number in self._inside(item):
                    node = self._nodes[number]
                    if node.tag & 0xFFFF == 0 or node.tag == terms.DATA_SET_TRAILING_PADDING:
                        continue  # `_check_form` has checked the form of these
                    most = terms.MAX_MAC_PARAMETERS_LENGTH.get(node.vr) if parameters else None
                    long = most is not None and node.end - node.value > most
                    if known.get(node.tag) != node.vr or long:
                        self._note("macro", node.tag, number)
                        self.free += 1

    def _inside(self, number: int) -> Iterator[int]:
        """Yield the numbers of the records directly inside one."""
        child = number + 1
        while child < self._nodes[number].next:
            yield child
            child = self._nodes[child].next

    def _begins_with_item(self, node: Node, position: int) -> bool:
        item = b"\xff\xfe\xe0\x00" if node.big_endian else b"\xfe\xff\x00\xe0"
        return self._read(position, 4) == item

    def _error(
        self, trouble: str, position: int, holder: Node, end: int = -1, tag: int = 0,
        detail: object = "",
    ) -> MalformedError:  # fmt: skip
        record = self.record(holder.number)
        owner = self._nodes[holder.parent].tag
        at_end = end == self._nodes[0].stop
        return r.malformed(trouble, position, record, owner, at_end, tag, detail)

    def __len__(self) -> int:
        return len(self._nodes)

    def record(self, number: int) -> r.Record:
        """Return one record; numbers run from 0, the root, in the order of the bytes."""
        n = self._nodes[number]
        return r.Record(n.tag, n.vr, n.kind, n.flags, n.start, n.value, n.end, n.next, n.parent)

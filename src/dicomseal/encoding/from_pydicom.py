"""From a `pydicom.Dataset` in memory to the same canonical stream.

Elements that pydicom has read but not decoded (raw elements) go out by their raw bytes; decoded
ones are written by pydicom's own writers. The data set is not changed.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_data_element
from pydicom.uid import UID

from ..errors import DicomSealError, EncodingError
from ..standard import terms, transfer_syntaxes
from ..standard.dictionary import AMBIGUOUS, dictionary
from ..standard.tags import describe, format_tag, is_signable_tag
from . import _encoder_py
from . import record as r
from .backend import Encoder, Index
from .obstacles import LOST, Offer

if TYPE_CHECKING:
    from pydicom import Dataset

# PS3.5 Section 6.1.2.3: the VRs that Specific Character Set applies to
_PLAIN_TEXT = frozenset(("AE", "AS", "CS", "UI"))
_IN_CHARACTER_SET = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_DELIMITER = bytes.fromhex("FEFFDDE000000000")
_CHUNK = 1 << 16


def transfer_syntax_of(dataset: Dataset) -> str:
    """The transfer syntax that the data set's Pixel Data are in: encapsulated, or explicit VR.

    It is what MAC Calculation Transfer Syntax UID (0400,0010) says of a signature over it.
    """
    meta = getattr(dataset, "file_meta", None)
    uid = str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""
    if not uid:
        uid = str(getattr(dataset, "_read_transfer_syntax", "") or "")
    return transfer_syntaxes.mac_transfer_syntax(uid)


def stream_dataset(
    update: Callable[[Any], object],
    dataset: Dataset,
    tags: Collection[int] | None = None,
    *,
    ancestors: tuple[Dataset, ...] = (),
) -> r.Coverage:
    """As `Index.stream`, for a data set or item in memory.

    Args:
        update, tags: as there.
        dataset: the scope itself.
        ancestors: for an item, the data sets around it, nearest first: implicit VR may need them.

    Raises:
        EncodingError: pydicom cannot write a decoded value, or a raw one is malformed.
    """
    encoder = Encoder(update)
    walker = Walker(encoder)
    wanted = None if tags is None else frozenset(tags)
    unknown: list[int] = []

    def other(tag: int) -> bool:
        element = walker.prepare(dataset, tag, ancestors)
        if element is None:
            if wanted is not None:
                unknown.append(int(tag))
            return False
        walker.write(element)
        return True

    signed, unsigned = encoder.raw_elements(
        dataset.items(), RawDataElement, wanted, other, _raw_sequence
    )
    encoder.flush()
    return r.Coverage(signed, unsigned, tuple(unknown))


def _nowhere(_data: Any) -> None:
    """A hasher's update that takes nothing in: what is asked is only whether."""


class PreparedElements:
    """The elements of a data set or item in memory that can be signed by their tags.

    Each is prepared once, for two questions: whether it can be signed, and what it is in the
    canonical stream.

    Args:
        dataset: the scope itself.
        ancestors: for an item, the data sets around it, nearest first.

    Raises:
        EncodingError: pydicom cannot write a decoded value, or a raw one is malformed.
    """

    def __init__(self, dataset: Dataset, ancestors: tuple[Dataset, ...] = ()) -> None:
        walker = Walker(Encoder(_nowhere))
        self._elements = {
            int(tag): walker.prepare(dataset, tag, ancestors)
            for tag in sorted(dataset.keys())
            if is_signable_tag(tag)
        }

    def offers(self) -> list[Offer]:
        """What `obstacles.offers` says of the elements of an index."""
        return [
            Offer(tag, f"{describe(tag)}: {LOST}" if element is None else "")
            for tag, element in self._elements.items()
        ]

    def stream(self, update: Callable[[Any], object], tags: Collection[int]) -> None:
        """Send the canonical stream of these elements, all of which can be signed, to a hasher."""
        encoder = Encoder(update)
        walker = Walker(encoder)
        wanted = frozenset(tags)
        for tag, element in self._elements.items():
            if tag in wanted:
                walker.write(element)
        encoder.flush()


def encode(dataset: Dataset, implicit: bool = False) -> bytes:
    """The whole data set in little endian, signatures included, as a file holds it."""
    out = bytearray()
    encoder = _FileEncoder(out.extend, implicit)
    walker = Walker(encoder, through_index=False)
    for tag in sorted(dataset.keys()):
        walker.write(walker.prepare(dataset, tag, (), everything=True))
    return bytes(out)


class _Prepared:
    """An element that is known to be signable, and how to write it."""

    __slots__ = ("items", "kind", "tag", "value", "vr")

    def __init__(self, kind: str, tag: int, vr: str, value: Any, items: Any = ()) -> None:
        self.kind, self.tag, self.vr, self.value, self.items = kind, tag, vr, value, items


class Walker:
    """Prepares elements (may they be signed?), then writes them to an encoder."""

    def __init__(self, encoder: Any, through_index: bool = True) -> None:
        self._encoder = encoder
        self._implicit = getattr(encoder, "implicit", False)
        self._through_index = through_index  # raw sequences; else pydicom reads their items

    def prepare(
        self, dataset: Dataset, tag: Any, ancestors: tuple[Dataset, ...], everything: bool = False
    ) -> Any:
        """How to write one element; None if its VR, or one inside it, is UN or unknown."""
        try:
            element = dataset.get_item(tag)
            if element.is_raw:
                return self._raw(dataset, element, ancestors, everything)
            return self._decoded(dataset, element, ancestors, everything)
        except DicomSealError:
            raise
        except Exception as error:  # whatever pydicom's readers and writers raise
            raise EncodingError(f"pydicom cannot write {format_tag(tag)}: {error}") from error

    def _raw(self, dataset: Dataset, element: Any, around: Any, everything: bool) -> Any:
        tag, vr = int(element.tag), element.VR
        value = element.value or b""
        if vr is None:
            vr = self._vr(dataset, tag)
            if vr == "UN" and element.length == terms.UNDEFINED_LENGTH:
                vr = "SQ"
            if vr in AMBIGUOUS and element.length != terms.UNDEFINED_LENGTH:
                vr = _resolved(vr, len(value), (dataset, *around))
            if len(value) > 0xFFFE and vr in terms.SHORT_VRS:
                vr = "UN"  # explicit VR cannot hold it (PS3.5 Section 6.2.2)
        elif not everything and len(vr) == 2 and vr not in terms.SHORT_VRS | terms.LONG_VRS:
            return None  # a VR newer than this program (pydicom puts "OB or OW" for Pixel Data)
        if vr == "UN" and not everything:
            return None
        if vr == "SQ":
            if not self._through_index:
                return self._decoded(dataset, dataset[tag], around, everything)
            index = _index(value, element.is_implicit_VR, not element.is_little_endian)
            if index.unknown:
                return None
            if index.guessed:
                return self._decoded(dataset, dataset[tag], around, everything)
            return _Prepared("raw sequence", tag, vr, index)
        if self._is_encapsulated(dataset, element, element.length == terms.UNDEFINED_LENGTH):
            return _Prepared("encapsulated", tag, "OB", _fragments(value))
        return _Prepared("plain" if element.is_little_endian else "swapped", tag, vr, value)

    def _vr(self, dataset: Dataset, tag: int) -> str:
        if not tag >> 16 & 1:
            return dictionary().public(tag)
        creator = None
        block = (tag >> 8) & 0xFF
        if block >= 0x10 and (tag & 0xFFFF0000 | block) in dataset:
            creator = str(dataset[tag & 0xFFFF0000 | block].value or "").encode(
                "latin-1", "replace"
            )
        return dictionary().private(tag, creator)

    @staticmethod
    def _is_encapsulated(dataset: Dataset, element: Any, undefined: bool) -> bool:
        if undefined or element.tag != terms.PIXEL_DATA:
            return undefined
        meta = getattr(dataset, "file_meta", None)
        uid = meta.get("TransferSyntaxUID", None) if meta is not None else None
        return bool(uid and not UID(uid).is_private and UID(uid).is_encapsulated)

    def _decoded(self, dataset: Dataset, element: Any, around: Any, everything: bool) -> Any:
        element = _settled(element, dataset, around)
        vr = str(element.VR)
        if not everything and (vr == "UN" or not _is_known(vr)):
            return None
        tag = int(element.tag)
        if vr == "SQ":
            items = self._items(dataset, element, around, everything)
            return None if items is None else _Prepared("sequence", tag, vr, None, items)
        if self._is_encapsulated(dataset, element, element.is_undefined_length):
            return _Prepared("encapsulated", tag, "OB", _fragments(element.value))
        if getattr(element, "is_buffered", False):
            return _Prepared("buffered", tag, vr, element.value)
        if terms.SWAP_WIDTH.get(vr) and isinstance(element.value, bytes):
            # pydicom leaves words in the byte order they were read in
            big_endian = getattr(dataset, "original_encoding", (None, None))[1] is False
            return _Prepared("swapped" if big_endian else "plain", tag, vr, element.value)
        if vr in _PLAIN_TEXT and isinstance(element.value, str) and element.value.isascii():
            # what pydicom's writer would do with one such value, without its ten microseconds
            return _Prepared("plain", tag, vr, element.value.encode("ascii"))
        return self._written(dataset, element, around, everything)

    def _items(self, dataset: Dataset, element: Any, around: Any, everything: bool) -> Any:
        """The prepared elements of each item; None if one of them cannot be signed."""
        items = []
        for item in element.value or ():
            prepared = []
            for tag in sorted(item.keys()):
                inner = self.prepare(item, tag, (dataset, *around), everything)
                if inner is None:
                    return None
                if everything or is_signable_tag(tag):
                    prepared.append(inner)
            items.append(prepared)
        return items

    def _written(self, dataset: Dataset, element: Any, around: Any, everything: bool) -> Any:
        """The element as pydicom's writer encodes its value."""
        vr = str(element.VR)
        out = DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, self._implicit
        encodings = _encodings(dataset, around) if vr in _IN_CHARACTER_SET else None
        write_data_element(out, element, encodings)
        written = out.getvalue()
        if written[4:6] == b"UN" and vr != "UN" and not everything:
            return None  # too long for its VR (PS3.5 Section 6.2.2)
        return _Prepared("written", int(element.tag), vr, written)

    def write(self, element: Any) -> None:
        """Send a prepared element to the encoder."""
        encoder, kind, tag, vr = self._encoder, element.kind, element.tag, element.vr
        if kind in ("plain", "swapped"):
            encoder.element(tag, vr, element.value, kind == "swapped")
        elif kind == "written":
            encoder.data(element.value)
        elif kind == "buffered":
            self._buffered(tag, vr, element.value)
        elif kind == "encapsulated":
            encoder.open(tag, vr)
            for number in element.value.children(0):
                encoder.fragment(element.value.value(number))
            encoder.close()
        elif kind == "raw sequence":
            encoder.open(tag, vr)
            element.value.stream_items(encoder)
            encoder.close()
        else:
            encoder.open(tag, vr)
            for item in element.items:
                encoder.item()
                for inner in item:
                    self.write(inner)
            encoder.close()

    def _buffered(self, tag: int, vr: str, stream: Any) -> None:
        """PS3.5 value of a buffer: as long as what lies behind its position, which is kept."""
        begin = stream.tell()
        length = stream.seek(0, 2) - begin
        stream.seek(begin)
        try:
            self._encoder.header(tag, vr, length + length % 2)
            while piece := stream.read(_CHUNK):
                self._encoder.data(piece)
            if length % 2:
                self._encoder.data(_encoder_py.padding(vr))
        finally:
            stream.seek(begin)


def _is_known(vr: str) -> bool:
    return vr in terms.SHORT_VRS or vr in terms.LONG_VRS


def _settled(element: Any, dataset: Dataset, around: tuple[Dataset, ...]) -> Any:
    """The element, or a copy of it whose ambiguous VR, such as ``US or SS``, is settled."""
    if _is_known(element.VR):
        return element
    # pydicom settles it in place, and the data set is not to be changed
    return correct_ambiguous_vr_element(copy.copy(element), dataset, True, [dataset, *around])


def _resolved(kind: str, length: int, scopes: tuple[Dataset, ...]) -> str:
    """The VR of a raw element whose VR is ambiguous, as `Index.resolve` finds it."""
    if kind == "xs":
        found = (scope.get("PixelRepresentation") for scope in scopes)
        return "SS" if next((value for value in found if value is not None), 0) else "US"
    if kind == "lt" and length <= 0xFFFE:
        entries = scopes[0].get("LUTDescriptor")
        if (entries if entries is None or isinstance(entries, int) else entries[0]) == 1:
            return "US"
    return AMBIGUOUS[kind][0]


def _index(sequence: bytes, implicit: bool, big_endian: bool) -> Index:
    return Index(sequence, implicit=implicit, big_endian=big_endian, root=r.SEQUENCE)


def _raw_sequence(sequence: bytes, implicit: bool, big_endian: bool) -> Index | None:
    """Its index; None if it takes more than that to know its VRs, or whether it can be signed."""
    index = _index(sequence, implicit, big_endian)
    return None if index.unknown or index.guessed else index


def _fragments(value: bytes) -> Any:
    value = value.removesuffix(_DELIMITER)
    return Index(value, root=r.ENCAPSULATED)


def _encodings(dataset: Dataset, around: tuple[Dataset, ...]) -> Any:
    """The Specific Character Set that counts here: its own, or the nearest around it."""
    for scope in (dataset, *around):
        if "SpecificCharacterSet" in scope:
            return scope.SpecificCharacterSet or "ISO_IR 6"
    return "ISO_IR 6"


class _FileEncoder(_encoder_py.Encoder):
    """Writes a file's form instead: undefined lengths, and a delimiter at every end."""

    _ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, terms.UNDEFINED_LENGTH)
    _ITEM_DELIMITATION = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)

    def __init__(self, update: Callable[[Any], object], implicit: bool) -> None:
        super().__init__(update)
        self.implicit = implicit
        self._in_item: list[bool] = []

    def header(self, tag: int, vr: str, length: int) -> None:
        if self.implicit:
            self.data(struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length))
        else:
            super().header(tag, vr, length)

    def open(self, tag: int, vr: str) -> None:
        if self.implicit:
            self.header(tag, vr, terms.UNDEFINED_LENGTH)
        else:
            super().open(tag, vr)
            self.data(b"\xff\xff\xff\xff")
        self._in_item.append(False)

    def item(self) -> None:
        if self._in_item[-1]:
            self.data(self._ITEM_DELIMITATION)
        self._in_item[-1] = True
        self.data(self._ITEM)

    def fragment(self, value: bytes) -> None:
        self.data(struct.pack("<HHL", 0xFFFE, 0xE000, len(value) + len(value) % 2))
        self.data(value + b"\0" * (len(value) % 2))

    def close(self) -> None:
        if self._in_item.pop():
            self.data(self._ITEM_DELIMITATION)
        self.data(_DELIMITER)

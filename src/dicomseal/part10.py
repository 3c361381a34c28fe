"""From a file to its data set: preamble, File Meta Information, inflation (PS3.10)."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from . import _record, canonical, likeness, terms
from .canonical import quick_file
from .errors import MalformedError
from .inflate import NO_PADDING, inflate
from .window import Origin, Window

if TYPE_CHECKING:
    from typing_extensions import Buffer

_DEFAULT = _record.Limits()
_PREFIX = 128
_MOST_META = 1 << 16
_MOST_DOUBTS = 3  # are told; one is enough


class Part10:
    """An encoded data set, found in a file or in bytes.

    Attributes:
        source: the bytes: bytes-like, or a `Window`.
        size: how many there are, preamble and meta information included.
        start: offset of the data set in the source (after inflation).
        transfer_syntax: its UID; the one recognised from the bytes where none is stated.
        stated: whether the File Meta Information states it.
        implicit, big_endian: what it means for the encoding.
        deflated: the compressed bytes of a deflated data set; ``source`` is what came out.
        trailer: what follows them: nothing, a NUL, or a checksum and length as gzip writes them.
        dataset: the `pydicom.Dataset` that it was encoded from, or None.
        origin: the file it was read from, or None; known where `Reader.open` was told ``settled``.
    """

    origin: Origin | None = None
    dataset: Any = None
    deflated: bytes | None = None
    trailer = b""
    _head: bytes | None = None

    def __init__(self, source: Any, size: int, limits: _record.Limits | None = None) -> None:
        self.source = source
        self.size = size
        self.limits = _DEFAULT if limits is None else limits
        in_memory = not isinstance(source, Window)
        found = quick_file.meta(source) if quick_file and in_memory else None
        self.start: int
        self.start, uid = found or self._begin()
        self.stated = bool(uid)
        if not uid:
            head = self.read(self.start, min(8, size - self.start))
            try:
                uid = _recognise(head, self.start > 0)
            except MalformedError as error:
                raise likeness.what_it_is(error, self.read, size, self.start > 0) from None
        self.transfer_syntax = uid
        self.implicit = uid == terms.IMPLICIT_VR_LITTLE_ENDIAN
        self.big_endian = uid == terms.EXPLICIT_VR_BIG_ENDIAN
        if uid in terms.DEFLATED:
            self._inflate()

    def _begin(self) -> tuple[int, str]:
        """Where the data set begins, and the Transfer Syntax UID if it is stated."""
        if self.size == 0:
            raise MalformedError("the file is empty", "empty", 0)
        head = self.read(0, min(self.size, _MOST_META))
        if head[_PREFIX : _PREFIX + 4] == b"DICM":
            position = _PREFIX + 4
        elif head[:2] == b"\x02\x00" and bytes(head[4:6]).isalpha():
            position = 0  # meta information without a preamble
        else:
            return 0, ""
        try:
            start, uid = _meta(head, position)
        except MalformedError as error:
            if error.code != "truncated" or len(head) == self.size:
                raise
            start, uid = len(head), ""
        if start + 8 > len(head) < self.size:
            raise MalformedError(
                f"the File Meta Information has more than {_MOST_META - 8} bytes", "limit", start
            )
        return start, uid

    @property
    def head(self) -> bytes:
        """The bytes before the data set, as they are in the file."""
        return bytes(self.read(0, self.start)) if self._head is None else self._head

    @classmethod
    def from_bytes(cls, data: Buffer, limits: _record.Limits | None = None) -> Part10:
        """A file's content that is in memory already; errors as `Reader.open`."""
        view = memoryview(data).cast("B")
        return cls(view, len(view), limits)

    @classmethod
    def from_data_set(
        cls, data: Buffer, transfer_syntax: str, limits: _record.Limits | None = None
    ) -> Part10:
        """A data set alone, whose transfer syntax is known (and is not a deflated one)."""
        self = cls.__new__(cls)
        self.source = data
        self.size = memoryview(data).nbytes
        self.limits = _DEFAULT if limits is None else limits
        self.start = 0
        self.stated = True
        self.transfer_syntax = transfer_syntax
        self.implicit = transfer_syntax == terms.IMPLICIT_VR_LITTLE_ENDIAN
        self.big_endian = transfer_syntax == terms.EXPLICIT_VR_BIG_ENDIAN
        self._head = b""
        return self

    def read(self, offset: int, length: int) -> Any:
        """Bytes of the source, as a copy or a view; errors as `Window.read`."""
        if isinstance(self.source, Window):
            return self.source.read(offset, length)
        return self.source[offset : offset + length]

    def _inflate(self) -> None:
        """PS3.5 Annex A.5: a raw deflate stream (RFC 1951), perhaps with one NUL behind it."""
        size, limit = self.size - self.start, self.limits.inflated
        if size > limit:
            raise MalformedError(f"the deflated data set has more than {limit} bytes", "limit")
        self.deflated = bytes(self.read(self.start, size))
        data, self.trailer = inflate(self.deflated, limit)
        if self.trailer.strip(b"\0") and self.trailer != gzip_trailer(data):
            raise MalformedError(NO_PADDING)
        self._head = self.head
        self.check()
        self.source = data
        self.start = 0

    def index(self) -> canonical.Index:
        """The index of its elements, by the backend in use.

        Raises:
            MalformedError: the data set is malformed or cut short.
        """
        return canonical.Index(
            self.source,
            self.start,
            implicit=self.implicit,
            big_endian=self.big_endian,
            limits=self.limits,
        )

    def doubts(self, index: canonical.Index) -> list[str]:
        """Why two readers may see two contents, so that no signature can vouch for one."""
        found = [ambiguity.sentence() for ambiguity in index.ambiguities[:_MOST_DOUBTS]]
        contradiction = self._contradiction()
        return [*found, contradiction] if contradiction else found

    def _contradiction(self) -> str:
        """Why another reader may take it for explicit VR, though implicit VR is stated; or ""."""
        if not (self.implicit and self.stated):
            return ""
        vr = bytes(self.read(self.start + 4, 2))
        if len(vr) == 2 and vr.isalpha() and vr.isupper():
            return (
                f"implicit VR is stated, and the data set begins with what looks like the VR "
                f"{vr.decode()}: two readers may see two contents"
            )
        return ""

    def check(self) -> None:
        """Raise a `SourceError` if a file that is read in pieces has changed meanwhile."""
        if isinstance(self.source, Window):
            self.source.check()

    def check_origin(self) -> None:
        """Raise a `SourceError` unless the path still names the file that was read, unchanged.

        Small files too, of which a copy is in memory: so what is about to be replaced is what was
        read, and nobody's change in between is lost.
        """
        if self.origin is not None:
            self.origin.check()


def gzip_trailer(data: Buffer) -> bytes:
    """The CRC-32 and the length that some writers leave behind a deflated data set (RFC 1952)."""
    return struct.pack("<LL", zlib.crc32(data), memoryview(data).nbytes & 0xFFFFFFFF)


_LONG_VRS = frozenset(vr.encode() for vr in terms.LONG_VRS)
_UID_CHARACTERS = frozenset("0123456789.")
_header = struct.Struct("<HH2sH").unpack_from


def _meta(head: Any, position: int) -> tuple[int, str]:
    """Where the group 0002 ends, and the Transfer Syntax UID in it (PS3.10 Section 7.1)."""
    uid = ""
    stated = False
    size = len(head)
    while position + 8 <= size:
        group, element, vr, length = _header(head, position)
        if group != 2:
            return position, uid
        value = position + 8
        if vr in _LONG_VRS:
            if position + 12 > size:
                raise MalformedError(
                    "the File Meta Information is cut short", "truncated", position
                )
            (length,) = struct.unpack_from("<L", head, position + 8)
            value = position + 12
        elif not vr.isalpha():
            raise MalformedError(
                f"(0002,{element:04X}) in the File Meta Information is not in explicit VR",
                "malformed", position,
            )  # fmt: skip
        if value + length > size:
            raise MalformedError("the File Meta Information is cut short", "truncated", position)
        if element == terms.TRANSFER_SYNTAX_UID & 0xFFFF:
            if stated:
                raise MalformedError(
                    "the File Meta Information states two transfer syntaxes", "malformed", position
                )
            stated = True
            uid = bytes(head[value : value + length]).rstrip(b"\0 ").decode("latin-1")
            if not set(uid) <= _UID_CHARACTERS:
                raise MalformedError(
                    f"the Transfer Syntax UID {uid!r} is no UID", "malformed", position
                )
        position = value + length
    return position, uid


def _recognise(head: Any, has_meta: bool) -> str:
    """The transfer syntax of a data set that does not state one, from its first element."""
    head = bytes(head)
    if len(head) < 8:
        if has_meta and not head:
            return terms.EXPLICIT_VR_LITTLE_ENDIAN
        raise MalformedError("not DICOM: too short", "not_dicom", 0)
    (little,), (big,) = struct.unpack("<H", head[:2]), struct.unpack(">H", head[:2])
    explicit = head[4:6].decode("latin-1") in terms.LONG_VRS | terms.SHORT_VRS
    highest = 0xFFFE if has_meta else 0x0010  # without any label, only what begins as usual
    if little <= big and 0 < little <= highest:
        return terms.EXPLICIT_VR_LITTLE_ENDIAN if explicit else terms.IMPLICIT_VR_LITTLE_ENDIAN
    if 0 < big <= highest and explicit:
        return terms.EXPLICIT_VR_BIG_ENDIAN
    raise MalformedError(
        "not DICOM: no DICM at byte 128, and no data set at the first byte", "not_dicom", 0
    )

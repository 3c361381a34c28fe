"""From a file to its data set: preamble, File Meta Information, inflation.

In: the bytes of a file, or a window on it.
Out: a `Part10`: where the data set is, how it is encoded, and its index.
PS3: PS3.10 Section 7; PS3.5 Section 7.1 and Annex A.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from ..encoding import backend
from ..encoding.limits import Limits
from ..errors import MalformedError
from ..standard import transfer_syntaxes
from . import file_meta, labels, likeness
from .file_meta import FileMeta
from .inflate import NO_PADDING, inflate
from .quick_file import quick_file
from .window import Origin, Window

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ..encoding.record import Source

_DEFAULT = Limits()
_MAX_META = 1 << 16
_SWAPPED_GROUP = 0x0800  # group 0008, with which data sets begin, in the other byte order


class Part10:
    """An encoded data set, found in a file or in bytes.

    Attributes:
        source: the bytes: bytes-like, or a `encoding.record.Source` such as a `Window`.
        size: how many there are, preamble and meta information included.
        start: offset of the data set in the source (after inflation).
        transfer_syntax: its UID as stated or named; without either, the one that the bytes show.
        stated: whether it is known, from the File Meta Information or from the caller.
        meta: the File Meta Information; its ``doubt`` says why readers may see another encoding.
        implicit, big_endian: how the data set is encoded.
        deflated: the compressed bytes of a deflated data set; ``source`` has the inflated ones.
        trailer: what follows them: nothing, a NUL, or a checksum and length as gzip writes them.
        dataset: the `DatasetSource` of the data set that it was encoded from, or None.
        origin: the file it was read from, or None; set if `Reader.open` was called ``settled``.
    """

    origin: Origin | None = None
    dataset: Any = None
    deflated: bytes | None = None
    trailer = b""
    _head: bytes | None = None

    def __init__(
        self,
        source: Any,
        size: int,
        limits: Limits | None = None,
        named: str = "",
    ) -> None:
        self.source = source
        self.size = size
        self.limits = _DEFAULT if limits is None else limits
        in_memory = not isinstance(source, Window)
        found = quick_file.meta(source) if quick_file and in_memory else None
        if found and found[1] in transfer_syntaxes.TRANSFER_SYNTAXES:
            # the effect of FileMeta(...) without its Python code
            self.meta: FileMeta = tuple.__new__(FileMeta, found)
        else:
            self.meta = self._begin()
            if not self.meta.start and named:
                self.meta = FileMeta(0, named, "")
        self.start = self.meta.start
        uid = self.meta.transfer_syntax
        self.stated = uid in transfer_syntaxes.TRANSFER_SYNTAXES
        self.transfer_syntax = uid
        if not self.stated:
            uid = self._recognised(uid)
        self.implicit = uid == transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
        self.big_endian = uid == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
        if uid in transfer_syntaxes.DEFLATED:
            self._inflate()

    def _begin(self) -> FileMeta:
        """Find where the data set begins, and read the File Meta Information."""
        if self.size == 0:
            raise MalformedError("the file is empty", "empty", 0)
        head = self.read(0, min(self.size, _MAX_META))
        try:
            meta = file_meta.read(head)
        except MalformedError as error:
            if error.code != "truncated" or len(head) == self.size:
                raise
            meta = FileMeta(len(head), "", "")
        if meta.start + 8 > len(head) < self.size:
            raise MalformedError(
                f"the File Meta Information has more than {_MAX_META - 8} bytes",
                "limit", meta.start,
            )  # fmt: skip
        return meta

    def _recognised(self, label: str) -> str:
        """Return the encoding that the bytes show, if the label is absent or not known."""
        if label == transfer_syntaxes.GE_PRIVATE_IMPLICIT:
            raise MalformedError(
                f"the private Transfer Syntax {label} of GE (implicit VR little endian with the "
                "words of Pixel Data in big endian) is not supported; convert the object, e.g. "
                "with DCMTK: dcmconv +te IN OUT",
                "unsupported",
            )
        if self.start and labels.shown(self.read, self.start, self.size) == labels.DEFLATED:
            reason = (
                f"the Transfer Syntax {label} is not known"
                if label
                else "no Transfer Syntax is stated"
            )
            raise MalformedError(
                f"the data set is deflated, and {reason}",
                "unsupported", self.start,
            )  # fmt: skip
        head = bytes(self.read(self.start, min(8, self.size - self.start)))
        try:
            uid = file_meta.recognise(head, self.start > 0, label)
        except MalformedError as error:
            if error.code == "unsupported":
                raise
            raise likeness.what_it_is(error, self.read, self.size, self.start > 0) from None
        if not label:
            self.transfer_syntax = uid
        return uid

    @property
    def head(self) -> bytes:
        """The bytes before the data set, as they are in the file."""
        return bytes(self.read(0, self.start)) if self._head is None else self._head

    @classmethod
    def from_bytes(cls, data: Buffer, limits: Limits | None = None, named: str = "") -> Part10:
        """Read a file's content that is in memory; arguments and errors as `Reader.open`."""
        view = memoryview(data).cast("B")
        return cls(view, len(view), limits, named)

    @classmethod
    def from_data_set(
        cls,
        data: bytes | Source,
        transfer_syntax: str,
        limits: Limits | None = None,
        *,
        little_endian: bool = False,
    ) -> Part10:
        """Wrap a data set alone whose transfer syntax is known.

        Args:
            data: its bytes, not deflated.
            transfer_syntax: its UID.
            limits: what it may cost.
            little_endian: the bytes are, whatever the transfer syntax says.
        """
        self = cls.__new__(cls)
        self.source = data
        self.size = len(data)
        self.limits = _DEFAULT if limits is None else limits
        self.start = 0
        self.stated = True
        self.meta = FileMeta(0, transfer_syntax, "")
        self.transfer_syntax = transfer_syntax
        self.implicit = transfer_syntax == transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
        swapped = transfer_syntax == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
        self.big_endian = swapped and not little_endian
        self._head = b""
        return self

    def read(self, offset: int, length: int) -> Any:
        """Return bytes of the source, as a copy or a view; errors as `Window.read`."""
        if hasattr(self.source, "readinto"):
            return self.source.read(offset, length)
        return self.source[offset : offset + length]

    def _inflate(self) -> None:
        """Inflate the data set: a raw deflate stream (RFC 1951), perhaps with one NUL after it."""
        size, limit = self.size - self.start, self.limits.inflated
        if size > limit:
            raise MalformedError(f"the deflated data set has more than {limit} bytes", "limit")
        self.deflated = bytes(self.read(self.start, size))
        try:
            data, self.trailer = inflate(self.deflated, limit)
        except MalformedError as error:
            shown = labels.shown(self.read, self.start, self.size)
            self.deflated = None
            if error.code == "limit" or shown in ("", labels.DEFLATED):
                raise
            raise self._contradiction(shown, self.start) from error
        if self.trailer.strip(b"\0") and self.trailer != gzip_trailer(data):
            raise MalformedError(NO_PADDING)
        self._head = self.head
        self.check()
        self.source = data
        self.start = 0

    def index(self) -> backend.Index:
        """Return the index of its elements, by the backend in use.

        Raises:
            SourceError: it was changed while it was read.
            MalformedError: the data set is malformed or cut short; with code ``contradiction`` if
                it is not in the encoding that is stated, but begins in another one.
        """
        try:
            index = self._index(self.implicit, self.big_endian)
        except MalformedError as error:
            self.check()  # what was written to meanwhile may look cut, or mixed
            self.check_origin()
            shown = self._shown() or ("" if error.code == "limit" else self._other())
            if not shown or not self.stated:
                raise
            raise self._contradiction(shown, error.offset) from error
        if self.stated:  # by chance the bytes may be readable in both encodings
            shown = ""
            # for every object: in explicit VR only a swapped group can contradict the label
            first = index.tags(1, 2)
            if self.implicit or (first and first[0] >> 16 == _SWAPPED_GROUP):
                head = bytes(self.read(self.start, 6))
                if labels.belies(head, self._encoding()):
                    shown = self._shown()
            if not shown and (index.noted or index.trailing):
                shown = self._other()
            if shown:
                raise self._contradiction(shown, self.start)
        return index

    def _index(self, implicit: bool, big_endian: bool) -> backend.Index:
        return backend.Index(
            self.source,
            self.start,
            implicit=implicit,
            big_endian=big_endian,
            limits=self.limits,
        )

    def _encoding(self) -> str:
        """Return the encoding in which it is read; a deflated data set is explicit VR by now."""
        if self.big_endian:
            return labels.BIG
        return labels.IMPLICIT if self.implicit else labels.EXPLICIT

    def _shown(self) -> str:
        """Return another encoding, if the first element shows one."""
        shown = labels.shown(self.read, self.start, len(self.source))
        return "" if shown == self._encoding() else shown

    def _other(self) -> str:
        """Return another encoding, if the first bytes and the whole data set read in it."""
        head = bytes(self.read(self.start, min(6, len(self.source) - self.start)))
        if len(head) < 6:
            return ""  # not even a VR
        little, big = (int.from_bytes(head[:2], order) for order in ("little", "big"))
        explicit = head[4:6].isalpha() and head[4:6].isupper()
        big_endian = explicit and big < little
        if (not explicit, big_endian) == (self.implicit, self.big_endian):
            return ""
        try:
            self._index(not explicit, big_endian)
        except MalformedError:
            return ""
        return labels.BIG if big_endian else labels.EXPLICIT if explicit else labels.IMPLICIT

    def _contradiction(self, shown: str, offset: int | None) -> MalformedError:
        """Return the error for readers that trust the first element and see another data set."""
        stated = labels.stated(self.transfer_syntax)
        if stated == labels.BIG and shown == labels.EXPLICIT:
            shown += " little endian"
        elif stated == labels.DEFLATED and self.deflated is None:
            shown += ", not deflated"
        return MalformedError(
            f"{stated} is stated (Transfer Syntax {self.transfer_syntax}), and the data set is in "
            f"{shown}: two readers may see two contents",
            "contradiction", offset,
        )  # fmt: skip

    def check(self) -> None:
        """Raise a `SourceError` if a file that is read in pieces has changed meanwhile."""
        if isinstance(self.source, Window):
            self.source.check()

    def check_origin(self) -> None:
        """Raise a `SourceError` unless the path still names the file that was read, unchanged.

        This holds for small files too, of which a copy is in memory: the file that is about to be
        replaced must be the one that was read, so that no other change is lost.
        """
        if self.origin is not None:
            self.origin.check()


def gzip_trailer(data: Buffer) -> bytes:
    """Return the CRC-32 and the length that some writers put after the stream (RFC 1952)."""
    return struct.pack("<LL", zlib.crc32(data), memoryview(data).nbytes & 0xFFFFFFFF)

"""From a file to the bytes of its data set: preamble, File Meta Information, inflation (PS3.10).

How a file is read, and why:

* Up to `SNAPSHOT` bytes it is read whole into a buffer that the next file reuses. Index and hash
  then see the same bytes, whatever happens to the file afterwards. One that changes while it is
  copied into the buffer is an error, not half the old and half the new.
* What is larger is read through a `Window`, a piece at a time, so memory stays flat. The file is
  looked at again when the work is done (`Window.check`): one that was changed, truncated or
  replaced in between is an error, never a verdict.
* Who writes a changed copy looks once more (`Part10.check_origin`), at the path this time: what is
  replaced must be what was read.
* Nothing is mapped: a mapped file that shrinks or fails to read ends the process with SIGBUS.
"""

from __future__ import annotations

import os
import stat
import struct
import time
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _record, canonical, terms
from .canonical import quick_file
from .errors import MalformedError, SourceError

if TYPE_CHECKING:
    from typing_extensions import Buffer


SNAPSHOT = 8 << 20
_DEFAULT = _record.Limits()
_PREFIX = 128
_MOST_META = 1 << 16
_TICK = 12_000_000  # ns: a file's times are as coarse as the kernel's timer, 1 to 10 ms
_MOST_DOUBTS = 3  # are told; one is enough
_O_FLAGS = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"):  # the last: a FIFO must not block
    _O_FLAGS |= getattr(os, _flag, 0)


def _os_error(path: str, error: OSError) -> SourceError:
    codes = {FileNotFoundError: "not_found", PermissionError: "permission"}
    message = f"{path}: {error.strerror or error}"
    return SourceError(message, codes.get(type(error), "unreadable"))


def _state(status: os.stat_result) -> tuple[int, ...]:
    """What is different after a file was written to, truncated or replaced."""
    s = status
    return s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev


def _changed(path: str) -> SourceError:
    return SourceError(f"{path}: changed while it was read; try again", "changed")


def _settle(descriptor: int, status: os.stat_result, path: str) -> None:
    """Wait until the next change of the file must get other times than the last one."""
    age = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    if age < _TICK:
        time.sleep(min(_TICK, _TICK - age) / 1e9)
        if _state(os.fstat(descriptor)) != _state(status):
            raise _changed(path)


class Origin(NamedTuple):
    """The file that was read: its path, and its status when it was opened."""

    path: str
    status: os.stat_result


class Window:
    """A file of any size, read where it is wanted; a `dicomseal._record.Source`.

    Args:
        descriptor: an open file descriptor; the window owns it from now on. The compiled index
            reads from it itself.
        path: for messages.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self._path = path
        self._state = self._look()
        self._length = os.fstat(descriptor).st_size

    def _look(self) -> tuple[int, ...]:
        return _state(os.fstat(self.descriptor))

    def __len__(self) -> int:
        return self._length

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``.

        Raises:
            SourceError: an I/O error, or the file has become shorter.
        """
        target = bytearray(length)
        self.readinto(offset, memoryview(target))
        return bytes(target)

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset``; errors as `read`."""
        try:
            done = 0
            while done < len(target):
                n = _readinto(self.descriptor, target[done:] if done else target, offset + done)
                if not n:
                    raise SourceError(f"{self._path}: became shorter while it was read", "changed")
                done += n
        except OSError as error:
            raise _os_error(self._path, error) from None

    def check(self) -> None:
        """Raise a `SourceError` with code ``changed`` if the file is not what it was."""
        if self._look() != self._state:
            raise _changed(self._path)

    def close(self) -> None:
        """Give the descriptor back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()


def _readinto(descriptor: int, target: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [target], offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    piece = os.read(descriptor, len(target))
    target[: len(piece)] = piece
    return len(piece)


class Reader:
    """Opens files one after the other, small ones into one buffer that it keeps.

    A `Part10` from a path is valid until the next `open` of the same reader. One reader per thread.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(1 << 20)

    def open(
        self,
        path: str | os.PathLike[str],
        limits: _record.Limits | None = None,
        *,
        settled: bool = False,
    ) -> Part10:
        """Read the file at ``path``.

        Args:
            path: the file.
            limits: what it may cost.
            settled: a file that was written to in the last milliseconds is read a moment later, so
                that every change from then on shows in its times, for `Part10.check_origin`. For
                who will replace it.

        Raises:
            SourceError: it cannot be read, or changed while it was read.
            MalformedError: it is not DICOM.
        """
        try:
            name = os.fsdecode(path)
            if not name.isascii():
                os.fsencode(name)
        except TypeError:
            raise SourceError(f"a {type(path).__name__} is no path") from None
        except UnicodeError:
            raise SourceError(f"{path!r} is no path here", "not_found") from None
        if quick_file and not settled:
            size = quick_file.snapshot(name, self._buffer, SNAPSHOT)
            if size >= 0:
                return Part10(memoryview(self._buffer)[:size], size, limits)
        if "\0" in name:
            raise SourceError(f"{name!r}: a path has no NUL", "not_found")
        descriptor = -1
        try:
            descriptor = os.open(path, _O_FLAGS)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{name}: not a regular file", "unreadable")
            if settled:
                _settle(descriptor, status, name)
            size = status.st_size
            if size > SNAPSHOT:
                source: Any = Window(descriptor, name)
                descriptor = -1
            else:
                done = self._snapshot(descriptor, size)
                now = os.fstat(descriptor)
                if (
                    done < size
                    or now.st_ctime_ns != status.st_ctime_ns
                    or now.st_mtime_ns != status.st_mtime_ns
                ):
                    raise _changed(name)
                source = memoryview(self._buffer)[:size]
        except OSError as error:
            raise _os_error(name, error) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        part10 = Part10(source, size, limits)
        part10.origin = Origin(name, status)
        return part10

    def _snapshot(self, descriptor: int, size: int) -> int:
        if size > len(self._buffer):
            self._buffer = bytearray(size + (size >> 2))
        target = memoryview(self._buffer)
        done = 0
        while done < size:
            n = _readinto(descriptor, target[done:size], done)
            if not n:
                break  # it has become shorter
            done += n
        return done


def open_source(source: Any, settled: bool = False) -> Part10:
    """A path, a file's content as bytes, or a binary file; as `Reader.open`, with its errors."""
    if isinstance(source, (str, os.PathLike)):
        return Reader().open(source, settled=settled)
    return Part10.from_bytes(canonical.read_all(source))


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
        origin: the file it was read from, or None; known where `Reader.open` was told ``settled``.
    """

    origin: Origin | None = None

    def __init__(self, source: Any, size: int, limits: _record.Limits | None = None) -> None:
        self.source = source
        self.size = size
        self.limits = _DEFAULT if limits is None else limits
        self.deflated: bytes | None = None
        self.trailer = b""
        in_memory = not isinstance(source, Window)
        found = quick_file.meta(source) if quick_file and in_memory else None
        self.start: int
        self.start, uid = found or self._begin()
        self.stated = bool(uid)
        if not uid:
            head = self.read(self.start, min(8, size - self.start))
            uid = _recognise(head, self.start > 0)
        self.transfer_syntax = uid
        self.implicit = uid == terms.IMPLICIT_VR_LITTLE_ENDIAN
        self.big_endian = uid == terms.EXPLICIT_VR_BIG_ENDIAN
        self._head: bytes | None = None
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
        self.deflated = None
        self.trailer = b""
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
        limit = self.limits.inflated
        self.deflated = bytes(self.read(self.start, self.size - self.start))
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(self.deflated, limit + 1)
        except zlib.error as error:
            raise MalformedError(f"the deflated data set cannot be inflated: {error}") from None
        if len(data) > limit:
            raise MalformedError(f"the data set inflates to more than {limit} bytes", "limit")
        if not inflater.eof:
            raise MalformedError("the deflated data set is cut short", "truncated")
        self.trailer = inflater.unused_data
        if self.trailer.strip(b"\0") and self.trailer != gzip_trailer(data):
            raise MalformedError("bytes that are no padding follow the deflated data set")
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
        ambiguities = index.ambiguities
        if not ambiguities and not self.implicit:
            return []
        found = [ambiguity.sentence() for ambiguity in ambiguities[:_MOST_DOUBTS]]
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
        if self.origin is None:
            return
        path, status = self.origin
        try:
            now = os.stat(path)
        except OSError as error:
            raise SourceError(
                f"{path}: changed while it was read: {error.strerror or error}", "changed"
            ) from None
        if _state(now) != _state(status):
            raise _changed(path)


def gzip_trailer(data: bytes) -> bytes:
    """The CRC-32 and the length that some writers leave behind a deflated data set (RFC 1952)."""
    return struct.pack("<LL", zlib.crc32(data), len(data) & 0xFFFFFFFF)


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

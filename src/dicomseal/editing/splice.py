"""Insert into an encoded data set and cut from it, and keep every other byte of it.

In: an object and its index, and elements or items to insert or cut.
Out: the bytes of the edited file.
PS3: PS3.5 Section 7.5; group lengths: Section 7.2.

A change inside a sequence of explicit length changes the length fields around it, and the group
lengths beside it; nothing else is touched.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import IO, TYPE_CHECKING, Any

from ..encoding import record as r
from ..encoding.backend import Index
from ..errors import SigningError, SourceError
from ..files.atomic import replacing
from ..files.part10 import Part10, gzip_trailer
from ..files.window import Window
from ..standard import terms
from ..standard.tags import format_tag

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ..files.group import Group

_CHUNK = 1 << 20


class Splice:
    """Edits to one indexed object, which are collected first and written in one pass.

    Args:
        part10: the object.
        index: its index.
    """

    def __init__(self, part10: Part10, index: Index) -> None:
        self._part10, self._index = part10, index
        self._order = ">" if part10.big_endian else "<"
        # offset, depth (negative), number of bytes to drop, bytes to insert
        self._edits: list[tuple[int, int, int, bytes]] = []
        # records with a length field, and the change of the length
        self._growth: dict[int, int] = {}
        self._group_growth: dict[int, int] = {}

    def insert_element(self, scope: int, tag: int, data: bytes) -> None:
        """Insert an encoded element where its tag belongs among those of a data set or item."""
        behind = self._index.following(scope, tag)
        offset = self._content_end(scope) if behind < 0 else self._index.record(behind).start
        self._edit(offset, 0, data, scope, tag)

    def append_item(self, sequence: int, data: bytes) -> None:
        """Append an encoded item to a sequence."""
        self._edit(self._content_end(sequence), 0, data, sequence, 0)

    def cut(self, number: int) -> None:
        """Cut an element with everything inside it, or an item."""
        record = self._index.record(number)
        tag = record.tag if record.kind != r.ITEM else 0
        self._edit(record.start, record.end - record.start, b"", record.parent, tag)

    def _content_end(self, number: int) -> int:
        record = self._index.record(number)
        return record.end - 8 if record.flags & r.UNDEFINED else record.end

    def _edit(self, offset: int, drop: int, put: bytes, holder: int, tag: int) -> None:
        delta = len(put) - drop
        number = holder
        depth = 0
        while True:
            record = self._index.record(number)
            if record.kind in (r.ITEM, r.SEQUENCE) and number and not record.flags & r.UNDEFINED:
                self._growth[number] = self._growth.get(number, 0) + delta
            if record.kind == r.ITEM and tag:
                self._group(number, tag, delta)
            if not number:
                break
            tag = record.tag if record.kind == r.SEQUENCE else 0
            number = record.parent
            depth += 1
        # if several edits are at one offset, the inner ones come first
        self._edits.append((offset, -depth, drop, put))

    def _group(self, scope: int, tag: int, delta: int) -> None:
        number = self._index.find(scope, tag & 0xFFFF0000)
        if number >= 0:
            self._group_growth[number] = self._group_growth.get(number, 0) + delta

    def _length_edits(self) -> None:
        for number, delta in self._growth.items():
            record = self._index.record(number)
            length = record.end - record.value + delta
            if length >= terms.UNDEFINED_LENGTH:
                raise SigningError(f"{format_tag(record.tag)} would become longer than 4 GiB")
            self._edits.append((record.value - 4, 0, 4, struct.pack(self._order + "L", length)))
        for number, delta in self._group_growth.items():
            record = self._index.record(number)
            if record.end - record.value == 4:
                (length,) = struct.unpack(self._order + "L", self._index.value(number))
                length = max(0, length + delta) & 0xFFFFFFFF
                self._edits.append((record.value, 0, 4, struct.pack(self._order + "L", length)))

    def save(self, target: str | os.PathLike[str] | IO[bytes], overwrite: bool = True) -> None:
        """Write the whole edited object to a file, which is replaced in one step.

        If the object was opened with ``Reader().open(path, settled=True)``, a file that was changed
        since then is not replaced.

        Args:
            target: a path, or a binary file that is open for writing.
            overwrite: replace a file that exists.

        Raises:
            SourceError: it cannot be written, the source has changed, or the target exists (code
                ``exists``); nothing was written (unless the code is ``not_synced``, see
                `dicomseal.files.atomic`).
        """
        if not isinstance(target, (str, os.PathLike)) and hasattr(target, "write"):
            self.write(target)
            return
        path: Any = target  # `replacing` refuses everything that is not a path

        def check() -> None:
            self._part10.check_origin()
            if not overwrite and os.path.lexists(path):
                raise SourceError(f"{os.fsdecode(path)}: exists already", "exists")

        with replacing(path, check, self._original()) as file:
            self.write(file)

    def stage(self, group: Group, key: object, target: str, overwrite: bool) -> os.stat_result:
        """Write the edited object as a part of a group of files, which replaces them together.

        Args:
            group: the group; its `commit` checks that the file was not changed since it was read.
            key: what the group calls it.
            target, overwrite: as for `save`.

        Returns:
            The status of the new file.

        Raises:
            SourceError: as `Group.stage`.
        """
        # not a method of this object: its index and bytes are gone when the group is committed
        origin = self._part10.origin
        check = None if origin is None else origin.check
        return group.stage(key, target, self.write, check, overwrite, self._original())

    def _original(self) -> os.stat_result | None:
        """Return the status of the file that was read, if it was one."""
        origin = self._part10.origin
        return None if origin is None else origin.status

    def write(self, target: Any) -> None:
        """Write the whole edited object: preamble, meta information, data set.

        Args:
            target: its ``write`` takes bytes, and is done with them when the next piece of another
                source, or of a large one, is read.
        """
        self._length_edits()
        self._edits.sort(key=lambda edit: edit[:2])
        target.write(self._part10.head)
        if self._part10.deflated is None:
            self._copy(target, self._part10.start)
            self._part10.check()
        else:
            self._deflate(target)

    def _copy(self, target: IO[bytes], position: int) -> None:
        for offset, _, drop, put in self._edits:
            self._pieces(target, position, offset)
            target.write(put)
            position = offset + drop
        self._pieces(target, position, len(self._part10.source))

    def _pieces(self, target: IO[bytes], start: int, stop: int) -> None:
        source = self._part10.source
        for begin in range(start, stop, _CHUNK):
            end = min(begin + _CHUNK, stop)
            if isinstance(source, Window):
                target.write(source.read(begin, end - begin))
            else:
                target.write(source[begin:end])

    def _deflate(self, target: IO[bytes]) -> None:
        """Compress with the settings of the original, if they can be found.

        So the original file results, byte for byte, when a signature is removed again.
        """
        import io

        part10 = self._part10
        plain = io.BytesIO()
        self._copy(plain, 0)
        level, memory = _settings(part10.source, part10.deflated or b"", part10.trailer)
        packed = _compress(plain.getvalue(), level, memory)
        target.write(packed)
        if len(part10.trailer) == 8:
            target.write(gzip_trailer(plain.getvalue()))
        elif part10.trailer or (part10.size % 2 == 0 and len(packed + part10.head) % 2):
            target.write(b"\0" * (len(packed + part10.head) % 2))


def _compress(data: Buffer, level: int, memory: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)
    return packer.compress(data) + packer.flush()


def _settings(plain: Buffer, deflated: bytes, trailer: bytes) -> tuple[int, int]:
    """Return level and memory level of zlib that give the same bytes; the defaults if none do."""
    stream = deflated[: len(deflated) - len(trailer)]
    for level in (6, 9, 1, 5, 8, 7, 4, 3, 2, 0):
        for memory in (8, 9):
            if _compress(plain, level, memory) == stream:
                return level, memory
    return 6, 8

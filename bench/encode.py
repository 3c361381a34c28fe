"""A DICOM writer small enough to trust, so that workloads depend on no library under test.

Values are bytes, or text that is padded to an even length; numbers are packed by the caller.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
SECONDARY_CAPTURE_WORD = "1.2.840.10008.5.1.4.1.1.7.3"
SECONDARY_CAPTURE_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"

_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
_UNDEFINED = 0xFFFFFFFF

# Encoded bytes, or a number of zero bytes that become a hole in the file.
Piece = bytes | int


class Writer:
    """Encodes elements in Explicit or Implicit VR Little Endian (PS3.5 Section 7.1)."""

    def __init__(self, implicit: bool = False) -> None:
        self.implicit = implicit

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """Tag, VR and length."""
        group, number = tag >> 16, tag & 0xFFFF
        if self.implicit:
            return struct.pack("<HHL", group, number, length)
        if vr in _LONG:
            return struct.pack("<HH2s2xL", group, number, vr.encode(), length)
        return struct.pack("<HH2sH", group, number, vr.encode(), length)

    def element(self, tag: int, vr: str, value: str | bytes) -> bytes:
        """One element; an odd value gets the padding of its VR (PS3.5 Section 6.2)."""
        data = value.encode("ascii") if isinstance(value, str) else value
        if len(data) % 2:
            data += b"\0" if vr in ("UI", "OB") else b" "
        return self.header(tag, vr, len(data)) + data

    def sequence(self, tag: int, items: Iterable[bytes]) -> bytes:
        """A sequence, with defined lengths; an item is its elements, joined."""
        content = b"".join(_item(item) for item in items)
        return self.header(tag, "SQ", len(content)) + content

    def encapsulated(self, fragments: list[bytes]) -> list[bytes]:
        """Pixel Data in fragments of even length, with its Basic Offset Table (PS3.5 A.4)."""
        starts, position = [], 0
        for fragment in fragments:
            starts.append(position)
            position += 8 + len(fragment)
        table = struct.pack(f"<{len(starts)}L", *starts)
        return [
            self.header(0x7FE00010, "OB", _UNDEFINED),
            *(_item(piece) for piece in [table, *fragments]),
            struct.pack("<HHL", 0xFFFE, 0xE0DD, 0),
        ]


def _item(content: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content


def meta(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Preamble and File Meta Information (PS3.10 Section 7.1)."""
    writer = Writer()
    content = b"".join(
        (
            writer.element(0x00020001, "OB", b"\0\1"),
            writer.element(0x00020002, "UI", sop_class),
            writer.element(0x00020003, "UI", sop_instance),
            writer.element(0x00020010, "UI", transfer_syntax),
            writer.element(0x00020012, "UI", "2.25.305419896"),
            writer.element(0x00020013, "SH", "DICOMSEAL_BENCH"),
        )
    )
    length = writer.element(0x00020000, "UL", struct.pack("<L", len(content)))
    return bytes(128) + b"DICM" + length + content


def write(file: BinaryIO, pieces: Iterable[Piece]) -> None:
    """Write pieces one after the other; numbers are skipped over, which leaves holes."""
    position = file.tell()
    for piece in pieces:
        if isinstance(piece, int):
            position += piece
            file.seek(position)
        else:
            position += file.write(piece)
    file.truncate(position)


def chunks(pieces: Iterable[Piece], size: int = 1 << 20) -> Iterator[bytes]:
    """The bytes that `write` puts into a file, holes as zeros."""
    zeros = bytes(size)
    for piece in pieces:
        if isinstance(piece, int):
            for start in range(0, piece, size):
                yield zeros[: min(size, piece - start)]
        else:
            yield piece

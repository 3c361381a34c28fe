"""A signed file, taken apart and put together otherwise."""

from __future__ import annotations

import struct
from pathlib import Path

import pki

from dicomseal import sign_file
from dicomseal.encoding.backend import Index
from dicomseal.files.part10 import Part10
from dicomseal.standard import terms

SIGNATURES, MACS = terms.DIGITAL_SIGNATURES_SEQUENCE, terms.MAC_PARAMETERS_SEQUENCE


class Signed:
    """A signed file, taken apart."""

    def __init__(self, folder: Path, source: Path, **how: object) -> None:
        path = folder / "signed.dcm"
        sign_file(source, path, *pki.member("rsa").pair, **how)
        self.data = path.read_bytes()
        self.part10 = Part10.from_bytes(self.data)
        self.index: Index = self.part10.index()
        self.head = self.data[: self.part10.start]

    def raw(self, number: int) -> bytes:
        record = self.index.record(number)
        return self.data[record.start : record.end]

    def without(self, item: bytes, tag: int) -> bytes:
        """The content of an item, without one of its elements."""
        index = Index(item)
        record = index.record(index.find(0, tag))
        return item[: record.start] + item[record.end :]

    def content(self, sequence: int) -> bytes:
        """What the first item of a sequence holds."""
        record = self.index.record(next(self.index.children(self.index.find(0, sequence))))
        return self.data[record.value : record.end]

    def rebuilt(self, **other: bytes) -> bytes:
        """The file, with other bytes for some elements, by tag in hexadecimal: ``t00100010=...``"""
        out = self.head
        for child in self.index.children(0):
            tag = self.index.record(child).tag
            out += other.get(f"t{tag:08x}", self.raw(child))
        return out


def sequence(tag: int, *contents: bytes) -> bytes:
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(c)) + c for c in contents)
    return struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, b"SQ", len(items)) + items

"""A small signed object in each encoding, and pieces of data sets to put beside it."""

from __future__ import annotations

import io
import struct

import pki
import pytest

from dicomseal import sign_file, verify
from dicomseal.files.part10 import Part10
from dicomseal.standard import terms

ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def signed(data: bytes, **options) -> bytes:
    out = io.BytesIO()
    sign_file(data, out, *pki.member("rsa").pair, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def signed_forms():
    """A signed object in each of the encodings."""
    return {form: signed(pki.small(form)) for form in pki.SYNTAX_AND_FORM}


def split(data: bytes) -> tuple[bytes, bytes]:
    start = Part10.from_bytes(data).start
    return data[:start], data[start:]


def put(data: bytes, element: bytes, before: int = 0) -> bytes:
    """A copy with an encoded element in front of the first whose tag is not smaller."""
    part10 = Part10.from_bytes(data)
    index = part10.index()
    for number in index.children(0):
        record = index.record(number)
        if record.tag >= before:
            return data[: record.start] + element + data[record.start :]
    return data + element


def explicit(tag: int, vr: str, value: bytes = b"", reserved: bytes = b"\0\0", size: int = -1):
    size = len(value) if size < 0 else size
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in terms.LONG_VRS:
        return head + reserved + struct.pack("<L", size) + value
    return head + struct.pack("<H", size) + value


def implicit(tag: int, value: bytes = b"") -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def answer(data: bytes, **options):
    return verify(data, integrity_only=True, unsigned="accept", **options)


def why(report) -> str:
    return " | ".join(reason.message for reason in report.reasons)

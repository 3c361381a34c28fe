"""Sizes at which the compiled encoder's block is full, or a value too large for it."""

from __future__ import annotations

import os
import struct

import pytest

from dicomseal.files.window import Window

EDGES = [edge + by for edge in (8192, 16384, 32768, 65536) for by in (-14, -12, -8, -4, -2, 0, 2)]
FORMS = {"explicit": "<", "implicit": "<", "big endian": ">"}


def element(tag, length, form):
    """An OB of some length, which looks the same in every byte order, and how it is hashed."""
    value = bytes(range(256)) * (length // 256 + 1)
    value = value[:length]
    explicit = struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, b"OB", length) + value
    if form == "implicit":
        return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length) + value, explicit
    order = FORMS[form]
    head = struct.pack(order + "HH2s2xL", tag >> 16, tag & 0xFFFF, b"OB", length)
    return head + value, explicit


def values(lengths, form):
    """Elements of these lengths whose VR is OB in implicit VR too (Encapsulated Document)."""
    stored, hashed = b"", b""
    for number, length in enumerate(lengths):
        one, canonical = element(0x00420011 if form == "implicit" else 0x00420100 + number,
                                 length, form)  # fmt: skip
        stored, hashed = stored + one, hashed + canonical
    return stored, hashed


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", EDGES)
def test_one_value(backend, tmp_path, form, length):
    stored, hashed = values([length], form)
    options = {"implicit": form == "implicit", "big_endian": form == "big endian"}
    assert backend.stream(stored, **options) == hashed
    file = tmp_path / "file"
    file.write_bytes(stored)
    window = Window(os.open(file, os.O_RDONLY), str(file))
    assert backend.stream(window, **options) == hashed


@pytest.mark.parametrize("form", ["explicit", "big endian"])
@pytest.mark.parametrize("first", EDGES)
def test_what_follows_it(backend, tmp_path, form, first):
    """Headers and short values where the block is nearly full: none is cut or lost."""
    for second in (0, 2, 4, 6, 60, 62, 64, 66, 8190, 16384):
        stored, hashed = values([first, second, 2, second, first, 10], form)
        big = form == "big endian"
        assert backend.stream(stored, big_endian=big) == hashed, second
        if form == "explicit":
            # reserved bytes that are not zero: each header is written anew
            odd = bytearray(stored)
            position = 0
            for length in (first, second, 2, second, first, 10):
                odd[position + 6 : position + 8] = b"\1\1"
                position += 12 + length
            assert backend.stream(bytes(odd)) == hashed, second


@pytest.mark.parametrize("size", EDGES)
def test_fragments(backend, size):
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    stored = struct.pack("<HH2s2xL", 0x7FE0, 0x10, b"OB", 0xFFFFFFFF)
    hashed = stored[:8]
    for length in (0, 2, size, size - 2, 4, size):
        fragment = bytes(range(256)) * (length // 256) + bytes(length % 256)
        stored += struct.pack("<HHL", 0xFFFE, 0xE000, length) + fragment
        hashed += b"\xfe\xff\x00\xe0" + fragment
    assert backend.stream(stored + end) == hashed + end[:4]

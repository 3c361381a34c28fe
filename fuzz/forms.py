"""The two forms of an input, and where its elements lie; lenient, for it reads what was broken.

A *raw* input is a data set behind four bytes that say how to read it. A *file* is what stands on a
disk. Nothing here is shared with the package: a bug there must not blind the mutator.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
UNDEFINED = 0xFFFFFFFF
HEADER = 4  # bytes before a raw data set
MOST_TOKENS = 400

EXPLICIT, IMPLICIT, BIG, DEFLATED = range(4)
SYNTAXES = {
    b"1.2.840.10008.1.2": IMPLICIT,
    b"1.2.840.10008.1.2.2": BIG,
    b"1.2.840.10008.1.2.1.99": DEFLATED,
}


class Token(NamedTuple):
    """An element, or the header of what has others inside.

    ``length_at`` is where its length stands, in ``width`` bytes; ``stop`` is where its content
    ends if it is a container of defined length, else 0.
    """

    start: int
    value: int
    end: int
    length_at: int
    width: int
    stop: int


class Form(NamedTuple):
    """An input taken apart: ``join(body)`` puts it together again."""

    encoding: int
    body: bytes
    join: Callable[[bytes], bytes]

    @property
    def big(self) -> bool:
        return self.encoding == BIG


def raw_form(data: bytes) -> Form:
    """A raw input."""
    head = data[:HEADER].ljust(HEADER, b"\0")
    return Form(head[0] & 3, data[HEADER:], lambda body: head + body)


def file_form(data: bytes) -> Form:
    """A file; a deflated data set is inflated, and deflated again."""
    position = 132 if data[128:132] == b"DICM" else 0
    encoding = EXPLICIT
    while data[position : position + 2] == b"\x02\x00" and position + 8 <= len(data):
        value, length = position + 8, int.from_bytes(data[position + 6 : position + 8], "little")
        if data[position + 4 : position + 6] in LONG:
            value, length = value + 4, int.from_bytes(data[value : value + 4], "little")
        if data[position + 2 : position + 4] == b"\x10\x00":
            encoding = SYNTAXES.get(data[value : value + length].rstrip(b"\0 "), EXPLICIT)
        position = value + length
    head, body = data[:position], data[position:]
    if encoding == DEFLATED:
        try:
            inflater = zlib.decompressobj(-15)
            plain = inflater.decompress(body, 1 << 16)
        except zlib.error:
            return Form(EXPLICIT, body, lambda body: head + body)
        return Form(EXPLICIT, plain, lambda body: head + deflate(body))
    return Form(encoding, body, lambda body: head + body)


def deflate(data: bytes) -> bytes:
    """As PS3.5 Annex A.5 wants it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def tokens(form: Form) -> list[Token]:
    """Where the elements of a form lie, as far as they can be followed."""
    body, big, implicit = form.body, form.big, form.encoding == IMPLICIT
    order = ">" if big else "<"
    found: list[Token] = []
    position = 0
    while position + 8 <= len(body) and len(found) < MOST_TOKENS:
        group, element, length = struct.unpack_from(order + "HHL", body, position)
        value, at, width = position + 8, position + 4, 4
        vr = body[position + 4 : position + 6]
        container = group == 0xFFFE
        if not container and implicit:
            # no dictionary here: what begins with an item is a sequence
            container = length == UNDEFINED or body[value : value + 4] == b"\xfe\xff\x00\xe0"
        elif not container:
            if vr in LONG:
                if position + 12 > len(body):
                    break
                value, at = position + 12, position + 8
                (length,) = struct.unpack_from(order + "L", body, at)
            else:
                at, width = position + 6, 2
                (length,) = struct.unpack_from(order + "H", body, at)
            container = vr == b"SQ" or length == UNDEFINED
        if container:
            stop = value + length if length != UNDEFINED and element != 0xE00D else 0
            found.append(Token(position, value, value, at, width, stop))
            position = value
        else:
            end = min(value + length, len(body))
            found.append(Token(position, value, end, at, width, 0))
            position = end
    return found

"""Fragments that begin as compressed images, found by both twins of the index (PS3.5 Annex A.4)."""

from __future__ import annotations

import io
import itertools
import random

import _write_stds as std
import pytest

from dicomseal.encoding import record as r
from dicomseal.standard.compressed_images import BEGINNING, MAX_BEGINNING

BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  ",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL ",
    b"\x01\0\0\0\x40\0\0\0",
    b"\x0f\0\0\0\x40\0\0\0",
)
OTHERS = (
    b"\0\0\0\0\x40\0\0\0", b"\x10\0\0\0\x40\0\0\0", b"\x01\x01\0\0\x40\0\0\0",
    b"\x01\0\0\0\x40\0\0\x01", b"\0\0\0\x0cjP\0\0", b"\xff\xd8\xfe", b"\xff\x4f\xff\x52",
)  # fmt: skip


def pixels(*values):
    return (
        std.PIXEL_DATA_OB
        + std.UNDEFINED
        + b"".join(b"\xfe\xff\0\xe0" + len(one).to_bytes(4, "little") + one for one in values)
        + std.SEQUENCE_END
    )


def found(index):
    return [bool(index.record(one).flags & r.IMAGE) for one in index.children(1)]


@pytest.mark.parametrize("value", [*BEGINNINGS, *OTHERS])
def test_each_beginning_and_what_is_cut_off_or_follows(backend, value):
    values = [value[:length] for length in range(len(value) + 1)] + [value + b"more"]
    index = backend.Index(pixels(b"", *values))
    expected = [BEGINNING.match(one) is not None for one in values]
    assert found(index)[1:] == expected
    assert index.images(1) == sum(expected)
    assert expected[-1] is (value in BEGINNINGS)


def test_the_table_is_not_counted(backend):
    image = BEGINNINGS[0] + b"\0"
    assert backend.Index(pixels(image, image, b"none")).images(1) == 1
    assert backend.Index(pixels(image)).images(1) == 0
    assert backend.Index(pixels()).images(1) == 0


def test_a_beginning_has_no_more_bytes_than_are_read():
    assert max(map(len, BEGINNINGS)) == MAX_BEGINNING


def test_any_bytes(backend):
    """Every value of eight bytes that are likely in a beginning, as far as they are drawn."""
    rng = random.Random(11)
    letters = sorted({byte for value in (*BEGINNINGS, *OTHERS) for byte in value})
    drawn = [bytes(rng.choices(letters, k=rng.randrange(9))) for _ in range(2000)]
    changed = [
        value[:place] + bytes([byte]) + value[place + 1 :]
        for value in BEGINNINGS
        for place, byte in itertools.product(range(len(value)), letters)
    ]
    values = drawn + changed
    index = backend.Index(pixels(b"", *values))
    assert found(index)[1:] == [BEGINNING.match(one) is not None for one in values]


def test_in_a_file_that_is_read_in_pieces(backend):
    from dicomseal.encoding.pieces import Pieces, Stretch

    image = BEGINNINGS[0] + bytes(65533)  # so that beginnings lie where a piece ends
    data = pixels(b"", *([image] * 5), b"none")
    index = backend.Index(Pieces([Stretch(io.BytesIO(data))]))
    assert index.images(1) == 5

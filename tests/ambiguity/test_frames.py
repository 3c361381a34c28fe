"""Fragments and frames of encapsulated Pixel Data: what can be joined or cut without a trace."""

from __future__ import annotations

import io
import struct

import pki
import pytest

from dicomseal import sign_file, verify
from dicomseal.errors import SigningError
from dicomseal.signature.items import encode
from dicomseal.standard import transfer_syntaxes

MARK = b"\xfe\xff\x00\xe0"
JPEG = [b"\xff\xd8\xff" + word + b"\xff\xd9" for word in (b" first ", b" second", b" third ")]
RLE = [struct.pack("<16L", 1, 64, *[0] * 14) + bytes([number]) * 4 for number in range(3)]


def file(fragments: list[bytes], count: int | None, syntax: str, table: bytes = b"",
         extended: bytes | None = None) -> bytes:  # fmt: skip
    elements = [e for e in pki.SMALL if e[0] < 0x00280000]
    if count is not None:
        text = str(count).encode()
        elements.append((0x00280008, "IS", text + b" " * (len(text) % 2)))
    data = encode(elements)
    if extended is not None:
        data += encode([(0x7FE00001, "OV", extended)])
    data += b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
    for fragment in (table, *fragments):
        data += MARK + struct.pack("<L", len(fragment)) + fragment
    return pki.part10(data + b"\xfe\xff\xdd\xe0\0\0\0\0", syntax)


def signed(data: bytes) -> bytes:
    out = io.BytesIO()
    sign_file(data, out, *pki.member("rsa").pair)
    return out.getvalue()


def offsets(fragments: list[bytes], form: str = "L") -> bytes:
    starts, start = [], 0
    for fragment in fragments:
        starts.append(start)
        start += 8 + len(fragment)
    return struct.pack(f"<{len(starts)}{form}", *starts)


def exchanged(data: bytes, old: list[bytes], new: list[bytes]) -> bytes:
    """A copy with other fragments of the same stream."""

    def written(fragments):
        return b"".join(MARK + struct.pack("<L", len(f)) + f for f in fragments)

    assert MARK.join(old) == MARK.join(new)
    assert written(old) in data
    return data.replace(written(old), written(new))


def answer(data: bytes):
    return verify(data, integrity_only=True, unsigned="accept")


@pytest.mark.parametrize("fragments", [JPEG, RLE], ids=["jpeg", "rle"])
@pytest.mark.parametrize("with_table", [False, True])
@pytest.mark.parametrize("joined", [(0, 1), (1, 2), (0, 2)])
def test_frames_joined_into_one_fragment(backend, fragments, with_table, joined):
    syntax = pki.JPEG if fragments is JPEG else transfer_syntaxes.RLE_LOSSLESS
    data = signed(file(fragments, 3, syntax, offsets(fragments) if with_table else b""))
    assert answer(data).verdict == "passed"
    first, last = joined
    new = [*fragments[:first], MARK.join(fragments[first : last + 1]), *fragments[last + 1 :]]
    assert answer(exchanged(data, fragments, new)).verdict == "failed"


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"])
@pytest.mark.parametrize("table", ["empty", "right", "taken in"])
def test_frames_that_do_not_begin_as_an_image(backend, syntax, table):
    """Raw or deflated, each is one fragment (PS3.5 A.4.11, A.4.13), so they can be counted."""
    frames = [b"\x63\x60" + bytes([number]) * 18 for number in range(3)]
    data = signed(file(frames, 3, syntax, offsets(frames) if table == "right" else b""))
    assert answer(data).verdict == "passed"
    old = [b"", *frames] if table == "taken in" else frames
    assert answer(exchanged(data, old, [MARK.join(old[:2]), *old[2:]])).verdict == "failed"


def test_a_fragment_cut_in_two(backend):
    """One that holds the mark of an item: with RLE each frame has one fragment."""
    second = RLE[1][:64] + MARK + RLE[1][64:]
    fragments = [RLE[0], second, RLE[2]]
    data = signed(file(fragments, 3, transfer_syntaxes.RLE_LOSSLESS))
    assert answer(data).verdict == "passed"
    cut = exchanged(data, fragments, [RLE[0], RLE[1][:64], RLE[1][64:], RLE[2]])
    assert answer(cut).verdict == "failed"


@pytest.mark.parametrize(
    ("table", "extended", "why"),
    [
        (struct.pack("<3L", 0, 40, 20), None, "does not name its fragments"),
        (struct.pack("<3L", 0, 20, 41), None, "does not name its fragments"),
        (struct.pack("<3L", 8, 20, 40), None, "does not name its fragments"),
        (struct.pack("<2L", 0, 20), None, "for 2 and not 3 frames"),
        (b"", offsets(JPEG, "Q"), ""),
        (b"", struct.pack("<3Q", 44, 22, 0), "does not name its fragments"),
        (offsets(JPEG), offsets(JPEG, "Q"), "two offset tables"),
    ],
)
def test_offset_tables_name_the_fragments_in_their_order(backend, table, extended, why):
    data = file(JPEG, 3, pki.JPEG, table, extended)
    if why:
        with pytest.raises(SigningError, match=why):
            signed(data)
    else:
        assert answer(signed(data)).verdict == "passed"


@pytest.mark.parametrize(
    ("count", "fragments", "syntax", "right"),
    [
        (None, JPEG[:1], pki.JPEG, True),
        (1, JPEG, pki.JPEG, True),
        (4, JPEG, pki.JPEG, True),
        (1, RLE, transfer_syntaxes.RLE_LOSSLESS, False),
        (3, RLE, transfer_syntaxes.RLE_LOSSLESS, True),
        (300, JPEG[:1], "1.2.840.10008.1.2.4.100", True),
        (3, [], pki.JPEG, True),
    ],
)
def test_frames_are_counted(backend, count, fragments, syntax, right):
    data = file(fragments, count, syntax)
    if right:
        assert answer(signed(data)).verdict == "passed"
    else:
        with pytest.raises(SigningError, match="fragments for"):
            signed(data)


def test_an_extended_offset_table_added_behind_the_signature(backend):
    """It says which frame is which, and nobody signed it."""
    data = signed(file(JPEG, 3, pki.JPEG))
    for order, verdict in ((offsets(JPEG, "Q"), "passed"), (offsets(JPEG, "Q")[::-1], "failed")):
        at = data.index(b"\xe0\x7f\x10\0OB\0\0")
        forged = data[:at] + encode([(0x7FE00001, "OV", order)]) + data[at:]
        assert answer(forged).verdict == verdict
    assert verify(forged, integrity_only=True).verdict == "failed"

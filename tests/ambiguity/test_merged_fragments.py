"""Fragments that are frames, made one: the bytes that are hashed stay, the frames do not."""

from __future__ import annotations

import struct

import pki
import pytest
from _apart import Signed

from dicomseal import verify
from dicomseal.ambiguity import merged_fragments
from dicomseal.signature.items import encode
from dicomseal.standard import terms

TAG = b"\xfe\xff\x00\xe0"
IMAGES = {
    "jpeg": b"\xff\xd8\xff\xe0 one image \xff\xd9\0",
    "jpeg 2000": b"\xff\x4f\xff\x51 one image \xff\xd9\0",
    "jp2": b"\0\0\0\x0cjP  one image \xff\xd9",
    "jpeg xl": b"\xff\x0a one image",
    "jxl": b"\0\0\0\x0cJXL one image \xff\xd9",
    "rle": struct.pack("<16L", 2, 64, 66, *[0] * 13) + b"abcd",
}


def pixels(*values):
    parts = [TAG + struct.pack("<L", len(one)) + one for one in values]
    return (
        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + b"".join(parts) + b"\xfe\xff\xdd\xe0" + bytes(4)
    )


@pytest.fixture
def signed(tmp_path):
    def make(*values, frames="3", **how):
        body = [(0x00080018, "UI", b"1.2.3.4\0")]
        if frames is not None:
            body.append((0x00280008, "IS", frames.encode() + b" " * (len(frames) % 2)))
        path = tmp_path / "in.dcm"
        path.write_bytes(pki.part10(encode(body) + pixels(*values), pki.JPEG))
        return Signed(tmp_path, path, **how)

    return make


def answer(data):
    report = verify(data, integrity_only=True)
    (one,) = report.signatures
    reason = one.integrity_reason
    return report.verdict, one.integrity, reason and (reason.code, reason.message)


GOOD = ("passed", "intact", None)
MERGED = (
    "failed",
    "altered",
    (
        "FORMAT_FAILURE",
        "fragments of the encapsulated (7FE0,0010) that were frames are merged into one",
    ),
)


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("with_table", [False, True])
def test_frames_made_one(signed, image, with_table, backend):
    size = 8 + len(image)
    table = struct.pack("<3L", 0, size, 2 * size) if with_table else b""
    whole = signed(table, image, image, image)
    assert answer(whole.data) == GOOD
    for values in (
        (table, image + TAG + image, image),
        (table, image, image + TAG + image),
        (table + TAG + image, image, image),
        (table, image + TAG + image + TAG + image),
        (table + TAG + image + TAG + image + TAG + image,),
    ):
        assert answer(whole.rebuilt(t7fe00010=pixels(*values))) == MERGED


def test_frames_of_several_fragments(signed, backend):
    """Where one frame ends and the next begins is what shows; within a frame it does not."""
    image = IMAGES["jpeg"]
    half = image[:8], image[8:]
    whole = signed(b"", *half, *half, frames="2")
    assert answer(whole.data) == GOOD
    inside = pixels(b"", half[0] + TAG + half[1], *half)
    assert answer(whole.rebuilt(t7fe00010=inside)) == GOOD
    between = pixels(b"", half[0], half[1] + TAG + half[0], half[1])
    assert answer(whole.rebuilt(t7fe00010=between)) == MERGED


@pytest.mark.parametrize("frames", ["0", "1", "2", "7", "no number", "99999999999", None])
def test_any_number_of_frames(signed, frames, backend):
    """What an object that was signed so looks like is its signer's affair."""
    for values in (
        (),
        (b"\1\2",),
        (IMAGES["jpeg"],),
        (IMAGES["jpeg"], b"\1\2"),
        (b"\1\2", b"\3\4"),
    ):
        assert answer(signed(b"", *values, frames=frames).data) == GOOD
    if frames in ("0", "1", "no number", None):  # of others it is a table, and a wrong one
        assert answer(signed(b"\1\2\3\4\5\6", IMAGES["rle"], frames=frames).data) == GOOD


def test_what_only_looks_so(signed, backend):
    """An item tag alone, or an image at an odd place, stands in compressed data by chance."""
    image = IMAGES["jpeg"]
    for value in (image + TAG + b"no image", image + b"\0" + TAG + image + b"\0"):
        assert answer(signed(b"", value, image, frames="3").data) == GOOD


def test_as_many_images_as_frames(signed, backend):
    """Then nothing was merged, whatever else stands in a fragment; it is not looked through."""
    image = IMAGES["jpeg"]
    assert answer(signed(b"", image + TAG + image, image, frames="2").data) == GOOD


def test_no_image_that_is_known(signed, backend):
    """Video has all its frames in one fragment, and is not read again."""
    video = b"\0\0\1\xb3 frames" + TAG + IMAGES["jpeg"]
    assert answer(signed(b"", video, frames="300").data) == GOOD


def test_pixels_that_are_not_signed(signed):
    image = IMAGES["jpeg"]
    data = signed(b"", image + TAG + image, image, tags=["SOPInstanceUID"]).data
    assert verify(data, integrity_only=True).signatures[0].integrity == "intact"


def test_it_is_found_wherever_it_lies(signed, monkeypatch):
    """A fragment is read in pieces."""
    image = IMAGES["jpeg"]
    monkeypatch.setattr(merged_fragments, "_PIECE", 64)
    for length in range(0, 140, 2):
        first = image + b"x" * length
        whole = signed(b"", first, image, frames="2")
        assert answer(whole.data) == GOOD
        assert answer(whole.rebuilt(t7fe00010=pixels(b"", first + TAG + image))) == MERGED


def test_nothing_is_encapsulated(tmp_path):
    path = tmp_path / "in.dcm"
    path.write_bytes(pki.part10(encode([(terms.PIXEL_DATA, "OW", bytes(8))]), pki.EXPLICIT))
    assert answer(Signed(tmp_path, path).data) == GOOD

"""Pixels are decoded in a process of their own: what it does there harms nobody else."""

from __future__ import annotations

import subprocess

import pytest
from _altered import CT, changed
from pki import part10

from dicomseal.explanation.pixels import decoding
from dicomseal.explanation.pixels.decoding import Decoded, decoded
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode

PIXELS = 0x7FE00010


def opened(elements=CT, syntax="1.2.840.10008.1.2.1"):
    return Part10.from_bytes(part10(encode(elements), syntax))


def child(monkeypatch, program):
    """Something else in the place of the process that decodes."""
    run = subprocess.run
    monkeypatch.setattr(
        decoding.subprocess, "run",
        lambda command, **options: run([command[0], "-c", program], **options),
    )  # fmt: skip


def test_native_pixels_are_what_they_are():
    values = decoded(opened())
    assert values.frames == [bytes(range(32))]
    assert (values.samples, values.width, values.photometric) == (1, 2, "MONOCHROME2")


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), 11)",
        "raise SystemExit(3)",
        "print('garbage')",
        "print('{\"sizes\": [5]}'); print('abc', end='')",
        "print('{\"sizes\": []}')",
        "",
    ],
    ids=["abort", "segmentation fault", "exit", "no JSON", "too short", "no figures", "silent"],
)
def test_a_decoder_that_breaks_takes_only_itself_along(monkeypatch, program):
    child(monkeypatch, program)
    assert decoded(opened()) is None


def test_a_decoder_that_never_ends(monkeypatch):
    child(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(decoding, "_SECONDS", 1)
    assert decoded(opened()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {0x00280010: b"\xff\xff", 0x00280011: b"\xff\xff", 0x00280100: b"\x20\0"},
        {0x00280008: ("IS", b"2147483647 ")},
        {0x00280008: ("IS", b"many")},
        {0x00280010: None},
        {PIXELS: None},
    ],
)
def test_pixels_that_are_too_many_or_not_there(changes):
    values = decoded(opened(changed(changes)))
    assert values is None or values.frames == [b""]


def test_what_claims_to_be_compressed():
    for syntax in ("5", "4.50", "4.70", "4.80", "4.90"):
        assert decoded(opened(syntax=f"1.2.840.10008.1.2.{syntax}")) is None


def test_an_object_that_is_too_large_is_not_even_read(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_BYTES", 100)
    monkeypatch.setattr(decoding.subprocess, "run", None)
    assert decoded(opened()) is None


def test_colour_by_plane_and_by_pixel():
    by_pixel = bytes((1, 2, 3, 4, 5, 6))
    decoded = Decoded([by_pixel], 0, 3, 1, "RGB")
    assert decoded.ordered(0) == by_pixel
    assert decoded.ordered(1) == bytes((1, 4, 2, 5, 3, 6))
    assert decoded._replace(frames=[decoded.ordered(1)], planar=1).ordered(0) == by_pixel
    wide = Decoded([bytes((1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0))], 0, 3, 2, "RGB")
    assert wide.ordered(1) == bytes((1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0))

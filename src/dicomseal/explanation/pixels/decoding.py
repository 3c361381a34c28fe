"""Decode or compress the pixels of an object, in a separate process with a time limit."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ...files.part10 import Part10

MAX_BYTES = 256 << 20
"""Bytes of an object that is decoded, and of its pixels."""
_SECONDS = 60


class Decoded(NamedTuple):
    """The pixels of an object.

    Attributes:
        frames: their bytes.
        planar: their Planar Configuration.
        samples, width: samples of a pixel, bytes of a sample.
        photometric: their Photometric Interpretation.
    """

    frames: list[bytes]
    planar: int
    samples: int
    width: int
    photometric: str

    def ordered(self, planar: int) -> bytes:
        """Return all pixels in a Planar Configuration."""
        if self.samples == 1 or planar == self.planar:
            return b"".join(self.frames)
        return b"".join(map(self._turned, self.frames))

    def _turned(self, frame: bytes) -> bytes:
        """Convert colour by pixel to colour by plane, or the reverse (PS3.3 C.7.6.3.1.3)."""
        width, samples = self.width, self.samples
        count = len(frame) // (width * samples)
        out = bytearray(len(frame))
        for sample, byte in itertools.product(range(samples), range(width)):
            by_plane = slice(sample * count * width + byte, (sample + 1) * count * width, width)
            by_pixel = slice(sample * width + byte, None, width * samples)
            if self.planar:
                out[by_pixel] = frame[by_plane]
            else:
                out[by_plane] = frame[by_pixel]
        return bytes(out)


def decoded(part10: Part10) -> Decoded | None:
    """Return the frames; None if no installed decoder can decode them, or not in time."""
    found = _child(part10, "decode", str(MAX_BYTES))
    if found is None:
        return None
    head, frames = found
    try:
        return Decoded(
            frames, int(head["planar"]), int(head["samples"]), int(head["width"]),
            str(head["photometric"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def compressed(part10: Part10, plugin: str) -> list[bytes] | None:
    """Return the frames compressed by RLE Lossless (PS3.5 Annex G); None as in `decoded`."""
    found = _child(part10, "compress", plugin)
    return None if found is None else found[1]


def _child(part10: Part10, *arguments: str) -> tuple[dict[str, Any], list[bytes]] | None:
    if part10.size > MAX_BYTES or not sys.executable:
        return None
    command = [sys.executable, "-m", f"{__package__}.child", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - ourselves, with two words of ours
            command, input=_bytes_of(part10), capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    line, _, rest = done.stdout.partition(b"\n")
    if done.returncode or not line:
        return None
    try:
        head = json.loads(line)
        ends = list(itertools.accumulate(head["sizes"], initial=0))
    except (KeyError, TypeError, ValueError):
        return None
    if ends[-1] != len(rest):
        return None
    return head, [rest[start:end] for start, end in itertools.pairwise(ends)]


def _bytes_of(part10: Part10) -> bytes:
    if part10.deflated is not None:
        return part10.head + part10.deflated
    source = part10.source
    return bytes(source.read(0, len(source)) if hasattr(source, "read") else source)

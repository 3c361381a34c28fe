"""The process that decodes: an object on standard input, its frames on standard output.

Decoders are native code, and their input comes from strangers. If a decoder crashes or never ends,
only this process is affected.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from typing import Any, BinaryIO


def main(source: BinaryIO, target: BinaryIO, most: int) -> None:
    """Decode an object, and write a line of JSON, then the frames one after the other.

    Args:
        source: the object.
        target: gets them.
        most: how many bytes the frames may have.
    """
    warnings.simplefilter("ignore")  # exceptions of pydicom for unusual objects
    from pydicom import dcmread
    from pydicom.pixels.decoders.base import get_decoder

    dataset = dcmread(io.BytesIO(source.read()), force=True)
    syntax = dataset.file_meta.TransferSyntaxUID
    width = (int(dataset.BitsAllocated) + 7) // 8
    samples = int(dataset.SamplesPerPixel)
    count = int(dataset.get("NumberOfFrames") or 1)
    size = int(dataset.Rows) * int(dataset.Columns) * samples * width
    if size * count > most:
        raise ValueError("too many pixels")
    told: dict[str, Any] = {
        "planar_configuration": int(dataset.get("PlanarConfiguration") or 0),
        "photometric_interpretation": str(dataset.PhotometricInterpretation),
    }
    frames: list[bytes] = []
    if syntax.is_encapsulated:
        for frame, how in get_decoder(syntax).iter_buffer(dataset, raw=True):
            frames.append(bytes(frame))
            told.update(how)
    else:
        pixels = bytes(dataset.PixelData)
        frames = [pixels[at : at + size] for at in range(0, size * count, size)]
    head = {
        "sizes": [len(frame) for frame in frames],
        "planar": int(told["planar_configuration"]),
        "photometric": str(told["photometric_interpretation"]),
        "samples": samples,
        "width": width,
    }
    target.write(json.dumps(head).encode() + b"\n")
    for frame in frames:
        target.write(frame)
    target.flush()


def compress(source: BinaryIO, target: BinaryIO, plugin: str) -> None:
    """Compress the pixels of an object by RLE, and write a line of JSON, then the frames."""
    warnings.simplefilter("ignore")
    from pydicom import dcmread
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import RLELossless

    dataset = dcmread(io.BytesIO(source.read()), force=True)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        dataset.decompress(as_rgb=False)
    frames = list(get_encoder(RLELossless).iter_encode(dataset, encoding_plugin=plugin))
    target.write(json.dumps({"sizes": [len(frame) for frame in frames]}).encode() + b"\n")
    target.writelines(frames)
    target.flush()


if __name__ == "__main__":
    if sys.argv[1] == "decode":
        main(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[2]))
    else:
        compress(sys.stdin.buffer, sys.stdout.buffer, sys.argv[2])

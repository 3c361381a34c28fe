"""What pydicom, GDCM and SimpleITK show of files: ``python -m differential.readers NAME``.

One process for each reader, for it may crash or hang on a mutant. It reads paths, a line each, and
answers each with a line of JSON: ``refused`` (why), or ``elements`` by tag and ``pixels``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

# an element's value: text, or the items of a sequence; none is an element that is not shown
Shown = str | list[dict[str, Any]]
LONGEST = 120
SIGNING = (0x4FFE0001, 0xFFFAFFFA)  # not content
DEEPEST = 12
MOST_ITEMS = 200


def text(value: str | bytes) -> str:
    """A value without its padding; a long one is cut, and told by its digest."""
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    bare = raw.rstrip(b"\0 ")
    # of a number nothing is padding
    said = (bare if bare.isascii() and bare.decode("ascii").isprintable() else raw).decode(
        "latin-1"
    )
    if len(said) <= LONGEST:
        return said
    raw += b"\0" * (len(raw) % 2)  # an odd value was padded (PS3.5 Section 7.1.1)
    return f"{said[:40]}... {len(raw)} bytes, SHA-1 {hashlib.sha1(raw).hexdigest()}"


def digest(raw: bytes) -> str:
    return hashlib.sha1(raw).hexdigest()[:20]


# --- pydicom ------------------------------------------------------------------------------------


def by_pydicom(path: str) -> dict[str, Any]:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(path)
        elements = _of_pydicom(dataset, 0)
    except InvalidDicomError as error:
        return {"refused": str(error)}
    return {"elements": elements, "pixels": _pixels_of_pydicom(dataset)}


def _of_pydicom(dataset: Any, depth: int) -> dict[str, Any]:
    from pydicom.encaps import generate_fragments

    shown: dict[str, Any] = {}
    for tag in list(dataset.keys()):
        if tag in SIGNING:
            continue
        try:
            element = dataset[tag]
            if element.VR == "SQ" and depth < DEEPEST:
                value: Any = [_of_pydicom(i, depth + 1) for i in element.value[:MOST_ITEMS]]
            elif element.value is None:
                value = ""
            else:
                value = element.value
                if tag == 0x7FE00010 and element.is_undefined_length:
                    value = str([text(f.rstrip(b"\0")) for f in generate_fragments(value)])
                value = text(value if isinstance(value, bytes) else str(value))
        except Exception as error:  # noqa: BLE001 an element that it cannot show
            value = None
            shown[f"{int(tag):08X}?"] = f"{type(error).__name__}"
        if value is not None:
            shown[f"{int(tag):08X}"] = value
    return shown


def _pixels_of_pydicom(dataset: Any) -> dict[str, Any]:
    """Digests of the frames as arrays, and of the coded frames that a decoder would get."""
    from pydicom.encaps import generate_frames

    found: dict[str, Any] = {}
    if "PixelData" not in dataset:
        return found
    with contextlib.suppress(Exception):
        array = dataset.pixel_array
        count = int(dataset.get("NumberOfFrames") or 1)
        pictures = array if count > 1 else [array]
        found["arrays"] = [[str(f.shape), str(f.dtype), digest(f.tobytes())] for f in pictures]
    with contextlib.suppress(Exception):
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            extended = None
            if "ExtendedOffsetTable" in dataset:
                extended = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
            coded = generate_frames(
                dataset.PixelData,
                number_of_frames=int(dataset.get("NumberOfFrames") or 1),
                extended_offsets=extended,
            )
            found["coded"] = [digest(frame.rstrip(b"\0")) for frame in coded]
    return found


# --- GDCM ---------------------------------------------------------------------------------------


def by_gdcm(path: str) -> dict[str, Any]:
    import gdcm

    reader = gdcm.Reader()
    reader.SetFileName(path)
    if not reader.Read():
        return {"refused": "Read() is false"}
    elements = _of_gdcm(gdcm, reader.GetFile().GetDataSet(), 0)
    pixels = {}
    # without a size GDCM reads beyond its memory
    if "7FE00010" in elements and "00280010" in elements and "00280011" in elements:
        images = gdcm.ImageReader()
        images.SetFileName(path)
        if images.Read():
            image = images.GetImage()
            size = [image.GetDimension(n) for n in range(image.GetNumberOfDimensions())]
            kind = f"{image.GetPixelFormat()} {image.GetPhotometricInterpretation()}"
            raw = image.GetBuffer().encode("utf-8", "surrogateescape")
            each = len(raw) // size[2] if len(size) > 2 and size[2] else len(raw) or 1
            frames = [digest(raw[at : at + each]) for at in range(0, len(raw), each)]
            pixels = {"arrays": [str(size), " ".join(kind.split()), frames]}
    return {"elements": elements, "pixels": pixels}


def _of_gdcm(gdcm: Any, dataset: Any, depth: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    at = 0
    for _ in range(dataset.Size()):
        element = dataset.FindNextDataElement(gdcm.Tag(at >> 16, at & 0xFFFF))
        tag = element.GetTag().GetGroup() << 16 | element.GetTag().GetElement()
        if tag < at:
            break
        at = tag + 1
        if tag in SIGNING:
            continue
        raw = element.GetByteValue()
        value: Any = raw.GetBuffer() if raw else ""
        fragments = element.GetSequenceOfFragments()
        items = None
        if fragments is not None:
            value = f"{fragments.GetNumberOfFragments()} fragments"
        elif not raw or value.startswith("\udcfe\udcff\0\udce0"):
            items = element.GetValueAsSQ()
        if items is not None and items.GetPointer() is not None and depth < DEEPEST:
            value = [
                _of_gdcm(gdcm, items.GetItem(n + 1).GetNestedDataSet(), depth + 1)
                for n in range(min(items.GetNumberOfItems(), MOST_ITEMS))
            ]
        shown[f"{tag:08X}"] = value if isinstance(value, list) else text(value)
        if at > 0xFFFFFFFF:
            break
    return shown


# --- SimpleITK ----------------------------------------------------------------------------------


def by_itk(path: str) -> dict[str, Any]:
    import SimpleITK as itk  # noqa: N813

    itk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = itk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    try:
        picture = reader.Execute()
    except RuntimeError as error:
        return {"refused": str(error)[-200:]}
    elements = {}
    for key in reader.GetMetaDataKeys():
        group, bar, element = key.partition("|")
        if bar:
            elements[f"{group}{element}".upper()] = text(reader.GetMetaData(key))
    array = itk.GetArrayViewFromImage(picture)
    frames = [digest(frame.tobytes()) for frame in (array if array.ndim > 2 else [array])]
    return {
        "elements": elements,
        "pixels": {"arrays": [str(picture.GetSize()), str(array.dtype), frames]},
    }


READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "pydicom": by_pydicom, "gdcm": by_gdcm, "itk": by_itk
}  # fmt: skip


def main() -> int:
    """Answer until there are no more paths."""
    # what a library prints must not be taken for an answer
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    warnings.simplefilter("ignore")
    if sys.argv[1] == "gdcm":
        import gdcm

        gdcm.Trace.WarningOff()
        gdcm.Trace.ErrorOff()
    show = READERS[sys.argv[1]]
    for line in sys.stdin:
        try:
            answer = show(line.rstrip("\n"))
        except Exception as error:  # noqa: BLE001 whatever a mutant brings about in a reader
            answer = {"refused": f"{type(error).__name__}: {error}"[:200]}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

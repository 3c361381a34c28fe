"""Data sets in memory, with VRs that the encoding they will be written in may not keep."""

from __future__ import annotations

import io
import random
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from dicomseal.standard import transfer_syntaxes

ENCODINGS = {
    "implicit": transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
    "explicit": transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN,
    "big-endian": transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
    "deflated": transfer_syntaxes.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
}
# tag, VRs that it may have in memory, values
_ELEMENTS: tuple[tuple[int, tuple[str, ...], tuple[Any, ...]], ...] = (
    (0x00081190, ("UR", "UT"), ("http://x", "")),
    (0x00100010, ("PN", "LO"), ("A^B", "Doe^Jane")),
    (0x00100020, ("LO", "SH"), ("1", "22", None)),
    (0x00101030, ("DS",), ("70.5", ["1", "2"])),
    (0x00189810, ("US", "SS", "US or SS"), (5,)),
    (0x00200062, ("CS", "LO"), ("L",)),
    (0x00280106, ("US", "SS", "US or SS"), (7, None)),
    (0x00281101, ("US", "SS"), ([2, 0, 16],)),
    (0x00720052, ("AT",), (0x00100010,)),
    (0x00720067, ("OF",), (b"\0\1\2\3",)),
    (0x00720075, ("OL",), (b"\0\1\2\3",)),
    (0x00720076, ("FL",), (1.5,)),
    (0x00720078, ("UL",), ([1, 70000],)),
    (0x00720082, ("SV",), (-3,)),
    (0x60003000, ("OB", "OW"), (b"\1\2",)),
)


def _fill(scope: Dataset, choose: random.Random, depth: int) -> None:
    for tag, vrs, values in choose.sample(_ELEMENTS, choose.randrange(1, 7)):
        vr, value = choose.choice(vrs), choose.choice(values)
        if isinstance(value, bytes) != vr.startswith("O") and value is not None:
            continue
        scope.add_new(tag, vr, value)
    if choose.random() < 0.6:
        vr, value = choose.choice((("LO", "x"), ("US", 3), ("OW", b"\0\1"), ("UN", b"??")))
        creator = choose.choice(("ACME", "SIEMENS MR HEADER"))
        scope.private_block(0x19, creator, create=True).add_new(8, vr, value)
    if depth and choose.random() < 0.5:
        scope.ReferencedImageSequence = [Dataset() for _ in range(choose.randrange(3))]
        for item in scope.ReferencedImageSequence:
            _fill(item, choose, depth - 1)


def data_set(seed: int, encoding: str) -> Dataset:
    """One that was made in memory, or read in one encoding and is to be written in another."""
    choose = random.Random(seed)
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    name = ENCODINGS[choose.choice(list(ENCODINGS))]
    data_set.file_meta.TransferSyntaxUID = UID(name)
    data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = f"2.25.{seed + 1}"
    data_set.PatientName = "A^B"
    if choose.random() < 0.5:
        data_set.Rows = data_set.Columns = 2
        data_set.BitsAllocated = choose.choice((8, 16))
        data_set.PixelRepresentation = choose.randrange(2)
        data_set.PixelData = bytes(range(4 * data_set.BitsAllocated // 8))
        data_set["PixelData"].VR = "OB" if data_set.BitsAllocated == 8 else "OW"
    _fill(data_set, choose, 2)
    big = [uid == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN for uid in (name, ENCODINGS[encoding])]
    if choose.random() < 0.4 and big[0] == big[1]:  # pydicom converts between no others
        data_set = dcmread(io.BytesIO(saved(data_set)))
    data_set.file_meta.TransferSyntaxUID = UID(ENCODINGS[encoding])
    return data_set


def saved(dataset: Dataset) -> bytes:
    """The file that it becomes."""
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()

"""The report on a data set is that on the file of it, and takes no copy of large values."""

from __future__ import annotations

import io
import os
import tracemalloc

import msgspec
import pki
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from dicomseal import canonical, sign, verify
from dicomseal.report import ObjectReport

pytestmark = pytest.mark.filterwarnings("ignore")
RSA = pki.member("rsa").pair
NAMES = (
    "CT_small", "test-SR", "rtplan", "waveform_ecg", "MR_small_implicit", "liver_expb_1frame",
    "JPEG2000", "SC_rgb_rle_2frame",
)  # fmt: skip


def comparable(report: ObjectReport) -> ObjectReport:
    """The report without what is said of File Meta Information, and its bytes in the size."""
    messages = tuple(one for one in report.messages if "File Meta Information" not in one)
    return msgspec.structs.replace(report, bytes=0, messages=messages)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("change", [None, "PatientID", "DigitalSignaturesSequence"])
def test_the_report_is_that_of_the_file(name, decode, change):
    data_set = dcmread(get_testdata_file(f"{name}.dcm"))
    sign(
        data_set,
        *RSA,
        tags=[tag for tag in ("PatientID", "StudyDate", "Modality") if tag in data_set],
    )
    if change == "PatientID":
        data_set.PatientID = "somebody else"
    elif change:
        del data_set[change]
    out = io.BytesIO()
    data_set.save_as(out)
    read = dcmread(io.BytesIO(out.getvalue()))
    if decode:
        for _ in read.iterall():
            pass
    for options in ({}, {"integrity_only": True}, {"unsigned": "reject"}):
        of_file, of_data_set = verify(out.getvalue(), **options), verify(read, **options)
        assert comparable(of_data_set) == comparable(of_file)


def peak_of(process):
    """The most memory that a process had since it was last asked, and what it has, in bytes."""
    with open(f"/proc/{process}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    found = [int(lines[name].split()[0]) << 10 for name in ("VmHWM", "VmRSS")]
    with open(f"/proc/{process}/clear_refs", "w") as reset:
        reset.write("5")
    return found


def added(call):
    """The memory that a call adds at its peak: Python's, and the process's where Linux tells."""
    call()
    tracemalloc.start()
    try:
        call()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if os.access("/proc/self/clear_refs", os.W_OK):
        before = peak_of("self")[1]
        call()
        most = max(most, peak_of("self")[0] - before)
    return most


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=["LE", "BE"])
@pytest.mark.parametrize("kind", ["bytes", "array", "buffer", "raw"])
def test_large_values_are_not_copied(syntax, kind):
    """105 MB of pixels, and no more than 2 MiB beside them."""
    size = 105_000_000
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data_set.PatientID = "1234"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    pixels = b"\1\2" * (size // 2)
    if kind == "raw":
        tag, little = Tag(0x7FE00010), syntax is ExplicitVRLittleEndian
        data_set._dict[tag] = RawDataElement(tag, "OW", size, pixels, 0, False, little)
        data_set.set_original_encoding(False, little, "iso8859")
    else:
        form = {"bytes": bytes, "array": bytearray, "buffer": io.BytesIO}[kind]
        data_set.add_new(0x7FE00010, "OW", b"")
        data_set["PixelData"]._value = form(pixels)
    sign(data_set, *RSA)
    for call in (
        lambda: canonical.digest(data_set),
        lambda: verify(data_set, integrity_only=True),
        lambda: sign(data_set, *RSA),
    ):
        assert added(call) < 2 << 20
    assert verify(data_set, integrity_only=True).passed

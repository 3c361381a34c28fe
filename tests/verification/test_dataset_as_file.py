"""The report on a data set is that on the file of it, and takes no copy of large values."""

from __future__ import annotations

import io
import tracemalloc

import msgspec
import pki
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

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


def test_large_values_are_not_copied():
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data_set.PatientID, data_set.PixelData = "1234", bytes(64 << 20)
    data_set["PixelData"].VR = "OW"
    sign(data_set, *RSA)
    for call in (
        lambda: canonical.digest(data_set),
        lambda: verify(data_set, integrity_only=True),
        lambda: sign(data_set, *RSA),
    ):
        call()
        tracemalloc.start()
        try:
            call()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1 << 20
    assert verify(data_set, integrity_only=True).passed

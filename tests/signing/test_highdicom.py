"""Objects that highdicom builds, a segmentation and a report, are signed and verified."""

from __future__ import annotations

import copy
import io
import sys
from datetime import UTC, datetime

import pki
import pytest

if sys.version_info >= (3, 14):
    pytest.skip("highdicom needs pyjpegls, which has no wheel for 3.14", allow_module_level=True)

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription, segread
from highdicom.sr import (
    Comprehensive3DSR,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    ReferencedSegmentationFrame,
    TrackingIdentifier,
    srread,
)
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

import dicomseal
from dicomseal import TrustStore, verify

UIDS = iter(UID(f"2.25.{number}") for number in range(10**9, 10**9 + 10**6))
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]
KINDS = ["BINARY", "FRACTIONAL", "LABELMAP"]
SERIES = {"manufacturer": "Test", "manufacturer_model_name": "Test",
          "software_versions": "1", "device_serial_number": "1"}  # fmt: skip


def image():
    return dcmread(get_testdata_file("CT_small.dcm"))


def segmentation(syntax=ExplicitVRLittleEndian, kind="BINARY"):
    source = image()
    pixels = np.zeros((source.Rows, source.Columns), np.uint8)
    pixels[20:40, 30:50] = 1
    described = SegmentDescription(
        segment_number=1, segment_label="liver", algorithm_type="MANUAL",
        segmented_property_category=codes.SCT.Organ, segmented_property_type=codes.SCT.Liver,
    )  # fmt: skip
    return Segmentation(
        [source], pixels[np.newaxis], kind, [described], next(UIDS), 2, next(UIDS), 1,
        transfer_syntax_uid=syntax, content_creator_name="Müller^Jürgen",
        content_label="LIVER", **SERIES,
    )  # fmt: skip


def structured_report():
    found = segmentation()
    frame = ReferencedSegmentationFrame(
        found.SOPClassUID, found.SOPInstanceUID, 1, 1,
        highdicom.sr.SourceImageForSegmentation.from_source_image(image()),
    )  # fmt: skip
    observer = PersonObserverIdentifyingAttributes(name="Müller^Jürgen")
    context = ObservationContext(
        observer_person_context=ObserverContext(codes.DCM.Person, observer)
    )
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(next(UIDS), "liver"),
        referenced_segment=frame, finding_type=codes.SCT.Mass,
        finding_sites=[FindingSite(codes.SCT.Liver)],
        measurements=[
            Measurement(codes.SCT.Diameter, 12.5, codes.UCUM.Millimeter),
            Measurement(codes.SCT.Area, 0.1, codes.UCUM.SquareMillimeter),
        ],
    )  # fmt: skip
    content = MeasurementReport(
        context, codes.cid7021.ImagingMeasurementReport,
        imaging_measurements=[group],
    )  # fmt: skip
    return Comprehensive3DSR(
        [image(), found], content[0], next(UIDS), 3, next(UIDS), 1,
        manufacturer="Test", is_complete=True, is_final=True, is_verified=False,
    )  # fmt: skip


def written(dataset):
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def trust():
    return TrustStore([pki.member("root").certificate])


OBJECTS = {
    **{
        f"{kind} {syntax.name}": lambda syntax=syntax, kind=kind: segmentation(syntax, kind)
        for syntax in SYNTAXES
        for kind in KINDS
        if (kind, syntax) != ("BINARY", RLELossless)  # bits are not compressed
    },
    "report": structured_report,
}


@pytest.fixture(params=OBJECTS)
def built(request):
    return OBJECTS[request.param]()


def test_signed_as_it_was_built(backend, built):
    """In memory and in the file that it becomes, where highdicom reads it again."""
    plain = copy.deepcopy(built)
    dicomseal.sign(built, *pki.member("rsa").pair)
    report = verify(built, trust=trust())
    assert (report.verdict, report.uncovered_elements) == ("passed", 0)
    data = written(built)
    assert verify(data, trust=trust()).verdict == "passed"
    again = (srread if "ContentSequence" in built else segread)(io.BytesIO(data))
    assert type(again) is type(built)
    assert verify(again, trust=trust()).verdict == "passed"
    dicomseal.remove(built)
    assert written(built) == written(plain)


def test_the_signature_is_that_of_its_file(built):
    options = {"uid": "2.25.1", "when": datetime.now(UTC)}
    signed = io.BytesIO()
    dicomseal.sign_file(written(built), signed, *pki.member("rsa").pair, **options)
    dicomseal.sign(built, *pki.member("rsa").pair, **options)
    ours = built.DigitalSignaturesSequence[0].Signature
    assert ours == dcmread(io.BytesIO(signed.getvalue())).DigitalSignaturesSequence[0].Signature


def test_what_is_changed_afterwards(built):
    dicomseal.sign(built, *pki.member("rsa").pair)
    if "PixelData" in built:
        pixels = bytearray(built.PixelData)
        pixels[-20] ^= 1
        built.PixelData = bytes(pixels)
    else:
        found = built.ContentSequence[-1].ContentSequence[0].ContentSequence
        number = next(item for item in found if item.ValueType == "NUM")
        number.MeasuredValueSequence[0].NumericValue = "12.6"
    for source in (built, written(built)):
        assert verify(source, trust=trust()).verdict == "failed"


def test_verified_on_load():
    report = structured_report()
    dicomseal.sign(report, *pki.member("rsa").pair, profile="sr", purpose=1)
    dataset = dicomseal.dcmread(written(report), trust=trust(), require="sr")
    assert dataset.seal.passed
    assert Comprehensive3DSR.from_dataset(dataset).content[0].ConceptNameCodeSequence

"""A `pydicom.Dataset` in memory gives the bytes that its file gives."""

from __future__ import annotations

import io
import os

import _write_stds as std
import pydicom
import pytest
from _write_stds import H, item, sequence
from pydicom import Dataset, Sequence, dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, RLELossless

from dicomseal import canonical
from dicomseal.encoding.dataset_encoding import encoding_of, transfer_syntax_of
from dicomseal.encoding.from_pydicom import as_written, stream_dataset
from dicomseal.errors import DicomSealError, EncodingError, MalformedError
from dicomseal.files.part10 import Part10

PIXELS = std.PIXEL_DATA_OB + std.UNDEFINED + std.ITEM_EMPTY + std.FRAGMENT + std.SEQUENCE_END
PIXELS_HASHED = std.PIXEL_DATA_OB + std.ITEM + std.FRAGMENT_HASHED + std.END
SQ_HASHED = std.REFERENCED_IMAGES + std.ITEM + std.PATIENT_ID + std.END
META_JPEG = std.META_VERSION + (
    b"\x02\x00\x10\x00"  # (0002,0010)
    b"UI"  # VR
    b"\x16\x00"  # length 22
    b"1.2.840.10008.1.2.4.50"  # JPEG Baseline
)


def hashed(source, tags=None):
    out = bytearray()

    class Recorder:
        update = out.extend

    canonical.update(Recorder, source, tags)
    return bytes(out)


def read(content, meta=std.META_EXPLICIT, **options):
    return dcmread(io.BytesIO(std.PREAMBLE + meta + content), **options)


def decode(data_set):
    """Read every value, as a program does that looks at them."""
    for element in data_set.iterall():
        assert element.value is not data_set
    return data_set


@pytest.fixture(params=["raw", "decoded"])
def state(request):
    return decode if request.param == "decoded" else lambda data_set: data_set


# --- one element after the other ----------------------------------------------------------------


@pytest.mark.parametrize("name", std.FILES)
def test_encodings(backend, state, name):
    meta, content = std.FILES[name]
    assert hashed(state(read(content, meta))) == std.FILE_EXPLICIT


def test_made_in_memory(backend):
    data_set = Dataset()
    data_set.PatientID, data_set.Modality, data_set.PatientName = "1234", "CT", "Doe^J"
    referenced = Dataset()
    referenced.PatientID = "1234"
    data_set.ReferencedImageSequence = [referenced]
    assert hashed(data_set) == std.MODALITY + SQ_HASHED + std.PATIENT_NAME + std.PATIENT_ID


@pytest.mark.parametrize("defined", [False, True])
def test_sequences(backend, state, defined):
    content = std.MODALITY + sequence(item(std.PATIENT_ID, defined), defined=defined)
    assert hashed(state(read(content))) == std.MODALITY + SQ_HASHED


def test_raw_sequence_of_defined_length_is_hashed_by_its_bytes(backend):
    """A value that pydicom would write otherwise: an odd length, a space too many."""
    odd = std.PATIENT_ID[:6] + b"\5\0 1234"
    even = std.PATIENT_ID[:6] + b"\6\0 1234 "
    data_set = read(sequence(item(odd, True), defined=True))
    assert data_set.get_item("ReferencedImageSequence").is_raw
    assert hashed(data_set) == std.REFERENCED_IMAGES + std.ITEM + even + std.END


def test_malformed_raw_sequence(backend):
    broken = std.REFERENCED_IMAGES + b"\4\0\0\0" + b"\1\2\3\4"
    with pytest.raises(MalformedError):
        hashed(read(std.MODALITY + broken))


def test_empty_sequence_and_items(backend, state):
    for defined in (False, True):
        data_set = state(read(std.MODALITY + sequence(b"", defined=defined)))
        assert hashed(data_set) == std.MODALITY + std.REFERENCED_IMAGES + std.END
        data_set = state(read(std.MODALITY + sequence(std.ITEM_EMPTY, defined=defined)))
        assert hashed(data_set) == std.MODALITY + std.REFERENCED_IMAGES + std.ITEM + std.END


@pytest.mark.parametrize(
    "name", sorted(std.NEVER_HASHED.keys() - {"a VR from the future", "group 0000"})
)
def test_never_hashed(backend, state, name):
    never = std.NEVER_HASHED[name]
    content = never + std.PATIENT_ID if never < std.PATIENT_ID else std.PATIENT_ID + never
    assert hashed(state(read(content))) == std.PATIENT_ID


@pytest.mark.parametrize("defined", [False, True])
def test_sequence_with_un_inside(backend, state, defined):
    inner = sequence(item(std.PRIVATE_UNKNOWN, defined), defined=defined)
    content = sequence(item(inner, defined), std.REFERENCED_SERIES, defined)
    assert hashed(state(read(content + std.PATIENT_ID))) == std.PATIENT_ID


@pytest.mark.parametrize("vr", std.BIG_ENDIAN)
@pytest.mark.parametrize("nested", [False, True])
def test_big_endian(backend, state, vr, nested):
    stored, expected = map(H, std.BIG_ENDIAN[vr])
    if nested and vr != "UN":
        stored = H("0008 1140  5351 0000  FFFFFFFF  FFFE E000  FFFFFFFF") + stored
        stored += std.ITEM_END_BIG + std.SEQUENCE_END_BIG
        expected = std.REFERENCED_IMAGES + std.ITEM + expected + std.END
    assert hashed(state(read(stored, std.META_BIG_ENDIAN))) == expected


@pytest.mark.parametrize("name", sorted(std.IMPLICIT.keys() - {"odd"}))
@pytest.mark.parametrize("nested", [False, True])
def test_implicit_vr(backend, name, nested):
    stored, expected = map(H, std.IMPLICIT[name])
    if name == "LUT data":  # pydicom needs the descriptor, too
        stored = H("2800 0230  06000000  000100001000") + stored
        expected = H("2800 0230  5553  0600  000100001000") + expected
    if nested:
        unknown = name in ("no creator", "unknown public tag", "curve, retired and open")
        stored = sequence(item(stored), H(std.REFERENCED_IMAGES_IMPLICIT))
        inside = std.REFERENCED_IMAGES + std.ITEM + expected + std.END
        expected = b"" if unknown else inside
    assert hashed(read(stored, std.META_IMPLICIT)) == expected


@pytest.mark.parametrize(("signed", "vr"), [(0, "US"), (1, "SS")])
@pytest.mark.parametrize("defined", [False, True])
def test_implicit_vr_by_pixel_representation_further_out(backend, state, signed, vr, defined):
    if state is decode and not defined:
        vr = "US"  # pydicom has decided so: it does not look that far out here
    inner = sequence(item(H(std.SMALLEST_VALUE), defined), H("0800 4011"), defined)
    outer = sequence(item(inner, defined), H("0800 1511"), defined)
    stored = outer + H(std.PIXEL_REPRESENTATION[signed])
    inside = std.REFERENCED_IMAGES + std.ITEM + H(std.SMALLEST_VALUE_HASHED[vr]) + std.END
    expected = std.REFERENCED_SERIES + std.ITEM + inside + std.END
    expected += H(std.PIXEL_REPRESENTATION_HASHED[signed])
    assert hashed(state(read(stored, std.META_IMPLICIT))) == expected


def test_private_elements(backend, state):
    stored = H(std.CREATOR_GEMS_IDEN + std.PRIVATE_SL)
    expected = H(std.CREATOR_GEMS_IDEN_HASHED + std.PRIVATE_SL_HASHED)
    assert hashed(state(read(stored, std.META_IMPLICIT))) == expected
    assert hashed(state(read(expected))) == expected


def test_private_elements_made_in_memory(backend):
    data_set = Dataset()
    data_set.private_block(0x0009, "GEMS_IDEN_01", create=True).add_new(0x27, "SL", 0x04030201)
    expected = H(std.CREATOR_GEMS_IDEN_HASHED + std.PRIVATE_SL_HASHED)
    assert hashed(data_set) == expected


# --- encapsulated Pixel Data --------------------------------------------------------------------


def test_encapsulated(backend, state):
    data_set = state(read(std.PATIENT_ID + PIXELS, META_JPEG))
    assert hashed(data_set) == std.PATIENT_ID + PIXELS_HASHED
    assert transfer_syntax_of(data_set) == JPEGBaseline8Bit


def test_encapsulated_in_an_item(backend, state):
    data_set = state(read(sequence(item(PIXELS)), META_JPEG))
    assert hashed(data_set) == std.REFERENCED_IMAGES + std.ITEM + PIXELS_HASHED + std.END


@pytest.mark.parametrize("delimiter", [b"", std.SEQUENCE_END])
@pytest.mark.parametrize("vr", ["OB", "OW", "OB or OW"])
def test_encapsulated_made_in_memory(backend, delimiter, vr):
    """pydicom's dcmwrite takes a value with a delimiter at its end, or without."""
    data_set = Dataset()
    data_set.add(DataElement(0x7FE00010, vr, encapsulate([b"\xff\xd8\xff\xd9"], has_bot=False)))
    data_set["PixelData"].value += delimiter
    data_set["PixelData"].is_undefined_length = True
    assert hashed(data_set) == PIXELS_HASHED
    assert Part10.from_data_set(*as_written(data_set)).index().find(0, 0x7FE00010) > 0


def test_encapsulated_by_the_transfer_syntax(backend):
    """Before pydicom's dcmwrite, an element does not say that it has no length."""
    data_set = Dataset()
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = RLELossless
    data_set.PixelData = encapsulate([b"\xff\xd8\xff\xd9"], has_bot=False)
    data_set["PixelData"].VR = "OB"
    assert hashed(data_set) == PIXELS_HASHED


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize("length", [0, 4, 5, 100_001])
def test_buffered(backend, vr, length):
    """PS3.5 says what is hashed; the buffer is read from where it stands, and put back there."""
    value = bytes(n % 251 for n in range(length))
    data_set = Dataset()
    data_set.BitsAllocated = 8
    data_set.add(DataElement(0x7FE00010, vr, io.BytesIO(value)))
    even = value + bytes(length % 2)
    head = std.PIXEL_DATA_OB if vr == "OB" else std.PIXEL_DATA_OW
    expected = head + len(even).to_bytes(4, "little") + even
    for _ in range(2):
        assert hashed(data_set, ["PixelData"]) == expected
    assert data_set["PixelData"].value.tell() == 0


# --- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (b"ISO_IR 192", "Müller^Jürgen 山田".encode()),
        (b"ISO 2022 IR 6\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        (b"ISO_IR 100", "Müller".encode("latin-1")),
    ],
)
def test_character_sets(backend, state, charset, name):
    charset += b" " * (len(charset) % 2)
    name += b" " * (len(name) % 2)
    content = b"\x08\0\x05\0CS" + len(charset).to_bytes(2, "little") + charset
    named = b"\x10\0\x10\0PN" + len(name).to_bytes(2, "little") + name
    assert hashed(state(read(content + named))) == content + named
    inside = content + sequence(item(named))
    expected = content + std.REFERENCED_IMAGES + std.ITEM + named + std.END
    assert hashed(state(read(inside))) == expected


def test_value_that_cannot_be_written(backend):
    data_set = Dataset()
    data_set.add_new(0x00280010, "US", "not a number")
    with pytest.raises(EncodingError, match=r"pydicom cannot write \(0028,0010\)"):
        hashed(data_set)


def test_value_too_long_for_its_vr(backend):
    data_set = Dataset()
    data_set.add_new(0x00090010, "LO", ["x" * 60] * 2000)
    data_set.PatientID = "1234"
    assert hashed(data_set) == std.PATIENT_ID


# --- whole data sets ----------------------------------------------------------------------------


def test_deferred_values(backend, tmp_path):
    value = bytes(range(250)) * 8
    content = std.PATIENT_ID + std.PIXEL_DATA_OW + len(value).to_bytes(4, "little") + value
    path = tmp_path / "file.dcm"
    path.write_bytes(std.PREAMBLE + std.META_EXPLICIT + content)
    data_set = dcmread(path, defer_size=100)
    assert data_set.get_item("PixelData", keep_deferred=True).value is None
    assert hashed(data_set) == content
    data_set = dcmread(path, defer_size=100)
    os.unlink(path)
    with pytest.raises(EncodingError, match=r"\(7FE0,0010\)"):
        hashed(data_set)


def test_a_data_set_is_not_changed(backend):
    content = std.MODALITY + sequence(item(std.PATIENT_ID, True), defined=True) + PIXELS
    data_set = read(content, META_JPEG)
    before = dict(data_set._dict)
    hashed(data_set)
    assert data_set._dict == before
    assert all(data_set._dict[tag] is element for tag, element in before.items())
    assert all(element.is_raw for element in before.values())


def test_scope_and_coverage(backend):
    data_set = read(std.MODALITY + sequence(item(std.PRIVATE_UNKNOWN + std.PATIENT_ID)))
    out = bytearray()
    coverage = stream_dataset(out.extend, data_set, [0x00080060, 0x00081140, 0x00100020])
    assert (bytes(out), coverage) == (std.MODALITY, (1, 1, (0x00081140,)))
    out.clear()
    inner = data_set.ReferencedImageSequence[0]
    coverage = stream_dataset(out.extend, inner, ancestors=(data_set,))
    assert (bytes(out), coverage) == (std.PATIENT_ID, (1, 1, ()))


def test_ancestors_of_a_scope(backend):
    data_set, inner = Dataset(), Dataset()
    inner.add(DataElement(0x00280106, "US or SS", b"\xfe\xff"))
    data_set.ReferencedImageSequence, data_set.PixelRepresentation = Sequence([inner]), 1
    out = bytearray()
    stream_dataset(out.extend, inner, ancestors=(data_set,))
    assert bytes(out) == H(std.SMALLEST_VALUE_HASHED["SS"])


def readable(folder):
    """pydicom's test files that are DICOM and whole, with their content."""
    for directory, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                content = file.read()
            try:
                Part10.from_bytes(content).index()
            except DicomSealError:
                continue
            yield name, content


# pydicom replaces UN by the VR of its dictionaries where the bytes are a sequence, already at
# reading, and where there are none, or it looks at the value, when it writes: such a data set has
# elements that can be signed where the file has none
REPLACED_UN = {"UN_sequence.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm"}


def test_every_file_of_pydicom(backend, test_files):
    different, seen = set(), 0
    for name, content in readable(test_files):
        seen += 1
        data_set = dcmread(io.BytesIO(content), force=True)
        streamed = hashed(data_set)
        if hashed(content) != streamed:
            different.add(name)
        explicit = Part10.from_data_set(*as_written(data_set), little_endian=True)
        again = bytearray()
        explicit.index().stream(again.extend)
        assert bytes(again) == streamed, name
    assert different == REPLACED_UN
    assert seen > 140


@pytest.mark.parametrize("vr", ["ZZ", "C\xa0", "P\xff"])
def test_a_raw_vr_that_is_none(backend, vr):
    """It cannot be signed, whichever twin is asked."""
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    data_set = Dataset()
    data_set[0x00100010] = RawDataElement(Tag(0x00100010), vr, 2, b"AB", 0, False, True)
    data_set[0x00100020] = RawDataElement(Tag(0x00100020), "LO", 2, b"CD", 0, False, True)
    out = bytearray()
    coverage = stream_dataset(out.extend, data_set)
    assert (coverage.signed, coverage.unsigned) == (1, 1)
    assert bytes(out) == b"\x10\x00\x20\x00LO\x02\x00CD"


@pytest.mark.parametrize("encoding", [(True, True), (False, True), (False, False)])
def test_a_private_transfer_syntax_with_an_encoding(encoding):
    """pydicom writes what was said of it, whatever the data set was read from."""
    data_set = Dataset()
    data_set.PatientID, data_set.Rows = "1234", 5
    data_set.file_meta = FileMetaDataset()
    uid = UID("1.2.3.4")
    uid.set_private_encoding(*encoding)
    data_set.file_meta.TransferSyntaxUID = uid
    assert encoding_of(data_set) == encoding
    out = io.BytesIO()
    data_set.save_as(out, enforce_file_format=False)
    assert out.getvalue().endswith(b"\0\5") == (not encoding[1])
    assert (b"LO" in out.getvalue()) == (not encoding[0])
    data_set.file_meta.TransferSyntaxUID = UID("1.2.3.4")  # the same text, of which nothing is said
    assert encoding_of(data_set) == (False, True)

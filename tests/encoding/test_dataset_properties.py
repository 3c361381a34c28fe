"""Whatever a data set holds: both walks put out the same, and what the file of it would give."""

from __future__ import annotations

import pytest
from _data_sets import CHARACTER_SETS, as_read, data_sets, walked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.charset import convert_encodings, encode_string
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian

from dicomseal.encoding import _dataset_py
from dicomseal.errors import DicomSealError
from dicomseal.files.part10 import Part10
from dicomseal.standard import transfer_syntaxes

# both twins are asked here; a build without a compiler has one
_dataset_c = pytest.importorskip("dicomseal.encoding._dataset_c", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore")
EXPLICIT = transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
IMPLICIT = transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN
SLOW = settings(
    deadline=None, max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def of_its_file(data_set):
    """What the index of the file that pydicom writes puts out; None where it writes none."""
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    try:
        write_dataset(out, data_set)
    except Exception:  # noqa: BLE001  whatever pydicom raises
        return None
    stream = bytearray()
    coverage = Part10.from_data_set(out.getvalue(), EXPLICIT).index().stream(stream.extend)
    return coverage, bytes(stream)


def compare(data_set):
    compiled, pure = walked(_dataset_c, data_set), walked(_dataset_py, data_set)
    assert compiled == pure
    theirs = of_its_file(data_set)
    if theirs is not None:
        assert compiled[0] == theirs
    return theirs


@SLOW
@given(data_sets())
def test_as_built(data_set):
    before = [(element, element.VR, element.value) for element in data_set]
    walked(_dataset_c, data_set)
    walked(_dataset_py, data_set)
    assert all((e.VR, e.value) == (vr, value) for e, vr, value in before)
    compare(data_set)


@SLOW
@given(data_sets(), st.integers(0, 255))
def test_as_read_and_partly_decoded(data_set, decode):
    read = as_read(data_set, decode)
    assert read is None or compare(read) is not None


@SLOW
@given(data_sets(), st.sampled_from(list(CHARACTER_SETS)))
def test_read_and_then_another_character_set(data_set, charset):
    read = as_read(data_set, 0)
    if read is None:
        return
    read.SpecificCharacterSet = list(charset) if isinstance(charset, tuple) else charset
    compare(read)


def indexed(content):
    """What readers of implicit VR find: the stream, and tags, VRs and kinds in their order."""
    try:
        index = Part10.from_data_set(content, IMPLICIT).index()
    except DicomSealError as error:
        return type(error)
    stream = bytearray()
    records = map(index.record, range(len(index)))
    found = [(one.tag, one.vr, one.kind) for one in records if one.tag & 0xFFFF]
    return index.stream(stream.extend), bytes(stream), found


@settings(SLOW, max_examples=60)
@given(data_sets(), st.integers(0, 255), st.booleans())
def test_what_will_be_written_in_implicit_vr(data_set, decode, was_read):
    """VRs in memory do not count there: readers take those of the dictionary."""
    data_set = as_read(data_set, decode) if was_read else data_set
    if data_set is None:
        return
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    (_, _, compiled), (_, _, pure) = walked(_dataset_c, data_set), walked(_dataset_py, data_set)
    assert compiled == pure
    out = DicomBytesIO()
    out.is_implicit_VR = out.is_little_endian = True
    try:
        write_dataset(out, data_set)
    except Exception:  # noqa: BLE001  whatever pydicom raises
        return
    if isinstance(compiled, bytes):
        assert indexed(compiled) == indexed(out.getvalue())


@pytest.mark.parametrize("charset", CHARACTER_SETS)
def test_ascii_is_the_same_in_every_character_set(charset):
    """It is put out without a look at the character set, all but the escape character."""
    encodings = convert_encodings(list(charset) if isinstance(charset, tuple) else charset)
    for code in range(128):
        if code != 0x1B:
            assert encode_string("a" + chr(code) + "b", encodings) == bytes((97, code, 98))


def test_a_name_is_not_encoded_for_good():
    """pydicom remembers what a name was encoded to, and would write that ever after."""
    data_set = Dataset()
    data_set.PatientName = "Müller"
    for twin in (_dataset_c, _dataset_py):
        out = bytearray()
        twin.canonical(out.extend, data_set, None, (), (False, True))
        assert bytes(out).endswith("Müller".encode("latin-1"))
    data_set.SpecificCharacterSet = "ISO_IR 192"
    stream = of_its_file(data_set)[1]
    assert stream.endswith("Müller ".encode())
    assert compare(data_set)[1] == stream

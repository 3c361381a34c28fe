"""Data sets that were read in big endian: as the file into which pydicom puts them."""

from __future__ import annotations

import io

import pki
import pytest
from _data_sets import data_sets, walked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian

from dicomseal import sign, sign_file, verify
from dicomseal.encoding import _dataset_py, from_pydicom, rare
from dicomseal.encoding._encoder_py import swap
from dicomseal.encoding.pieces import Pieces, Stretch, Swapped
from dicomseal.errors import MalformedError
from dicomseal.files.part10 import Part10
from dicomseal.standard import terms, transfer_syntaxes

# both twins are asked here; a build without a compiler has one
_dataset_c = pytest.importorskip("dicomseal.encoding._dataset_c", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore")
TWINS = (_dataset_c, _dataset_py)
BIG, LITTLE = transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN, transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"
RSA = pki.member("rsa").pair


def saved(data_set):
    meta = data_set.file_meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRBigEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SOP_CLASS, "1.2.3"
    out = io.BytesIO()
    data_set.save_as(out, enforce_file_format=True)
    return out.getvalue()


def stream_of(index):
    out = bytearray()
    return index.stream(out.extend), bytes(out)


@settings(
    deadline=None, max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(data_sets(), st.integers(0, 255))
def test_the_source_of_the_index_has_what_the_file_has(data_set, decode):
    """Sequences that were not read into items are swapped, and not decoded and written anew."""
    try:
        content = saved(data_set)
    except Exception:  # noqa: BLE001  whatever pydicom raises
        return
    read = dcmread(io.BytesIO(content))
    for number, tag in enumerate(list(read.keys())):
        if decode >> (number % 8) & 1:
            read[tag]
    results = [walked(twin, read) for twin in TWINS]
    assert results[0] == results[1]
    if decode == 0:
        expected = stream_of(Part10.from_bytes(content).index())
        assert results[0][0] == expected
        part10 = Part10.from_data_set(results[0][1], LITTLE)
        assert stream_of(part10.index()) == expected


def spaces():
    """A data set with values of padding alone, in items that are not read before they are asked."""
    data_set, item = Dataset(), Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = SOP_CLASS, "1.2.3"
    item.StudyDescription, item.PatientName, item.PatientWeight = "  ", "A^B^^", "1.50  "
    item.add_new(0x00720052, "AT", 0x00100020)
    item.add_new(0x00720082, "SV", [-3, 1 << 62])
    item.add_new(0x00091001, "OW", b"\1\2\3\4")
    item.ReferencedImageSequence = [Dataset(), Dataset()]
    data_set.ReferencedStudySequence = [item, Dataset()]
    return saved(data_set)


def test_padding_in_items_is_kept(backend, tmp_path):
    """pydicom writes the bytes that were read, so a signature by `sign_file` verifies in memory."""
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(spaces())
    sign_file(source, target, *RSA)
    read = dcmread(target)
    assert type(read._dict[Tag(0x00081110)]) is RawDataElement
    report = verify(read, integrity_only=True)
    assert report.passed, report
    sign(read, *RSA)
    read.save_as(target)
    assert len(verify(target, integrity_only=True).signatures) == 2
    assert verify(target, integrity_only=True).passed


def nested(value, vr="SQ"):
    """A data set with a sequence of these bytes in big endian."""
    data_set, tag = Dataset(), Tag(0x00081140)
    data_set._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, False)
    data_set.set_original_encoding(False, False, "iso8859")
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return data_set


ITEM = bytes.fromhex("FFFEE000FFFFFFFF")
END = bytes.fromhex("FFFEE00D00000000")


@pytest.mark.parametrize(
    "inside",
    [
        # an encapsulated value in an item
        bytes.fromhex("7FE000104F420000FFFFFFFF FFFEE00000000000 FFFEE00000000002 AABB "
                      "FFFEE0DD00000000"),
        # UN of undefined length: implicit VR little endian, whatever is around it
        bytes.fromhex("00111001554E0000FFFFFFFF FEFF00E0FFFFFFFF 10002000 02000000 4142 "
                      "FEFF0DE000000000 FEFFDDE000000000"),
    ],
    ids=["encapsulated", "UN"],
)  # fmt: skip
def test_what_cannot_be_swapped_is_decoded_by_pydicom(monkeypatch, inside):
    asked = []
    real = rare.decoded
    monkeypatch.setattr(rare, "decoded", lambda *given: asked.append(given) or real(*given))
    data_set = nested(ITEM + inside + END)
    results = [walked(twin, data_set) for twin in TWINS]
    assert results[0] == results[1]
    assert asked


@pytest.mark.parametrize("cut", range(1, 40))
def test_what_is_cut_is_malformed_as_its_file_is(cut):
    inside = bytes.fromhex("00100020 4C4F 0004 41424344 00111001 4F570000 00000004 01020304")
    value = (bytes.fromhex("FFFEE000") + len(inside).to_bytes(4, "big") + inside)[:-cut]
    for twin in TWINS:
        if not value:
            continue
        with pytest.raises(MalformedError):
            twin.as_in_a_file(nested(value), False, (False, False))
    if value:
        assert verify(nested(value)).verdict == "error"


def test_pydicom_decodes_nothing(backend, monkeypatch):
    monkeypatch.setattr(rare, "decoded", lambda *_: pytest.fail("it was decoded"))
    read = dcmread(io.BytesIO(spaces()))
    data, _ = from_pydicom.as_written(read)
    assert b"\x08\x00\x40\x11SQ" in data


@pytest.mark.parametrize("vr", ["OW", "OL", "OD"])
@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: Stretch(io.BytesIO(data))])
def test_words_are_swapped_wherever_they_are_read(vr, kind):
    """Also from the middle of a word on, and the incomplete one at the end."""
    data = bytes(range(67))
    swapped = Swapped(kind(data), terms.SWAP_WIDTH[vr])
    expected = swap(data, vr)
    assert len(swapped) == len(data)
    source = Pieces([b"before", swapped, b"", b"behind"])
    for begin in range(len(data)):
        for end in range(begin, len(data) + 1):
            assert swapped.read(begin, end - begin) == expected[begin:end]
    assert source.read(0, len(source)) == b"before" + expected + b"behind"
    assert source.read(5, 9) == (b"before" + expected)[5:14]

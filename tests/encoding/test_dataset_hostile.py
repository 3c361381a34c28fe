"""Values, hashers and threads that do not keep to the rules harm nothing, in both walks."""

from __future__ import annotations

import copy
import gc
import hashlib
import io
import pickle
import sys
import threading
import time
from decimal import Decimal

import psutil
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import IS, DSdecimal, DSfloat

from dicomseal import canonical
from dicomseal.encoding import _dataset_py
from dicomseal.errors import DicomSealError, EncodingError

np = pytest.importorskip("numpy")
# both twins are asked here; a build without a compiler has one
_dataset_c = pytest.importorskip("dicomseal.encoding._dataset_c", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore")
TWINS = (_dataset_c, _dataset_py)
SR = get_testdata_file("test-SR.dcm")


def held(vr, value, tag=0x00110010):
    """A data set with an element whose value is what it is, whatever pydicom says of it."""
    empty = [] if vr == "SQ" else b"" if vr[0] == "O" else ""
    data_set, element = Dataset(), DataElement(tag, vr, empty)
    element._value = value
    data_set._dict[element.tag] = element
    return data_set


def walked(twin, data_set, encoding=(False, True)):
    out = bytearray()
    try:
        return twin.canonical(out.extend, data_set, None, (), encoding), bytes(out)
    except DicomSealError as error:
        return type(error), str(error)


class Broken:
    """Whatever is asked of it goes wrong."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


UNFIT = [
    ("US", -1), ("US", 65536), ("US", 1 << 200), ("US", 1.5), ("US", "1"), ("US", [1, None]),
    ("US", (1, 2)), ("SS", 32768), ("SL", -(1 << 31) - 1), ("UL", [1, 1 << 32]), ("SV", 1 << 63),
    ("UV", 1 << 64), ("UV", -1), ("FL", 1e39), ("FL", 10**400), ("FD", "x"), ("FD", [1.0, None]),
    ("AT", -1), ("AT", 1 << 32), ("AT", [1, None]), ("AT", Broken()),
    ("DS", float("nan")), ("DS", DSfloat(float("inf"))), ("DS", [DSfloat(1), None]),
    ("DS", MultiValue(lambda x: x, [Decimal("NaN"), "1"])), ("IS", [None, IS(1)]),
    ("LO", 5), ("LO", ["a", None]), ("LO", ["a", b"b"]), ("SH", Broken()), ("CS", "山"),
    ("CS", ["a", 1]), ("UI", 7), ("DA", 20260101), ("TM", [1]), ("PN", "a plain string"),
    ("PN", [None, None]), ("PN", 3), ("OB", "text"), ("OW", 5), ("OW", [1, 2]),
    ("OW", np.zeros((4, 4), np.uint16)[:, ::2]), ("SQ", 5), ("SQ", [5]), ("SQ", ["a"]),
    ("SQ", [None]), ("OB", Broken()),
]  # fmt: skip


def named(value):
    """Name a parameter by its class: workers must agree, and many values show an address."""
    return value if type(value) is str else type(value).__name__


@pytest.mark.parametrize(("vr", "value"), UNFIT, ids=named)
def test_a_value_that_its_vr_cannot_have(vr, value):
    """The error names the element, and is the same from both."""
    results = [walked(twin, held(vr, value)) for twin in TWINS]
    assert results[0] == results[1]
    assert results[0][0] is EncodingError
    assert "(0011,0010)" in results[0][1]


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("US", True, b"\1\0"), ("UV", (1 << 64) - 1, b"\xff" * 8), ("SV", -1, b"\xff" * 8),
        ("FD", float("nan"), bytes.fromhex("000000000000f87f")), ("FL", 1, b"\0\0\x80?"),
        ("FD", np.float64(0.5), bytes.fromhex("000000000000e03f")), ("US", np.uint16(7), b"\7\0"),
        ("DS", DSfloat(0.1), b"0.1 "), ("DS", DSdecimal("1.50"), b"1.50"), ("DS", 3, b"3 "),
        ("DS", np.array([1.0, 2.5]), b"1.0\\2.5 "), ("IS", 5, b"5 "), ("IS", IS("007"), b"007 "),
        ("DA", ["20260101", None], b"20260101\\ "), ("LO", ("a", "b"), b"a\\b "),
        ("OW", np.arange(2, dtype=">u2"), b"\0\0\0\1"), ("OW", np.ones((2, 2), "<u2"), b"\1\0" * 4),
        ("OB", bytearray(b"abc"), b"abc\0"), ("OB", memoryview(b"abcd"), b"abcd"),
        ("OB", io.BytesIO(b"abc"), b"abc\0"), ("AT", Tag(0x00100020), b"\x10\0\x20\0"),
        ("LO", None, b""), ("US", None, b""), ("OB", None, b""), ("DS", "", b""), ("PN", None, b""),
        ("US", "", b""), ("FD", [], b""), ("LO", [], b""), ("LO", ["", ""], b"\\ "),
    ],
    ids=named,
)  # fmt: skip
def test_a_value_of_another_type_than_usual(vr, value, expected):
    for twin in TWINS:
        coverage, out = walked(twin, held(vr, value))
        assert coverage.signed == 1
        assert out[12 if vr in ("OB", "OW", "UV", "SV") else 8 :] == expected


@pytest.mark.parametrize("size", [3, 100_000, 3_000_000])
def test_large_values_of_big_endian(size):
    """Words that pydicom has as bytes are in the order of the file."""
    words = np.arange(size, dtype=">u4")
    for value in (words.tobytes(), bytearray(words.tobytes()), words, io.BytesIO(words.tobytes())):
        results = [walked(twin, held("OL", value), (False, False)) for twin in TWINS]
        assert results[0] == results[1]
        assert results[0][1][12:] == words.astype("<u4").tobytes()


def test_a_buffered_encapsulated_value():
    buffered = held("OB", io.BytesIO(encapsulate([b"\xff\xd8\xff\xd9"], has_bot=False)), 0x7FE00010)
    buffered["PixelData"].is_undefined_length = True
    plain = held("OB", buffered["PixelData"].value.getvalue(), 0x7FE00010)
    plain["PixelData"].is_undefined_length = True
    assert walked(TWINS[0], buffered) == walked(TWINS[1], buffered) == walked(TWINS[0], plain)


def test_raw_elements_that_no_reader_makes():
    tag = Tag(0x00280010)
    for element in (
        RawDataElement(tag, "US", 2, 5, 0, False, True),
        RawDataElement(tag, "US", 2, "ab", 0, False, True),
        RawDataElement(tag, "SQ", 3, b"abc", 0, False, True),
        RawDataElement(tag, "US", 2, None, 0, False, True),
        RawDataElement(tag, None, 2, b"ab", 0, True, True),
    ):
        data_set = Dataset()
        data_set._dict[tag] = element
        data_set.set_original_encoding(False, True, "iso8859")
        results = [walked(twin, data_set) for twin in TWINS]
        assert results[0] == results[1]


@pytest.mark.parametrize("key", ["a", None, 1.5, -1, 1 << 32, 0xFFFFFFFF], ids=repr)
def test_keys_that_are_no_tags(key):
    for data_set in (Dataset(), Dataset()):
        data_set.PatientName, data_set.StudyID = "A^B", "1"
        data_set._dict[key] = data_set["StudyID"]
        data_set.PatientID = "1234"
        around = Dataset()
        around.ReferencedImageSequence = [data_set]
        for twin in TWINS:
            for holder, where in ((data_set, "data set"), (around, r"an item of \(0008,1140\)")):
                with pytest.raises(EncodingError, match=f"{where} has the key .*, which is not a"):
                    twin.canonical(len, holder, None, (), (False, True))


def test_an_element_without_its_attributes():
    """The error names it."""
    for missing in ("VR", "_value"):
        data_set = held("LO", "abc")
        delattr(data_set[0x00110010], missing)
        results = [walked(twin, data_set) for twin in TWINS]
        assert results[0] == results[1]
        assert results[0][0] is EncodingError
        assert "(0011,0010)" in results[0][1]


# --- hashers -------------------------------------------------------------------------------------


def as_array(data):
    return np.frombuffer(data, np.uint8)


def as_view(data):
    return memoryview(data)[1:]


def as_export(data):
    return pickle.PickleBuffer(data)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("keep", [as_array, as_view, as_export, lambda data: data])
def test_a_hasher_that_keeps_what_it_gets(backend, large, keep, tmp_path):
    """What it keeps is never let go; where that shows in time, it is an error."""
    data_set = Dataset()
    data_set.PatientID, data_set.PixelData = "1234", bytes(range(250)) * (1000 if large else 1)
    data_set["PixelData"].VR = "OW"
    data_set.ReferencedImageSequence = [Dataset()]
    out = io.BytesIO()
    data_set.save_as(out, implicit_vr=False, little_endian=True)
    path = tmp_path / "file"
    path.write_bytes(out.getvalue())
    for source in (data_set, out.getvalue(), str(path)):
        kept = []

        class Keeper:
            def update(self, data, kept=kept):
                kept.append(keep(data))

        if backend.name == "cython" and keep is as_export:
            with pytest.raises(EncodingError, match="valid during the call only"):
                canonical.update(Keeper(), source)
        else:
            canonical.update(Keeper(), source)
        before = [bytes(one) for one in kept] if keep in (as_array, as_view) else None
        for _ in range(50):
            canonical.digest(source)
        gc.collect()
        if before and source is data_set:
            assert [bytes(one) for one in kept] == before


def test_a_hasher_that_raises(backend):
    class Full(Exception):
        pass

    class Failing:
        def update(self, data):
            raise Full

    data_set = dcmread(SR)
    expected = canonical.digest(data_set)
    for _ in range(3):
        with pytest.raises(Full):
            canonical.update(Failing(), data_set)
    assert canonical.digest(data_set) == expected


def test_a_hasher_that_changes_the_data_set(backend):
    """The elements are those that were there when the walk met their data set."""
    data_set = Dataset()
    data_set.PatientID, data_set.PixelData = "1234", bytes(100_000)
    data_set["PixelData"].VR = "OW"
    data_set.ReferencedImageSequence = [Dataset() for _ in range(3000)]
    for number, item in enumerate(data_set.ReferencedImageSequence):
        item.ReferencedSOPInstanceUID = f"1.2.{number}"
    expected = canonical.digest(copy.deepcopy(data_set))

    class Meddler:
        def __init__(self):
            self.hash = hashlib.sha256()

        def update(self, data):
            self.hash.update(data)
            if data_set:
                data_set.clear()
                gc.collect()

    meddler = Meddler()
    canonical.update(meddler, data_set)
    assert meddler.hash.digest() == expected


# --- threads, subclasses, leaks ------------------------------------------------------------------


def test_a_data_set_that_another_thread_changes(backend):
    """An answer or an `EncodingError`, whatever happens meanwhile."""
    data_set = dcmread(SR)
    for _ in data_set.iterall():
        pass
    stop, failed, seen = time.monotonic() + 2, [], 0

    def change():
        number = 0
        while time.monotonic() < stop:
            number += 1
            data_set.PatientComments = "x" * (number % 70)
            data_set.pop("PatientComments", None)
            items = data_set.ContentSequence
            items.append(copy.deepcopy(items[0]))
            items[0].TextValue = str(number)
            del items[-1]
            data_set.PixelSpacing = [number, 1.5]
            data_set.PixelSpacing.append(2)

    def work():
        nonlocal seen
        while time.monotonic() < stop:
            try:
                canonical.digest(data_set)
                seen += 1
            except EncodingError:
                seen += 1
            except Exception as error:  # noqa: BLE001  that is what is looked for
                failed.append(error)

    threads = [threading.Thread(target=one) for one in (change, work, work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert seen > 3


def test_subclasses_are_data_sets_too(backend):
    class Own(Dataset):
        def __init__(self, *args):
            super().__init__(*args)
            self.extra = {}

        def __getattr__(self, name):
            return super().__getattr__(name)

    data_set, plain = Own(), Dataset()
    for one in (data_set, plain):
        one.PatientName, one.ReferencedImageSequence = "A^B", [type(one)()]
        one.ReferencedImageSequence[0].PatientID = "x"
    assert canonical.digest(data_set) == canonical.digest(plain)
    of_file = FileDataset("name", plain)
    assert canonical.digest(of_file) == canonical.digest(plain)


def _maps():
    try:
        with open("/proc/self/maps") as maps:
            return maps.read()
    except OSError:
        return ""


ROUNDS = 100_000


@pytest.mark.skipif("libasan" in _maps(), reason="AddressSanitizer keeps freed memory")
def test_nothing_leaks():
    """Of objects, references and memory, in 100,000 rounds; errors count too."""
    data_set, broken = Dataset(), held("US", 1 << 20, 0x00280010)
    data_set.SpecificCharacterSet, data_set.PatientName = "ISO_IR 192", "Müller"
    data_set.PixelSpacing, data_set.Rows = [0.5, DSfloat("1.0")], 5
    data_set.ReferencedImageSequence = [Dataset(), Dataset()]
    data_set.ReferencedImageSequence[1].add(DataElement(0x00111000, "UN", b"ab"))
    data_set._dict[Tag(0x00200010)] = RawDataElement(
        Tag(0x00200010), "SH", 2, b"ab", 0, False, True
    )
    data_set.set_original_encoding(False, True, ["utf8"])
    broken.ReferencedImageSequence = [Dataset()]
    watched = [data_set, broken, *data_set._dict.values(), *broken._dict.values(),
               *(element.value for element in data_set._dict.values()),
               *data_set.ReferencedImageSequence]  # fmt: skip

    # not what the whole process shares, such as 5 or ""
    watched = [one for one in watched if type(one) not in (int, str, bytes, float)]

    def some(rounds):
        for number in range(rounds):
            canonical.digest(data_set)
            if number % 20 == 0:
                for twin_call in (_dataset_c.canonical, _dataset_c.as_in_a_file):
                    arguments = (
                        (len, broken, None, ())
                        if twin_call is _dataset_c.canonical
                        else (broken, False)
                    )
                    with pytest.raises(EncodingError):
                        twin_call(*arguments, (False, True))

    some(2000)
    gc.collect()
    before = [sys.getrefcount(one) for one in watched]
    objects, memory = len(gc.get_objects()), psutil.Process().memory_info().rss
    some(ROUNDS)
    gc.collect()
    assert [sys.getrefcount(one) for one in watched] == before
    assert len(gc.get_objects()) - objects < 100
    assert psutil.Process().memory_info().rss - memory < 4 << 20

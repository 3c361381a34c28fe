"""Values as programs leave them in data sets: both walks, the file that pydicom writes, no leaks.

Where pydicom writes a file, its index puts out the same; where it cannot, an error names the
element. No exception of a value's own code gets out.
"""

from __future__ import annotations

import io
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pytest
from _data_sets import walked
from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import DA, DT, IS, TM, DSdecimal, DSfloat, PersonName

from dicomseal import canonical, verify
from dicomseal.encoding import _dataset_py
from dicomseal.errors import DicomSealError, SourceError
from dicomseal.files.part10 import Part10
from dicomseal.standard import transfer_syntaxes

# both twins are asked here; a build without a compiler has one
_dataset_c = pytest.importorskip("dicomseal.encoding._dataset_c", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore")
LITTLE = transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
ENCODINGS = {
    "implicit": (transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN, (True, True)),
    "explicit": (LITTLE, (False, True)),
    "big-endian": (transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN, (False, False)),
}


def said(value, original):
    """A number or a date that says that it was read from something else."""
    value.original_string = original
    return value


VALUES = [
    *(("DS", one) for one in (
        said(DSfloat("1.50"), "7"), said(DSfloat("1.5"), "7.12345678901234567890"),
        said(DSdecimal("1.50"), "9"), said(DSfloat("1.5"), b"7"), said(DSfloat("1.5"), ""),
        said(IS("5"), "6"), DSfloat(1 / 3, auto_format=True), DSfloat("1.00", auto_format=True),
        [DSfloat(1 / 3, auto_format=True), DSfloat("1.0")], DSdecimal("1E+2"), DSdecimal(5),
        DSdecimal(Decimal("1.33333333333333333333"), auto_format=True), Decimal("1.0"), 1, 1.0,
        np.float32(1.5), np.float64(1.5), np.int16(3), True, [1, None], MultiValue(str, ["1"]),
    )),
    *(("IS", one) for one in (
        said(IS("5"), "6"), said(IS("5"), ""), 5.0, "5.0", np.int64(7), True, [1, "2"], [None],
    )),
    ("DA", date(2026, 1, 2)), ("DA", [date(2026, 1, 2), "20260101"]), ("DA", DA("2026.01.02")),
    ("DA", said(DA("20260101"), "x")), ("TM", time(1, 2, 3, 4)), ("TM", TM("1230")),
    ("DT", datetime(2026, 1, 2, 3)), ("DT", DT("2026+0100")), ("DA", [None, None]),
    *(("AT", one) for one in (
        0x00100010, [0x00100010, 0x7FE00010], (0x10, 0x20), "PatientName", [(0x10, 0x20)], None,
        [None], [],
    )),
    *(("UI", one) for one in (
        UID("1.2.3"), ["1.2", "1.3"], "1.2.3\0", MultiValue(UID, ["1.2"]), [None, "1.2"],
    )),
    *(("PN", one) for one in (
        "A^B=山^田=や", PersonName(b"A^B"), "A==", "=B", "^", ["A", "B"], [""], ["", ""], " A ",
        PersonName(b"\xc4", ["latin_1"]), PersonName.from_named_components(family_name="X"),
        [PersonName("A"), None],
    )),
    ("LO", "a\\b"), ("LO", ["a\\b", "c"]), ("LT", "a\\b\r\n\f"), ("ST", " a "), ("LO", "a\0"),
    ("UT", "a\\"), ("UC", ["a", "b"]), ("UR", " http://x "), ("CS", ["A", ""]), ("AE", " X "),
    ("SH", ["\x1b$B"]), ("LO", "é"), ("UC", "é"), ("CS", "é"), ("CS", "山"), ("LO", [None, "a"]),
    *(("OB", one) for one in (
        b"\0", bytearray(b"123"), np.zeros(0, "u1"), memoryview(b"1234")[::2], [b"a", b"b"], "",
        None, io.BytesIO(b"1234"),
    )),
    *(("OW", one) for one in (
        np.arange(3, dtype="u2"), np.arange(3, dtype=">u2"), memoryview(b"12"),
        io.BytesIO(b"1234").getbuffer(),
    )),
    ("OF", np.arange(3, dtype="f4")), ("OV", b"12345678"), ("UN", b"abc"), ("UN", None),
    ("US", np.array([1, 2], "u2")), ("US", [np.uint16(1), 2]), ("US", MultiValue(int, [1, 2])),
    ("FD", np.array([1.5])), ("FL", [1, 2.5]), ("FL", float("inf")), ("FL", [1e39]), ("SS", -1),
    ("UV", [0, 2**64 - 1]), ("SV", -(2**63)), ("UL", np.array([], "u4")), ("US", [1, None]),
    ("SQ", []), ("SQ", None), ("SQ", [Dataset(), Dataset()]), ("SQ", Dataset()),
]  # fmt: skip


def held(vr, value, tag=0x00110010):
    """A data set with an element whose value is what it is, whatever pydicom says of it."""
    empty = [] if vr == "SQ" else b"" if vr[0] == "O" else ""
    data_set, element = Dataset(), DataElement(tag, vr, empty)
    element._value = value
    data_set._dict[element.tag] = element
    return data_set


def holders(vr, value):
    """Data sets with a value: as it is, as pydicom converts it, and in an item."""
    data_sets = [held(vr, value)]
    try:
        converted = Dataset()
        converted.add_new(0x00110010, vr, value)
        data_sets.append(converted)
    except Exception:  # noqa: BLE001  whatever pydicom raises of it
        pass
    for inner in tuple(data_sets):
        outer = Dataset()
        outer.ReferencedImageSequence, outer.PatientID = [inner], "1"
        data_sets.append(outer)
    return data_sets


def streamed(content, syntax):
    try:
        index, out = Part10.from_data_set(content, syntax).index(), bytearray()
        return index.stream(out.extend), bytes(out)
    except DicomSealError as error:
        return type(error), str(error)


def of_its_file(data_set, syntax, encoding):
    """What the index of pydicom's file puts out; None where pydicom writes none."""
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = encoding
    try:
        write_dataset(out, data_set)
    except Exception:  # noqa: BLE001  whatever pydicom raises
        return None
    return streamed(out.getvalue(), syntax)


def named(value):
    return value if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(("vr", "value"), VALUES, ids=named)
def test_both_walks_and_the_file_agree(name, vr, value):
    syntax, encoding = ENCODINGS[name]
    for data_set in holders(vr, value):
        data_set.file_meta = FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = UID(syntax)
        compiled, pure = (walked(twin, data_set) for twin in (_dataset_c, _dataset_py))
        assert compiled == pure
        stream, as_explicit, as_implicit = compiled
        theirs = of_its_file(data_set, syntax, encoding)
        in_file = as_implicit if encoding[0] else as_explicit
        if theirs is None:
            # None and an empty sequence are the same to us; a number without text has its digits
            if not isinstance(in_file, bytes):
                assert "(0011,0010)" in in_file[1]
        elif isinstance(in_file, bytes):
            mine = syntax if encoding[0] else LITTLE
            assert streamed(in_file, mine) == theirs
            assert encoding[0] or stream == theirs
        else:  # what pydicom writes and is not a number
            assert vr in ("DS", "IS")
            assert b"None" in theirs[1]
        assert verify(data_set).verdict in ("error", "unsigned")


class Broken(io.BytesIO):
    """A buffer that fails when it is read, from some call on."""

    def __init__(self, data, calls):
        super().__init__(data)
        self.calls = calls

    def read(self, *arguments):
        self.calls -= 1
        if self.calls < 0:
            raise OSError("the disk has gone")
        return super().read(*arguments)


class Short(io.BytesIO):
    def read(self, *_):
        return b""


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(
    "buffer",
    [lambda: Broken(bytes(400_000), 0), lambda: Broken(bytes(3_000_000), 1),
     lambda: Short(bytes(9000)), lambda: Short(bytes(3_000_000))],
    ids=["broken", "broken later", "short", "short and large"],
)  # fmt: skip
def test_a_buffer_that_cannot_be_read(backend, name, buffer):
    for tag, undefined in ((0x00110010, False), (0x7FE00010, True)):
        data_set = held("OW", buffer(), tag)
        data_set[tag].is_undefined_length = undefined
        data_set.file_meta = FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = UID(ENCODINGS[name][0])
        where = r"\(0011,0010\)" if tag == 0x00110010 else r"\(7FE0,0010\)"
        if isinstance(data_set[tag].value, Broken) and data_set[tag].value.calls:
            data_set[tag]._value = Broken(bytes(3_000_000), 0)
        with pytest.raises(SourceError, match=f"the buffered value of {where} cannot be read: "):
            canonical.digest(data_set)
        report = verify(data_set)
        assert (report.verdict, report.error.code) == ("error", "unreadable")


def test_a_subclass_of_a_raw_element():
    class Own(RawDataElement):
        pass

    results = []
    for kind in (Own, RawDataElement):
        data_set, tag = Dataset(), Tag(0x00280010)
        data_set._dict[tag] = kind(tag, "US", 2, b"\1\2", 0, False, True)
        data_set.set_original_encoding(False, True, "iso8859")
        results += [walked(twin, data_set) for twin in (_dataset_c, _dataset_py)]
    assert results[0] == results[1] == results[2] == results[3]
    assert results[0][0][1].endswith(b"US\2\0\1\2")

"""Data sets for hypothesis: every VR, several values, character sets, private blocks, items."""

from __future__ import annotations

import io
from datetime import date, datetime, time
from decimal import Decimal

from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.valuerep import DA, DT, IS, TM, DSdecimal, DSfloat

from dicomseal.encoding.dataset_encoding import encoding_of
from dicomseal.errors import DicomSealError
from dicomseal.standard import terms

# Specific Character Set, and text that it can hold
CHARACTER_SETS = {
    "": "abc XYZ-~",
    "ISO_IR 6": "abc XYZ-~",
    "ISO_IR 13": "abcｱｲｳ",
    "ISO_IR 100": "aÄöÿß",
    "ISO_IR 101": "aŁőž",
    "ISO_IR 126": "aΑβγ",
    "ISO_IR 144": "aДжя",
    "ISO_IR 166": "aกขค",
    "ISO_IR 192": "aé山田😀",
    "GB18030": "a王小东€",
    "GBK": "a王小东",
    ("", "ISO 2022 IR 87"): "a山田太郎",
    ("ISO 2022 IR 6", "ISO 2022 IR 100", "ISO 2022 IR 144"): "aÄДж",
    ("ISO 2022 IR 13", "ISO 2022 IR 87"): "ﾔﾏﾀﾞ山田",
    ("", "ISO 2022 IR 149"): "a김희중",
    ("", "ISO 2022 IR 58"): "a张小东",
    ("", "ISO 2022 IR 87", "ISO 2022 IR 159"): "a山田丂",
}
ASCII = st.text(st.sampled_from("ABCabc 019.-_^=~"), max_size=20)
LONG = st.sampled_from(["x" * 5000, "y" * 65533, "z" * 65534, "w" * 65535, "v" * 70001])
UIDS = st.from_regex(r"\A[12](\.[1-9][0-9]{0,8}){1,5}\Z")
WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8}
WORDS = {"OB": 1, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "UN": 1}


def integers(vr):
    bits = 8 * WIDTHS[vr]
    low = -(1 << (bits - 1)) if vr[0] == "S" else 0
    high = low + (1 << bits) - 1
    return st.integers(low, high) | st.sampled_from([low, high])


def one_value(vr, letters):
    """A single value of a VR other than the bytes and SQ."""
    text = st.text(st.sampled_from(letters), max_size=12)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    numbers = st.one_of(
        st.integers(-(10**9), 10**9).map(str), st.sampled_from(["+1.5e3", " 2 ", "0", "-0.0", ""])
    )
    return {
        "AE": ASCII, "AS": st.sampled_from(["012Y", "", "003M"]), "CS": ASCII, "UR": ASCII,
        "UI": UIDS | st.just(""),
        "LO": text, "SH": text, "UC": text | LONG, "LT": text | LONG, "ST": text, "UT": text | LONG,
        "PN": st.lists(st.lists(text, min_size=1, max_size=3).map("^".join), max_size=3).map(
            "=".join),
        "DS": numbers | finite.map(lambda x: DSfloat(x)) | st.sampled_from(
            [DSdecimal("1.50"), DSfloat("1e-05"), DSfloat(1e300), DSfloat("0003")]),
        "IS": st.integers(-(2**31), 2**31 - 1).map(lambda x: IS(x)) | st.sampled_from(
            ["", "007", IS("12"), IS("+3")]),
        "DA": st.sampled_from(["20260101", "", DA("20251231"), DA(date(2026, 2, 3))]),
        "DT": st.sampled_from(
            ["20260101120000.5+0100", "", DT("2026"), DT(datetime(2026, 1, 2, 3, 4, 5, 6))]),
        "TM": st.sampled_from(["120000.5", "", TM("12"), TM(time(1, 2, 3, 4))]),
        "AT": st.integers(0, 0xFFFFFFFF),
        "FL": st.floats(width=32), "FD": st.floats(),
        **{name: integers(name) for name in WIDTHS},
    }[vr]  # fmt: skip


SINGLE = ("LT", "ST", "UT", "UR")
VRS = sorted((terms.SHORT_VRS | terms.LONG_VRS) - {"SQ"}) + ["SQ"]


@st.composite
def elements(draw, number, letters, depth):
    """An element of a private block: its VR and its value."""
    vr = draw(st.sampled_from(VRS if depth else VRS[:-1]))
    if vr == "SQ":
        value = draw(st.lists(data_sets(depth - 1, letters), max_size=3))
    elif vr in WORDS:
        size = draw(st.integers(0, 9) | st.sampled_from([16384, 65536, 65544])) * WORDS[vr]
        value = bytes(n * 7 % 256 for n in range(256)) * (size // 256 + 1)
        value = draw(st.sampled_from([bytes, bytearray, memoryview]))(value[:size])
        if vr in ("OB", "OW") and draw(st.booleans()):
            # pydicom writes a wrong length for an odd one
            value = io.BytesIO(bytes(value) + bytes(len(value) % 2))
    elif draw(st.integers(0, 9)) == 0:
        value = draw(st.sampled_from([None, ""]))
    elif vr in SINGLE or draw(st.booleans()):
        value = draw(one_value(vr, letters))
    else:
        value = draw(st.lists(one_value(vr, letters), min_size=0, max_size=4))
    if vr == "UN" and not isinstance(value, (bytes, bytearray)):
        value = bytes(value or b"")
    data_element = DataElement(0x00110000 | 0x1000 + number, vr, b"" if vr in WORDS else value)
    if vr in WORDS:
        data_element._value = value  # pydicom takes a bytearray for several values
    return data_element


@st.composite
def data_sets(draw, depth=2, letters=""):
    """A data set of private elements with stated VRs, and some public ones."""
    data_set = Dataset()
    if not letters or draw(st.integers(0, 3)) == 0:
        charset = draw(st.sampled_from(list(CHARACTER_SETS)))
        letters = CHARACTER_SETS[charset]
        data_set.SpecificCharacterSet = list(charset) if isinstance(charset, tuple) else charset
    data_set.add_new(0x00110010, "LO", "ACME")
    for number in range(draw(st.integers(0, 6))):
        data_set.add(draw(elements(number, letters, depth)))
    if draw(st.booleans()):
        data_set.PixelRepresentation = draw(st.sampled_from([0, 1]))
        data_set.add(
            DataElement(0x00280106, "US or SS", draw(st.sampled_from([b"\xfe\xff", 3, b""])))
        )
        data_set.PatientWeight = Decimal("70.5")
    if draw(st.booleans()):
        data_set.Rows, data_set.BitsAllocated = 2, draw(st.sampled_from([8, 16]))
        pixels = bytes(draw(st.sampled_from([0, 4, 5, 70000])))
        data_set.add(DataElement(0x7FE00010, "OB or OW", pixels))
    return data_set


def as_read(data_set, decode):
    """The data set written and read again, with some elements decoded; None if it cannot be."""
    out = io.BytesIO()
    try:
        data_set.save_as(out, implicit_vr=False, little_endian=True)
    except Exception:  # noqa: BLE001  whatever pydicom raises
        return None
    read = dcmread(io.BytesIO(out.getvalue()), force=True)
    for number, tag in enumerate(list(read.keys())):
        if decode >> (number % 8) & 1:
            value = read[tag].value
            for item in value if read[tag].VR == "SQ" else ():
                for inner in list(item.keys())[:: 1 + decode % 3]:
                    item[inner]
    return read


def walked(twin, data_set):
    """What a twin makes of a data set: the stream, what it covers, and both forms in a file."""
    out, encoding = bytearray(), encoding_of(data_set)
    listed = []
    try:
        listed.append((twin.canonical(out.extend, data_set, None, (), encoding), bytes(out)))
    except DicomSealError as error:
        listed.append((type(error), str(error)))
    for implicit in (False, True):
        try:
            pieces = twin.as_in_a_file(data_set, implicit, encoding)
            listed.append(
                b"".join(p.read(0, len(p)) if hasattr(p, "readinto") else bytes(p) for p in pieces)
            )
        except DicomSealError as error:
            listed.append((type(error), str(error)))
    return listed

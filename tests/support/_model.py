"""A model of random data sets, and a writer of their encodings, apart from the package's own."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field

import _write_stds as std
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from dicomseal.standard import terms

QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("default", max_examples=80, deadline=None, suppress_health_check=QUIET)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@dataclass
class Element:
    """A plain element: its value, in little endian, is a piece many times (a short repr)."""

    vr: str
    piece: bytes
    times: int = 1

    @property
    def value(self) -> bytes:
        return self.piece * self.times


@dataclass
class Nested:
    """A sequence: its items map tags to elements."""

    items: list[dict]
    vr: str = "SQ"


@dataclass
class Fragments:
    """An encapsulated value, offset table first."""

    pieces: list[bytes]
    vr: str = "OB"


@dataclass
class Layout:
    """The choices that a writer has, and that no reader may mind."""

    choices: list[bool]
    padding: int
    used: int = field(default=0)

    def choose(self) -> bool:
        self.used += 1
        return self.choices[self.used % len(self.choices)]


# tags whose VR implicit VR gives back, of every VR; private ones of GEMS_IDEN_01 in block 10
KNOWN = {
    "AE": 0x00080054, "AS": 0x00101010, "AT": 0x00209165, "CS": 0x00080008, "DA": 0x00080020,
    "DS": 0x00180050, "DT": 0x0008002A, "FD": 0x00081163, "FL": 0x00089459,
    "IS": 0x00200013, "LO": 0x00100020, "LT": 0x00104000, "OB": 0x00420011, "OD": 0x00701A07,
    "OF": 0x00660016, "OL": 0x00660129, "OV": 0x7FE00001, "OW": 0x00281201, "PN": 0x00100010,
    "SH": 0x00080050, "SL": 0x00186020, "SS": 0x00189219, "ST": 0x00080081, "SV": 0x00720082,
    "TM": 0x00080030, "UC": 0x00080119, "UI": 0x00080018, "UL": 0x00081161, "UR": 0x00080120,
    "US": 0x00280010, "UT": 0x0040A160, "UV": 0x00720083,
}  # fmt: skip
PRIVATE = {"LO": 0x00091001, "SH": 0x00091002, "LT": 0x00091017, "SL": 0x00091027, "UI": 0x000910E3}
SEQUENCES = [0x00081140, 0x00081115, 0x0040A730, 0x300A00B0, 0xFFFAFFFA, 0x4FFE0001]
CREATOR = Element("LO", b"GEMS_IDEN_01")


@st.composite
def data_sets(draw, depth=2, surviving=True):
    """Mappings of tags to elements; ``surviving``: only VRs that implicit VR gives back."""
    table = {}
    for vr in draw(st.lists(st.sampled_from(sorted(KNOWN)), max_size=5, unique=True)):
        # 4000: pydicom takes an implicit length whose bytes are two letters for an explicit VR
        times = draw(st.sampled_from([1, 1, 1, 1, 4000])) if vr in terms.LONG_VRS else 1
        table[KNOWN[vr]] = Element(vr, draw(values(terms.SWAP_WIDTH.get(vr, 2))), times)
    if draw(st.booleans()):
        table[0x00090010] = CREATOR
        for vr in draw(st.sets(st.sampled_from(sorted(PRIVATE)), max_size=3)):
            table[PRIVATE[vr]] = Element(vr, draw(values(4)))
    if not surviving:
        for tag in draw(st.sets(st.sampled_from([0x000B1001, 0x00110010, 0x00280106]), max_size=2)):
            table[tag] = Element(draw(st.sampled_from(["UN", "OB", "US", "SS", "OW"])), b"\1\2")
    if depth:
        for tag in draw(st.sets(st.sampled_from(SEQUENCES), max_size=2)):
            table[tag] = Nested(draw(st.lists(data_sets(depth - 1, surviving), max_size=3)))
    if draw(st.integers(0, 4)) == 0:
        pieces = draw(st.lists(values(2), max_size=2))
        table[0x7FE00010] = Fragments([b"", *pieces])  # the first would be an offset table
    return dict(sorted(table.items()))


def values(width):
    return st.integers(0, 3).flatmap(lambda n: st.binary(min_size=n * width, max_size=n * width))


layouts = st.builds(
    Layout, st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([0, 0, 1, 12, 300])
)

# --- writers ------------------------------------------------------------------------------------


def swapped(value: bytes, vr: str) -> bytes:
    width = terms.SWAP_WIDTH.get(vr, 1)
    return b"".join(value[k : k + width][::-1] for k in range(0, len(value), width))


class Writer:
    """A data set in one of the encodings of PS3.5 Annex A, laid out as it is told."""

    def __init__(self, layout: Layout, implicit: bool, big_endian: bool) -> None:
        self.layout, self.implicit, self.order = layout, implicit, ">" if big_endian else "<"

    def tag(self, tag: int, length: int) -> bytes:
        return struct.pack(self.order + "HHL", tag >> 16, tag & 0xFFFF, length)

    def header(self, tag: int, vr: str, length: int) -> bytes:
        if self.implicit:
            return self.tag(tag, length)
        form = "HH2sxxL" if vr in terms.LONG_VRS else "HH2sH"
        return struct.pack(self.order + form, tag >> 16, tag & 0xFFFF, vr.encode(), length)

    def data_set(self, elements: dict) -> bytes:
        out, group = b"", -1
        for tag, element in elements.items():
            if tag >> 16 != group and self.layout.choose():
                value = struct.pack(self.order + "L", 4711)
                out += self.header(tag & 0xFFFF0000, "UL", 4) + value
            group = tag >> 16
            out += self.element(tag, element)
        return out

    def element(self, tag: int, element) -> bytes:
        if isinstance(element, Element):
            big = self.order == ">"
            value = swapped(element.value, element.vr) if big else element.value
            return self.header(tag, element.vr, len(value)) + value
        if isinstance(element, Fragments):
            pieces = [self.tag(terms.ITEM, len(piece)) + piece for piece in element.pieces]
            return self.enclosed(self.header(tag, "OB", terms.UNDEFINED_LENGTH), pieces)
        items = []
        for item in element.items:
            content = self.data_set(item)
            if self.layout.choose():
                items.append(self.tag(terms.ITEM, len(content)) + content)
            else:
                end = self.tag(terms.ITEM_DELIMITATION, 0)
                items.append(self.tag(terms.ITEM, terms.UNDEFINED_LENGTH) + content + end)
        if self.layout.choose():
            return self.header(tag, "SQ", len(b"".join(items))) + b"".join(items)
        return self.enclosed(self.header(tag, "SQ", terms.UNDEFINED_LENGTH), items)

    def enclosed(self, header: bytes, items: list[bytes]) -> bytes:
        return header + b"".join(items) + self.tag(terms.SEQUENCE_DELIMITATION, 0)


def canonical_form(elements: dict) -> bytes:
    """The rules once more, over the model (PS3.3 C.12.1.1.3.1.1)."""
    out = b""
    for tag, element in elements.items():
        if tag >> 16 in (0xFFFA, 0x4FFE) or unknown(element):
            continue
        head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, element.vr.encode())
        if isinstance(element, Element):
            form = "<xxL" if element.vr in terms.LONG_VRS else "<H"
            out += head + struct.pack(form, len(element.value)) + element.value
        elif isinstance(element, Fragments):
            pieces = b"".join(std.ITEM + piece for piece in element.pieces)
            out += head + b"\0\0" + pieces + std.END
        else:
            items = b"".join(std.ITEM + canonical_form(item) for item in element.items)
            out += head + b"\0\0" + items + std.END
    return out


def unknown(element) -> bool:
    if isinstance(element, Nested):
        return any(unknown(e) for item in element.items for e in item.values())
    return element.vr == "UN"


def streamed(index) -> bytes:
    out = bytearray()
    index.stream(lambda piece: out.extend(bytes(piece)))
    return bytes(out)


ENCODINGS = {
    "explicit": {},
    "implicit": {"implicit": True},
    "big endian": {"big_endian": True},
}
METAS = {
    "explicit": std.META_EXPLICIT,
    "implicit": std.META_IMPLICIT,
    "big endian": std.META_BIG_ENDIAN,
}


def written(elements, layout, encoding):
    options = {"implicit": False, "big_endian": False, **ENCODINGS[encoding]}
    return Writer(layout, **options).data_set(elements)

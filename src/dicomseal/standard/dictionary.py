"""The value representation and the keyword of a tag: implicit VR (PS3.5 Section 7.1.3, PS3.6).

The data come from pydicom's dictionaries, by ``tools/make_dictionary.py``. pydicom itself is not
imported. Some VRs depend on other elements of the data set. They have lower-case names here until
the index resolves them (PS3.5 Annex A.1 and PS3.3 C.7.6.3.1, C.11.1):

====  ==========================================================================================
ox    OB or OW: in implicit VR little endian OW
bo    OB or OW: in implicit VR little endian OB, as Curve Data (50xx,3000) in PS3.5-2004 Annex A.1
xs    US or SS: by the nearest Pixel Representation (0028,0103), own data set first
lt    US or OW: LUT Data; US where LUT Descriptor names one entry, else OW
====  ==========================================================================================
"""

from __future__ import annotations

import os
from array import array

from . import terms

UNKNOWN = "UN"
AMBIGUOUS = {
    "ox": ("OW", "OB"), "bo": ("OB", "OW"), "xs": ("US", "SS"), "lt": ("OW", "US", "SS"),
}  # fmt: skip
# as pydicom writes them, where it has not settled them either
AMBIGUOUS_NAMES = {"OB or OW": "ox", "US or SS": "xs", "US or OW": "lt", "US or SS or OW": "lt"}


def resolved(kind: str, length: int, known: int | None) -> str:
    """Return the VR of an element whose VR is ambiguous, by the table above.

    Args:
        kind: a key of `AMBIGUOUS`.
        length: bytes of its value.
        known: what it depends on, if that is there: for ``xs`` the nearest Pixel Representation
            (0028,0103), for ``lt`` the number of entries by its LUT Descriptor (0028,3002).
    """
    if kind == "xs" and known:
        return "SS"
    if kind == "lt" and known == 1 and length <= terms.MAX_SHORT_LENGTH:
        return "US"  # else OW, the only one that can hold so many
    return AMBIGUOUS[kind][0]


def _rows(name: str, separator: str | None) -> list[list[str]]:
    path = os.path.join(os.path.dirname(__file__), "data", name)
    with open(path, encoding="utf-8") as lines:
        return [line.rstrip("\n").split(separator) for line in lines if not line.startswith("#")]


def _mask(pattern: str) -> tuple[int, int]:
    """Return the mask and the value of a pattern: '50xx200C' -> (0xFF00FFFF, 0x5000200C)."""
    mask = "".join("0" if c == "x" else "F" for c in pattern)
    return int(mask, 16), int(pattern.replace("x", "0"), 16)


class Dictionary:
    """Tag to VR, read once per process from the package's data files.

    Attributes:
        tags: the public tags, ascending.
        vrs: their VRs, in the same order, each as two ASCII bytes.
    """

    def __init__(self) -> None:
        table: dict[int, str] = {}
        self._masks: list[tuple[int, int, str]] = []
        for vr, *patterns in _rows("vr.txt", None):
            for pattern in patterns:
                if "x" in pattern:
                    self._masks.append((*_mask(pattern), vr))
                else:
                    table[int(pattern, 16)] = vr
        self._table = table
        self._private: dict[str, dict[tuple[int, int], str]] | None = None
        self.tags = array("I", sorted(table))
        self.vrs = "".join(table[tag] for tag in self.tags).encode("ascii")

    def public(self, tag: int) -> str:
        """Return the VR of a tag of an even group, ``UN`` if the standard does not know the tag."""
        vr = self._table.get(tag)
        if vr is None:
            if tag & 0xFFFF == 0:
                return "UL"
            vr = next((v for mask, value, v in self._masks if tag & mask == value), UNKNOWN)
        return vr

    def private(self, tag: int, creator: bytes | None) -> str:
        """Return the VR of a tag of an odd group, by the Private Creator of its block."""
        element = tag & 0xFFFF
        if element == 0:
            return "UL"
        if 0x10 <= element <= 0xFF:
            return "LO"
        if creator is None:
            return UNKNOWN
        if self._private is None:
            self._private = {}
            for name, vr, patterns in _rows("private_vr.txt", "\t"):
                known = self._private.setdefault(name, {})
                for pattern in patterns.split(" "):
                    known[_mask(pattern)] = vr
        known = self._private.get(creator.strip(b" \0").decode("latin-1"), {})
        for mask in (0xFFFFFFFF, 0xFFFF00FF, 0xFF0000FF, 0xFFFFFF00):
            found = known.get((mask, tag & mask))
            if found is not None:
                return found if len(found) == 2 else UNKNOWN
        return UNKNOWN


class Others:
    """The VRs that other readers use, or used, for an element; see ``tools/make_other_vrs.py``."""

    def __init__(self) -> None:
        self.public: dict[int, tuple[str, ...]] = {}
        self._private: dict[str, dict[str, tuple[str, ...]]] = {}
        for whose, creator, vr, tags in _rows("other_vr.txt", "\t"):
            for tag in tags.split(" "):
                if whose == "was":
                    number = int(tag, 16)
                    self.public[number] = (*self.public.get(number, ()), vr)
                else:  # the VRs that were seen in files come first
                    known = self._private.setdefault(creator, {})
                    known[tag] = (*known.get(tag, ()), vr)

    def private(self, tag: int, creator: bytes | None) -> tuple[str, ...]:
        """Return the VRs of a tag of an odd group by Private Creator, the likelier ones first."""
        known = self._private.get((creator or b"").strip(b" \0").decode("latin-1"), {})
        return known.get(f"{tag >> 16:04X}xx{tag & 0xFF:02X}", ())


class Keywords:
    """Tag to keyword and back (PS3.6); read only when a name is shown or parsed."""

    def __init__(self) -> None:
        pairs = [(int(tag, 16), keyword) for tag, keyword in _rows("keywords.txt", None)]
        self.by_tag = dict(pairs)
        self.by_keyword = {keyword: tag for tag, keyword in pairs}


_dictionary: Dictionary | None = None
_others: Others | None = None
_keywords: Keywords | None = None


def dictionary() -> Dictionary:
    """Return the one `Dictionary` of this process."""
    global _dictionary
    if _dictionary is None:
        _dictionary = Dictionary()
    return _dictionary


def others() -> Others:
    """Return the one `Others` of this process."""
    global _others
    if _others is None:
        _others = Others()
    return _others


def keywords() -> Keywords:
    """Return the one `Keywords` of this process."""
    global _keywords
    if _keywords is None:
        _keywords = Keywords()
    return _keywords

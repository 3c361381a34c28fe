"""The value of a decoded element as bytes, by its VR (PS3.5 Section 6.2), written to be read.

In: an element of pydicom that was decoded or built, whose VR is known. Out: its value in little
endian, not padded. A value that is not of its VR's usual types is left to pydicom (`rare`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from . import rare
from .rare import IS, DSfloat, MultiValue, PersonName

BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_STRINGS = frozenset(("AE", "AS", "CS", "UI", "UR"))
# PS3.5 Section 6.1.2.3: the VRs that Specific Character Set applies to, but PN
_TEXT = frozenset(("LO", "LT", "SH", "ST", "UC", "UT"))
_NUMBERS = {
    "FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q",
}  # fmt: skip
# the first number of these is US where the others are SS (PS3.3 Section C.11.1.1.1)
_LUT_DESCRIPTORS = frozenset((0x00281101, 0x00281102, 0x00281103, 0x00283002))
_SEVERAL = (MultiValue, list, tuple)


def encoded(element: Any, vr: str, encodings: Callable[[], tuple[str, ...]]) -> Any:
    """Return the value of a decoded element, bytes-like.

    Args:
        element: it, with a VR that is not ambiguous.
        vr: that VR.
        encodings: gives the character sets that count here.

    Raises:
        EncodingError: it has no such value.
    """
    value = element.value
    sized = isinstance(value, (str, bytes, bytearray, PersonName, *_SEVERAL))
    if value is None or (sized and not value):
        return b""
    try:
        return _by_rule(element, vr, value, encodings)
    except (TypeError, ValueError, OverflowError, struct.error, BufferError):
        # not of the types below: what pydicom makes of it, or its error
        return rare.written(element, vr, encodings())


def _by_rule(element: Any, vr: str, value: Any, encodings: Callable[[], tuple[str, ...]]) -> Any:
    several = list(value) if isinstance(value, _SEVERAL) else [value]
    if vr in BYTES:
        return value if isinstance(value, bytes) else memoryview(value).cast("B")
    if vr in _NUMBERS:
        if isinstance(value, tuple) or (len(several) > 1 and element.tag in _LUT_DESCRIPTORS):
            raise TypeError
        types = (int, float) if vr in ("FD", "FL") else int
        _check(several, types)
        return struct.pack(f"<{len(several)}{_NUMBERS[vr]}", *several)
    if vr == "AT":
        _check(several, int)
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in several)
    if vr in _STRINGS:
        return "\\".join(several).encode("latin-1")
    if vr in ("DS", "IS"):
        return "\\".join(map(_number, several)).encode("latin-1")
    if vr in ("DA", "DT", "TM"):
        return "\\".join(map(_date, several)).encode("latin-1")
    if vr in _TEXT:
        _check(several, str)
        return b"\\".join(rare.text(one, encodings()) for one in several)
    if vr == "PN" and (several == [value] or len(several) > 1):
        _check(several, PersonName)
        return b"\\".join(rare.person_name(one, encodings()) for one in several)
    raise TypeError


def _check(values: list[Any], types: Any) -> None:
    if not all(isinstance(value, types) for value in values):
        raise TypeError


def _number(value: Any) -> str:
    """Return the string that a number was read from, or its shortest one."""
    text = value if isinstance(value, str) else getattr(value, "original_string", None)
    if isinstance(text, str):
        return text
    if text is not None:
        raise TypeError
    if type(value) is DSfloat and value - value == 0:  # neither infinite nor NaN
        return float.__repr__(value)
    if type(value) is IS:
        return int.__repr__(value)
    raise TypeError


def _date(value: Any) -> str:
    """Return the string that a date or a time was read from; the component may be empty."""
    text = "" if value is None else getattr(value, "original_string", value)
    if not isinstance(text, str):
        raise TypeError
    return text

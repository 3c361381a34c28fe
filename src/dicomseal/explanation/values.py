"""Values for people: shortened, and harmless on a terminal and in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encoding import record as r
from ..encoding._encoder_py import swap
from ..report import harmless
from ..standard import terms

if TYPE_CHECKING:
    from ..encoding.backend import Index

_TEXT = terms.SPACE_PADDED | {"UI"}
_SHOWN = 40  # characters; of bytes, a third of this number is shown
_NUMBERS = {"US": 2, "SS": 2, "UL": 4, "SL": 4}


def abridged(index: Index, number: int) -> str:
    """Return the value of an element, shortened."""
    record = index.record(number)
    if record.kind in (r.SEQUENCE, r.ENCAPSULATED):
        count = sum(1 for _ in index.children(number))
        what = "item" if record.kind == r.SEQUENCE else "fragment"
        return f"{count} {what}{'' if count == 1 else 's'}"
    length = record.end - record.value
    if length > 1 << 20:
        return f"{length:,} bytes"
    return shown(record.vr, index.value(number), index.big_endian)


def shown(vr: str, value: bytes, big_endian: bool = False) -> str:
    """Return a stored value, shortened."""
    if vr in _TEXT:
        return _quoted(value)
    value = swap(value, vr) if big_endian else value
    if vr == "AT" and len(value) == 4:
        return f"({value[1]:02X}{value[0]:02X},{value[3]:02X}{value[2]:02X})"
    width = _NUMBERS.get(vr)
    if width and len(value) in (width, 2 * width, 3 * width):
        return "\\".join(
            str(int.from_bytes(value[at : at + width], "little", signed=vr[0] == "S"))
            for at in range(0, len(value), width)
        )
    most = _SHOWN // 3
    if len(value) <= most:
        return value.hex(" ").upper() or "(empty)"
    return f"{value[:most].hex(' ').upper()} … ({len(value):,} bytes)"


def _quoted(value: bytes) -> str:
    """Return text in quotes, so that its padding shows; NUL and other bytes as escapes."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    if len(text) > _SHOWN:
        return f'"{harmless(text[:_SHOWN])}…" ({len(value):,} bytes)'
    return f'"{harmless(text)}"'

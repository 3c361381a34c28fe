"""Tags and locations: how they are written, which may be signed (PS3.3 C.12.1.1.3.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import UsageError
from . import terms
from .dictionary import keywords

__all__ = ["describe", "format_tag", "is_signable_tag", "parse_tag", "parse_tags"]

_TAG = re.compile(r"\(?\s*([0-9A-Fa-f]{4})\s*,?\s*([0-9A-Fa-f]{4})\s*\)?")
_NEVER = frozenset(
    (terms.LENGTH_TO_END, terms.MAC_PARAMETERS_SEQUENCE, terms.DATA_SET_TRAILING_PADDING)
)


def is_signable_tag(tag: int) -> bool:
    """Return whether an element with this tag can ever be part of the MAC calculation.

    The rule is about tags alone. An element that may be signed by its tag may still be left out
    because its VR is UN (PS3.3 C.12.1.1.3.1.1).
    """
    group = tag >> 16
    return not (group < 0x0008 or tag & 0xFFFF == 0 or group in (0xFFFA, 0xFFFE) or tag in _NEVER)


def format_tag(tag: int) -> str:
    """Write a tag as ``(gggg,eeee)``, in upper case."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def keyword(tag: int) -> str:
    """Return the standard's keyword of a tag, or an empty string."""
    return keywords().by_tag.get(tag, "")


def describe(tag: int) -> str:
    """Write a tag as ``PatientName (0010,0010)``; without a keyword the tag alone."""
    return f"{keyword(tag)} {format_tag(tag)}".lstrip()


def parse_tag(text: str | int) -> int:
    """Return the tag for ``gggg,eeee``, ``(gggg,eeee)``, ``ggggeeee``, a keyword, or an int.

    Raises:
        UsageError: the text is none of these.
    """
    if isinstance(text, int):
        if 0 <= text <= 0xFFFFFFFF:
            return int(text)
        raise UsageError(f"{text} is not a tag: it takes a number from 0 to FFFFFFFF")
    if not isinstance(text, str):
        raise UsageError(f"{text!r} is not a tag: write gggg,eeee, a keyword, or a number")
    match = _TAG.fullmatch(text.strip())
    if match:
        return int(match[1] + match[2], 16)
    tag = keywords().by_keyword.get(text.strip())
    if tag is None:
        raise UsageError(
            f"{text!r} is not a tag: write gggg,eeee (four hexadecimal digits each) "
            "or a keyword such as PatientName"
        )
    return tag


def parse_tags(tags: Iterable[str | int]) -> list[int]:
    """Parse several tags as `parse_tag` does, and return them ascending, each once."""
    if isinstance(tags, (str, int)):
        tags = [tags]
    try:
        listed = list(tags)
    except TypeError:
        raise UsageError(f"a {type(tags).__name__} is not a list of tags") from None
    return sorted({parse_tag(tag) for tag in listed})

"""Tags and item locations as dcmsign reads them: ``gggg,eeee``, keywords, tag files.

dcmsign reads numbers as C's ``scanf`` does with ``%x,%x``: any number of hexadecimal digits, of
which the last four count, white space and a sign before them, anything after them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import UsageError
from ..standard.dictionary import keywords
from ..standard.tags import format_tag
from .exits import Exit, ExitError

_SPACE = " \t\n\v\f\r"
_NUMBER = r"[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)"
_NUMBERS = re.compile(f"{_NUMBER},{_NUMBER}")
_TOKEN = re.compile(r"\(([^)]*)\)|([A-Za-z0-9]*)")
_STEP = re.compile(
    r"[ \t\n\v\f\r]*(?:\(([^)]*)\)|([A-Za-z0-9]+))[ \t\n\v\f\r]*\[([0-9]+)\]"
)  # fmt: skip
_MAX_NUMBER = (1 << 64) - 1  # a larger number is reduced to this one before it is cut to 16 bits
# keywords of repeating groups, which pydicom distinguishes; dcmsign takes the first group
_FIRST_OF_REPEATING = {
    "OverlayRows": 0x60000010,
    "OverlayColumns": 0x60000011,
    "NumberOfFramesInOverlay": 0x60000015,
    "OverlayDescription": 0x60000022,
    "OverlayType": 0x60000040,
    "OverlaySubtype": 0x60000045,
    "OverlayOrigin": 0x60000050,
    "ImageFrameOrigin": 0x60000051,
    "OverlayBitsAllocated": 0x60000100,
    "OverlayBitPosition": 0x60000102,
    "OverlayActivationLayer": 0x60001001,
    "ROIArea": 0x60001301,
    "ROIMean": 0x60001302,
    "ROIStandardDeviation": 0x60001303,
    "OverlayLabel": 0x60001500,
    "OverlayData": 0x60003000,
}


def tags_of(file: str | None, names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the tags to sign: those of the file, then those of the command line; None for all.

    Raises:
        ExitError: a tag file cannot be read or parsed, or a text is not a tag.
    """
    if file is None and not names:
        return None
    found: list[int] = []
    if file is not None:
        try:
            with open(file, encoding="latin-1", newline="") as stream:
                text = stream.read()
        except (OSError, ValueError):
            raise ExitError(
                Exit.CANNOT_READ_TAG_FILE,
                f"Error while reading tag file '{file}': file not found",
            ) from None
        found += _tags_in(text.partition("\0")[0], file)
    for name in names:
        tag = _numbers(name)
        if tag is None:
            tag = _keyword(name)
        if tag is None:
            raise ExitError(Exit.COMMAND_LINE, f"unknown attribute tag '{name}'")
        found.append(tag)
    return tuple(found)


def _tags_in(text: str, name: str) -> list[int]:
    """Return the keywords and the tags in parentheses; white space may be between them."""
    found = []
    position = 0
    while text[position:].lstrip(_SPACE):
        position = len(text) - len(text[position:].lstrip(_SPACE))
        match = _TOKEN.match(text, position)
        bracketed, keyword = match.groups() if match else (None, None)
        tag = _numbers(bracketed) if bracketed is not None else _keyword(keyword or "")
        if match is None or tag is None:
            raise ExitError(
                Exit.SYNTAX_IN_TAG_FILE,
                f"Error while reading tag file '{name}': parse error at "
                f"'{text[position : position + 20].strip()}'",
            )
        found.append(tag)
        position = match.end()
    return found


def _numbers(text: str) -> int | None:
    match = _NUMBERS.match(text)
    if not match:
        return None
    group, element = (_cut(*match.groups()[n : n + 2]) for n in (0, 2))
    return group << 16 | element


def _cut(sign: str, digits: str) -> int:
    number = int(digits, 16)
    if number > _MAX_NUMBER:
        return 0xFFFF
    return (-number if sign == "-" else number) & 0xFFFF


def _keyword(name: str) -> int | None:
    name = name.removeprefix("RETIRED_")  # the prefix in DCMTK's dictionary for retired ones
    return keywords().by_keyword.get(name, _FIRST_OF_REPEATING.get(name))


def location(text: str) -> str:
    """Return an item location in our own form; dcmsign's is narrower.

    Raises:
        UsageError: dcmsign does not accept it: a tag must be in parentheses, and items are counted
            from the start.
    """
    steps = []
    position = 0
    while True:
        match = _STEP.match(text, position)
        tag = None
        if match:
            bracketed, keyword, number = match.groups()
            tag = _keyword(keyword) if bracketed is None else _numbers(bracketed)
        if match is None or tag is None:
            raise UsageError(f"'{text[position:]}' in item location '{text}' is not like Name[0]")
        steps.append(f"{format_tag(tag)}[{number}]")
        position = match.end()
        if not text[position:].strip(_SPACE):
            return ".".join(steps)
        if text[position] != ".":
            raise UsageError(f"a period is missing in item location '{text}'")
        position += 1

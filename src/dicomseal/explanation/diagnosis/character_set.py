"""CHARACTER_SET: text was recoded to another Specific Character Set (0008,0005)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...encoding import values
from ..edited_stream import Edit, encoded
from .case import MAX_VALUE, Case, Hypothesis, Leaf, named
from .cause import CauseCode

CHARACTER_SET = 0x00080005
# PS3.5 6.1.2.3: the VRs that Specific Character Set is for
_TEXT = frozenset(("SH", "LO", "ST", "LT", "UC", "UT", "PN"))
# PS3.3 C.12.1.1.2, those that are met first
_SETS: tuple[tuple[str, ...], ...] = (
    ("ISO_IR 192",), ("ISO_IR 100",), (), ("ISO_IR 101",), ("ISO_IR 144",), ("ISO_IR 126",),
    ("ISO_IR 148",), ("ISO_IR 203",), ("GB18030",), ("GBK",), ("ISO_IR 13",),
    ("", "ISO 2022 IR 87"), ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ("ISO 2022 IR 6", "ISO 2022 IR 87"),
    ("", "ISO 2022 IR 149"), ("ISO 2022 IR 6", "ISO 2022 IR 149"), ("", "ISO 2022 IR 58"),
    ("ISO 2022 IR 6", "ISO 2022 IR 100"), ("ISO 2022 IR 100",), ("ISO 2022 IR 6",), ("ISO_IR 6",),
    ("ISO_IR 109",), ("ISO_IR 110",), ("ISO_IR 127",), ("ISO_IR 138",), ("ISO_IR 166",),
)  # fmt: skip


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses for each character set: the text recoded, the label changed, or both."""
    stored = values.text_of(case.index, case.one.scope, CHARACTER_SET)
    now = tuple(term.strip() for term in stored.split("\\")) if stored else ()
    texts = [
        leaf
        for leaf in case.leaves
        if leaf.record.vr in _TEXT and leaf.record.end - leaf.record.value <= MAX_VALUE
    ]
    special = [leaf for leaf in texts if _is_special(case.index.value(leaf.number))]
    for other in _SETS:
        if other == now:
            continue
        label = _label(case, other)
        for padded in (True, False):  # a program that writes a text anew also pads it anew
            recoded = _recoded(case, special, now, other, padded) if special else []
            if recoded and label:
                yield _hypothesis(special, now, other, [*label, *recoded], "recoded")
            if recoded:
                yield _hypothesis(special, now, other, recoded, "recoded, and not labelled so")
        if label:
            yield _hypothesis([], now, other, label, "labelled otherwise")


def _is_special(value: bytes) -> bool:
    return not value.isascii() or b"\x1b" in value


def _label(case: Case, other: Sequence[str]) -> list[Edit]:
    """Return the former element that names the character set; nothing if it is not signed."""
    if CHARACTER_SET not in case.listed:
        return []
    data = encoded(CHARACTER_SET, "CS", "\\".join(other).encode()) if other else b""
    there = case.top.get(CHARACTER_SET)
    if there is not None:
        return [Edit(there, there + 1, data)]
    return [Edit(case.place(CHARACTER_SET), case.place(CHARACTER_SET), data)] if data else []


def _recoded(
    case: Case, leaves: Sequence[Leaf], now: Sequence[str], other: Sequence[str], padded: bool
) -> list[Edit]:
    """Return the values in another character set; nothing if it cannot encode one of them."""
    edits = []
    for leaf in leaves:
        value = case.index.value(leaf.number)
        text = decoded(value if padded else value.rstrip(b" \0"), now)
        back = None if text is None else _encoded(text, other)
        if back is None:
            return []
        if back != value:
            record = leaf.record
            edits.append(Edit(leaf.number, leaf.number + 1, encoded(record.tag, record.vr, back)))
    return edits


def _codec(term: str) -> str | None:
    """Return Python's name of a character set (PS3.3 C.12.1.1.2).

    None for one that is not known.
    """
    # pydicom takes a while to import, and only text beyond ASCII needs it
    from pydicom.charset import python_encoding

    return "iso8859_15" if term.endswith(" 203") else python_encoding.get(term)


def decoded(value: bytes, terms: Sequence[str]) -> str | None:
    """Decode text in some character sets; if none is given, in the usual ones."""
    from pydicom.charset import decode_bytes
    from pydicom.valuerep import TEXT_VR_DELIMS

    if len(terms) < 2:
        codec = _codec(terms[0]) if terms else "latin-1"
        try:
            return None if codec is None else value.decode(codec)
        except ValueError:
            return None
    codecs = [_codec(term) for term in terms]
    try:
        text: str = decode_bytes(value, [one for one in codecs if one], TEXT_VR_DELIMS)
    except (LookupError, ValueError):
        return None
    return text


def _encoded(text: str, terms: Sequence[str]) -> bytes | None:
    """Return the bytes of a text; None if these sets do not have all of its characters."""
    from pydicom.charset import encode_string

    codecs = [_codec(term) for term in terms] if terms else ["latin-1"]
    known = [one for one in codecs if one]
    if not known or not all(_has(one, known) for one in set(text)):
        return None
    if len(known) == 1:
        return text.encode(known[0])
    encoded_text: bytes = encode_string(text, known)
    return encoded_text


def _has(character: str, codecs: Sequence[str]) -> bool:
    for codec in codecs:
        try:
            character.encode(codec)
        except ValueError:
            continue
        return True
    return False


def _hypothesis(
    leaves: Sequence[Leaf], now: Sequence[str], other: Sequence[str], edits: list[Edit], how: str
) -> Hypothesis:
    def name(terms: Sequence[str]) -> str:
        return "\\".join(terms) or "no character set"

    elements = (named(CHARACTER_SET), *(named(leaf.record.tag) for leaf in leaves))
    message = (
        f"it was signed with {name(other)} and has {name(now)} now: text was {how}, and nothing "
        "else was changed"
    )
    return Hypothesis(CauseCode.CHARACTER_SET, elements, message, tuple(sorted(edits, key=_start)))


def _start(edit: Edit) -> int:
    return edit.start

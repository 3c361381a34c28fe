"""Elements of an implicit VR object whose VR may have been another one when they were signed.

In: the index of an object in implicit VR, and the elements that were signed.
Out: for each open element the candidate VRs, and how likely each of them is.
PS3: PS3.5 Section 7.1.3, Annex A.1; PS3.6.

Implicit VR states no VR. A reader's VR is a choice by rules where the standard allows two, that of
a private dictionary for private elements, and that of the current edition where the standard has
changed.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..encoding import record as r
from ..standard import terms
from ..standard.dictionary import AMBIGUOUS, UNKNOWN, dictionary, others
from ..standard.tags import is_signable_tag

if TYPE_CHECKING:
    from ..encoding.backend import Index

LIKELY, RELATED, POSSIBLE, UNLIKELY = 1, 2, 3, 4
"""How surprising a VR is: some reader uses it; it is alike; the value fits; it does not fit."""

_MAX_READ = 1 << 20  # bytes of a value; a longer one is not examined
_MAX_LOOKED_AT = 4096  # of these, to tell text from numbers
_MAX_POLICIES = 128
_ITEM = bytes.fromhex("FEFF00E0")
_BITS_ALLOCATED, _WAVEFORM_BITS_ALLOCATED = 0x00280100, 0x54001004
_WORDS_FOR_DCMTK = (terms.PIXEL_DATA, 0x60003000)  # OW for DCMTK; all others are OB
_DESCRIPTORS = frozenset((terms.LUT_DESCRIPTOR, 0x00281100, 0x00281101, 0x00281102, 0x00281103))
_TEXT = terms.SPACE_PADDED | {"UI"}
# every VR, those that are most frequent in private elements first
_ORDER = (
    "LO", "SH", "CS", "DS", "IS", "ST", "LT", "UT", "DA", "TM", "DT", "UI", "PN", "AE", "AS",
    "UC", "UR", "OB", "US", "SL", "UL", "SS", "FL", "FD", "OW", "OF", "AT", "OD", "OL", "OV",
    "SV", "UV",
)  # fmt: skip
_FORMS = {
    "AS": re.compile(rb"\d{3}[DWMY]"),
    "DA": re.compile(rb"\d{8} ?"),
    "DS": re.compile(rb"[0-9+\-Ee. \\]*"),
    "DT": re.compile(rb"[0-9+\-. \\]*"),
    "IS": re.compile(rb"[0-9+\- \\]*"),
    "TM": re.compile(rb"[0-9.: \\]*"),
    "UI": re.compile(rb"[0-9.\\]*\0?"),
}
_WIDTHS = terms.SWAP_WIDTH | {"AT": 4, "OW": 2}


class Open(NamedTuple):
    """An element whose VR is open.

    Attributes:
        number: its record.
        tag: its tag.
        kind: a key of `dictionary.AMBIGUOUS`; or ``private``, ``was``, ``unknown`` or ``slip``.
        place: the tags of the sequences around it and its own: elements of the same place usually
            have the same VR.
        family: elements with the same private creator and VR, which may have changed alike.
        vr: the VR to begin with.
        others: the other candidates, each with how surprising it is.
        complete: whether the candidates include every possible VR of PS3.5.
    """

    number: int
    tag: int
    kind: str
    place: tuple[int, ...]
    family: tuple[object, ...]
    vr: str
    others: tuple[tuple[str, int], ...]
    complete: bool

    def likely(self) -> str:
        """Return the VR that some reader is known to use, or the element's VR if there is none."""
        return next((vr for vr, cost in self.others if cost == LIKELY), "")


def signed(index: Index, scope: int, tags: Iterable[int]) -> list[int]:
    """Return the records of the listed elements of a scope, whether their VR is known or not."""
    wanted = {tag for tag in tags if is_signable_tag(tag)}
    return [child for child in index.children(scope) if index.record(child).tag in wanted]


def find(index: Index, scope: int, elements: Iterable[int], slips: bool = False) -> list[Open]:
    """Return the open elements among some elements of a scope, in the order of the stream.

    With ``slips`` every text is open: an element with another VR than that of the standard did not
    conform, but such elements exist.
    """
    found: list[Open] = []
    places: dict[int, tuple[int, ...]] = {scope: ()}
    for element in elements:
        whole = index.record(element)
        number, tags = element, index.tags(element, whole.next)
        lost = whole.flags & r.UNKNOWN_VR
        while number < whole.next:
            tag = tags[number - element]
            if tag >= 0 and not is_signable_tag(tag):
                number = index.record(number).next
                continue
            if tag >= 0 and (lost or slips or _may_be_open(tag)):
                record = index.record(number)
                if record.kind == r.ELEMENT:
                    candidate = _open(index, number, record, places, slips)
                    if candidate is not None:
                        found.append(candidate)
            number += 1
    return found


@functools.lru_cache(4096)
def _may_be_open(tag: int) -> bool:
    if tag >> 16 & 1:
        return True
    return dictionary().public(tag) in AMBIGUOUS or tag in others().public


def _place(index: Index, holder: int, places: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the tags of the sequences around an item; none around the scope."""
    way = []  # sequences may be deeper than Python's own stack
    while holder not in places:
        sequence = index.record(index.record(holder).parent)
        way.append((holder, sequence.tag))
        holder = sequence.parent
    for item, tag in reversed(way):
        places[item] = (*places[holder], tag)
        holder = item
    return places[holder]


def _open(
    index: Index,
    number: int,
    record: r.Record,
    places: dict[int, tuple[int, ...]],
    slips: bool,
) -> Open | None:
    tag, length = record.tag, record.end - record.value
    private = bool(tag >> 16 & 1)
    if private and (tag & 0xFFFF == 0 or 0x10 <= tag & 0xFFFF <= 0xFF):
        return None
    creator, kind, likely = _known(index, record)
    vr = record.vr
    too_long = length > terms.MAX_SHORT_LENGTH and vr in terms.SHORT_VRS
    if kind == "unknown" and not too_long and vr != UNKNOWN:
        if not slips or vr not in _TEXT:
            return None  # its VR is known, and never changed
        kind = "slip"
    value = index.value(number) if length <= _MAX_READ else None
    everything = private or vr == UNKNOWN or too_long
    candidates = _ranked(vr, likely, value, length, everything or kind == "slip")
    if kind == "slip":
        candidates = [candidate for candidate in candidates if candidate[1] == RELATED]
    if too_long or vr == UNKNOWN:
        kind, (vr, candidates) = "unknown", _without_vr(candidates, too_long)
    closed = not everything or bool(value and value[:4] != _ITEM)  # else it may be a sequence
    place = (*_place(index, record.parent, places), tag)
    return Open(number, tag, kind, place, (creator, tag >> 16), vr, tuple(candidates), closed)


def _known(index: Index, record: r.Record) -> tuple[bytes | None, str, list[str]]:
    """Return the Private Creator of an element, its kind, and the VRs that readers use for it."""
    tag, creator = record.tag, None
    if tag >> 16 & 1:
        block = index.find(record.parent, tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8)
        creator = index.value(block)[:64] if block >= 0 else None
        known, other_vrs = dictionary().private(tag, creator), others().private(tag, creator)
        kind = "private"
    else:
        known, other_vrs = dictionary().public(tag), others().public.get(tag, ())
        kind = "was" if other_vrs else "unknown"
    if known in AMBIGUOUS:
        kind = known
    return creator, kind, [*AMBIGUOUS.get(known, ()), *other_vrs]


def _without_vr(
    candidates: list[tuple[str, int]], too_long: bool
) -> tuple[str, list[tuple[str, int]]]:
    """Return the likeliest VR of an element that has none, and the other candidates."""
    if too_long:
        # DCMTK treats as UN what does not fit into explicit VR, and signs that
        candidates = [(UNKNOWN, UNLIKELY), *candidates]
    vr = min(candidates, key=lambda candidate: candidate[1])[0] if candidates else UNKNOWN
    return vr, [candidate for candidate in candidates if candidate[0] != vr]


def _ranked(
    vr: str, likely: Sequence[str], value: bytes | None, length: int, everything: bool
) -> list[tuple[str, int]]:
    """Return the candidates besides a VR, each once."""
    found: dict[str, int] = {}
    for name in likely:
        found.setdefault(name, LIKELY)
    if everything:
        value = value if value is None else value[:_MAX_LOOKED_AT]
        text = value is not None and _is_text(value)
        alike = text if vr == UNKNOWN else vr in _TEXT
        for name in _ORDER:
            found.setdefault(name, _surprise(name, alike, value, length, text))
    return [
        (name, cost)
        for name, cost in found.items()
        if name not in (vr, "SQ", UNKNOWN)
        and not (length > terms.MAX_SHORT_LENGTH and name in terms.SHORT_VRS)
    ]


def _surprise(name: str, alike: bool, value: bytes | None, length: int, text: bool) -> int:
    if length % _WIDTHS.get(name, 1):
        return UNLIKELY
    if name in _TEXT:
        form = _FORMS.get(name)
        if not text or (form is not None and value is not None and not form.fullmatch(value)):
            return UNLIKELY
    return RELATED if (name in _TEXT) == alike else POSSIBLE


def _is_text(value: bytes) -> bool:
    return all(byte >= 0x20 or byte in b"\t\n\f\r\x1b" for byte in value.rstrip(b"\0"))


def policies(index: Index, found: Sequence[Open]) -> Iterator[list[str]]:
    """Yield the choices that a writer of explicit VR may have made, likeliest first.

    For each kind there are a few rules that writers follow consistently. All combinations of these
    rules are yielded, up to a limit.
    """
    near = _Near(index)

    def by_bits(one: Open) -> str:
        return "OB" if near.bits(one) <= 8 else "OW"

    def as_dcmtk(one: Open) -> str:
        return "OW" if one.tag & 0xFF00FFFF in _WORDS_FOR_DCMTK else "OB"

    def as_dcmtk_by_bits(one: Open) -> str:
        return "OW" if "OW" in (as_dcmtk(one), by_bits(one)) else "OB"

    def descriptors_unsigned(one: Open) -> str:
        return "US" if one.tag in _DESCRIPTORS else one.vr

    def by_sign(one: Open) -> str:
        return "SS" if near.sign(one) else "US"

    def by_sign_of_item(one: Open) -> str:
        return "SS" if index.record(one.number).parent in negative() else "US"

    @functools.cache
    def negative() -> set[int]:
        return {
            index.record(one.number).parent for one in found if one.kind == "xs" and near.sign(one)
        }

    rule, likely = _vr, Open.likely
    columns: dict[str, list[Callable[[Open], str]]] = {
        "ox": [rule, by_bits, as_dcmtk, _always("OB"), as_dcmtk_by_bits, _always("OW")],
        "bo": [rule, _always("OW"), by_bits],
        "xs": [
            rule,
            descriptors_unsigned,
            _always("US"),
            _always("SS"),
            by_sign_of_item,
            by_sign,
        ],
        "lt": [rule, _always("OW"), _always("US")],
        "private": [rule, likely],
        "was": [rule, likely],
        "slip": [rule],
        "unknown": [rule, likely],
    }
    kinds = sorted({one.kind for one in found})
    ways = itertools.product(*(range(len(columns[kind])) for kind in kinds))
    seen = set()
    for way in itertools.islice(sorted(ways, key=sum), _MAX_POLICIES):
        rules = {kind: columns[kind][n] for kind, n in zip(kinds, way, strict=True)}
        vrs = [rules[one.kind](one) for one in found]
        vrs = [
            vr if vr == one.vr or vr in dict(one.others) else one.vr
            for vr, one in zip(vrs, found, strict=True)
        ]
        if tuple(vrs) not in seen:
            seen.add(tuple(vrs))
            yield vrs


def _vr(one: Open) -> str:
    return one.vr


def _always(vr: str) -> Callable[[Open], str]:
    return lambda _: vr


def alike(index: Index, found: Iterable[Open]) -> list[Open]:
    """Reduce the candidates of stated VRs to those with which the value reads the same."""
    kept = []
    for one in found:
        others = tuple((vr, cost) for vr, cost in one.others if _reads_the_same(index, one, vr))
        if others:
            kept.append(one._replace(others=others))
    return kept


def _reads_the_same(index: Index, one: Open, vr: str) -> bool:
    pair = {one.vr, vr}
    if pair <= _TEXT or pair <= {"OB", "OW"} or pair <= {"US", "OW"}:
        return True
    record = index.record(one.number)
    if not pair <= {"US", "SS", "OW"} or record.end - record.value > _MAX_READ:
        return False
    return max(index.value(one.number)[1::2], default=0) < 0x80


class _Near:
    """Values of the data sets around an element, the nearest first; each is read once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[tuple[int, int], int | None] = {}

    def bits(self, one: Open) -> int:
        """Return how many bits a sample has, 16 if nothing states it."""
        waveform = one.tag >> 16 == _WAVEFORM_BITS_ALLOCATED >> 16
        tag = _WAVEFORM_BITS_ALLOCATED if waveform else _BITS_ALLOCATED
        number = one.number
        while number:
            number = self._index.record(number).parent
            found = self._value(number, tag)
            if found is not None:
                return found
        return 16

    def sign(self, one: Open) -> bool:
        """Return whether its first number, or the first mapped value, may be negative."""
        value = self._index.value(one.number)[:4]
        place = 2 if one.tag in _DESCRIPTORS else 0
        return value[place + 1 : place + 2] >= b"\x80"

    def _value(self, scope: int, tag: int) -> int | None:
        if (scope, tag) not in self._known:
            number = -1
            if self._index.record(scope).kind == r.ITEM:
                number = self._index.find(scope, tag)
            value = self._index.value(number)[:2] if number >= 0 else b""
            self._known[scope, tag] = int.from_bytes(value, "little") if len(value) == 2 else None
        return self._known[scope, tag]

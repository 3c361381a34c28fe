"""VALUE_PADDING: superfluous or missing padding of text and UIDs (PS3.5 Section 6.2).

Padding has no meaning, and many programs trim or add it when they store an object: `storescp` of
DCMTK without ``+B``, and programs that use its C-STORE code. But it is signed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...encoding._encoder_py import Encoder
from ...standard import terms
from ..edited_stream import Edit, encoded
from .case import MAX_VALUE, Case, Hypothesis, Leaf, named
from .cause import CauseCode

_TEXT = terms.SPACE_PADDED | {"UI"}
# PS3.5 Section 6.2: the maximum length of a single value, to which some writers pad it
_FIXED = {
    "AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "PN": 64,
    "SH": 16, "TM": 16, "UI": 64,
}  # fmt: skip
_MAX_ADDED, _MAX_LONG = 16, 64  # bytes
_MAX_SUBSET = 12  # values, all subsets of which are tried
_MAX_ALIKE = 100  # values, of which each two are tried alike


class Variant(NamedTuple):
    """Another padding of one value.

    Attributes:
        kind: the rules choose by it.
        value: with that padding.
        said: its description, for people.
        whole: it is hashed unchanged, even if its length is odd.
        again: an earlier padding of another kind has the same bytes, so only the rules use it.
    """

    kind: str
    value: bytes
    said: str
    whole: bool = False
    again: bool = False


def single(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses that change one value at a time."""
    for leaf, variants in _padded(case):
        for variant in variants:
            if not variant.again:
                yield _hypothesis([(leaf, variant)])


def rules(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses that change several values: all by one rule, subsets, and pairs."""
    padded = list(_padded(case))
    for rule in _RULES:
        chosen = [
            (leaf, variant)
            for leaf, variants in padded
            if (variant := rule(leaf, variants)) is not None
        ]
        if len(chosen) > 1:
            yield _hypothesis(chosen)
    # some of the values that now end in superfluous padding may have got it after the signing
    odd = [(leaf, one) for leaf, some in padded for one in some if one.kind == "trimmed"]
    for size in range(2, min(len(odd), _MAX_SUBSET)):
        for subset in itertools.combinations(odd[:_MAX_SUBSET], size):
            yield _hypothesis(list(subset))
    for kind in ("added", "fixed", "other"):
        alike = [
            (leaf, one)
            for leaf, some in padded
            if (one := next((one for one in some if one.kind == kind), None)) is not None
        ]
        for first, second in itertools.combinations(alike[:_MAX_ALIKE], 2):
            yield _hypothesis([first, second])


def long(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses that give one value at a time more padding than is likely."""
    for leaf, _ in _padded(case):
        value = _value(case, leaf)
        right = b"\0" if leaf.record.vr == "UI" else b" "
        now = _even(value, right)
        for count in range(_MAX_ADDED + 2, _MAX_LONG + 1, 2):
            said = f"with {count} more bytes of padding than now"
            yield _hypothesis([(leaf, Variant("added", now + right * count, said))])


def pairs(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses that change each pair of values in every way."""
    padded = list(_padded(case))
    for (one, first), (other, second) in itertools.combinations(padded, 2):
        for a, b in itertools.product(first, second):
            if not a.again and not b.again:
                yield _hypothesis([(one, a), (other, b)])


def _padded(case: Case) -> Iterator[tuple[Leaf, list[Variant]]]:
    for leaf in case.leaves:
        record = leaf.record
        if record.vr in _TEXT and record.end - record.value <= MAX_VALUE:
            variants = list(_variants(record.vr, _value(case, leaf)))
            if variants:
                yield leaf, variants


def _value(case: Case, leaf: Leaf) -> bytes:
    return case.index.value(leaf.number)


def _variants(vr: str, value: bytes) -> Iterator[Variant]:
    """Yield other paddings of a value, the likeliest first, but never its own canonical form."""
    right = b"\0" if vr == "UI" else b" "
    other = b" " if vr == "UI" else b"\0"
    bare = value.rstrip(b" \0")
    now = _even(value, right)
    seen = {now}

    def unless_seen(kind: str, found: bytes, said: str) -> Iterator[Variant]:
        if found not in seen:
            seen.add(found)
            yield Variant(kind, found, said)

    yield from unless_seen("trimmed", _even(bare, right), "without superfluous padding")
    yield from unless_seen("other", _even(bare, other), _names(other))
    if len(bare) % 2:
        yield Variant("odd", bare, "with an odd length and no padding", True)
    if vr != "UI" and value[:1] == b" ":
        yield from unless_seen(
            "leading", _even(value.strip(b" \0"), right), "without leading spaces"
        )
    for count in range(2, _MAX_ADDED + 1, 2):
        said = f"with {count} more bytes of padding than now"
        yield from unless_seen("added", now + right * count, said)
    size = _FIXED.get(vr, 0)
    if len(bare) < size and b"\\" not in bare:
        filled, said = bare.ljust(size, right), f"filled up to {size} bytes"
        if filled in seen - {now}:
            yield Variant("fixed", filled, said, again=True)
        yield from unless_seen("fixed", filled, said)
    yield from unless_seen("others", now + other * 2, f"with more, {_names(other)}")
    if vr != "UI":
        yield from unless_seen("led", _even(b" " + bare, right), "with a leading space")
        parts = value.split(b"\\")
        if len(parts) > 1:
            each = b"\\".join(part.strip(b" \0") for part in parts)
            yield from unless_seen("each", _even(each, right), "without padding of each value")


def _even(value: bytes, pad: bytes) -> bytes:
    return value + pad * (len(value) % 2)


def _names(pad: bytes) -> str:
    return "padded with NUL" if pad == b"\0" else "padded with a space"


Rule = Callable[[Leaf, list[Variant]], Variant | None]


def _kind(*kinds: str) -> Rule:
    def rule(_leaf: Leaf, variants: list[Variant]) -> Variant | None:
        return next((one for one in variants if one.kind in kinds), None)

    return rule


def _odd(kind: str) -> Rule:
    """Return a rule for values with padding whose bytes without padding are odd in number."""

    def rule(leaf: Leaf, variants: list[Variant]) -> Variant | None:
        found = _kind(kind)(leaf, variants)
        return found if found is not None and found.value[-1:] in (b" ", b"\0") else None

    return rule


def _of(vrs: frozenset[str], inner: Rule) -> Rule:
    def rule(leaf: Leaf, variants: list[Variant]) -> Variant | None:
        return inner(leaf, variants) if leaf.record.vr in vrs else None

    return rule


_UI, _NOT_UI = frozenset(("UI",)), terms.SPACE_PADDED
_RULES: tuple[Rule, ...] = (
    _kind("trimmed"),
    _of(_NOT_UI, _odd("other")),
    _of(_UI, _odd("other")),
    _odd("other"),
    _of(_NOT_UI, _kind("added")),
    _of(_NOT_UI, _kind("fixed")),
    _of(_UI, _kind("fixed")),
    _kind("fixed"),
    *(_of(frozenset((vr,)), _kind("fixed")) for vr in _FIXED),
    *(_of(frozenset((vr,)), _kind("added")) for vr in _FIXED),
    _kind("each", "trimmed"),
    _kind("leading"),
    _kind("odd"),
)


def _element(leaf: Leaf, variant: Variant) -> bytes:
    """Return the element in canonical form with this value."""
    tag, vr, value = leaf.record.tag, leaf.record.vr, variant.value
    if not variant.whole:
        return encoded(tag, vr, value)
    out = bytearray()
    encoder = Encoder(out.extend)
    encoder.header(tag, vr, len(value))
    encoder.data(value)
    return bytes(out)


def _hypothesis(chosen: list[tuple[Leaf, Variant]]) -> Hypothesis:
    edits = tuple(
        Edit(leaf.number, leaf.number + 1, _element(leaf, variant)) for leaf, variant in chosen
    )
    elements = tuple(named(leaf.record.tag) for leaf, _ in chosen)
    said = list(dict.fromkeys(variant.said for _, variant in chosen))
    what = f"the value of {elements[0]} was" if len(chosen) == 1 else f"{len(chosen)} values were"
    return Hypothesis(
        CauseCode.VALUE_PADDING, elements,
        f"{what} signed {' or '.join(said[:3])}; nothing else was changed. Padding says nothing, "
        "but it is signed: some program trimmed it or added it as it stored the object",
        edits,
    )  # fmt: skip

"""COERCED: an archive changed attributes and kept the old values (PS3.3 C.12.1.1.9).

Original Attributes Sequence (0400,0561) records for each change the old values, the time, the
system that made it, and the reason. If the old values are put back, from the newest change to the
oldest, the result must be what was signed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from ...encoding import record as r
from ...encoding import values
from ...encoding.backend import tags_of
from ...standard import terms
from ...standard.tags import is_signable_tag
from ..edited_stream import Edit, encoded
from ..values import abridged
from .case import MAX_VALUE, Case, Hypothesis, named
from .cause import CauseCode

_MODIFIED_ATTRIBUTES = 0x04000550
_NONCONFORMING, _NONCONFORMING_VALUE = 0x04000551, 0x04000552
_SELECTOR = 0x00720026
_SOURCE, _WHEN, _SYSTEM, _REASON = 0x04000564, 0x04000562, 0x04000563, 0x04000565
_MAX_SUBSET = 10  # attributes, all subsets of which are put back
_TEXT = terms.SPACE_PADDED | {"UI"}


class Old(NamedTuple):
    """The old value of one attribute.

    Attributes:
        tag: of it.
        data: its canonical form; a function that sends it if it is long.
        shown: the old value, shortened.
        empty: whether it is empty; then the attribute may also have been absent.
        trimmed: the same without superfluous padding; empty if there is none.
    """

    tag: int
    data: bytes
    shown: str
    empty: bool
    trimmed: bytes


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses: all changes undone, then the newest ones, then single attributes."""
    changes = list(_changes(case))
    if not changes:
        return
    for count in range(1, len(changes) + 1):
        old: dict[int, Old] = {}
        for _, found in changes[:count]:
            old.update(found)  # an older change has the older value
        told = [text for text, _ in changes[:count]]
        yield from _ways(case, list(old.values()), told)
    every = {tag: one for _, found in changes for tag, one in found.items()}
    tags = sorted(every)[:_MAX_SUBSET]
    for size in range(len(tags) - 1, 0, -1):
        for subset in itertools.combinations(tags, size):
            yield from _ways(case, [every[tag] for tag in subset], [text for text, _ in changes])


def _changes(case: Case) -> Iterator[tuple[str, dict[int, Old]]]:
    """Yield the old values of each item, the newest change first."""
    index = case.index
    items = list(values.items_of(index, case.one.scope, terms.ORIGINAL_ATTRIBUTES_SEQUENCE))
    dated = [(values.text_of(index, item, _WHEN), n, item) for n, item in enumerate(items)]
    # a receiver appends its item, so of two without a date the later one is newer
    for _when, _n, item in sorted(dated, reverse=True):
        old: dict[int, Old] = {}
        for sequence in values.items_of(index, item, _MODIFIED_ATTRIBUTES):
            for number in index.children(sequence):
                tag = index.record(number).tag
                if is_signable_tag(tag):
                    old[tag] = _old(case, number)
        for sequence in values.items_of(index, item, _NONCONFORMING):
            old.update(_nonconforming(case, sequence))
        if old:
            yield _told(case, item), old


def _old(case: Case, number: int) -> Old:
    index = case.index
    record = index.record(number)
    out = bytearray()
    index.stream_between(out.extend, number, record.next, record.parent, record.parent)
    length = record.end - record.value
    trimmed = b""
    if record.kind == r.ELEMENT and record.vr in _TEXT and length <= MAX_VALUE:
        trimmed = encoded(record.tag, record.vr, index.value(number).rstrip(b" \0"))
    return Old(
        record.tag, bytes(out), abridged(index, number), length == 0,
        b"" if trimmed == bytes(out) else trimmed,
    )  # fmt: skip


def _nonconforming(case: Case, item: int) -> dict[int, Old]:
    """Return the bytes of nonconforming values, with their elements (PS3.3 C.12.1.1.9.1)."""
    index = case.index
    stored, raw = index.values(item, (_SELECTOR, _NONCONFORMING_VALUE))
    if stored is None or raw is None or len(stored) != 4:
        return {}
    (tag,) = tags_of(stored, index.big_endian)
    there = case.top.get(tag)
    if there is None or not is_signable_tag(tag):
        return {}
    vr = index.record(there).vr
    return {tag: Old(tag, encoded(tag, vr, raw), f"{len(raw)} bytes", False, b"")}


def _ways(case: Case, old: list[Old], told: list[str]) -> Iterator[Hypothesis]:
    """Yield the old values as they stand there; what is empty as absent.

    Without superfluous padding.
    """
    listed = [one for one in old if one.tag in case.listed or one.tag in case.top]
    for absent in (False, True):
        for trimmed in (False, True):
            if absent and not any(one.empty for one in listed):
                continue
            if trimmed and not any(one.trimmed for one in listed):
                continue
            yield _hypothesis(case, listed, told, absent, trimmed)


def _hypothesis(
    case: Case, old: list[Old], told: list[str], absent: bool, trimmed: bool
) -> Hypothesis:
    edits = []
    for one in sorted(old):
        data = one.trimmed if trimmed and one.trimmed else one.data
        if absent and one.empty:
            data = b""
        there = case.top.get(one.tag)
        if there is None:
            place = case.place(one.tag)
            edits.append(Edit(place, place, data))
        elif one.tag in case.listed:
            edits.append(Edit(there, case.index.record(there).next, data))
    edits.sort(key=lambda edit: (edit.start, edit.stop))  # stable: tags put in one place ascend
    elements = tuple(named(one.tag) for one in sorted(old))
    was = "; ".join(f"{named(one.tag)} was {one.shown}" for one in sorted(old)[:4])
    message = (
        f"with the values of Original Attributes put back it is what was signed: {was}"
        f"{' …' if len(old) > 4 else ''}. {'; '.join(told[:3])}"
    )
    return Hypothesis(CauseCode.COERCED, elements, message, tuple(edits))


def _told(case: Case, item: int) -> str:
    index = case.index
    said = [values.text_of(index, item, tag) for tag in (_WHEN, _SYSTEM, _REASON, _SOURCE)]
    when, system, reason, source = said
    text = f"changed {when or 'at a time that is not stated'} by {system or 'a system not named'}"
    if reason:
        text += f", reason {reason}"
    if source:
        text += f"; received from {source}"
    return text

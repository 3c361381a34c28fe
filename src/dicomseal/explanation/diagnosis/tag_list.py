"""TAG_LIST and REMOVED: Data Elements Signed, which nothing protects, and the present elements."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ...encoding import record as r
from ...encoding._encoder_py import Encoder
from ...standard.dictionary import AMBIGUOUS, UNKNOWN, dictionary
from ...standard.tags import is_signable_tag
from ..edited_stream import Edit, Update, encoded
from .case import MAX_RECORDS, Case, Hypothesis, named
from .cause import CauseCode

_MAX_PAIRS = 64  # the number of elements of which every pair is tried


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield lists with elements added, removed, or both; then empty elements for absent ones."""
    put = list(itertools.islice(_put_in(case), MAX_RECORDS))
    taken = list(itertools.islice(_taken_out(case), MAX_RECORDS))
    for edit, tag in put:
        yield _hypothesis(case, [(edit, tag)], [])
    for edit, tag in taken:
        yield _hypothesis(case, [], [(edit, tag)])
    if len(taken) > 1:
        yield _hypothesis(case, [], taken)
    for one, other in itertools.product(put[:_MAX_PAIRS], taken[:_MAX_PAIRS]):
        yield _hypothesis(case, [one], [other])
    for first, second in itertools.combinations(taken[:_MAX_PAIRS], 2):
        yield _hypothesis(case, [], [first, second])
    for first, second in itertools.combinations(put[:_MAX_PAIRS], 2):
        yield _hypothesis(case, [first, second], [])


def removed(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses that insert absent listed elements without a value: one, two, or all."""
    empty = [
        (Edit(case.place(tag), case.place(tag), _empty(tag, vr)), tag)
        for tag in sorted(case.listed - case.top.keys())
        if is_signable_tag(tag) and len(vr := _vr(tag)) == 2 and vr != UNKNOWN
    ]
    sizes = sorted({1, 2, len(empty)}) if len(empty) <= _MAX_PAIRS else [1, len(empty)]
    for size in sizes:
        for chosen in itertools.combinations(empty, size):
            if chosen:
                elements = tuple(named(tag) for _, tag in chosen)
                yield Hypothesis(
                    CauseCode.REMOVED, elements,
                    f"{' and '.join(elements[:3])} {'was' if len(elements) == 1 else 'were'} there "
                    "without a value when it was signed, and removed since; nothing else was "
                    "changed",
                    tuple(edit for edit, _ in chosen),
                )  # fmt: skip


def _empty(tag: int, vr: str) -> bytes:
    if vr != "SQ":
        return encoded(tag, vr, b"")
    out = bytearray()
    encoder = Encoder(out.extend)
    encoder.open(tag, vr)
    encoder.close()
    return bytes(out)


def _vr(tag: int) -> str:
    found = dictionary().public(tag)
    return AMBIGUOUS[found][0] if found in AMBIGUOUS else found


def _put_in(case: Case) -> Iterator[tuple[Edit, int]]:
    for number in case.one.elements:
        record = case.index.record(number)
        yield Edit(number, record.next, b""), record.tag


def _taken_out(case: Case) -> Iterator[tuple[Edit, int]]:
    index, scope = case.index, case.one.scope
    for tag, number in case.top.items():
        record = index.record(number)
        if tag in case.listed or not is_signable_tag(tag) or record.flags & r.UNKNOWN_VR:
            continue

        def send(update: Update, number: int = number, stop: int = record.next) -> None:
            index.stream_between(update, number, stop, scope, scope)

        yield Edit(number, number, send), tag


def _hypothesis(
    case: Case, put: list[tuple[Edit, int]], taken: list[tuple[Edit, int]]
) -> Hypothesis:
    del case
    edits = tuple(sorted((edit for edit, _ in (*put, *taken)), key=lambda edit: edit.start))
    tags = [tag for _, tag in (*put, *taken)]
    said = []
    if put:
        names = ", ".join(named(tag) for _, tag in put)
        said.append(f"{names} was put into Data Elements Signed (or into the object), and was not "
                    "signed")  # fmt: skip
    if taken:
        names = ", ".join(named(tag) for _, tag in taken[:4])
        said.append(f"{names} was taken from Data Elements Signed, and was signed")
    message = f"{'; '.join(said)}; nothing else was changed"
    code = CauseCode.TAG_LIST
    if put and not taken and all(tag >> 16 & 1 for tag in tags):
        code = CauseCode.LOST_VR
        message = (
            f"{', '.join(named(tag) for tag in tags)} was not in what was signed: its VR was UN "
            "then, which is never signed, and it has got one since; or it was put into the list"
        )
    return Hypothesis(code, tuple(named(tag) for tag in tags), message, edits)

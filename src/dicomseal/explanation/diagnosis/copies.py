"""OTHER_SIGNED_COPY: another copy of the object was signed, with other numbers in it.

A modality or an archive that sends an object again may give it a new number and keep its UID.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edited_stream import Edit, encoded
from .case import Case, Hypothesis, named
from .cause import CauseCode

_NUMBERS = (
    (0x00200013, 2000),  # Instance Number
    (0x00200012, 200),  # Acquisition Number
    (0x00200011, 200),  # Series Number
    (0x00280008, 64),  # Number of Frames
)


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses with other numbers, one element at a time."""
    for tag, most in _NUMBERS:
        there = case.top.get(tag)
        if tag not in case.listed:
            continue
        now = b""
        place = case.place(tag)
        edit = Edit(place, place, b"")
        if there is not None:
            record = case.index.record(there)
            if record.vr != "IS":
                continue
            now = case.index.value(there)
            edit = Edit(there, record.next, b"")
        said = now.strip(b" \0").decode("latin-1") or "none"
        for number in range(most):
            value = str(number).encode()
            if value == now.strip(b" \0"):
                continue
            data = encoded(tag, "IS", value)
            yield Hypothesis(
                CauseCode.OTHER_SIGNED_COPY, (named(tag),),
                f"a copy of this object with {named(tag)} {number} was signed, and this one has "
                f"{said}; nothing else is other",
                (edit._replace(data=data),),
            )  # fmt: skip

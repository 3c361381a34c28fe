"""COERCED and VALUE_PADDING at once: an archive that changes attributes often trims others.

Each cause is tried alone before. Both together are tried only if there are Original Attributes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from . import coerced, padding
from .case import Case, Hypothesis

_MAX_WAYS = 8  # in which the old values are put back; the first are all of them, and the newest


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses with the old values put back, and other paddings of the other values."""
    for old in itertools.islice(coerced.hypotheses(case), _MAX_WAYS):
        taken = [(edit.start, edit.stop) for edit in old.edits]
        for padded in itertools.chain(padding.single(case), padding.rules(case)):
            left = [
                (edit, element)
                for edit, element in zip(padded.edits, padded.elements, strict=True)
                if not any(start <= edit.start < stop for start, stop in taken)
            ]
            if not left:
                continue
            edits = sorted(
                (*old.edits, *(edit for edit, _ in left)), key=lambda edit: (edit.start, edit.stop)
            )
            also = padded._replace(elements=tuple(element for _, element in left))
            yield old._replace(edits=tuple(edits), also=also)

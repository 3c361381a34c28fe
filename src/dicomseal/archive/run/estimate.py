"""How much a run will be over, approximately: as much as the last time, or what a count says.

The walk is only a little ahead of the verification, so it does not know. An earlier run over the
same selection does; without one a thread of its own counts, if somebody watches. Files come and go
in the meantime: it is for a person who waits, and nothing is concluded from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import msgspec

from ...errors import DicomSealError
from ..find.found import Found
from ..find.roots import root_of
from ..find.selection import RunRequest, Selection
from ..ledger.ledger import VERIFY, Ledger
from ..ledger.written import decoded


class Estimate(msgspec.Struct):
    """Of how many files, and bytes, and who says so: ``as in run 3``, ``counted``.

    While it is still being counted, ``source`` is empty, and there are at least so many.
    """

    files: int = 0
    bytes: int = 0
    source: str = ""


class _Counts(msgspec.Struct):
    """Of the totals of a run, how much it was over."""

    files: int
    bytes: int


def as_before(ledger: Ledger, selection: Selection) -> Estimate | None:
    """As much as in the last run over the same selection that came to its end, if there is one."""
    wanted = _comparable(selection)
    for run in reversed(ledger.runs(VERIFY)):
        if run.totals is None:
            continue
        if _comparable(decoded(ledger.path, run.asked, RunRequest).selection) == wanted:
            totals = decoded(ledger.path, run.totals, _Counts)
            return Estimate(totals.files, totals.bytes, f"as in run {run.number}")
    return None


def _comparable(selection: Selection) -> Selection:
    """Without the moment that ``--older-than`` counted back from."""
    limit = None if selection.modified_before is None else 0.0
    return msgspec.structs.replace(selection, modified_before=limit)


def countable(roots: Iterable[str]) -> bool:
    """Whether roots may be walked through a second time: a pipe cannot, an object store costs."""
    return all(root_of(root).is_countable for root in roots)


class BackgroundCount:
    """Counts files in a thread of its own, as long as the block lasts.

    Args:
        into: what is counted up.
        files: makes the files; called in the thread.
    """

    def __init__(self, into: Estimate, files: Callable[[], Iterable[Found]]) -> None:
        self._into, self._files = into, files
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> BackgroundCount:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _count(self) -> None:
        try:
            for file in self._files():
                if self._stopped.is_set():
                    return
                self._into.files += 1
                self._into.bytes += file.size
        except DicomSealError:
            return  # the walk itself meets it too, and tells
        self._into.source = "counted"

"""An estimate of the size of a run: by the last run over the same files, or by a count.

The walk is only a little ahead of the verification, so it does not know the total. An earlier run
over the same selection does; without one, a separate thread counts, if progress is shown. Files
come and go in the meantime: the estimate is for a person who waits, and nothing else depends on it.
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

_LONGEST_END = 2.0  # seconds


class Estimate(msgspec.Struct):
    """A number of files and bytes, and its source: ``as in run 3``, ``counted``.

    While the count is in progress, ``source`` is empty, and the numbers are lower bounds.
    """

    files: int = 0
    bytes: int = 0
    source: str = ""


class _Counts(msgspec.Struct):
    """The part of a run's totals that has its size."""

    files: int
    bytes: int


def as_before(ledger: Ledger, selection: Selection) -> Estimate | None:
    """Return the size of the last completed run over the same selection, if there is one."""
    wanted = _comparable(selection)
    for run in reversed(ledger.runs(VERIFY)):
        if run.totals is None:
            continue
        if _comparable(decoded(ledger.path, run.asked, RunRequest).selection) == wanted:
            totals = decoded(ledger.path, run.totals, _Counts)
            return Estimate(totals.files, totals.bytes, f"as in run {run.number}")
    return None


def _comparable(selection: Selection) -> Selection:
    """Return the selection without the moment that ``--older-than`` counted back from."""
    limit = None if selection.modified_before is None else 0.0
    return msgspec.structs.replace(selection, modified_before=limit)


def countable(roots: Iterable[str]) -> bool:
    """Return whether roots may be walked twice: a pipe cannot, and an object store costs money."""
    return all(root_of(root).is_countable for root in roots)


class BackgroundCount:
    """Counts files in a thread of its own while the block lasts.

    Args:
        into: the estimate that is counted up.
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
        self._thread.join(_LONGEST_END)  # a walk may be waiting for a server

    def _count(self) -> None:
        try:
            for file in self._files():
                if self._stopped.is_set():
                    return
                self._into.files += 1
                self._into.bytes += file.size
        except DicomSealError:
            return  # the walk itself meets the error too, and reports it
        self._into.source = "counted"

"""Verify many files: `dicomseal.verify_many`.

In: paths of files and folders; options.
Out: pairs of path and report, in the order of the files, as they come.
PS3: PS3.3 C.12.1.1.3, PS3.15 Annex C; what is no DICOM file, PS3.10.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files.atomic import is_temporary
from ..files.folders import walk
from ..report import ObjectReport
from . import parallel
from .options import WARN, Options
from .other_files import OTHERS, in_a_folder
from .processors import processors
from .verifier import options_of, verify_with

if TYPE_CHECKING:
    from datetime import datetime

    from ..encoding.limits import Limits
    from ..requirements import Rule
    from ..trust.store import TrustStore

AUTO = "auto"
_SLOW = 0.05  # seconds that paths may take before the reports on those that came are yielded

_Path = str | os.PathLike[str]
_Reports = Generator[tuple[str, ObjectReport], None, None]


def verify_many(
    paths: _Path | Iterable[_Path],
    *,
    jobs: int | str = AUTO,
    list_others: bool = False,
    trust: TrustStore | None = None,
    at: datetime | None = None,
    accept_claimed_time: bool = False,
    weak: str | None = None,
    integrity_only: bool = False,
    require: str | Rule | Iterable[str | Rule] = (),
    require_signed: Iterable[str | int] = (),
    require_all_signed: bool = False,
    list_uncovered: bool = False,
    unsigned: str = WARN,
    accept_legacy: bool = False,
    transfer_syntax: str = "",
    limits: Limits | None = None,
) -> _Reports:
    """Verify all digital signatures of many files (PS3.3 C.12.1.1.3, PS3.15 Annex C).

    Args:
        paths: a file, a folder, or several of them; an iterable is read as the work goes on, and
            may be endless, and slow: a generator is asked for its second path when the first report
            was taken, and after 50 ms of waiting for paths the reports on those that came are
            yielded before it is asked for more. Folders are walked by name, links to folders in
            them are not followed.
        jobs: how many processes; ``"auto"`` is as many as this process may use, and none beside
            this one for a few files. What they verify at once is bounded, so memory stays flat.
        list_others: also yield files of folders that are no DICOM objects (verdict
            ``not_dicom``), or only the directory of a medium (``directory``).

    The other arguments are those of `dicomseal.verify`.

    Returns:
        A generator of pairs: the path, as it was given or below a folder that was given, and the
        report. They come in the order of the files, whatever finishes first. Close the generator
        (or leave the loop and drop it) to cancel: what is in progress is finished, no more is
        begun, and the processes end.

    A file that cannot be had or read is a report with the verdict ``error``, and so is one at which
    a worker process died. A file that a path names itself should be an object; one in a folder is
    left out if it is none, unless its name says that it should be one.

    Raises:
        UsageError: at once: ``jobs`` or another argument makes no sense.

    Workers never import the caller's main module, so this works in a script without
    ``if __name__ == "__main__"`` and in a notebook, on every system.
    """
    options = options_of(
        trust, at, accept_claimed_time, weak, integrity_only, require, require_signed,
        require_all_signed, list_uncovered, unsigned, accept_legacy, transfer_syntax, limits,
    )  # fmt: skip
    count = processes(jobs)
    several: Any = [paths] if isinstance(paths, (str, bytes, os.PathLike)) else paths
    if not isinstance(several, Iterable):
        raise UsageError(f"paths takes a path or several, not {type(paths).__name__}")
    files = _Files(several)
    found = iter(files) if isinstance(several, Sized) else _paced(iter(files))
    verified = _verified(found, options, count, few_alone=jobs == AUTO)
    return _reports(files, verified, options, others=list_others)


def processes(jobs: int | str) -> int:
    """Return how many processes a caller asks for.

    Raises:
        UsageError: that is neither a number from 1 nor ``"auto"``.
    """
    count = processors() if jobs == AUTO else jobs
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"jobs is a number from 1, or {AUTO!r}, not {jobs!r}")
    return count


def _reports(files: _Files, verified: _Reports, options: Options, *, others: bool) -> _Reports:
    with closing(verified):
        for path, object_report in verified:
            report, named = object_report, files.named.popleft()
            if not named and not report.sop_class_uid:
                report = in_a_folder(report, path, options.limits)
            if others or report.verdict not in OTHERS:
                yield path, report


def _verified(
    paths: Iterator[str | None], options: Options, jobs: int, *, few_alone: bool
) -> _Reports:
    """Yield path and report; ``paths`` are as of `parallel.verify_many`."""
    while few_alone or jobs == 1:
        few = list(_few(paths))
        if len(few) > parallel.BATCH and jobs > 1:
            paths = chain(few, paths)
            break
        for path in few:  # a batch is as slow as its slowest file
            if path is not None:
                yield path, verify_with(path, options)
        if not few:
            return
    with closing(parallel.verify_many(paths, options, jobs)) as running:
        for object_report in running:
            yield object_report.path, object_report


def _few(paths: Iterator[str | None]) -> Iterator[str | None]:
    """Yield paths until the next one may take its time, or they are more than a few."""
    for number, path in enumerate(paths):
        yield path
        if path is None or number == parallel.BATCH:
            return


def _paced(paths: Iterator[str]) -> Iterator[str | None]:
    """Yield the paths, and None where the reports on them should be yielded before more are asked.

    That is behind the first one, and when they have taken so long that somebody might wait.
    """
    waited, asked = _SLOW, time.monotonic()
    for path in paths:
        waited += time.monotonic() - asked
        yield path
        if waited >= _SLOW:
            waited = 0.0
            yield None
        asked = time.monotonic()


class _Files:
    """The files of paths.

    Attributes:
        named: of each file that was yielded and is not taken from here, whether a path names it
            itself. A set of paths would hold all of a list of millions.
    """

    def __init__(self, paths: Iterable[Any]) -> None:
        self._paths = paths
        self.named: deque[bool] = deque()

    def __iter__(self) -> Iterator[str]:
        for one in self._paths:
            try:
                path = os.fspath(one)
            except TypeError:
                raise UsageError(f"a path is text, not {one!r}") from None
            if isinstance(path, bytes):
                path = os.fsdecode(path)
            if os.path.isdir(path):
                for entry in walk(path, left_out=lambda entry: is_temporary(entry.name)):
                    self.named.append(False)
                    yield entry.path
            else:
                self.named.append(True)
                yield path

"""The work in a verifying run: a worker verifies the files of a batch, and returns their rows.

A worker of the embedded pool gets the options once, when it starts. A worker elsewhere gets them
with each batch, packed, and unpacks the same ones only once: so the trust store keeps its
decisions.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias, cast

import msgspec

from ... import report
from ...errors import SourceError
from ...report import ErrorReport, ObjectReport
from ...verification import parallel, start_methods
from ...verification.options import Options
from ...verification.other_files import was_directory
from ...verification.verifier import verify_with
from .. import errors
from ..find.ahead import ReadAhead, Reading, reader
from ..find.found import Found
from ..find.root import Fetched
from ..ledger.rows import Row, pack, row_of
from . import batch_thread, hang_watch, worker_pool
from .loop import Last, seconds_of


class Pools:
    """Makes pools of processes of this machine, one when the one before it is broken.

    Args:
        jobs: how many processes.
        options: of the verification.
        afresh: they are not forks of this process; for object stores, see `object_stores`.
        reading: how files are read.
    """

    def __init__(
        self, jobs: int, options: Options, afresh: bool = False, reading: Reading | None = None
    ) -> None:
        self._jobs, self._options = jobs, options
        self._start = "spawn" if afresh else None
        self._reading = Reading() if reading is None else reading

    def __call__(self) -> Executor:
        context = start_methods.context(self._start)
        pool = worker_pool.WorkerPool(self._jobs, context, _start, self._options, self._reading)
        # a worker may have hung with a file that it read itself: the next ones shall not
        self._reading = msgspec.structs.replace(self._reading, apart=True)
        return pool


class _Started(NamedTuple):
    """What a worker of `Pools` was started with; its trust store keeps its decisions."""

    options: Options
    ahead: ReadAhead


_started: _Started | None = None


def _start(options: Options, reading: Reading) -> None:
    """Start a worker of `Pools`, in its main thread."""
    global _started
    parallel.be_a_worker()
    _started = _Started(options, ReadAhead(reading, worker_pool.upcoming))
    if not reading.apart:
        hang_watch.begin(_started.ahead, reading.timeout, options.limits)


def verify_batch(batch: list[Found]) -> bytes:
    """Return the packed rows of a batch, with the options that the pool was started with."""
    assert _started is not None  # noqa: S101 - for the type: it is a worker of `Pools`
    ahead = _started.ahead
    packed = pack(_verified(batch, _started.options, partial(_each, ahead)))
    return Last(packed) if ahead.is_worn else packed


class RemoteVerify:
    """The same for an executor that starts its workers itself; callable and picklable."""

    def __init__(self, options: Options, reading: Reading | None = None) -> None:
        self._reading = Reading() if reading is None else reading
        self._packed = pickle.dumps(options)
        self._digest = hashlib.sha256(self._packed).digest()

    def __call__(self, batch: list[Found]) -> bytes:
        if threading.current_thread() is threading.main_thread():  # a process of somebody's pool
            return pack(_verified(batch, self.prepare(), partial(_each, reader(self._reading))))
        thread = batch_thread.of_this_thread(self._reading)
        packed = pack(_verified(batch, self.prepare(), thread.rows))
        if thread.is_worn and "distributed" in sys.modules:
            from .dask_worker import replace_this

            replace_this()
        return packed

    def prepare(self) -> Options:
        """Return the options; a worker that has unpacked the same ones before has them ready."""
        return _unpacked(_Packed(self._packed, self._digest))


class _Packed:
    """Pickled options that are compared by their digest."""

    def __init__(self, data: bytes, digest: bytes) -> None:
        self.data, self.digest = data, digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Packed) and self.digest == other.digest


@lru_cache(maxsize=4)
def _unpacked(packed: _Packed) -> Options:
    options: Options = pickle.loads(packed.data)  # noqa: S301 - from the process that sent the batch
    return options


_Verify: TypeAlias = Callable[[Found, Fetched], Row]


def _each(ahead: ReadAhead, files: list[Found], verify: _Verify) -> list[Row]:
    """Return the rows of files that are read and verified in this thread."""
    rows: dict[int, Row] = {}
    with closing(ahead.each(files)) as fetched_files:
        for number, fetched in fetched_files:
            rows[number] = verify(files[number], fetched)
    return [rows[number] for number in range(len(files))]


def _verified(
    batch: list[Found], options: Options, each: Callable[[list[Found], _Verify], list[Row]]
) -> list[Row]:
    """Return the rows of a batch, in its order."""
    rows: list[Row | None] = []
    files, places = [], []
    for file in batch:
        if file.trouble:
            object_report = _error(file.path, *file.trouble)
            rows.append(row_of(object_report, file.path, file.size, file.mtime, time.time()))
        else:
            files.append(file)
            places.append(len(rows))
            rows.append(None)
    verify = partial(verify_object, options=options)
    for place, row in zip(places, each(files, verify), strict=True):
        rows[place] = row
    return cast("list[Row]", rows)


def verify_object(file: Found, fetched: Fetched, options: Options) -> Row:
    """Return the row of one object, also of one that cannot be read or has vanished.

    Raises:
        StoreLostError: the store no longer answers.
    """
    source, size, mtime = fetched.source, fetched.size, fetched.mtime
    if isinstance(source, SourceError):
        object_report = _error(file.path, source.code, str(source))
        return row_of(object_report, file.path, file.size, file.mtime, time.time())
    object_report = verify_with(source, options)
    if object_report.error and object_report.error.code == errors.StoreLostError.code:
        raise errors.StoreLostError(object_report.error.message)
    directory = was_directory(object_report, source, options.limits)
    if isinstance(source, str) and object_report.bytes != size and not object_report.error:
        size, mtime = _now(source, object_report.bytes, mtime)
    return row_of(object_report, file.path, size, mtime, time.time(), directory)


def _now(path: str, read: int, mtime: int) -> tuple[int, int]:
    """Return size and time of a file that was written to since it was listed."""
    try:
        status = os.stat(path)
    except OSError:
        return read, mtime
    return status.st_size, status.st_mtime_ns


def crashed(file: Found, error: BaseException, seconds: float = math.inf) -> bytes:
    """Return the row of a file at which a worker died or raised.

    Args:
        file: the file.
        error: of its task.
        seconds: after so many, a worker died because it was ended (`verification.time_limit`).
    """
    if seconds_of(error) >= seconds:
        object_report = _error(file.path, "limit", parallel.ENDED.format(seconds))
    else:
        object_report = _error(file.path, "crashed", death_of(error))
    return pack([row_of(object_report, file.path, file.size, file.mtime, time.time())])


def death_of(error: BaseException) -> str:
    """Return what the error of a task says about the worker."""
    if type(error).__name__ in ("BrokenProcessPool", "KilledWorker"):
        return "the process that worked on it ended (out of memory?)"
    return f"the work on it raised {type(error).__name__}: {error}"


def _error(path: str, code: str, message: str) -> ObjectReport:
    return ObjectReport(path=path, verdict=report.ERROR, error=ErrorReport(code, message))

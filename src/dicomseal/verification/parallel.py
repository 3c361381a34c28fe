"""Verify many files, in this process or in several.

Processes are used, not threads: hashlib drops the GIL, but the code around the hash of a small file
does not (docs/performance.md has the figures). Files go out in batches and results come back in
order; the number of waiting ones is bounded, so a folder of millions costs no memory.

`dicomseal.archive.run.loop` is not used here. It yields results in order of completion, so that a
ledger never waits for a slow batch; here they come in the order of the files, and the next one is
waited for. In order, that loop would have to keep the batches that overtook a slow one, or have a
second way of waiting.
"""

from __future__ import annotations

import collections
import gc
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeAlias

import msgspec

from .. import report
from ..report import ErrorReport, ObjectReport
from . import start_methods, time_limit
from .options import Options
from .verifier import verify_with

BATCH = 32
_WINDOW = 4  # batches for each worker that are in progress or waiting

ENDED = "it was not verified within {} seconds, and the process that did it was ended"

_options = Options()


def _start(options: Options) -> None:
    """Start a worker: the trust store is built, and later its cache filled, once."""
    global _options
    _options = options
    be_a_worker()


def be_a_worker() -> None:
    """Prepare a new worker process: its parent handles Ctrl-C, and it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    time_limit.end_with_the_work()
    gc.freeze()  # what was imported stays; to look at it for garbage would copy its pages
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """Watch the parent: the pipe of a worker is held open by its siblings, so it does not end.

    The pipe that shows the parent's death is held open by workers that were started later, and
    these end first.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def started_with() -> Options:
    """Return, in a worker, the options of its pool."""
    return _options


_Packed: TypeAlias = bytes | list[ObjectReport]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[ObjectReport])


def _work(paths: list[str]) -> _Packed:
    """Return the packed reports on a batch: pickling costs the parent 10 microseconds each."""
    reports = [verify_with(path, _options) for path in paths]
    try:
        return _encoder.encode(reports)
    except UnicodeEncodeError:  # a file name that is not UTF-8
        return reports


def _unpack(packed: _Packed) -> list[ObjectReport]:
    return _decoder.decode(packed) if isinstance(packed, bytes) else packed


def verify_many(
    paths: Iterable[str | None], options: Options, jobs: int = 1
) -> Generator[ObjectReport, None, None]:
    """Yield the reports on many files, in their order.

    Args:
        paths: are taken as they are needed. None among them says that the next one may take its
            time: the reports on those before it are yielded first.
        options: for all of them.
        jobs: how many processes; 1 is this one.
    """
    if jobs <= 1:
        for path in paths:
            if path is not None:
                yield verify_with(path, options)
        return
    batches, slow = _batches(paths), False
    pending: collections.deque[tuple[list[str], Future[_Packed]]] = collections.deque()
    pool = _pool(jobs, options)
    try:
        while True:
            for batch in itertools.islice(batches, 0 if slow else jobs * _WINDOW - len(pending)):
                slow = not batch
                if slow:
                    break
                pending.append((batch, pool.submit(_work, batch)))
            if not pending:
                if not slow:
                    return
                slow = False
                continue
            batch, future = pending.popleft()
            try:
                yield from _unpack(future.result())
            except BrokenProcessPool:
                waiting = [batch, *(later for later, _ in pending)]
                pending.clear()
                pool.shutdown(wait=False, cancel_futures=True)
                for path in itertools.chain.from_iterable(waiting):
                    yield _alone(path, options)
                pool = _pool(jobs, options)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(paths: Iterable[str | None]) -> Iterator[list[str]]:
    """Yield batches, and an empty one where the next path may take its time."""
    batch: list[str] = []
    for path in paths:
        if path is not None:
            batch.append(path)
        if batch and (path is None or len(batch) == BATCH):
            yield batch
            batch = []
        if path is None:
            yield []
    if batch:
        yield batch


def _pool(jobs: int, options: Options, start: str | None = None) -> ProcessPoolExecutor:
    context = start_methods.context(start)
    return ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(options,))


pool = _pool  # for callers that submit tasks of their own; see `started_with`


def _alone(path: str, options: Options) -> ObjectReport:
    """Verify one file in a process of its own, after a worker was lost.

    The file may be the cause.
    """
    begun = time.monotonic()
    with _pool(1, options) as pool:
        try:
            return _unpack(pool.submit(_work, [path]).result())[0]
        except BrokenProcessPool:
            trouble = ErrorReport("crashed", "the process that verified it ended (out of memory?)")
            if time.monotonic() - begun >= options.limits.seconds:
                trouble = ErrorReport("limit", ENDED.format(options.limits.seconds))
            return ObjectReport(path=path, verdict=report.ERROR, error=trouble)

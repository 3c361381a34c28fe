"""The work in a signing run: a worker looks at each file of a batch, and signs it if needed.

Every worker opens the key itself, after it was started: a child process cannot use its parent's
session with a token.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import msgspec

from ... import report
from ...errors import DicomSealError, KeyFileWarning
from ...verification import parallel
from ..errors import StoppedError
from ..find.found import Found
from ..ledger.lock import as_a_worker
from ..ledger.rows import Row, pack
from . import hang_watch, left_behind
from .batch_signer import Worker, WorkerConfig
from .loop import Last
from .sign_rows import row_of_file
from .verify_worker import death_of

_config: WorkerConfig | None = None
_opened: Worker | None = None
_encode = msgspec.msgpack.Encoder().encode


def start(config: WorkerConfig) -> None:
    """Prepare a new worker process."""
    global _config
    _config = config
    parallel.be_a_worker()
    warnings.simplefilter("ignore", KeyFileWarning)  # shown when the run began
    as_a_worker(config.workers_lock)
    left_behind.mark(config.run, config.session)


def sign_batch(batch: list[Found]) -> bytes:
    """Return the packed rows of a batch; and why no more can be signed, if so."""
    if _config is None:
        raise RuntimeError("this process was not started as a worker that signs")
    rows: dict[int, Row] = {}
    why = ""
    is_worn = False
    try:
        worker = _worker(_config)
        try:
            worker.sign_all(batch, rows)
        finally:
            is_worn = worker.ahead.is_worn
    except StoppedError as stop:
        why = str(stop)  # the rows before count
    packed = _sent([rows[number] for number in sorted(rows)], why)
    return Last(packed) if is_worn else packed


def crashed(file: Found, error: BaseException) -> bytes:
    """Return the row of a file at which a worker died or raised."""
    return _sent([row_of_file(file, report.ERROR, ("crashed", death_of(error)))])


def _sent(rows: list[Row], why: str = "") -> bytes:
    return _encode((pack(rows) if rows else b"", why))


# the answer of a worker: the packed rows, or nothing, and why no more can be signed
unpack: Callable[[bytes], tuple[bytes, str]] = msgspec.msgpack.Decoder(tuple[bytes, str]).decode


def _worker(config: WorkerConfig) -> Worker:
    global _opened
    if _opened is None:
        try:
            _opened = Worker(config)
        except DicomSealError as error:  # the parent could open it, and the worker cannot
            raise StoppedError(str(error)) from None
        if not config.reading.apart:
            # it also waits for its key, an authority and the disk, which all have their own time
            hang_watch.begin(_opened.ahead, config.reading.timeout, None)
    return _opened

"""What a worker does: verify the files of a batch, and send back their rows.

A worker of the embedded pool is told the options once, when it starts. A worker elsewhere gets them
with each batch, packed, and unpacks the same ones only once: the trust store keeps its decisions.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from concurrent.futures import Executor
from functools import lru_cache

import msgspec

from .. import parallel, report
from ..report import ErrorReport, ObjectReport
from ..verifier import Options, verify_with
from .rows import Row, row_of
from .walk import Found

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Row]).decode


def embedded(jobs: int, options: Options) -> Executor:
    """The pool of `dicomseal.parallel`: processes of this machine."""
    return parallel.pool(jobs, options)


def in_pool(batch: list[Found]) -> bytes:
    """The rows of a batch, packed, with the options that the pool was started with."""
    return _encode([verify_file(file, parallel.started_with()) for file in batch])


class Elsewhere:
    """The same for an executor that starts its workers itself; callable and picklable."""

    def __init__(self, options: Options) -> None:
        self._packed = pickle.dumps(options)
        self._digest = hashlib.sha256(self._packed).digest()

    def __call__(self, batch: list[Found]) -> bytes:
        options = _unpacked(_Packed(self._packed, self._digest))
        return _encode([verify_file(file, options) for file in batch])


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
    made: Options = pickle.loads(packed.data)  # noqa: S301 - from the process that sent the batch
    return made


def rows_of(packed: bytes) -> list[Row]:
    """What a worker sent."""
    return _decode(packed)


def verify_file(file: Found, options: Options) -> Row:
    """The row of one file. One that cannot be read, or vanished, is a row too."""
    size, mtime = file.size, file.mtime
    if file.trouble:
        made = _error(file.path, *file.trouble)
    else:
        made = verify_with(file.path, options)
        if made.bytes != size and not made.error:  # it was written to since it was listed
            try:
                status = os.stat(file.path)
                size, mtime = status.st_size, status.st_mtime_ns
            except OSError:
                size = made.bytes
    return row_of(made, file.path, size, mtime, time.time())


def crashed(file: Found, error: BaseException) -> bytes:
    """The row of a file at which a worker died, or raised."""
    what = "the process that verified it ended (out of memory?)"
    if not _is_a_death(error):
        what = f"the verification raised {type(error).__name__}: {error}"
    made = _error(file.path, "crashed", what)
    return _encode([row_of(made, file.path, file.size, file.mtime, time.time())])


def _is_a_death(error: BaseException) -> bool:
    return type(error).__name__ in ("BrokenProcessPool", "KilledWorker")


def _error(path: str, code: str, message: str) -> ObjectReport:
    return ObjectReport(path=path, verdict=report.ERROR, error=ErrorReport(code, message))

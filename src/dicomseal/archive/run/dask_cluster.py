"""The workers of a dask.distributed cluster as an executor (extra ``dicomseal[archive]``)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any

from ... import __version__
from ...errors import UsageError
from ..errors import ExecutorLostError

TIMEOUT = 10  # seconds


@contextlib.contextmanager
def cluster(address: str) -> Iterator[tuple[Callable[[], Executor], int]]:
    """Yield a factory of the executor, and how many tasks its workers run at once.

    Args:
        address: of the scheduler, e.g. ``tcp://10.0.0.1:8786``.

    Raises:
        UsageError: dask.distributed is not installed.
        ExecutorLostError: there is no scheduler, it has no workers, or one of them does not have
            dicomseal of this version.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs the extra: pip install dicomseal[archive]") from None
    _quiet()
    try:
        make: Any = Client
        client = make(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise ExecutorLostError(f"no scheduler answers at {address}: {error}") from None
    try:
        yield _executor(client, address)
    finally:
        with contextlib.suppress(OSError):  # the scheduler has gone
            client.close(timeout=TIMEOUT)


def _executor(client: Any, address: str) -> tuple[Callable[[], Executor], int]:
    threads = sum(client.nthreads().values())
    if not threads:
        raise ExecutorLostError(f"the scheduler at {address} has no workers")
    for worker, version in client.run(_version, on_error="return").items():
        if version != __version__:
            raise ExecutorLostError(
                f"the worker {worker} does not have dicomseal {__version__}: {version}"
            )
    return (lambda: client.get_executor(pure=False)), threads


def _quiet() -> None:
    """Suppress tracebacks about a lost scheduler, which is reported by an error of ours.

    This is permanent: the client's thread logs some of them after the run.
    """
    for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _version() -> str:
    return __version__

"""The workers of a dask.distributed cluster as an executor (extra ``dicomseal[archive]``).

A task costs scheduler, client and worker some milliseconds together, whatever it does, and all
three of them copy what it carries. So batches are large, a task carries a batch as bytes that the
scheduler need not understand, and the work that all tasks have in common, trust store included,
goes to each worker once, before its first task: also to one that joins later.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import pickle
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple

from ... import __version__
from ...errors import UsageError
from ..errors import ExecutorLostError

TIMEOUT = 10  # seconds
BATCH_FILES, BATCH_BYTES = 4096, 256 << 20
# batches in progress for each worker: a new one is on its way for as long as a small one takes
WINDOW = 4


class Cluster(NamedTuple):
    """A cluster, as `dicomseal.archive.run.runner.verify` takes it.

    Attributes:
        executor: makes the executor.
        workers: how many tasks its workers run at once.
        batch_files, batch_bytes: how many files and bytes a batch has at most.
        window: how many batches are in progress for each worker.
    """

    executor: Callable[[], Executor]
    workers: int
    batch_files: int = BATCH_FILES
    batch_bytes: int = BATCH_BYTES
    window: int = WINDOW


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """Open a context in which a cluster is connected to.

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
        yield Cluster(lambda: Workers(client), _threads(client, address))
    finally:
        with contextlib.suppress(OSError):  # the scheduler has gone
            client.close(timeout=TIMEOUT)


def _threads(client: Any, address: str) -> int:
    threads = sum(client.nthreads().values())
    if not threads:
        raise ExecutorLostError(f"the scheduler at {address} has no workers")
    for worker, version in client.run(_version, on_error="return").items():
        if version != __version__:
            raise ExecutorLostError(
                f"the worker {worker} does not have dicomseal {__version__}: {version}"
            )
    return int(threads)


class Workers(Executor):
    """The executor. Functions with an argument are submitted to it, and both can be pickled.

    Args:
        client: of the cluster.
    """

    def __init__(self, client: Any) -> None:
        from .dask_worker import Told, call  # as it needs dask.distributed to be imported

        self._told, self._call = Told, call
        self._client = client
        self._executor = client.get_executor(pure=False)
        self._known: dict[Callable[..., Any], tuple[bytes, str]] = {}

    def submit(  # type: ignore[override]
        self, function: Callable[[Any], Any], argument: Any, /
    ) -> Future[Any]:
        """Submit a call of the function; it is sent to the workers only the first time."""
        if function not in self._known:
            self._known[function] = self._send(function)
        digest, _ = self._known[function]
        future: Future[Any] = self._executor.submit(
            self._call, digest, pickle.dumps(argument, pickle.HIGHEST_PROTOCOL)
        )
        return future

    def _send(self, function: Callable[[Any], Any]) -> tuple[bytes, str]:
        """Send a function to all workers that there are and will be; return how to name it."""
        packed = pickle.dumps(function, pickle.HIGHEST_PROTOCOL)
        digest = hashlib.sha256(packed).digest()
        # two runs may use one scheduler at once, and one of them ends first
        name = f"dicomseal-{uuid.uuid4()}"
        try:
            self._client.register_plugin(self._told(digest, packed), name=name)
        except Exception as error:  # noqa: BLE001 - whatever a worker raised
            raise ExecutorLostError(f"a worker cannot be prepared: {error}") from None
        return digest, name

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the calls in progress, and have the workers forget the functions."""
        del cancel_futures  # those that wait are cancelled by the loop
        self._executor.shutdown(wait=wait)
        while self._known:
            _, (_, name) = self._known.popitem()
            if self._client.status == "running":
                with contextlib.suppress(OSError):  # the scheduler has gone
                    self._client.unregister_worker_plugin(name)


def _quiet() -> None:
    """Suppress tracebacks about a lost scheduler, which is reported by an error of ours.

    This is permanent: the client's thread logs some of them after the run.
    """
    for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _version() -> str:
    return __version__

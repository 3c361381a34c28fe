"""The worker's side of `dask_cluster`: work that is known to a worker before its first task.

This module is also for ``dask worker --preload dicomseal.archive.run.dask_worker``: such a worker
has imported all that a verification needs before the first run asks for it, and does without Dask's
statistical profiler, which looks at what runs a hundred times a second.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

from distributed import WorkerPlugin, get_worker

from ..errors import ExecutorLostError

# modules that a verification imports when it needs them
_NEEDED = (
    "archive.run.verify_worker", "trust.certification_paths", "trust.judge", "trust.pool",
    "trust.revocation_data", "trust.store",
)  # fmt: skip

_known: dict[bytes, Callable[[Any], Any]] = {}


def call(digest: bytes, packed: bytes) -> Any:
    """Call the known function of a digest with a packed argument.

    Raises:
        ExecutorLostError: this worker does not know it, so nothing can be said of any file.
    """
    function = _known.get(digest)
    if function is None:
        raise ExecutorLostError("a worker was not told what this run does; has it been restarted?")
    return function(pickle.loads(packed))  # noqa: S301 - from the process that sent the task


class Told(WorkerPlugin):
    """Tells a worker of a function for as long as the scheduler has this plugin.

    Args:
        digest: by which `call` finds it.
        packed: the function, pickled; if it has ``prepare``, that is called as well.
    """

    def __init__(self, digest: bytes, packed: bytes) -> None:
        self._digest, self._packed = digest, packed

    def setup(self, worker: object) -> None:  # noqa: ARG002 - Dask's own signature
        """Take the function up: as the plugin is registered, or as the worker starts."""
        prepare()
        function = _known[self._digest] = pickle.loads(self._packed)  # noqa: S301 - as above
        first = getattr(function, "prepare", None)
        if first is not None:
            first()

    def teardown(self, worker: object) -> None:  # noqa: ARG002 - as above
        """Forget the function."""
        _known.pop(self._digest, None)


_replaced = False


def replace_this() -> None:
    """Have this worker's nanny replace its process, when what it has in hand has gone elsewhere.

    So many reads hang in it that it gets slower and slower. A worker without a nanny cannot be
    replaced; it goes on until no more reads can be begun, which ends the run.
    """
    global _replaced
    try:
        worker: Any = get_worker()
    except ValueError:  # the executor is another one
        return
    if worker.nanny is None or _replaced:
        return
    _replaced = True
    worker.loop.add_callback(_close, worker)


async def _close(worker: Any) -> None:
    await worker.close_gracefully(restart=True, reason="dicomseal-reads-hang")
    global _replaced
    _replaced = False  # the last worker keeps results that nobody could take: once more


def prepare() -> None:
    """Load what a verification imports when it needs it."""
    for name in _NEEDED:
        import_module(f"dicomseal.{name}")


def dask_setup(worker: Any) -> None:
    """Prepare a worker that was started with this module as its preload."""
    prepare()
    for name in ("profile", "profile-cycle"):
        callback = worker.periodic_callbacks.pop(name, None)
        if callback is not None:
            callback.stop()

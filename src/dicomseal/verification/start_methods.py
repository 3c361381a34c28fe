"""How worker processes are started: never by running the caller's own program once more.

Where a process cannot be forked, `multiprocessing` imports the main module again in each worker, so
that a script without ``if __name__ == "__main__"`` starts from its top in all of them. A worker
here needs nothing of that module: its functions are dicomseal's.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
import types
from collections.abc import Iterator
from multiprocessing.context import BaseContext, SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

_lock = threading.Lock()


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 - multiprocessing's own name
        base: Any = SpawnProcess
        with _without_main():
            return base._Popen(process_obj)


class _Context(SpawnContext):
    Process = _Process


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Show an empty main module while this context lasts: what is there is what workers import."""
    with _lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def context(method: str | None = None) -> BaseContext:
    """Return the context for worker processes.

    Args:
        method: ``spawn``, or None for the usual one of this system. Where that is not ``fork``,
            it is ``spawn``: a server that forks imports the main module, too.
    """
    if (method or multiprocessing.get_start_method()) == "fork":
        return multiprocessing.get_context("fork")
    return _Context()

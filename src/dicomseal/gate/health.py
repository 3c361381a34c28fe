"""How a gate stands: whether it can take objects, and figures that are asked for at any time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from .figures import Figures
    from .front import Counts
    from .spool import Spool
    from .store import Store

_LITTLE = 256 << 20  # bytes that are left on a disk that is nearly full


class Health:
    """Looks at the parts of a gate when somebody asks.

    Args:
        store: of its objects.
        spool: of what waits for the next node; None: there is no next node.
        counts: of its connections.
        trouble: sentences about what broke; others append to it.
        is_writing: whether the ledger can be written.
        is_stopping: whether the gate was told to stop.
    """

    def __init__(
        self,
        store: Store,
        spool: Spool | None,
        counts: Counts,
        trouble: list[str],
        *,
        is_writing: Callable[[], bool],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._store, self._spool, self._counts, self._trouble = store, spool, counts, trouble
        self._is_writing, self._is_stopping = is_writing, is_stopping
        self._begun = time.monotonic()

    def gauges(self, figures: Figures) -> None:
        """Add the figures of what is now."""
        spool = self._spool
        figures.gauge("connections", "Connections at present.", lambda: self._counts.total)
        figures.gauge("free_bytes", "Bytes that are free where the store is.", self._free)
        if spool is None:
            return
        figures.gauge("spool_objects", "Objects that wait for the next node.", spool.__len__)
        figures.gauge(
            "spool_aside_objects", "Objects that the next node refuses.", lambda: spool.set_aside
        )

    def page(self) -> dict[str, Any]:
        """Return whether the gate can take objects, and why not."""
        problems = list(self._trouble)
        free = self._free()
        if free < _LITTLE:
            problems.append("the disk is nearly full")
        if not self._is_writing():
            problems.append("the ledger cannot be written")
        if self._is_stopping():
            problems.append("the gate is stopping")
        found: dict[str, Any] = {
            "status": "failing" if problems else "ok",
            "problems": problems,
            "version": __version__,
            "seconds": round(time.monotonic() - self._begun),
            "connections": self._counts.total,
            "free_bytes": free,
        }
        if self._spool is not None:
            found |= {"spool": len(self._spool), "spool_aside": self._spool.set_aside}
        return found

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._store.root).free
        except OSError:
            return 0

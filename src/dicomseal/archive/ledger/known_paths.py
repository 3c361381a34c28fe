"""The paths that a ledger knows: those of this run, and those of earlier runs.

There is no index on paths: it would cost every run more than all the rest. At the first look-up the
paths are sorted into a temporary file of SQLite (`TMPDIR`), about as large as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...report import ERROR
from ...verification.other_files import NOT_DICOM
from .ledger import Ledger
from .rows import NOT_READ
from .sqlite_file import explained

_DONE = "SELECT path FROM object WHERE id BETWEEN ? AND ? ORDER BY path"
_WAS_DICOM = (
    "SELECT path FROM object"
    " WHERE id <= (SELECT coalesce(max(last), 0) FROM batch WHERE run < ?) AND verdict != ?"
    " AND NOT (verdict = ? AND reason IN (SELECT value FROM json_each(?))) ORDER BY path"
)


class Memory:
    """The known paths of one run, while it is in progress.

    Args:
        ledger: open for writing.
        run: its number.
    """

    def __init__(self, ledger: Ledger, run: int) -> None:
        self._ledger, self._run = ledger, run
        self._made: set[str] = set()

    def done(self, path: str | bytes) -> bool:
        """Return whether the run had a row of this path at the first call."""
        return self._holds("done", path, _DONE, lambda: self._ledger.span(self._run))

    def was_dicom(self, path: str | bytes) -> bool:
        """Return whether a run before this one has a row of this path on a DICOM object."""
        return self._holds(
            "was_dicom",
            path,
            _WAS_DICOM,
            lambda: (self._run, NOT_DICOM, ERROR, json.dumps(NOT_READ)),
        )

    def _holds(
        self, table: str, path: str | bytes, query: str, values: Callable[[], tuple[Any, ...]]
    ) -> bool:
        with explained(self._ledger.path):
            db = self._ledger.db
            if table not in self._made:
                self._made.add(table)
                db.execute(f"CREATE TEMP TABLE {table} (path PRIMARY KEY) WITHOUT ROWID")
                db.execute(f"INSERT OR IGNORE INTO {table} {query}", values())
            found = db.execute(f"SELECT 1 FROM {table} WHERE path = ?", (path,)).fetchone()  # noqa: S608
        return found is not None

"""Each path of a list once, however long the list is."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ...errors import LedgerError
from .found import path_of

if TYPE_CHECKING:
    from .found import Found

_CACHE = 16 << 10  # KiB of memory; the rest is in a file without a name


def unique_paths(files: Iterable[Found]) -> Iterator[Found]:
    """Yield the files, without those whose path occurred before.

    The paths are kept in a temporary file, where SQLite puts its own, so memory is bounded. The
    file is removed at the end, also if the process is killed.

    Raises:
        LedgerError: the disk for temporary files is full or missing.
    """
    try:
        # the empty name means a database of its own on disk; a generator may end in another thread
        db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        with contextlib.closing(db):
            db.execute(f"PRAGMA cache_size=-{_CACHE}")
            db.execute("PRAGMA journal_mode=OFF")
            db.execute("CREATE TABLE seen (path PRIMARY KEY) WITHOUT ROWID")
            db.execute("BEGIN")  # never committed: a commit for each path would cost more
            for file in files:
                added = db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (path_of(file.path),))
                if added.rowcount:
                    yield file
    except sqlite3.Error as error:
        raise LedgerError(
            f"the paths of a list cannot be kept apart in a temporary file: {error}; TMPDIR names "
            "another folder for it",
            "temporary",
        ) from None

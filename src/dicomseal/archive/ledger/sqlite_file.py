"""SQLite files: how they are opened, and sentences for errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from ...errors import LedgerError
from .written import not_written


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn the errors of SQLite inside this context into sentences.

    Raises:
        LedgerError: SQLite raised.
    """
    try:
        yield
    except OverflowError as error:  # a number that a stranger put there, plus one
        raise not_written(path, str(error)) from None
    except sqlite3.Error as error:
        if "UTF-8" in str(error):  # a text that is not UTF-8
            raise not_written(path, str(error)) from None
        raise LedgerError(f"{path}: the ledger cannot be used: {error}") from None


def uri(path: str, mode: str) -> str:
    """Return the URI by which SQLite opens a file in a mode."""
    name = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{name}?mode={mode}"


def at_rest(path: str) -> bool:
    """Return whether we may not write beside a ledger, as SQLite needs it, and nobody else writes.

    So an auditor without the right to write can read it, and so can anyone on a read-only medium.
    """
    folder = os.path.dirname(os.path.realpath(path))
    may_write = os.access(path, os.W_OK) and os.access(folder, os.W_OK)
    return not may_write and not os.path.exists(f"{os.path.realpath(path)}-wal")

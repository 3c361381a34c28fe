"""Files of SQLite: how they are opened, and what its errors say of a ledger."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from ...errors import LedgerError
from .written import not_written


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Around all that SQLite does: its errors become sentences.

    Raises:
        LedgerError: SQLite raised.
    """
    try:
        yield
    except OverflowError as error:  # a number that a stranger put there, and one more
        raise not_written(path, str(error)) from None
    except sqlite3.Error as error:
        if "UTF-8" in str(error):  # a text that is none
            raise not_written(path, str(error)) from None
        raise LedgerError(f"{path}: the ledger cannot be used: {error}") from None


def uri(path: str, mode: str) -> str:
    """A file as SQLite names it, to be opened in a mode."""
    name = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{name}?mode={mode}"


def at_rest(path: str) -> bool:
    """Whether we may not write beside a ledger, as SQLite does to read it, and nobody else does.

    So an auditor without the right to write can read it, or a copy on a medium that takes none.
    """
    folder = os.path.dirname(os.path.realpath(path))
    may_write = os.access(path, os.W_OK) and os.access(folder, os.W_OK)
    return not may_write and not os.path.exists(f"{os.path.realpath(path)}-wal")

"""The check that a ledger holds what dicomseal writes: values of the right types, its own JSON.

SQLite stores a value of any type in any column, and anyone who can write to the file can put one
there. The result is a sentence, and for an audit a finding, never a traceback.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from ...errors import LedgerError
from .schema import TABLES, Column

T = TypeVar("T")
CHANGED = "changed"  # the code of these errors
_OF_AN_OBJECT = {"object": "id", "signature": "object"}  # these tables are read in parts


def _is_wrong(table: str, column: Column) -> str:
    """Return the SQL condition for a wrong value. The chain detects an empty one of any type."""
    wrong = f"typeof({column.name}) NOT IN ({', '.join(map(repr, column.types))})"
    empty = table in _OF_AN_OBJECT and "blob" in column.types
    return f"{wrong} AND {column.name} IS NOT ''" if empty else wrong


def wrong(
    db: sqlite3.Connection, tables: Iterable[str] = TABLES, span: tuple[int, int] | None = None
) -> list[str]:
    """Return a sentence for each column with values of another type.

    Args:
        db: the ledger.
        tables: the tables that are checked.
        span: of objects, and of their signatures, only those with these numbers; None is all.

    Raises:
        sqlite3.Error: a table or column does not exist.
    """
    found = []
    for table in tables:
        columns = TABLES[table]
        sums = ", ".join(f"sum({_is_wrong(table, one)})" for one in columns)
        query = f"SELECT {sums} FROM {table}"  # noqa: S608 - our own names
        bounds: tuple[int, ...] = ()
        if span is not None and table in _OF_AN_OBJECT:
            query += f" WHERE {_OF_AN_OBJECT[table]} BETWEEN ? AND ?"
            bounds = span
        for column, count in zip(columns, db.execute(query, bounds).fetchone(), strict=True):
            if count:
                kinds = " or ".join(column.types)
                found.append(f"{count} of the values in {table}.{column.name} are not {kinds}")
    return found


@contextlib.contextmanager
def as_written(path: str) -> Iterator[None]:
    """Turn errors by the values of a ledger inside this context into sentences.

    Raises:
        LedgerError: a value is not one that dicomseal writes there.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise not_written(path, f"{type(error).__name__}: {error}") from error


def not_written(path: str, why: str) -> LedgerError:
    """Return the error for a ledger with something in it that dicomseal did not write."""
    return LedgerError(
        f"{path}: it holds what dicomseal did not write there ({why}); `archive audit` tells more",
        CHANGED,
    )


def decoded(path: str, text: str, kind: type[T]) -> T:
    """Decode JSON of a ledger.

    Raises:
        LedgerError: it is not JSON, or not of that kind.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, TypeError, UnicodeError) as error:
        raise not_written(path, str(error)) from None

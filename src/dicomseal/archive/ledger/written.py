"""Whether a ledger holds what dicomseal writes there: values of the right types, its own JSON.

SQLite keeps a value of any type in any column, and who can write to the file can put one there. It
ends in a sentence, and for an audit in a finding, never in a traceback.
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
    """The SQL that says so of a value. What is empty is so in any type; the chain tells it."""
    wrong = f"typeof({column.name}) NOT IN ({', '.join(map(repr, column.types))})"
    empty = table in _OF_AN_OBJECT and "blob" in column.types
    return f"{wrong} AND {column.name} IS NOT ''" if empty else wrong


def wrong(
    db: sqlite3.Connection, tables: Iterable[str] = TABLES, span: tuple[int, int] | None = None
) -> list[str]:
    """The columns with values of another type, a sentence each.

    Args:
        tables: which are looked at.
        span: of objects, and of their signatures, only those with these numbers; None is all.

    Raises:
        sqlite3.Error: a table or column is not there.
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
    """Around what works with the values of a ledger, whatever they are.

    Raises:
        LedgerError: one of them is not what dicomseal writes there.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise not_written(path, f"{type(error).__name__}: {error}") from error


def not_written(path: str, why: str) -> LedgerError:
    """The error for a ledger with something in it that dicomseal did not write."""
    return LedgerError(
        f"{path}: it holds what dicomseal did not write there ({why}); `archive audit` tells more",
        CHANGED,
    )


def decoded(path: str, text: str, kind: type[T]) -> T:
    """JSON of a ledger.

    Raises:
        LedgerError: it is none, or not of that kind.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, TypeError, UnicodeError) as error:
        raise not_written(path, str(error)) from None

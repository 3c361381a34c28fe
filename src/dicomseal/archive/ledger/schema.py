"""The tables of a ledger, their version, and the remedy for one of another version.

The columns are defined here and by the fields of `Row`, `SignatureRow` and `CertificateInfo`;
everything that is inserted, read, checked and exported follows from them. An audit compares the
text of `SCHEMA` with that in the ledger, so within a version it must not change by a byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ...report import CertificateInfo
from .rows import Row, SignatureRow

APPLICATION, VERSION = 0x6473_6C67, 3  # "dslg"
_KINDS = {int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB", Any: "BLOB"}
_WIDTH = 99  # of a line of `SCHEMA`


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        name: in SQL.
        kind: of its values in Python; `Any` is text, or bytes where it is not UTF-8.
        numbers: the rows of the table are numbered by it.
        optional: it may be NULL.
    """

    name: str
    kind: Any
    numbers: bool = False
    optional: bool = False

    @property
    def sql(self) -> str:
        """The definition of the column in `SCHEMA`."""
        if self.numbers:
            return f"{self.name} INTEGER PRIMARY KEY"
        return f"{self.name} {_KINDS[self.kind]}{'' if self.optional else ' NOT NULL'}"

    @property
    def types(self) -> tuple[str, ...]:
        """The results of SQLite's typeof() for values that dicomseal writes there."""
        also = ("text",) if self.kind is Any else ("null",) if self.optional else ()
        return (_KINDS[self.kind].lower(), *also)


def _fields(row: type[msgspec.Struct], without: str = "") -> tuple[Column, ...]:
    """Return a column for each field of a stored struct, in their order."""
    return tuple(
        Column(field.name, field.type)
        for field in msgspec.structs.fields(row)
        if field.name != without
    )


# the columns of objects, of signatures, and of certificates
OBJECT_COLUMNS = _fields(Row, without="signatures")
SIGNATURE_COLUMNS = _fields(SignatureRow, without="signer")
SIGNER_COLUMNS = _fields(CertificateInfo)
_ID = Column("id", int, numbers=True)
TABLES = {
    "run": (
        _ID, Column("kind", str), Column("started", float), Column("asked", str),
        Column("head", bytes), Column("seal", bytes, optional=True),
    ),
    "batch": (
        Column("run", int), Column("number", int), Column("time", float), Column("first", int),
        Column("last", int), Column("bytes", int), Column("head", bytes),
        Column("seal", bytes, optional=True),
    ),
    "object": (_ID, *OBJECT_COLUMNS),
    "signature": (
        Column("object", int), Column("position", int), *SIGNATURE_COLUMNS,
        Column("signer", int, optional=True),
    ),
    "signer": (_ID, *SIGNER_COLUMNS),
    "run_end": (
        Column("run", int, numbers=True), Column("finished", float), Column("totals", str),
        Column("head", bytes), Column("signature", bytes, optional=True),
        Column("certificate", bytes, optional=True),
    ),
}  # fmt: skip
# tables whose rows are not numbered, and their primary keys instead
_KEYS = {"batch": "run, number", "signature": "object, position"}


def _create(table: str) -> str:
    """Return the statement that creates a table."""
    lines = [" "]
    for column in TABLES[table]:
        text = f" {column.sql},"
        if len(lines[-1] + text) > _WIDTH:
            lines.append(" ")
        lines[-1] += text
    if table in _KEYS:
        lines.append(f"  PRIMARY KEY ({_KEYS[table]})) WITHOUT ROWID;")
    else:
        lines[-1] = f"{lines[-1][:-1]});"
    return "\n".join([f"CREATE TABLE {table} (", *lines])


def names(columns: Iterable[Column], table: str = "") -> str:
    """Return columns as a query names them."""
    return ", ".join(f"{table}.{one.name}" if table else one.name for one in columns)


SCHEMA = "\n".join(["", *map(_create, TABLES), ""])
OBJECT, SIGNATURE, SIGNER = map(names, (OBJECT_COLUMNS, SIGNATURE_COLUMNS, SIGNER_COLUMNS))
BATCH = names(TABLES["batch"])
RUN = f"{names(TABLES['run'], 'run')}, {names(TABLES['run_end'][1:], 'run_end')}"


def remedy(version: int, writer: str) -> str:
    """Return what helps with a ledger of another version, written by that dicomseal, or ""."""
    by = f"dicomseal {writer}" if writer else "the dicomseal that wrote it"
    if version > VERSION:
        return f"Update dicomseal: it was written by a newer one, {by}"
    return f"Begin a new ledger, and keep this one: {by} reads it"


def insert(table: str) -> str:
    """Return the statement that appends a row to a table."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(TABLES[table]))})"  # noqa: S608

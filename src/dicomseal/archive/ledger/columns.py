"""The packed rows of a batch, on their way into the tables.

A worker packs its rows once. The chain is computed over these bytes, and the columns are decoded
from them and nothing else: directly into tuples, as SQLite takes them. `Row` has the fields.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ...report import CertificateInfo
from .rows import Row, SignatureRow
from .schema import OBJECT_COLUMNS, SIGNER, TABLES, Column, insert


def _columns(row: type[msgspec.Struct], last: Any) -> Any:
    """Return the type of a row as a tuple, with another type for its last field.

    Bytes become a bytearray: sqlite3 looks for an adapter for every value of bytes, which takes as
    long as decoding the whole row, and knows that there is none for a bytearray.
    """
    types = [field.type for field in msgspec.structs.fields(row)[:-1]]
    return tuple.__class_getitem__((*(bytearray if one is bytes else one for one in types), last))


def _decoder() -> Callable[[bytes], list[tuple[Any, ...]]]:
    one: Any = list
    return msgspec.msgpack.Decoder(
        one[_columns(Row, one[_columns(SignatureRow, msgspec.Raw)])]
    ).decode


# objects, each with its signatures in the last place; a signature has its packed signer there
decode = _decoder()
SIZE, VERDICT = map([one.name for one in OBJECT_COLUMNS].index, ("size", "verdict"))
_BLANK = {str: "''", bytes: "x''", int: "0"}  # empty values in SQL


def _blanks(table: str, keys: Sequence[str]) -> list[str | None]:
    """Return, for each column of a table, its empty value in SQL; None if it has none."""

    def blank(column: Column) -> str | None:
        return None if column.name in keys else _BLANK.get(column.kind)

    return [blank(column) for column in TABLES[table]]


_BLANKS = {
    "object": _blanks("object", ("id",)),
    "signature": _blanks("signature", ("object", "signer")),
}
# words that the objects of a device have alike
_WORDS = {
    "object": ("sop_class_uid", "modality", "verdict"),
    "signature": ("integrity", "trust", "mac_algorithm", "judged_by"),
}
_IS_WORD = {
    table: [column.name in words for column in TABLES[table]] for table, words in _WORDS.items()
}


def places(
    numbers: Sequence[int], signed: Sequence[Sequence[Any]]
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the columns of the numbers of objects, and of the positions of their signatures.

    Args:
        numbers: of the objects.
        signed: the signatures of each.
    """
    counts = list(map(len, signed))
    if counts.count(1) == len(counts):  # so it is in nearly every batch
        return numbers, (0,) * len(counts)
    owners = [number for number, count in zip(numbers, counts, strict=True) for _ in range(count)]
    return owners, [position for count in counts for position in range(count)]


def insert_objects(db: sqlite3.Connection, *columns: Sequence[Any]) -> None:
    """Append rows to the table of objects: for each column its values, one for each row."""
    _insert(db, "object", columns)


def insert_signatures(db: sqlite3.Connection, *columns: Sequence[Any]) -> None:
    """Append rows to the table of signatures."""
    _insert(db, "signature", columns)


def _insert(
    db: sqlite3.Connection,
    table: str,
    columns: Sequence[Sequence[Any]],
) -> None:
    """Insert rows; columns that are alike in all rows, usually half, become constants."""
    values_of_columns, bound = [], []
    for blank, is_word, column in zip(_BLANKS[table], _IS_WORD[table], columns, strict=True):
        if blank and not any(column):
            values_of_columns.append(blank)
        elif is_word and (word := _constant(column)):
            values_of_columns.append(word)
        else:
            values_of_columns.append("?")
            bound.append(column)
    values = ", ".join(values_of_columns)
    db.executemany(f"INSERT INTO {table} VALUES ({values})", zip(*bound, strict=True))  # noqa: S608


def _constant(column: Sequence[str]) -> str:
    """Return the SQL for the word that all rows have; empty if they differ, or it is a rare one."""
    word = column[0]
    if _is_plain(word) and column.count(word) == len(column):
        return f"'{word}'"
    return ""


class Signers(dict[bytes, int | None]):
    """The numbers of certificates in their table, by their packed form; None has none.

    A certificate that is not in the table yet is inserted when it is looked up, within the current
    transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.forget()

    def forget(self) -> None:
        """Forget all numbers after a rollback, which removed the inserted certificates."""
        self.clear()
        self[_encode(None)] = None

    def numbers(self, signers: Sequence[msgspec.Raw]) -> list[int | None]:
        """Return the numbers of packed certificates; most are those of the signature before."""
        found: list[int | None] = []
        last, number = None, None
        for one in signers:
            if one != last:
                last, number = one, self[bytes(one)]
            found.append(number)
        return found

    def __missing__(self, packed: bytes) -> int | None:
        if len(self) == 1:  # an archive has a few hundred of them; read them once
            for number, *values in self._db.execute(f"SELECT id, {SIGNER} FROM signer"):  # noqa: S608
                self[_encode(CertificateInfo(*values))] = number
            if packed in self:
                return self[packed]
        signer = msgspec.structs.astuple(_decode_signer(packed))
        done = self._db.execute(insert("signer"), (None, *signer))
        self[packed] = number = done.lastrowid
        return number


_is_plain = re.compile(r"[\w.-]{1,64}", re.ASCII).fullmatch  # needs no escape in SQL
_encode = msgspec.msgpack.Encoder().encode
_decode_signer = msgspec.msgpack.Decoder(CertificateInfo).decode

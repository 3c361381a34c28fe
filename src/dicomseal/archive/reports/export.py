"""A run as a table for other programs: a line for each signature, one for an object without any."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from ...errors import UsageError
from ...report import escaped
from ..ledger.ledger import Ledger
from ..ledger.rows import Row, SignatureRow
from ..ledger.schema import OBJECT_COLUMNS, SIGNATURE_COLUMNS, SIGNER_COLUMNS
from ..ledger.written import as_written

_OBJECT, _SIGNATURE, _SIGNER = (
    [column.name for column in columns]
    for columns in (OBJECT_COLUMNS, SIGNATURE_COLUMNS, SIGNER_COLUMNS)
)
# the columns that are not text; only columns of objects are numbers
_NUMBERS = {
    column.name: {int: "int64", float: "float64"}[column.kind]
    for column in OBJECT_COLUMNS
    if column.kind in (int, float)
}
# as in OWASP's CSV Injection; the last four are the full-width forms of the first
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
COLUMNS = (
    *_OBJECT,
    *(f"signature_{name}" for name in _SIGNATURE),
    *(f"signer_{name}" for name in _SIGNER),
)


def lines(ledger: Ledger, number: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines of a run (None: the last one), with all `COLUMNS`; None for no value.

    Raises:
        LedgerError: there is no such run, or a value is not what dicomseal writes there.
    """
    span = ledger.span(ledger.find(number).number)
    ledger.check(span)
    with as_written(ledger.path):
        for row in ledger.rows(*span):
            for signature in row.signatures or (None,):
                yield _line(row, signature)


def _line(row: Row, signature: SignatureRow | None) -> dict[str, Any]:
    signer = signature.signer if signature else None
    values = [escaped(row.path), *(getattr(row, name) for name in _OBJECT[1:])]
    values += [getattr(signature, name, None) for name in _SIGNATURE]
    values += [getattr(signer, name, None) for name in _SIGNER]
    texts = [one.hex() if isinstance(one, bytes) else one for one in values]
    return dict(zip(COLUMNS, texts, strict=True))


def write_csv(found: Iterable[dict[str, Any]], file: IO[str]) -> None:
    """Write CSV (RFC 4180), with the names of the columns in the first line.

    Objects and file names come from strangers, and spreadsheet programs run a text as a formula if
    it begins like one. Such a text gets an apostrophe before it.
    """
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    for line in found:
        writer.writerow(
            {name: one if name in _NUMBERS else defused(one) for name, one in line.items()}
        )


def defused(value: Any) -> Any:
    """Return a value that no spreadsheet program runs as a formula."""
    formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if formula else value


def write_parquet(found: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    """Write Parquet, in row groups of 16,384 lines; all columns but four are text.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError("--parquet needs the extra: pip install dicomseal[archive]") from None
    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(_NUMBERS.get(name, "string"))) for name in COLUMNS]
    )
    rest = iter(found)
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(itertools.islice(rest, 1 << 14)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def write_jsonl(found: Iterable[dict[str, Any]], file: IO[str]) -> None:
    """Write JSON, one object a line."""
    for line in found:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

"""A run as a table for other programs: one line a signature, and one for an object without any."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from ..certificate import Signer
from .ledger import Ledger
from .rows import Row, SignatureRow, shown

_OBJECT = (
    "path", "size", "mtime", "sop_class_uid", "sop_instance_uid", "verdict", "reason", "sentence",
    "reasons", "time",
)  # fmt: skip
_SIGNATURE = SignatureRow.__struct_fields__[:-1]
_SIGNER = Signer.__struct_fields__
COLUMNS = (
    *_OBJECT,
    *(f"signature_{name}" for name in _SIGNATURE),
    *(f"signer_{name}" for name in _SIGNER),
)


def lines(ledger: Ledger, number: int | None = None) -> Iterator[dict[str, Any]]:
    """The lines of a run (None: the last one), with all `COLUMNS`; None where there is nothing.

    Raises:
        LedgerError: there is no such run.
    """
    for row in ledger.rows(*ledger.span(ledger.find(number).number)):
        for signature in row.signatures or (None,):
            yield _line(row, signature)


def _line(row: Row, signature: SignatureRow | None) -> dict[str, Any]:
    signer = signature.signer if signature else None
    values = [shown(row.path), *(getattr(row, name) for name in _OBJECT[1:])]
    values += [getattr(signature, name, None) for name in _SIGNATURE]
    values += [getattr(signer, name, None) for name in _SIGNER]
    return dict(zip(COLUMNS, values, strict=True))


def write_csv(found: Iterable[dict[str, Any]], file: IO[str]) -> None:
    """As CSV (RFC 4180), the columns named in the first line."""
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(found)


def write_jsonl(found: Iterable[dict[str, Any]], file: IO[str]) -> None:
    """As JSON, one object a line."""
    for line in found:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

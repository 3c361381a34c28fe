"""The objects of a run that failed, could not be read, or were not decided: listed and grouped.

In: a ledger and a run. Out: these objects one after the other, as SQLite has them, so that memory
stays flat at millions of them; the first few as a list; groups by reason; all as CSV.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import IO

import msgspec

from ...remedies.table import sentence as remedy_sentence
from ...report import INDETERMINATE, CertificateInfo, escaped, harmless
from ..ledger.ledger import Ledger
from ..ledger.rows import FAILURES
from ..ledger.sqlite_file import explained
from ..ledger.written import as_written
from .export import defused
from .groups import Group, Item, grouped

UNDECIDED = frozenset({INDETERMINATE})
TROUBLE = FAILURES | UNDECIDED
COLUMNS = (
    "verdict", "path", "reason", "sentence", "signer", "signer_sha256", "sop_instance_uid",
    "what_to_do",
)  # fmt: skip
# the signature that the reason is about, else the first one
_SIGNER = (
    "coalesce((SELECT signer FROM signature WHERE object = object.id"
    " AND signature.reason = object.reason AND signature.sentence = object.sentence"
    " ORDER BY position LIMIT 1),"
    " (SELECT signer FROM signature WHERE object = object.id ORDER BY position LIMIT 1))"
)


class Failure(msgspec.Struct, frozen=True):
    """An object that failed, could not be read, or was not decided."""

    path: str
    verdict: str
    reason: str
    sentence: str
    sop_instance_uid: str

    @property
    def why(self) -> str:
        """Code and sentence, for people."""
        return ": ".join(filter(None, (self.reason, self.sentence)))


class Signed(msgspec.Struct, frozen=True):
    """Such an object with the signer of the signature that its reason is about, if it has one."""

    failure: Failure
    subject: str = ""
    sha256: str = ""


def troubled(
    ledger: Ledger, span: tuple[int, int], verdicts: frozenset[str] = TROUBLE
) -> Iterator[Signed]:
    """Yield the objects with these numbers and verdicts, in their order."""
    marks = ", ".join("?" * len(verdicts))
    with explained(ledger.path), as_written(ledger.path):
        for path, verdict, reason, sentence, uid, subject, sha256 in ledger.db.cursor().execute(
            "SELECT path, verdict, reason, sentence, sop_instance_uid, subject, sha256"  # noqa: S608
            f" FROM object LEFT JOIN signer ON signer.id = {_SIGNER}"
            f" WHERE object.id BETWEEN ? AND ? AND verdict IN ({marks}) ORDER BY object.id",
            (*span, *verdicts),
        ):
            failure = Failure(escaped(path), verdict, reason, sentence, uid)
            yield Signed(failure, subject or "", sha256 or "")


def first(
    ledger: Ledger, span: tuple[int, int], verdicts: frozenset[str], most: int
) -> list[Failure]:
    """Return the first objects with these numbers and verdicts."""
    marks = ", ".join("?" * len(verdicts))
    return [
        Failure(escaped(path), *values)
        for path, *values in ledger.db.execute(
            "SELECT path, verdict, reason, sentence, sop_instance_uid FROM object"  # noqa: S608
            f" WHERE id BETWEEN ? AND ? AND verdict IN ({marks}) ORDER BY id LIMIT ?",
            (*span, *verdicts, most),
        )
    ]


def in_groups(ledger: Ledger, span: tuple[int, int]) -> list[Group]:
    """Return all of them in groups, failures before what was not decided."""
    found = []
    for verdicts in (FAILURES, UNDECIDED):
        found += grouped(map(_item, troubled(ledger, span, verdicts)))
    return found


def _item(one: Signed) -> Item:
    signer = None
    if one.sha256:
        signer = CertificateInfo(one.subject, "", "", one.sha256, "", "", "")
    failure = one.failure
    return Item(failure.verdict, failure.path, failure.reason, failure.sentence, signer)


def write_csv(found: Iterable[Signed], file: IO[str]) -> None:
    """Write CSV (RFC 4180) with `COLUMNS` in the first line, an object on each of the others.

    No cell is a formula to a spreadsheet program, has a line end, or changes the direction of text.
    """
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for one in found:
        failure = one.failure
        cells = (
            failure.verdict, failure.path, failure.reason, failure.sentence, one.subject,
            one.sha256, failure.sop_instance_uid, remedy_sentence(failure.reason) or "",
        )  # fmt: skip
        writer.writerow([defused(harmless(cell)) for cell in cells])

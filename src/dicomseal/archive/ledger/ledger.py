"""The ledger: one SQLite file, append-only, one writer, one transaction for each finished batch.

``run`` has the request of a run, ``batch`` the rows of one transaction and the head of the chain
after them, ``object`` and ``signature`` the results, ``signer`` the certificates, each once,
``run_end`` the totals of a run that was completed. No row is ever changed; if a run that is to be
signed is resumed, rows that no key has sealed are removed (`drop`). Rows are numbered in the order
of insertion, so appending does not become slower.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from ...errors import LedgerError
from ...report import CertificateInfo
from . import columns, hash_chain
from .rows import Row, SignatureRow
from .schema import (  # fmt: skip
    APPLICATION,
    BATCH,
    OBJECT,
    RUN,
    SCHEMA,
    SIGNATURE,
    SIGNATURE_COLUMNS,
    SIGNER,
    TABLES,
    VERSION,
    insert,
    remedy,
)
from .sqlite_file import at_rest, explained, uri
from .written import not_written, wrong

VERIFY, SIGN, GATE, WATCH = "verify", "sign", "gate", "watch"  # the kinds of run
Seal = Callable[[bytes], bytes]  # signs the head
_MAX_SIGNERS = 4096  # that are kept while rows are read
_AT_A_TIME = 256  # rows of which the numbers are given


class Run(msgspec.Struct, frozen=True):
    """A run in the ledger.

    Attributes:
        number: counted from 1.
        kind: ``verify``, ``sign``; ``gate`` and ``watch`` verify objects that arrive.
        started: in seconds since 1970.
        asked: its request, JSON.
        head: of the chain, after its beginning.
        seal: over that, by the key that signs the run; or None.
        finished: when it was completed, or None.
        totals: at its end, JSON; or None.
        end_head: of the chain, after its end; or None.
        signature, certificate: over the end, and of the signer (DER); or None.
    """

    number: int
    kind: str
    started: float
    asked: str
    head: bytes
    seal: bytes | None = None
    finished: float | None = None
    totals: str | None = None
    end_head: bytes | None = None
    signature: bytes | None = None
    certificate: bytes | None = None


class Batch(msgspec.Struct, frozen=True):
    """A finished batch: its number, time, first and last row, bytes, head and seal."""

    run: int
    number: int
    time: float
    first: int
    last: int
    size: int
    head: bytes
    seal: bytes | None = None


class Appended(NamedTuple):
    """The result of an append: the head after it, how many files and bytes, and the verdicts."""

    head: bytes
    files: int
    size: int
    verdicts: Counter[str]


class Ledger:
    """An open ledger.

    Args:
        path: of the file.
        create: create it if it does not exist; else only read it.

    Raises:
        LedgerError: it does not exist, is not a ledger, or is one of another version.
    """

    def __init__(self, path: str, create: bool = False) -> None:
        self.path = path
        if not create and not os.path.isfile(path):
            raise LedgerError(f"{path}: there is no ledger", "not_found")
        name = uri(path, "rwc" if create else "rw")
        if not create and at_rest(path):
            name = uri(path, "ro") + "&immutable=1"
        with explained(path):
            self.db = sqlite3.connect(name, uri=True, isolation_level=None, timeout=30)
            try:
                self._begin(create)
            except BaseException:
                self.db.close()
                raise
        self._signers = columns.Signers(self.db)

    def _begin(self, create: bool) -> None:
        (application,) = self.db.execute("PRAGMA application_id").fetchone()
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        (tables,) = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if create and not tables:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION};"
                f"PRAGMA user_version={VERSION}; {SCHEMA} COMMIT;"
            )
        elif application != APPLICATION:
            raise LedgerError(f"{self.path}: this is not a ledger of dicomseal", "no_ledger")
        elif version != VERSION:
            raise LedgerError(
                f"{self.path}: the ledger has version {version}; this dicomseal reads version "
                f"{VERSION}. {remedy(version, self._writer())}",
                "version",
            )
        if create:
            # FULL: a batch that was reported as finished is still there after a power failure
            self.db.execute("PRAGMA synchronous=FULL")
        else:
            self.db.execute("PRAGMA query_only=ON")
        self.db.execute("PRAGMA temp_store=FILE")

    def _writer(self) -> str:
        """Return the version of dicomseal that wrote the last run of the ledger; "" if unknown."""
        try:
            (asked,) = self.db.execute("SELECT asked FROM run ORDER BY id DESC").fetchone()
            return str(msgspec.json.decode(asked)["version"])
        except (sqlite3.Error, msgspec.MsgspecError, TypeError, KeyError):
            return ""

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Open a context for several reads, which all see the ledger as at the first of them."""
        if self.db.in_transaction:
            yield
            return
        with explained(self.path):
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                self.db.execute("COMMIT")

    def check(self, span: tuple[int, int] = (1, 0)) -> None:
        """Check that all values have the types that dicomseal writes: of objects, and of runs.

        Raises:
            LedgerError: they have not.
        """
        with explained(self.path):
            found = wrong(self.db, TABLES, span)
        if found:
            raise not_written(self.path, found[0])

    def runs(self, kind: str | None = None) -> list[Run]:
        """Return all runs, or those of a kind, in their order."""
        with explained(self.path):
            found = self.db.execute(
                f"SELECT {RUN} FROM run LEFT JOIN run_end ON run = id ORDER BY id"  # noqa: S608
            )
            return [run for run in (Run(*values) for values in found) if kind in (None, run.kind)]

    def find(self, number: int | None = None, kind: str | None = None) -> Run:
        """Return a run by its number; None is the last one, of a kind if one is named.

        Raises:
            LedgerError: there is no such run.
        """
        for run in reversed(self.runs(kind)):
            if number in (None, run.number):
                return run
        what = "no run" if number is None else f"no run {number}"
        if kind is not None:
            what += f" of the kind {kind!r}"
        raise LedgerError(f"{self.path}: there is {what} in the ledger", "no_run")

    def head(self) -> bytes:
        """Return the head of the chain."""
        runs = self.runs()
        if not runs:
            return hash_chain.GENESIS
        if runs[-1].end_head is not None:
            return runs[-1].end_head
        last = collections.deque(self.batches(runs[-1].number), maxlen=1)
        return last[0].head if last else runs[-1].head

    def batches(self, run: int) -> Iterator[Batch]:
        """Yield the finished batches of a run, in their order."""
        with explained(self.path):
            for values in self.db.execute(
                f"SELECT {BATCH} FROM batch WHERE run = ? ORDER BY number",  # noqa: S608
                (run,),
            ):
                yield Batch(*values)

    def span(self, run: int) -> tuple[int, int]:
        """Return the first and last number of a run's objects; the first is greater without any."""
        with explained(self.path):
            first, last = self.db.execute(
                "SELECT min(first), max(last) FROM batch WHERE run = ?", (run,)
            ).fetchone()
        return (1, 0) if first is None else (first, last)

    def tally(self, run: int) -> tuple[int, int, dict[str, int]]:
        """Count the finished batches of a run: files, bytes, and files of each verdict."""
        with explained(self.path):
            found = self.db.execute(
                "SELECT verdict, count(*), sum(size) FROM object WHERE id BETWEEN ? AND ?"
                " GROUP BY verdict",
                self.span(run),
            ).fetchall()
        files, size = (sum(one[column] for one in found) for column in (1, 2))
        return files, size, {verdict: count for verdict, count, _ in found}

    def rows(self, first: int, last: int) -> Iterator[Row]:
        """Yield the objects with these numbers, with their signatures, in their order."""
        with explained(self.path):
            found = self.db.cursor().execute(
                f"SELECT id, {OBJECT} FROM object WHERE id BETWEEN ? AND ? ORDER BY id",  # noqa: S608
                (first, last),
            )
            # read in parallel, instead of a query for each object
            rest = self._signatures("BETWEEN ? AND ?", (first, last))
            waiting = next(rest, None)
            for number, *values in found:
                signatures = []
                while waiting is not None and waiting[0] <= number:
                    # if not, the object is missing, which the audit reports
                    if waiting[0] == number:
                        signatures.append(waiting[1])
                    waiting = next(rest, None)
                yield Row(*(*values, tuple(signatures)))

    def rows_of(self, numbers: Iterable[int]) -> Iterator[tuple[int, Row]]:
        """Yield the objects with these numbers, in this order, each with its number.

        Numbers without an object are left out. Some are read at a time: a query for each would
        take longer than all the rest.
        """
        rest = iter(numbers)
        with explained(self.path):
            while some := list(itertools.islice(rest, _AT_A_TIME)):
                chosen = "IN (SELECT value FROM json_each(?))"
                wanted = (msgspec.json.encode(some).decode(),)
                signed: dict[int, list[SignatureRow]] = {}
                for number, signature in self._signatures(chosen, wanted):
                    signed.setdefault(number, []).append(signature)
                found = {
                    number: Row(*(*values, tuple(signed.get(number, ()))))
                    for number, *values in self.db.execute(
                        f"SELECT id, {OBJECT} FROM object WHERE id {chosen}",  # noqa: S608
                        wanted,
                    )
                }
                yield from ((number, found[number]) for number in some if number in found)

    def numbers(self, first: int, last: int) -> Iterator[int]:
        """Yield these numbers of objects in the order of their paths; it is sorted on disk."""
        with explained(self.path):
            for (number,) in self.db.cursor().execute(
                "SELECT id FROM object WHERE id BETWEEN ? AND ? ORDER BY path", (first, last)
            ):
                yield number

    def _signatures(
        self, chosen: str, values_of_choice: tuple[int, int] | tuple[str]
    ) -> Iterator[tuple[int, SignatureRow]]:
        """Yield the signatures of the objects with chosen numbers, with the numbers, in order."""
        end = len(SIGNATURE_COLUMNS) + 1
        signers: dict[int, CertificateInfo] = {}
        for values in self.db.cursor().execute(
            f"SELECT object, {SIGNATURE}, signer.id, {SIGNER} FROM signature LEFT JOIN signer"  # noqa: S608
            f" ON signer.id = signature.signer WHERE object {chosen}"
            " ORDER BY object, position",
            values_of_choice,
        ):
            number = values[end]
            signer = None if number is None else signers.get(number)
            if signer is None and number is not None:
                if len(signers) >= _MAX_SIGNERS:
                    signers.clear()
                signer = signers[number] = CertificateInfo(*values[end + 1 :])
            yield values[0], SignatureRow(*(*values[1:end], signer))

    # --- appending -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with explained(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:  # SQLite itself rolls back if the disk is full
                    self.db.execute("ROLLBACK")
                self._signers.forget()
                raise

    def begin(self, asked: str, kind: str = VERIFY, seal: Seal | None = None) -> Run:
        """Append the beginning of a run."""
        number = len(self.runs()) + 1
        started = time.time()
        head = hash_chain.of_run(self.head(), number, kind, started, asked)
        sealed = None if seal is None else seal(hash_chain.to_be_sealed(number, 0, head))
        with self._transaction() as db:
            db.execute(insert("run"), (number, kind, started, asked, head, sealed))
        return Run(number, kind, started, asked, head, sealed)

    def drop(self, run: int, number: int) -> int:
        """Remove the rows of the last run after a batch, so that they are recorded again.

        Args:
            run, number: the run, and its last batch that stays; 0: none of them. -1: the run's
                beginning is removed, too.

        Returns:
            How many objects were removed.
        """
        with self._transaction() as db:
            (last,) = db.execute(
                "SELECT coalesce(max(last), 0) FROM batch"
                " WHERE run < ? OR (run = ? AND number <= ?)",
                (run, run, number),
            ).fetchone()
            gone = db.execute("DELETE FROM object WHERE id > ?", (last,)).rowcount
            db.execute("DELETE FROM signature WHERE object > ?", (last,))
            db.execute(
                "DELETE FROM signer WHERE id NOT IN"
                " (SELECT signer FROM signature WHERE signer IS NOT NULL)"
            )
            db.execute("DELETE FROM batch WHERE run >= ? AND number > ?", (run, number))
            if number < 0:
                db.execute("DELETE FROM run WHERE id = ?", (run,))
        self._signers.forget()
        return gone

    def append(
        self, run: int, number: int, head: bytes, packed: bytes, seal: Seal | None = None
    ) -> Appended:
        """Append a finished batch. When this returns, it is on disk.

        Args:
            run, number: the run, and the batch's number in it.
            head: of the chain before it.
            packed: the rows, at least one, from `rows.pack`.
            seal: signs the head after it, if the run is to be signed.
        """
        *objects, signed = zip(*columns.decode(packed), strict=True)
        verdicts, size = Counter(objects[columns.VERDICT]), sum(objects[columns.SIZE])
        now = time.time()
        head = hash_chain.of_batch(head, number, now, packed)
        sealed = None if seal is None else seal(hash_chain.to_be_sealed(run, number, head))
        with self._transaction() as db:
            (last,) = db.execute("SELECT coalesce(max(id), 0) FROM object").fetchone()
            first, last = last + 1, last + len(signed)
            numbers = range(first, last + 1)
            columns.insert_objects(db, numbers, *objects)
            if any(signed):
                owners, positions = columns.places(numbers, signed)
                *values, whose = zip(*itertools.chain.from_iterable(signed), strict=True)
                signers = self._signers.numbers(whose)
                columns.insert_signatures(db, owners, positions, *values, signers)
            db.execute(insert("batch"), (run, number, now, first, last, size, head, sealed))
        return Appended(head, len(signed), size, verdicts)

    def end(
        self, run: int, head: bytes, totals: str, finished: float,
        signature: bytes | None = None, certificate: bytes | None = None,
    ) -> None:  # fmt: skip
        """Append the end of a run; ``head`` is the one after it."""
        with self._transaction() as db:
            db.execute(insert("run_end"), (run, finished, totals, head, signature, certificate))

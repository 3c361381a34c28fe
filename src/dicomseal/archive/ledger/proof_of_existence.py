"""Proofs of existence: signatures in earlier ledgers, and since when they have existed.

A signature that passed in a run while its certificate was valid existed at that time, whatever
happened to the certificate later. The ledger is audited while it is read, so only audited rows
count. Then its signatures are in a separate file, sorted by their digests, where the workers look
them up. Neither is ever completely in memory.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from ...errors import LedgerError
from ...report import INTACT, TRUSTED, CertificateInfo, ProofReport
from ...signature.certificate import Certificate
from ...verification.best_signature_time import Proof
from .audit import audit
from .ledger import VERIFY, Batch, Ledger, Run
from .rows import Row
from .sqlite_file import explained, uri

_SCHEMA = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE;
CREATE TABLE ledger (number INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE proof (
  digest BLOB PRIMARY KEY, time REAL NOT NULL, ledger INTEGER NOT NULL, run INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE raw (
  digest BLOB NOT NULL, time REAL NOT NULL, ledger INTEGER NOT NULL, run INTEGER NOT NULL);
"""
# sorted first: rows in the order of the key are appended, others cost a seek each
_MERGE = """
INSERT INTO proof SELECT digest, min(time), ledger, run FROM raw WHERE true GROUP BY digest
  ORDER BY digest
ON CONFLICT (digest) DO UPDATE SET time = excluded.time, ledger = excluded.ledger,
  run = excluded.run WHERE excluded.time < time;
DELETE FROM raw;
"""


class Wanted(msgspec.Struct, frozen=True):
    """The ledgers that shall prove that signatures existed.

    Attributes:
        ledgers: their paths, absolute.
        signers: only runs that are signed by one of these certificates count. None: all runs
            count, and anyone who can write to the ledger can prove anything.
    """

    ledgers: tuple[str, ...]
    signers: tuple[Certificate, ...] | None = None


class ProofIndex:
    """Looks up signatures in the file that `proof_index` made; picklable, for workers.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def __reduce__(self) -> tuple[type[ProofIndex], tuple[str]]:
        return ProofIndex, (self._path,)

    def of(self, digest: bytes) -> Proof | None:
        """Return the earliest proof for a signature, by its digest.

        Raises:
            LedgerError: the file cannot be read, e.g. by a worker on another machine.
        """
        with explained(self._path):
            found = (
                self._db()
                .execute(
                    "SELECT path, run, time FROM proof JOIN ledger ON number = ledger"
                    " WHERE digest = ?",
                    (digest,),
                )
                .fetchone()
            )
        if found is None:
            return None
        path, run, time = found
        moment = datetime.fromtimestamp(time, UTC)
        return Proof(moment, ProofReport(path, run, moment.isoformat()))

    def _db(self) -> sqlite3.Connection:
        """Return the connection of this thread and process, as one must not survive a fork."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None or self._local.pid != os.getpid():
            db = sqlite3.connect(uri(self._path, "ro") + "&immutable=1", uri=True)
            self._local.db, self._local.pid = db, os.getpid()
        return db


@contextlib.contextmanager
def proof_index(
    wanted: Wanted, own: str, before: int | None
) -> Iterator[tuple[ProofIndex, list[str]]]:
    """Audit the ledgers, and offer their signatures for look-up while this context lasts.

    Args:
        wanted: the ledgers.
        own: path of the ledger that is being written; it may be one of them, and the file is made
            beside it.
        before: of that one only runs before this one count; None: all.

    Returns:
        The index; and for each ledger how far it was used, for the record.

    Raises:
        LedgerError: a ledger does not exist, was changed, or has no run by a named signer.
    """
    path = place(own)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # left by a run that was killed
    try:
        with explained(path), contextlib.closing(_make(path)) as db:
            used = [
                _take(db, number, one, wanted.signers, before, own)
                for number, one in enumerate(wanted.ledgers, 1)
            ]
            db.execute("DROP TABLE raw")
        yield ProofIndex(path), used
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def place(own: str) -> str:
    """Return the path of the file for a ledger that is being written."""
    return os.path.abspath(own) + ".poe"


def _make(path: str) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror or error}") from None
    db = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None)
    db.executescript(_SCHEMA)
    return db


def _take(
    db: sqlite3.Connection, number: int, path: str, signers: Sequence[Certificate] | None,
    before: int | None, own: str,
) -> str:  # fmt: skip
    with Ledger(path) as ledger, ledger.reading():  # what is audited is what was chosen
        runs = ledger.runs()
        if itself := os.path.samefile(path, own):
            runs = [run for run in runs if before is None or run.number < before]
        ends = _ends(path, runs, signers) if runs or not itself else []  # it may have no run yet
        last = ends[-1].number if ends else 0
        db.execute("INSERT INTO ledger VALUES (?, ?)", (number, path))
        collector = _Collector(db, number, ends, signers is not None)
        result = audit(ledger, None, collector)
        if result.findings:
            one = result.findings[0]
            raise LedgerError(
                f"{path}: it proves nothing, as it was changed: run {one.run}: {one.message}; "
                "`archive audit` tells more",
                "changed",
            )
        collector.merge()
    heads = [run.end_head.hex() for run in runs if run.number == last and run.end_head]
    return f"{path}, until run {last}, head {heads[0] if heads else '(no end)'}"


def _ends(path: str, runs: list[Run], signers: Sequence[Certificate] | None) -> list[Run]:
    """Return the runs until which the ledger counts: the signed ones, or the last one."""
    if signers is None and runs:
        return runs[-1:]
    if signers is None:
        raise LedgerError(f"{path}: it proves nothing: there is no run in it", "no_run")
    named = {one.der for one in signers}
    signed = [run for run in runs if run.signature and run.certificate in named]
    if not signed:
        who = ", ".join(one.signer.subject for one in signers)
        raise LedgerError(f"{path}: it proves nothing: no run in it is signed by {who}", "unsigned")
    return signed


class _Collector:
    """Collects the signatures that passed from the rows that are audited, run by run.

    The time at which they existed is that of their batch, which the writing process sets, and which
    is never before the verification. But anyone who can write to the ledger could have inserted
    rows with any time before the next run was signed. So if signers are named, it is the time at
    which one of them signed, since the digest of a future signature cannot have been there.

    Args:
        db: the file of signatures.
        ledger: the number of the ledger in it.
        ends: the runs until which rows count, in their order.
        signed: whether these are signed.
    """

    def __init__(self, db: sqlite3.Connection, ledger: int, ends: list[Run], signed: bool) -> None:
        self._db, self._ledger, self._ends, self._signed = db, ledger, ends, signed
        self._run = 0

    def __call__(self, run: Run, batch: Batch, rows: list[Row]) -> None:
        end = next((end for end in self._ends if end.number >= run.number), None)
        if end is None or run.kind != VERIFY:
            return
        if run.number != self._run:
            self.merge()
            self._run = run.number
        time = end.finished if self._signed and end.finished is not None else batch.time
        found = [
            (one.digest, time, self._ledger, run.number)
            for row in rows
            for one in row.signatures
            if one.digest
            and (one.integrity, one.trust) == (INTACT, TRUSTED)
            and one.signer is not None
            and _valid(one.signer, time)
        ]
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", found)

    def merge(self) -> None:
        self._db.executescript(_MERGE)  # commits the open transaction first


def _valid(signer: CertificateInfo, time: float) -> bool:
    if not signer.not_after:  # a bare public key, which has no dates
        return True
    return _moment(signer.not_before) <= time <= _moment(signer.not_after)


@lru_cache(maxsize=4096)
def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

"""Audit a ledger: the chain is computed again, and the signatures are verified."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

import msgspec

from ...errors import CertificateError, LedgerError
from ...report import Answer
from ...signature import certificate
from . import hash_chain
from .ledger import Batch, Ledger, Run
from .rows import Row
from .schema import SCHEMA
from .seals import holds, sealed_until, seals
from .sqlite_file import explained
from .written import CHANGED, as_written, wrong


class Finding(msgspec.Struct, frozen=True):
    """A fault, and its place: a run and, if known, a batch in it."""

    run: int
    message: str
    batch: int | None = None


class Audit(Answer, msgspec.Struct, kw_only=True):
    """The result of an audit. It has no truth value: ``bool()`` of it raises.

    Attributes:
        runs, batches, objects: how many were audited.
        unfinished: runs without an end, which cannot have a signature.
        signed: for each run with a valid signature the subject of its certificate. Anyone can make
            a certificate of any name: it tells who signed only if ``checked``.
        fingerprints: of these certificates, SHA-256, hexadecimal.
        checked: whether the caller named the permitted signers.
        unsigned: runs with an end, but without a signature.
        head: of the chain, hexadecimal; a copy of it elsewhere shows later that the tail was cut.
        findings: the faults.
    """

    _write = "`.intact`"

    runs: int = 0
    batches: int = 0
    objects: int = 0
    unfinished: list[int] = msgspec.field(default_factory=list)
    signed: dict[int, str] = msgspec.field(default_factory=dict)
    fingerprints: dict[int, str] = msgspec.field(default_factory=dict)
    checked: bool = False
    unsigned: list[int] = msgspec.field(default_factory=list)
    head: str = ""
    findings: list[Finding] = msgspec.field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.findings


def audit(
    ledger: Ledger,
    signers: list[certificate.Certificate] | None = None,
    each: Callable[[Run, Batch, list[Row]], None] | None = None,
) -> Audit:
    """Compute the chain again over every row of a ledger.

    Args:
        ledger: open for reading.
        signers: the permitted signers of runs; then every run must be signed by one of them as far
            as it goes: a finished one at its end, another one at its last batch, or at its
            beginning. None: a signature must be valid, whoever made it.
        each: called with every batch and its rows, as they are audited. These may be relied on
            only if the audit ends without findings.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    result = Audit(checked=signers is not None)
    with ledger.reading():  # a run may be writing to it
        with explained(ledger.path):
            result.findings += [Finding(0, one) for one in wrong(ledger.db)]
        if result.findings:  # values of a wrong type cannot be encoded for the chain
            return result
        try:
            with as_written(ledger.path):
                _audit(ledger, signers, each, result)
        except LedgerError as error:
            if error.code != CHANGED:
                raise
            result.findings.append(
                Finding(result.runs, str(error).removeprefix(f"{ledger.path}: "))
            )
    return result


def _audit(
    ledger: Ledger,
    signers: list[certificate.Certificate] | None,
    each: Callable[[Run, Batch, list[Row]], None] | None,
    result: Audit,
) -> None:
    head, last = hash_chain.GENESIS, 0
    for expected, run in enumerate(ledger.runs(), 1):
        result.runs += 1
        if run.number != expected:
            result.findings.append(Finding(run.number, f"run {expected} is missing before it"))
        head = _check(
            run.head,
            hash_chain.of_run(head, run.number, run.kind, run.started, run.asked),
            result,
            run,
        )
        number = 0
        for number, batch in enumerate(ledger.batches(run.number), 1):
            result.batches += 1
            rows = list(ledger.rows(batch.first, batch.last))
            result.objects += len(rows)
            if batch.number != number or batch.first != last + 1:
                result.findings.append(
                    Finding(run.number, "a batch is missing before it", batch.number)
                )
            last = batch.last
            if len(rows) != batch.last - batch.first + 1:
                result.findings.append(Finding(run.number, "a row of it is missing", batch.number))
            if batch.size != sum(row.size for row in rows):
                result.findings.append(Finding(run.number, "its bytes do not add up", batch.number))
            now = hash_chain.of_batch(head, batch.number, batch.time, rows)
            head = _check(batch.head, now, result, run, batch.number)
            if each:
                each(run, batch, rows)
        if run.end_head is None or run.totals is None or run.finished is None:
            result.unfinished.append(run.number)
            if signers is not None:
                _check_tail(ledger, run, signers, result)
            continue
        head = _check(run.end_head, hash_chain.of_end(head, run.finished, run.totals), result, run)
        _check_signature(ledger, run, head, signers, result)
    _check_strays(ledger, last, result)
    _check_tables(ledger, result)
    result.head = head.hex()


def _check(stored: bytes, now: bytes, result: Audit, run: Run, batch: int | None = None) -> bytes:
    """Compare, and continue with the stored head, so that each edit is reported once."""
    if stored != now:
        where = "a row of it was changed" if batch else "its beginning or end was changed"
        result.findings.append(Finding(run.number, where, batch))
    return stored


def _check_strays(ledger: Ledger, last: int, result: Audit) -> None:
    """Find rows that no other row refers to."""
    with explained(ledger.path):
        queries = {
            "objects belong to no batch": "SELECT count(*) FROM object WHERE id > ? OR id < 1",
            "signatures belong to no batch": "SELECT count(*) FROM signature"
            " WHERE object > ? OR object < 1",
            "batches belong to no run": "SELECT count(*) FROM batch"
            " WHERE run NOT IN (SELECT id FROM run) AND ? >= 0",
            "ends belong to no run": "SELECT count(*) FROM run_end"
            " WHERE run NOT IN (SELECT id FROM run) AND ? >= 0",
            "certificates belong to no signature": "SELECT count(*) FROM signer WHERE id NOT IN"
            " (SELECT signer FROM signature WHERE signer IS NOT NULL) AND ? >= 0",
        }
        for (number,) in ledger.db.execute(
            "SELECT object FROM signature GROUP BY object"
            " HAVING min(position) != 0 OR max(position) != count(*) - 1"
        ):
            result.findings.append(
                Finding(result.runs, f"the signatures of object {number} are moved")
            )
        for what, query in queries.items():
            (count,) = ledger.db.execute(query, (last,)).fetchone()
            if count:
                result.findings.append(Finding(result.runs, f"{count} {what}"))


def _check_tables(ledger: Ledger, result: Audit) -> None:
    """Check for views, whose content may vary, and triggers, which change what is written."""
    query = (
        "SELECT type, name, coalesce(sql, '') FROM sqlite_master"
        " WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4')"  # of ANALYZE
    )
    with explained(ledger.path), contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        ours = set(fresh.execute(query))
        there = set(ledger.db.execute(query))
    for kind, name, _ in sorted(ours ^ there):
        result.findings.append(
            Finding(result.runs, f"the {kind} {name} is not as dicomseal made it")
        )


def _check_tail(
    ledger: Ledger, run: Run, signers: list[certificate.Certificate], result: Audit
) -> None:
    """Check that nothing follows the last seal by a named signer in a run without an end."""
    sealed = max(sealed_until(ledger, run, one) for one in signers)
    behind = [batch for batch in ledger.batches(run.number) if batch.number > sealed]
    if behind or sealed < 0:
        count = sum(batch.last - batch.first + 1 for batch in behind)
        what = f"{count:,} objects" if behind else "its beginning"
        result.findings.append(
            Finding(run.number, f"it has no end, and {what} that no named signer has signed")
        )


def _check_signature(
    ledger: Ledger,
    run: Run,
    head: bytes,
    signers: list[certificate.Certificate] | None,
    result: Audit,
) -> None:
    if (run.signature is None) != (run.certificate is None):
        result.findings.append(Finding(run.number, "half of its signature is missing"))
    elif run.signature is None or run.certificate is None:
        result.unsigned.append(run.number)
        if signers is not None:
            result.findings.append(Finding(run.number, "it is not signed"))
    if run.signature is None or run.certificate is None:
        return
    try:
        whose = certificate.parse(run.certificate)
    except CertificateError as error:
        result.findings.append(Finding(run.number, f"its signer: {error}"))
        return
    if whose.pss_only:
        result.findings.append(
            Finding(run.number, f"its signer: the key {certificate.FOR_PSS_ALONE}")
        )
    elif not holds(whose, hash_chain.to_be_signed(run.number, head), run.signature):
        result.findings.append(Finding(run.number, "its signature does not match its content"))
    elif signers is not None and whose.der not in {one.der for one in signers}:
        result.findings.append(
            Finding(run.number, f"it is signed by {whose.signer.subject}, who was not named")
        )
    else:
        result.signed[run.number] = whose.signer.subject
        result.fingerprints[run.number] = whose.signer.sha256
        for number, seal, data in seals(ledger, run):
            if seal is None or not holds(whose, data, seal):
                result.findings.append(
                    Finding(run.number, "its seal is not by the signer of its end", number)
                )

"""Is a ledger as it was written? The chain is computed again, and the signatures are verified."""

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
    """What is wrong, and where: a run and, where it is known, a batch in it."""

    run: int
    message: str
    batch: int | None = None


class Audit(Answer, msgspec.Struct, kw_only=True):
    """What an audit found. It has no truth value: ``bool()`` of it raises.

    Attributes:
        runs, batches, objects: how many were looked at.
        unfinished: runs without an end, which can hold no signature.
        signed: for each run with a valid signature the subject of its certificate. Anybody can make
            a certificate of any name: it says who signed only if ``checked``.
        fingerprints: of these certificates, SHA-256, hexadecimal.
        checked: whether it was said who may have signed.
        unsigned: runs with an end, but without a signature.
        head: of the chain, hexadecimal; a note of it elsewhere shows a cut tail later.
        findings: what is wrong.
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
        signers: who may have signed runs; then every run must be signed by one of them as far as it
            goes: a finished one its end, another its last batch, or its beginning. None: a
            signature must be valid, whoever made it.
        each: called with every batch and its rows, as they are audited. What it was given is worth
            something only if the audit ends without findings.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    made = Audit(checked=signers is not None)
    with ledger.reading():  # a run may be writing to it
        with explained(ledger.path):
            made.findings += [Finding(0, one) for one in wrong(ledger.db)]
        if made.findings:  # the chain is over what cannot be there
            return made
        try:
            with as_written(ledger.path):
                _audit(ledger, signers, each, made)
        except LedgerError as error:
            if error.code != CHANGED:
                raise
            made.findings.append(Finding(made.runs, str(error).removeprefix(f"{ledger.path}: ")))
    return made


def _audit(
    ledger: Ledger,
    signers: list[certificate.Certificate] | None,
    each: Callable[[Run, Batch, list[Row]], None] | None,
    made: Audit,
) -> None:
    head, last = hash_chain.GENESIS, 0
    for expected, run in enumerate(ledger.runs(), 1):
        made.runs += 1
        if run.number != expected:
            made.findings.append(Finding(run.number, f"run {expected} is missing before it"))
        head = _check(
            run.head,
            hash_chain.of_run(head, run.number, run.kind, run.started, run.asked),
            made,
            run,
        )
        number = 0
        for number, batch in enumerate(ledger.batches(run.number), 1):
            made.batches += 1
            rows = list(ledger.rows(batch.first, batch.last))
            made.objects += len(rows)
            if batch.number != number or batch.first != last + 1:
                made.findings.append(
                    Finding(run.number, "a batch is missing before it", batch.number)
                )
            last = batch.last
            if len(rows) != batch.last - batch.first + 1:
                made.findings.append(Finding(run.number, "a row of it is missing", batch.number))
            if batch.size != sum(row.size for row in rows):
                made.findings.append(Finding(run.number, "its bytes do not add up", batch.number))
            now = hash_chain.of_batch(head, batch.number, batch.time, rows)
            head = _check(batch.head, now, made, run, batch.number)
            if each:
                each(run, batch, rows)
        if run.end_head is None or run.totals is None or run.finished is None:
            made.unfinished.append(run.number)
            if signers is not None:
                _check_tail(ledger, run, signers, made)
            continue
        head = _check(run.end_head, hash_chain.of_end(head, run.finished, run.totals), made, run)
        _check_signature(ledger, run, head, signers, made)
    _check_strays(ledger, last, made)
    _check_tables(ledger, made)
    made.head = head.hex()


def _check(stored: bytes, now: bytes, made: Audit, run: Run, batch: int | None = None) -> bytes:
    """Compare, and go on with what is stored: each edit is told once."""
    if stored != now:
        where = "a row of it was changed" if batch else "its beginning or end was changed"
        made.findings.append(Finding(run.number, where, batch))
    return stored


def _check_strays(ledger: Ledger, last: int, made: Audit) -> None:
    """Rows that nothing else speaks of."""
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
            made.findings.append(Finding(made.runs, f"the signatures of object {number} are moved"))
        for what, query in queries.items():
            (count,) = ledger.db.execute(query, (last,)).fetchone()
            if count:
                made.findings.append(Finding(made.runs, f"{count} {what}"))


def _check_tables(ledger: Ledger, made: Audit) -> None:
    """A view may say one thing now and another later, and a trigger changes what is written."""
    query = (
        "SELECT type, name, coalesce(sql, '') FROM sqlite_master"
        " WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4')"  # of ANALYZE
    )
    with explained(ledger.path), contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        ours = set(fresh.execute(query))
        there = set(ledger.db.execute(query))
    for kind, name, _ in sorted(ours ^ there):
        made.findings.append(Finding(made.runs, f"the {kind} {name} is not what was made"))


def _check_tail(
    ledger: Ledger, run: Run, signers: list[certificate.Certificate], made: Audit
) -> None:
    """A run without an end: nobody's own behind the last seal of somebody who was named."""
    sealed = max(sealed_until(ledger, run, one) for one in signers)
    behind = [batch for batch in ledger.batches(run.number) if batch.number > sealed]
    if behind or sealed < 0:
        count = sum(batch.last - batch.first + 1 for batch in behind)
        what = f"{count:,} objects" if behind else "its beginning"
        made.findings.append(
            Finding(run.number, f"it has no end, and {what} that nobody who was named has signed")
        )


def _check_signature(
    ledger: Ledger,
    run: Run,
    head: bytes,
    signers: list[certificate.Certificate] | None,
    made: Audit,
) -> None:
    if (run.signature is None) != (run.certificate is None):
        made.findings.append(Finding(run.number, "half of its signature is missing"))
    elif run.signature is None or run.certificate is None:
        made.unsigned.append(run.number)
        if signers is not None:
            made.findings.append(Finding(run.number, "it is not signed"))
    if run.signature is None or run.certificate is None:
        return
    try:
        whose = certificate.parse(run.certificate)
    except CertificateError as error:
        made.findings.append(Finding(run.number, f"its signer: {error}"))
        return
    if whose.pss_only:
        made.findings.append(
            Finding(run.number, f"its signer: the key {certificate.FOR_PSS_ALONE}")
        )
    elif not holds(whose, hash_chain.to_be_signed(run.number, head), run.signature):
        made.findings.append(Finding(run.number, "its signature is not over what is there"))
    elif signers is not None and whose.der not in {one.der for one in signers}:
        made.findings.append(
            Finding(run.number, f"it is signed by {whose.signer.subject}, who was not named")
        )
    else:
        made.signed[run.number] = whose.signer.subject
        made.fingerprints[run.number] = whose.signer.sha256
        for number, seal, data in seals(ledger, run):
            if seal is None or not holds(whose, data, seal):
                made.findings.append(
                    Finding(run.number, "its seal is not that of who signed the end", number)
                )

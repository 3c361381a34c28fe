"""The ledger: versions, edits that show, signatures over it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from _archive import VERIFY

import dicomseal
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import UsageError
from dicomseal.verification.options import Options


def test_other_files_and_versions(run, folder):
    run(*VERIFY)
    with sqlite3.connect("ledger.db") as db:
        db.execute("PRAGMA user_version=7")
    code, _, err = run(*VERIFY)
    assert code == 2
    assert "has version 7; this dicomseal reads version 3. Update dicomseal: " in err
    assert f"by a newer one, dicomseal {dicomseal.__version__}\n" in err
    with sqlite3.connect("ledger.db") as db:
        db.execute("PRAGMA user_version=1")
        db.execute('UPDATE run SET asked = \'{"version": "0.0.9"}\'')
    for command in (VERIFY, ("archive", "audit", "ledger.db")):
        code, _, err = run(*command)
        assert code == 2
        assert "Begin a new ledger, and keep this one: dicomseal 0.0.9 reads it\n" in err
    with sqlite3.connect("other.db") as db:
        db.execute("CREATE TABLE x (y)")
    for path, said in (
        ("other.db", "not a ledger of dicomseal"),
        ("root.cert.pem", "not a database"),
        ("gone.db", "there is no ledger"),
    ):
        code, _, err = run("archive", "audit", path)
        assert (code, said in err) == (2, True), err


EDITS = {
    "verdict": "UPDATE object SET verdict = 'passed' WHERE verdict = 'failed'",
    "path": "UPDATE object SET path = 'x' WHERE id = 3",
    "signature": "UPDATE signature SET integrity = 'unverifiable' WHERE object = 3",
    "signer": "UPDATE signer SET subject = 'CN=Somebody'",
    "a row": "DELETE FROM object WHERE id = 4",
    "its signature": "DELETE FROM signature WHERE object = 3",
    "one more": "INSERT INTO object SELECT 99, path, size, mtime, '', '', '', x'', 'passed', '',"
    " '', '', 0, '', 1 FROM object WHERE id = 1",
    "one before all": "INSERT INTO object SELECT -1, path, size, mtime, '', '', '', x'', 'passed',"
    " '', '', '', 0, '', 1 FROM object WHERE id = 1",
    "one more signature": "INSERT INTO signature SELECT 99, position, location, uid, datetime,"
    " integrity, trust, mac_algorithm, reason, sentence, judged_at, judged_by, timestamp, proof,"
    " weak, digest, content, elements, signer FROM signature WHERE object = 3",
    "a run": "DELETE FROM run WHERE id = 1",
    "its question": "UPDATE run SET asked = replace(asked, 'root', 'toor') WHERE id = 2",
    "totals": "UPDATE run_end SET totals = '{}' WHERE run = 1",
    "signed": "UPDATE run_end SET signature = zeroblob(256) WHERE run = 2",
    "unsigned": "UPDATE run_end SET signature = NULL WHERE run = 2",
    "bytes": "UPDATE batch SET bytes = 1 WHERE run = 1",
    "time": "UPDATE batch SET time = 1 WHERE run = 1",
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_show(run, folder, edit):
    run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    check = ("archive", "audit", "ledger.db", "--signer", "rsa.cert.pem")
    assert run(*check)[0] == 0
    with sqlite3.connect("ledger.db") as db:
        assert db.execute(EDITS[edit]).rowcount > 0
    code, out, _ = run(*check)
    assert (code, "CHANGED" in out) == (1, True), out


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("ALTER TABLE run RENAME TO r; CREATE VIEW run AS SELECT * FROM r", "the view run is not"),
        ("CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM run; END", "the trigger t is"),
        ("UPDATE run_end SET certificate = x'00'", "half of its signature is missing"),
        ("CREATE TABLE other (x)", "the table other is not"),
        ("ANALYZE", ""),
    ],
)  # fmt: skip
def test_tables_that_are_not_those_of_a_ledger_show(run, folder, script, said):
    """They need not say tomorrow, or to a report, what they say to the audit."""
    run(*VERIFY)
    with closing(sqlite3.connect("ledger.db")) as db:
        db.executescript(script)
    code, out, _ = run("archive", "audit", "ledger.db")
    assert (code, said in out) == (bool(said), True), out


def columns():
    with closing(sqlite3.connect("ledger.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql != ''")]
        return [
            (table, name, kind)
            for table in tables
            for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})").fetchall()
        ]


def test_an_edit_of_any_column_shows(run, folder):
    """Every column of every table, in its last row: so none is outside the chain."""
    for _ in range(2):
        run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem", "--content-digest")
    shutil.copy("ledger.db", "intact.db")
    found = columns()
    assert {table for table, _, _ in found} == {
        "run", "batch", "object", "signature", "signer", "run_end",
    }  # fmt: skip
    for table, name, kind in found:
        shutil.copy("intact.db", "ledger.db")
        other = {
            "INTEGER": f"{name} + 7",
            "REAL": f"{name} + 0.5",
            "BLOB": f"CAST(x'00' || {name} AS BLOB)",
            "TEXT": f"{name} || 'x'",
        }[kind]
        order = "rowid" if table not in ("batch", "signature") else f"{columns_of(found, table)}"
        with closing(sqlite3.connect("ledger.db", isolation_level=None)) as db:
            (last,) = db.execute(f"SELECT max({order}) FROM {table}").fetchone()
            done = db.execute(f"UPDATE {table} SET {name} = {other} WHERE {order} = ?", (last,))
            assert done.rowcount > 0
        code, out, err = run("archive", "audit", "ledger.db")
        assert (code, "CHANGED" in out) == (1, True), (table, name, out, err)


def columns_of(found, table):
    """The first column: by it tables without a rowid are ordered."""
    return next(name for owner, name, _ in found if owner == table)


def test_a_chain_computed_anew_does_not_help(run, folder):
    """Who knows how the chain is made cannot make the signature."""
    from dicomseal.archive.ledger import hash_chain

    run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    with sqlite3.connect("ledger.db") as db:
        db.execute(EDITS["verdict"])
    with Ledger("ledger.db") as ledger:
        (found,) = ledger.runs()
        (batch,) = ledger.batches(1)
        head = hash_chain.of_batch(found.head, 1, batch.time, ledger.rows(1, 8))
    with sqlite3.connect("ledger.db") as db:
        db.execute("UPDATE batch SET head = ?", (head,))
        db.execute("UPDATE run_end SET head = ?",
                   (hash_chain.of_end(head, found.finished, found.totals),))  # fmt: skip
    code, out, _ = run("archive", "audit", "ledger.db")
    assert (code, "its signature does not match its content" in out) == (1, True)


def test_the_last_runs_removed_leave_a_shorter_ledger(run, folder):
    """What no signature can show; the head that was noted elsewhere does."""
    for _ in range(2):
        run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    check = ("archive", "audit", "ledger.db", "--signer", "rsa.cert.pem")
    head = run(*check)[1].splitlines()[-1]
    with Ledger("ledger.db", create=True) as ledger:
        ledger.db.execute("DELETE FROM run_end WHERE run = 2")
        assert ledger.drop(2, -1) == 8
    code, out, _ = run(*check)
    assert (code, out.splitlines()[-1] == head) == (0, False)


def test_an_audit_while_a_run_writes(run, folder):
    """It sees the ledger as it was when it began."""
    run(*VERIFY)
    asked = RunRequest(selection=Selection(roots=("archive",)))
    seen = []

    def each(found, batch, rows):
        seen.append((found.number, batch.number, len(rows)))
        runs.verify("ledger.db", asked, Options(), batch_files=3)

    with Ledger("ledger.db") as ledger:
        result = audit(ledger, None, each)
        assert (result.findings, result.runs, seen) == ([], 1, [(1, 1, 8)])
        result = audit(ledger)
        assert (result.findings, result.runs, result.objects) == ([], 2, 16)


def test_an_audit_is_no_truth_value(run, folder):
    """`if audit(ledger):` would be true for a ledger that somebody edited."""
    run(*VERIFY)
    with Ledger("ledger.db") as ledger, pytest.raises(UsageError, match=r"write `\.intact`"):
        bool(audit(ledger))


def test_signed_by_somebody_else(run, folder):
    run(*VERIFY, "--sign-run", "other.key.pem", "other.cert.pem")
    assert run("archive", "audit", "ledger.db")[0] == 0
    code, out, _ = run("archive", "audit", "ledger.db", "--signer", "rsa.cert.pem")
    assert (code, "who was not named" in out) == (1, True)

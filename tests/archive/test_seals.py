"""Whose a ledger's rows are: seals on the way of a run, tails behind them, certificates by name."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing

import msgspec
import pki
import pytest
from _archive import VERIFY, rows
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import CertificateBuilder

from dicomseal.archive.ledger import hash_chain
from dicomseal.archive.ledger import rows as row_module
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.cli.runs import run_signer
from dicomseal.signature.certificate import parse
from dicomseal.trust.store import TrustStore
from dicomseal.verification.options import Options

SIGN_RUN = ("--sign-run", "rsa.key.pem", "rsa.cert.pem")
AUDIT = ("archive", "audit", "ledger.db", "--signer", "rsa.cert.pem")


def forged(row):
    """The row of an object that passes, whatever it was."""
    return msgspec.structs.replace(row, verdict="passed", reason="", sentence="", reasons="")


def append_a_run(batches=1):
    """As somebody who can write to the ledger does, and has no key: all passes."""
    with Ledger("ledger.db", create=True) as ledger:
        old = ledger.find()
        some = [forged(row) for row in ledger.rows(*ledger.span(old.number))]
        copied = ledger.begin(old.asked)
        head = copied.head
        for number in range(1, batches + 1):
            head = ledger.append(copied.number, number, head, row_module.pack(some)).head


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_tail_without_a_key_is_nobodys(run, folder, batches):
    run(*VERIFY, *SIGN_RUN)
    assert run(*AUDIT)[0] == 0
    append_a_run(batches)
    code, out, _ = run(*AUDIT)
    what = f"{8 * batches} objects" if batches else "its beginning"
    assert (code, f"run 2: it has no end, and {what} that no named signer" in out) == (1, True)


def test_a_tail_that_a_later_run_was_put_behind(run, folder):
    """The later signature is over it too, and nobody vouched for its rows."""
    run(*VERIFY, *SIGN_RUN)
    append_a_run()
    run(*VERIFY, *SIGN_RUN)
    code, out, _ = run(*AUDIT)
    assert (code, "run 2: it has no end, and 8 objects" in out) == (1, True), out


def test_a_resumed_run_signs_nothing_that_others_recorded(run, folder):
    run(*VERIFY, *SIGN_RUN)
    before = [(row.path, row.verdict) for row in rows()]
    append_a_run(2)
    code, out, _ = run(*VERIFY, *SIGN_RUN, "--resume")
    assert code == 1  # of failed.dcm, which the forged rows called passed
    assert "16 once more: this key had not signed their rows\n" in out
    assert [(row.path, row.verdict) for row in rows()] == before
    assert run(*AUDIT)[:2] == (0, run(*AUDIT)[1])
    assert "16 objects" in run(*AUDIT)[1]
    assert run("archive", "diff", "ledger.db")[0] == 0


def stopped(sign=None, **options):
    """A run that is stopped after its first batch of one file; the options are as VERIFY's."""

    def watch(progress, stop):
        if progress.files:
            stop()

    asked = RunRequest(selection=Selection(roots=("archive",)))
    trusting = Options(trust=TrustStore([pki.member("root").certificate]))
    return runs.verify(
        "ledger.db", asked, trusting, sign=sign, watch=watch, batch_files=1, **options
    )


def resumed(sign):
    asked = RunRequest(selection=Selection(roots=("archive",)))
    trusting = Options(trust=TrustStore([pki.member("root").certificate]))
    seen = []
    outcome = runs.verify("ledger.db", asked, trusting, sign=sign, resume=True, batch_files=1,
                          watch=lambda now, stop: seen.append((now.before, now.again)))  # fmt: skip
    assert outcome.complete
    assert len({row.path for row in rows()}) == len(rows()) == 8
    return seen[-1]


def signer(who="rsa"):
    return run_signer(f"{who}.key.pem", f"{who}.cert.pem")


def test_what_a_killed_run_sealed_is_kept(run, folder):
    done = stopped(signer()).totals.files
    assert 0 < done < 8
    assert run(*AUDIT)[0] == 0  # whoever was named has signed all of it
    assert run("archive", "audit", "ledger.db", "--signer", "other.cert.pem")[0] == 1
    assert resumed(signer()) == (done, 0)
    assert run(*AUDIT)[0] == 0


@pytest.mark.parametrize("first", [None, "other"])
def test_what_another_key_or_none_recorded_is_verified_again(run, folder, first):
    done = stopped(signer(first) if first else None).totals.files
    assert run(*AUDIT)[0] == 1
    assert resumed(signer()) == (0, done)
    assert run(*AUDIT)[0] == 0


def test_rows_put_behind_a_seal_are_verified_again(run, folder):
    done = stopped(signer()).totals.files
    with Ledger("ledger.db", create=True) as ledger:
        some = [forged(row) for row in ledger.rows(1, 1)]
        some = [msgspec.structs.replace(some[0], path=str(folder / "archive" / "failed.dcm"))]
        ledger.append(1, done + 1, ledger.head(), row_module.pack(some), lambda _: bytes(256))
    code, out, _ = run(*AUDIT)
    assert (code, "1 objects that no named signer has signed" in out) == (1, True)
    assert resumed(signer()) == (done, 1)
    assert run(*AUDIT)[0] == 0
    (row,) = [row for row in rows() if row.path.endswith("failed.dcm")]
    assert row.verdict == "failed"


def test_a_run_that_is_not_signed_is_resumed_as_it_is(run, folder):
    done = stopped().totals.files
    assert resumed(None) == (done, 0)


def test_a_beginning_that_nobody_sealed_chooses_no_files(run, folder):
    """`before`, the moment that --older-than counted back from, is not compared."""
    older = (*VERIFY, "--older-than", "0m", *SIGN_RUN)
    run(*older)
    with Ledger("ledger.db", create=True) as ledger:
        old = ledger.find()
        asked = msgspec.json.decode(old.asked, type=RunRequest)
        selection = msgspec.structs.replace(asked.selection, modified_before=1.0)
        asked = msgspec.structs.replace(asked, selection=selection)
        ledger.begin(msgspec.json.encode(asked).decode())
    assert run(*older, "--resume")[0] == 1
    assert len(rows()) == 8


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE run SET seal = zeroblob(256)",
        "UPDATE run SET seal = NULL",
        "UPDATE batch SET seal = zeroblob(256)",
        "UPDATE batch SET seal = NULL",
    ],
)
def test_an_edited_seal_shows(run, folder, edit):
    run(*VERIFY, *SIGN_RUN)
    with closing(sqlite3.connect("ledger.db", isolation_level=None)) as db:
        assert db.execute(edit).rowcount == 1
    for command in (AUDIT, AUDIT[:3]):
        code, out, _ = run(*command)
        assert (code, "its seal is not by the signer of its end" in out) == (1, True), out


def test_a_name_is_not_a_signer(run, folder):
    """Anybody makes a certificate of that name, and signs a ledger that he wrote anew."""
    real = pki.member("rsa").certificate
    key = pki.key("ec")
    certificate = CertificateBuilder(
        issuer_name=real.issuer, subject_name=real.subject, public_key=key.public_key(),
        serial_number=real.serial_number, not_valid_before=real.not_valid_before_utc,
        not_valid_after=real.not_valid_after_utc,
    ).sign(key, hashes.SHA256())  # fmt: skip
    with open("false.pem", "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    pki.member("ec").write(".")
    run(*VERIFY, "--sign-run", "ec.key.pem", "false.pem")
    code, out, _ = run("archive", "audit", "ledger.db")
    assert code == 0  # it is as it was written, by whomever
    assert "run 1 is signed by a certificate named CN=Test rsa, not checked\n" in out
    assert f"its SHA-256 fingerprint is {certificate.fingerprint(hashes.SHA256()).hex()}\n" in out
    assert "is signed by CN" not in out
    code, out, _ = run(*AUDIT)
    assert (code, "who was not named" in out) == (1, True)


def test_a_certificate_whose_key_signs_otherwise(run, folder):
    run(*VERIFY, *SIGN_RUN)
    with closing(sqlite3.connect("ledger.db", isolation_level=None)) as db:
        db.execute("UPDATE run_end SET certificate = ?", (pki.member("ed25519").der,))
    assert parse(pki.member("ed25519").der)
    for command in (AUDIT, AUDIT[:3]):
        code, out, _ = run(*command)
        assert (code, "its signature does not match its content" in out) == (1, True), out


def test_seals_are_not_ends():
    head = bytes(32)
    said = {
        hash_chain.to_be_signed(1, head),
        *(hash_chain.to_be_sealed(1, n, head) for n in range(3)),
    }
    assert len(said) == 4


# --- values that are not what dicomseal writes ----------------------------------------------------

READERS = {
    "audit": ("archive", "audit", "ledger.db"),
    "audit --signer": AUDIT,
    "report": ("archive", "report", "ledger.db"),
    "json": ("archive", "report", "ledger.db", "--format", "json"),
    "html": ("archive", "report", "ledger.db", "--html", "r.html"),
    "diff": ("archive", "diff", "ledger.db"),
    "csv": ("archive", "export", "ledger.db", "--csv", "e.csv"),
    "jsonl": ("archive", "export", "ledger.db", "--jsonl", "e.jsonl"),
    "a new run": (*VERIFY, *SIGN_RUN),
    "proof": (*VERIFY, "--poe-ledger", "ledger.db"),
}
# of another type, or of the right one and nothing that dicomseal writes
ODD = {
    "text": "'abc'", "empty text": "''", "blob": "x'ff00'", "real": "1.5", "infinite": "1e999",
    "huge": "9223372036854775807", "negative": "-9223372036854775808", "zero": "0",
    "no UTF-8": "CAST(x'ff41' AS TEXT)", "JSON": "'{\"files\": \"x\"}'", "null": "NULL",
}  # fmt: skip


SLOW = ("json", "html", "jsonl", "a new run", "proof")


def columns(db):
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql != ''")]
    return [(table, name) for table in tables
            for _, name, *_ in db.execute(f"PRAGMA table_info({table})").fetchall()]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_found_and_end_in_a_sentence(run, folder, odd):
    """In every column of every table; the fixture `run` fails on any other exception."""
    for _ in range(2):
        run(*VERIFY, *SIGN_RUN)
    with closing(sqlite3.connect("ledger.db")) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        found = columns(db)
    shutil.move("ledger.db", "whole.db")
    tried = 0
    for table, name in found:
        shutil.copy("whole.db", "edited.db")
        with closing(sqlite3.connect("edited.db", isolation_level=None)) as db:
            db.text_factory = bytes
            value = f"SELECT quote({name}) FROM {table}"
            before = db.execute(value).fetchall()
            try:
                db.execute(
                    f"UPDATE {table} SET {name} = {ODD[odd]}"
                    f" WHERE {name} = (SELECT max({name}) FROM {table})"
                )
            except sqlite3.Error:
                continue  # not even SQLite keeps it there
            if db.execute(value).fetchall() == before:
                continue
        tried += 1
        for what, command in READERS.items():
            if what in SLOW and (tried % 4 if table in ("run", "run_end", "batch") else tried % 9):
                continue
            for left in ("ledger.db-wal", "ledger.db-shm", "ledger.db.poe"):
                assert not os.path.exists(left), what
            with contextlib.suppress(FileNotFoundError):
                os.unlink("ledger.db")  # a query that broke off may still hold its lock
            shutil.copy("edited.db", "ledger.db")
            code, out, err = run(*command)
            assert code in (0, 1, 2, 3, 4), (table, name, what, out, err)
            if what.startswith("audit"):
                assert (code, "CHANGED" in out) == (1, True), (table, name, what, out, err)
    assert tried >= 5

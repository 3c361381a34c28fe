"""Ledgers that prove nothing: they were changed, forged, or are signed by somebody else."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pki
import pytest
from _archive import VERIFY, rows
from _proofs import AFTER, EXPIRED, LATER, POE, PROVEN, SIGNED, edit, forged, found

from dicomseal import sign_file
from dicomseal.archive.ledger import hash_chain, proof_of_existence
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.signature import certificate


def refused(run, old, *options):
    code, out, err = run(*AFTER, "--at", LATER, *POE, *options)
    assert (code, out) == (2, "")
    assert str(old / "ledger.db") in err
    with Ledger("new.db") as ledger:
        assert ledger.runs() == []
    return err


def test_one_that_was_changed(run, old):
    edit("UPDATE signature SET trust = 'trusted', integrity = 'intact' WHERE object = 3")
    assert "it proves nothing, as it was changed: run 1: a row of it was changed" in refused(
        run, old
    )


def anew():
    """Compute the chain of the ledger again, as its own program would."""
    with Ledger("ledger.db") as ledger:
        heads = []
        for run in ledger.runs():
            (batch,) = ledger.batches(run.number)
            before = heads[-1][1] if heads else hash_chain.GENESIS
            begin = hash_chain.of_run(before, run.number, run.kind, run.started, run.asked)
            rows = list(ledger.rows(batch.first, batch.last))
            head = hash_chain.of_batch(begin, 1, batch.time, rows)
            heads.append((head, hash_chain.of_end(head, run.finished, run.totals), begin))
    for number, (head, end, begin) in enumerate(heads, 1):
        edit("UPDATE run SET head = ? WHERE id = ?", begin, number)
        edit("UPDATE batch SET head = ? WHERE run = ?", head, number)
        edit("UPDATE run_end SET head = ? WHERE run = ?", end, number)


def test_a_forged_ledger(run, old):
    """Unsigned, it proves whatever its forger likes; signed, it does not."""
    forged("content")
    run("archive", "verify", "archive", "--ledger", "forged.db", "--trust", "root.cert.pem")
    shutil.move("forged.db", "other.db")
    with closing(sqlite3.connect("other.db")) as db:
        (digest,) = db.execute(
            "SELECT digest FROM signature JOIN object ON object = id WHERE path LIKE '%passed.dcm'"
        ).fetchone()
    edit("UPDATE signature SET digest = ? WHERE integrity = 'intact' AND trust = 'trusted'"
         " AND object = (SELECT max(object) FROM signature WHERE trust = 'trusted'"
         " AND integrity = 'intact')", digest)  # fmt: skip
    anew()
    err = refused(run, old)
    assert "its signature does not match its content" in err
    edit("UPDATE run_end SET signature = NULL, certificate = NULL")
    assert "no run in it is signed by CN=Test rsa" in refused(
        run, old, "--poe-signer", "rsa.cert.pem"
    )
    run(*AFTER, "--at", LATER, *POE)
    assert found()["passed.dcm"] == PROVEN  # which is why docs/archive.md says: sign


def test_signed_by_somebody_else(run, old):
    assert "no run in it is signed by CN=Test other" in refused(
        run, old, "--poe-signer", "other.cert.pem"
    )
    code, _, err = run(*AFTER, "--at", LATER, *POE, "--poe-signer", "rsa.cert.pem")
    assert (code, err) == (1, "")
    assert found()["passed.dcm"] == PROVEN


def test_only_what_a_signature_covers_counts(run, old):
    sign_file("archive/unsigned.dcm", "archive/more.dcm", *pki.member("rsa").pair)
    run(*VERIFY)  # not signed
    signer = ("--poe-signer", "rsa.cert.pem")
    run(*AFTER, "--at", LATER, *POE, *signer)
    assert (found()["passed.dcm"], found()["more.dcm"]) == (PROVEN, EXPIRED)
    run(*VERIFY, *SIGNED)  # a signature covers the runs before it
    run(*AFTER, "--at", LATER, *POE, *signer)
    assert (found()["passed.dcm"], found()["more.dcm"]) == (PROVEN, PROVEN)
    assert {one.proof for row in rows("new.db") for one in row.signatures} >= {
        f"run 2 of {old / 'ledger.db'}"
    }


def test_rows_put_there_before_the_next_run_was_signed(run, old):
    """Their dates are their forger's, and the signature covers them all the same."""
    forged("content")
    run(*VERIFY)  # not signed, and made to look as if it had been when the certificate was valid
    edit("UPDATE run SET started = started - 3600 WHERE id = 2")
    edit("UPDATE batch SET time = time - 3600 WHERE run = 2")
    edit("UPDATE run_end SET finished = finished - 3600 WHERE run = 2")
    anew()
    run(*VERIFY, *SIGNED)
    with Ledger("ledger.db") as ledger:
        signed = [one.finished for one in ledger.runs() if one.signature]
    with Ledger("new.db", create=True):
        pass

    def times(signers):
        wanted = proof_of_existence.Wanted((str(old / "ledger.db"),), signers)
        digests = {one.digest for row in rows("ledger.db", 2) for one in row.signatures}
        with proof_of_existence.proof_index(wanted, "new.db", None) as (proven, _):
            return sorted(proof.time.timestamp() for one in digests if (proof := proven.of(one)))

    assert times(None)[0] < signed[0] - 1800  # unsigned, it proves what its writer likes
    assert times((certificate.parse(pki.member("rsa").der),)) == pytest.approx(signed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--poe-ledger", "gone.db"), "there is no ledger"),
        (("--poe-ledger", "root.cert.pem"), "not a database"),
        (("--poe-signer", "rsa.cert.pem"), "--poe-signer with it"),
        (("--poe-ledger", "ledger.db", "--integrity-only"), "goes with --trust"),
    ],
)
def test_usage(run, old, options, said):
    code, out, err = run(*AFTER, *options)
    assert (code, out, said in err) == (2, "", True), err


def test_a_ledger_without_runs(run, folder):
    with Ledger("ledger.db", create=True):
        pass
    assert "there is no run in it" in refused(run, folder)

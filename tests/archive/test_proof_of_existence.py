"""`archive verify --poe-ledger`: what an earlier ledger proves, and what it does not."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pki
import pydicom
import pytest
from _archive import VERIFY, rows
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import dicomseal
from dicomseal import remove_file, sign_file
from dicomseal.archive.ledger import hash_chain, proof_of_existence
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import LedgerError
from dicomseal.report import ProofReport
from dicomseal.signature import certificate
from dicomseal.signature.digests import elements_digest, signature_digest
from dicomseal.trust.store import TrustStore
from dicomseal.verification.best_signature_time import CountedTime, Proof, with_proof
from dicomseal.verification.options import Options

DAY = timedelta(days=1)
LATER = (pki.NOW + 2 * DAY).isoformat()  # the certificates have expired
SIGNED = ("--sign-run", "rsa.key.pem", "rsa.cert.pem")
AFTER = ("archive", "verify", "archive", "--ledger", "new.db", "--trust", "root.cert.pem")
POE = ("--poe-ledger", "ledger.db")
PASSED = "archive/a/passed.dcm"


@pytest.fixture
def old(run, folder):
    """An archive, and the ledger of a run over it while the certificates were valid."""
    assert run(*VERIFY, *SIGNED)[0] == 1
    return folder


def found(path="new.db"):
    """Of each file the verdict, and who proved the time of its first signature."""
    by_name = {}
    for row in rows(path):
        (one,) = row.signatures or (None,)
        by_name[os.path.basename(row.path)] = (
            row.verdict, one and one.judged_by, one and one.reason,
        )  # fmt: skip
    return by_name


EXPIRED = ("indeterminate", "validation", "OUT_OF_BOUNDS_NO_POE")
PROVEN = ("passed", "poe_ledger", "")


def edit(statement, *values, path="ledger.db"):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute(statement, values).rowcount > 0


# --- what it proves ------------------------------------------------------------------------------


def test_it_stays_trusted_after_expiry(run, old):
    assert run(*AFTER, "--at", LATER)[0] == 1
    before = found()
    assert before["passed.dcm"] == before["again.dcm"] == EXPIRED
    code, _, err = run(*AFTER, "--at", LATER, *POE)
    assert (code, err) == (1, "")
    after = found()
    assert after["passed.dcm"] == after["again.dcm"] == PROVEN
    # what did not pass proves nothing, and what was altered stays so
    assert after["failed.dcm"] == ("failed", "validation", "HASH_FAILURE")
    assert after["indeterminate.dcm"][:2] == ("indeterminate", "validation")
    row = next(row for row in rows("new.db") if row.path.endswith("passed.dcm"))
    (signature,) = row.signatures
    with Ledger("ledger.db") as ledger:
        (batch,) = ledger.batches(1)
        (asked,) = (one.asked for one in ledger.runs())
        head = ledger.head().hex()
    assert datetime.fromisoformat(signature.judged_at).timestamp() == pytest.approx(batch.time)
    assert signature.proof == f"run 1 of {old / 'ledger.db'}"
    with Ledger("new.db") as ledger:
        said = ledger.find().asked
    assert f"{old / 'ledger.db'}, until run 1, head {head}" in said
    assert "poe_ledger" not in asked
    assert not os.path.exists("new.db.poe")


def test_the_report_of_a_file_names_it(old):
    store = TrustStore([pki.member("root").certificate])
    wanted = proof_of_existence.Wanted((str(old / "ledger.db"),))
    with (
        Ledger("new.db", create=True),
        proof_of_existence.proof_index(wanted, "new.db", None) as (proven, _),
    ):
        options = Options(trust=store, at=pki.NOW + 2 * DAY, digests=True, proofs=proven)
        from dicomseal.cli.text import render
        from dicomseal.verification.verifier import verify_with

        report = verify_with(PASSED, options)
        (signature,) = report.signatures
        assert (report.verdict, signature.judged_by) == ("passed", "poe_ledger")
        assert signature.proof == ProofReport(str(old / "ledger.db"), 1, signature.judged_at)
        assert f"as run 1 of {old / 'ledger.db'} proves" in render(report)
        assert b'"proof":{"ledger":"' in report.to_json()
        # a proof from after the time of validation is none
        past = Options(trust=store, at=pki.NOW - 20 * DAY, digests=True, proofs=proven)
        assert verify_with(PASSED, past).signatures[0].judged_by == "validation"


def test_it_stays_trusted_after_revocation(run, old):
    def revoked(minutes):
        root = pki.member("root")
        when = datetime.now(UTC) + timedelta(minutes=minutes)
        one = x509.RevokedCertificateBuilder().revocation_date(when)
        one = one.serial_number(pki.member("rsa").certificate.serial_number).build()
        builder = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject)
        builder = builder.last_update(when).next_update(when + DAY).add_revoked_certificate(one)
        builder = builder.sign(root.key, hashes.SHA256())
        (old / "list.crl").write_bytes(builder.public_bytes(serialization.Encoding.DER))

    at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    revoked(30)
    run(*AFTER, "--at", at, "--crl", "list.crl")
    assert found()["passed.dcm"] == ("indeterminate", "validation", "REVOKED_NO_POE")
    run(*AFTER, "--at", at, "--crl", "list.crl", *POE)
    assert found()["passed.dcm"] == PROVEN
    revoked(-30)  # before the signature was seen
    run(*AFTER, "--at", at, "--crl", "list.crl", *POE)
    assert found()["passed.dcm"] == ("indeterminate", "poe_ledger", "REVOKED_NO_POE")


def test_what_is_not_intact_has_no_digest(old):
    assert {(one.integrity, len(one.digest), len(one.content), len(one.elements))
            for row in rows("ledger.db") for one in row.signatures} == {
        ("intact", 32, 32, 16), ("altered", 0, 0, 0),
    }  # fmt: skip


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_ledger_itself_may_prove_it(run, old, jobs):
    """Wherever the object lies now; and the earliest of several runs counts."""
    run(*VERIFY)
    os.rename("archive/a", "archive/elsewhere")
    code, _, err = run(*VERIFY, *POE, "--at", LATER, "--jobs", jobs)
    assert (code, err) == (1, "")
    assert found("ledger.db")["passed.dcm"] == PROVEN
    assert {one.proof for row in rows() for one in row.signatures} - {""} == {
        f"run 1 of {old / 'ledger.db'}"
    }


def test_the_first_run_of_a_ledger_that_is_to_prove_itself(run, folder):
    assert run(*VERIFY, *POE, "--poe-signer", "rsa.cert.pem")[0] == 1
    assert len(rows()) == 8


def test_several_ledgers(run, old):
    """Each proves what it knows, the earlier one where both know it."""
    os.unlink("archive/a/b/again.dcm")
    shutil.copy("ledger.db", "first.db")
    sign_file("archive/unsigned.dcm", "archive/more.dcm", *pki.member("rsa").pair)
    run("archive", "verify", "archive", "--ledger", "second.db", "--trust", "root.cert.pem")
    run(*AFTER, "--at", LATER, "--poe-ledger", "second.db", "--poe-ledger", "first.db")
    proofs = {os.path.basename(row.path): row.signatures[0].proof
              for row in rows("new.db") if row.signatures}  # fmt: skip
    assert proofs["passed.dcm"] == f"run 1 of {old / 'first.db'}"
    assert proofs["more.dcm"] == f"run 1 of {old / 'second.db'}"


# --- what it does not prove ----------------------------------------------------------------------


def forged(kind):
    """Put a stolen key to use after its certificate expired; the UID of the signature is kept."""
    data = pydicom.dcmread(PASSED)
    (item,) = data.DigitalSignaturesSequence
    if kind == "content":
        remove_file(PASSED, PASSED)
        changed = pydicom.dcmread(PASSED)
        changed.PatientName = "Doe^Jane"
        changed.save_as(PASSED)
        sign_file(PASSED, PASSED, *pki.member("rsa").pair)
        signed = pydicom.dcmread(PASSED)
        assert signed.DigitalSignaturesSequence[0].CertificateOfSigner == item.CertificateOfSigner
    elif kind == "certificate":  # of the same key, which is the only thing the MAC binds
        one = pki.member("rsa").certificate
        root = pki.member("root")
        builder = x509.CertificateBuilder().subject_name(one.subject).issuer_name(one.issuer)
        builder = builder.public_key(one.public_key()).serial_number(7)
        builder = builder.not_valid_before(pki.NOW - 9 * DAY).not_valid_after(pki.NOW + DAY)
        der = builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        item.CertificateOfSigner = der + b"\0" * (len(der) % 2)
        data.save_as(PASSED)


@pytest.mark.parametrize("kind", ["content", "certificate"])
def test_what_was_made_later_is_not_proven(run, old, kind):
    forged(kind)
    run(*AFTER)
    assert found()["passed.dcm"][0] == "passed"  # today it is as good as any
    run(*AFTER, "--at", LATER, *POE)
    assert found()["passed.dcm"] == EXPIRED
    assert found()["again.dcm"] == PROVEN


def test_every_part_of_a_signature_is_in_its_digest():
    parts = ("SHA256", b"mac", b"certificate", b"signature")
    digests = {signature_digest(*parts)}
    for number in range(4):
        other = list(parts)
        other[number] = other[number] + ("x" if number == 0 else b"x")
        digests.add(signature_digest(*other))
    digests.add(signature_digest("SHA256", b"macc", b"ertificate", b"signature"))
    assert len(digests) == 6
    assert elements_digest((3, 1, 2)) == elements_digest((1, 2, 3)) != elements_digest((1, 2))


def test_what_had_expired_when_it_was_seen(run, folder):
    """Then `--at` made it pass, and nothing says that it existed at that time."""
    sign_file("archive/unsigned.dcm", "archive/old.dcm", *pki.member("expired").pair)
    then = (pki.NOW - 15 * DAY).isoformat()
    run(*VERIFY, "--at", then)
    assert found("ledger.db")["old.dcm"][0] == "passed"
    run(*AFTER, *POE)
    assert found()["old.dcm"] == EXPIRED


def test_integrity_alone_proves_nothing(run, folder):
    run("archive", "verify", "archive", "--ledger", "ledger.db", "--integrity-only")
    run(*AFTER, "--at", LATER, *POE)
    assert found()["passed.dcm"] == EXPIRED


def test_times():
    now = datetime(2026, 6, 1, tzinfo=UTC)
    counted = CountedTime(now, "validation")
    where = ProofReport("old.db", 3, "")
    early, late = Proof(now - DAY, where), Proof(now + DAY, where)
    judged = with_proof(counted, early, now)
    assert (judged.at, judged.by, judged.proof) == (now - DAY, "poe_ledger", where)
    assert with_proof(counted, None, now) is counted
    assert with_proof(counted, late, now) is counted
    stamped = CountedTime(now - 2 * DAY, "timestamp")
    assert with_proof(stamped, early, now) is stamped
    # a claim that is not believed, because the certificate was not trusted then
    claimed = CountedTime(now - 2 * DAY, "claimed")
    assert with_proof(claimed, early, now).by == "poe_ledger"
    assert with_proof(claimed, late, now) is claimed


# --- ledgers that prove nothing ------------------------------------------------------------------


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


# --- resuming, and workers elsewhere -------------------------------------------------------------


def test_resumed(old):
    """With the same proofs, or not at all; of the ledger itself only earlier runs count."""
    store = TrustStore([pki.member("root").certificate])
    options = Options(trust=store, at=pki.NOW + 2 * DAY)
    asked = RunRequest(selection=Selection(roots=("archive",)))
    wanted = proof_of_existence.Wanted((str(old / "ledger.db"),))

    def go(ledger, resume, watch=None):
        return runs.verify(ledger, asked, options, proofs=wanted, resume=resume, watch=watch,
                           batch_files=1)  # fmt: skip

    def stopping(progress, stop):
        if progress.files:
            stop()

    for ledger in ("ledger.db", "new.db"):
        assert not go(ledger, False, stopping).complete
        assert go(ledger, True).complete
        assert found(ledger)["passed.dcm"] == PROVEN
    assert not go("new.db", False, stopping).complete
    runs.verify("ledger.db", asked, options)
    with pytest.raises(dicomseal.errors.UsageError, match="poe_ledger"):
        go("new.db", True)


def test_a_worker_that_cannot_look(old, tmp_path):
    """It is not decided, and never passes."""
    store = TrustStore([pki.member("root").certificate])
    proven = proof_of_existence.ProofIndex(str(tmp_path / "not here"))
    with pytest.raises(LedgerError, match="unable to open"):
        proven.of(bytes(32))
    from dicomseal.verification.verifier import verify_with

    options = Options(trust=store, at=pki.NOW + 2 * DAY, digests=True, proofs=proven)
    report = verify_with(PASSED, options)
    assert report.verdict == "indeterminate"
    assert "no proof of existence could be looked for" in report.signatures[0].messages[-1]


def test_a_leftover_is_made_anew(run, old):
    """What a killed run left, or somebody put there, is never believed."""
    shutil.copy("ledger.db", "new.db.poe")
    run(*AFTER, "--at", LATER, *POE)
    assert found()["passed.dcm"] == PROVEN
    assert not os.path.exists("new.db.poe")
    os.symlink("/etc/passwd", "new.db.poe")
    run(*AFTER, "--at", LATER, *POE)
    assert found()["passed.dcm"] == PROVEN

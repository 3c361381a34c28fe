"""`archive verify --poe-ledger`: what an earlier ledger proves, and what it does not."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import pki
import pytest
from _archive import VERIFY, rows
from _proofs import AFTER, DAY, EXPIRED, LATER, PASSED, POE, PROVEN, forged, found
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import dicomseal
from dicomseal import sign_file
from dicomseal.archive.ledger import proof_of_existence
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import LedgerError
from dicomseal.report import ProofReport
from dicomseal.signature.digests import elements_digest, signature_digest
from dicomseal.trust.store import TrustStore
from dicomseal.verification.best_signature_time import CountedTime, Proof, with_proof
from dicomseal.verification.options import Options

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

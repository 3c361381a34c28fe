"""Whom a run trusted, and by which policy, in the ledger and in its report."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing

import pki
import pytest
from _archive import VERIFY

from dicomseal import TrustStore, policy
from dicomseal.archive.find.selection import RunRequest, Selection
from dicomseal.archive.find.trusted import trusted_by
from dicomseal.archive.run import runner as runs
from dicomseal.errors import UsageError
from dicomseal.verification.options import Options


def trusted(run, *options):
    return json.loads(run("archive", "report", "ledger.db", "--format", "json", *options)[1])[
        "asked"
    ]["trusted"]


def test_by_their_fingerprints(run, folder):
    """In JSON and text; the page is looked at in test_html.py."""
    run(*VERIFY, "--trust-signer", "other.cert.pem", "--tsa-trust", "root.cert.pem")
    root, other = (pki.member(name).certificate for name in ("root", "other"))
    found = trusted(run)
    assert [(one["role"], one["subject"]) for one in found["certificates"]] == [
        ("anchor", "CN=Test root"), ("signer", "CN=Test other"), ("tsa", "CN=Test root"),
    ]  # fmt: skip
    digests = [one.fingerprint(pki.hashes.SHA256()).hex() for one in (root, other, root)]
    assert [one["sha256"] for one in found["certificates"]] == digests
    assert found["certificates"][0]["not_after"] == root.not_valid_after_utc.isoformat()
    text = run("archive", "report", "ledger.db")[1]
    for digest in (*digests, found["policy_sha256"]):
        assert f"SHA-256 {digest}\n" in text
    assert "policy: default, weak: warn, revocation: if-available\n" in text


def test_a_public_key_and_no_anchor(run, folder):
    key = pki.member("rsa").certificate.public_key()
    (one,) = trusted_by(TrustStore([], signers=[key])).certificates
    assert (one.subject, one.name, one.not_after) == (
        "", "(a public key without a certificate)", "",
    )  # fmt: skip
    spki = key.public_bytes(
        pki.serialization.Encoding.DER, pki.serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert one.sha256 == hashlib.sha256(spki).hexdigest()
    run("archive", "verify", "archive", "--ledger", "ledger.db")
    assert trusted(run) is None
    assert trusted_by(None) is None


def test_the_fingerprint_of_a_policy_is_that_of_its_rules():
    root = pki.member("root").certificate
    prints = [
        trusted_by(TrustStore([root], policy=one)).policy_sha256
        for one in (
            policy.DEFAULT, policy.DEFAULT.but(name="ours"), policy.DEFAULT.but(weak="reject"),
            policy.DEFAULT.but(hashes=frozenset({"sha256"})),
        )
    ]  # fmt: skip
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.parametrize("exchanged", ["anchor", "policy"])
def test_a_run_is_not_resumed_with_other_anchors(run, folder, exchanged):
    """The files have the names that they had, and hold something else."""
    (folder / "policy.json").write_text('{"name": "ours"}')

    def stopping(progress, stop):
        stop()

    def options():
        store = TrustStore.from_files("root.cert.pem", policy=policy.load("policy.json"))
        return Options(trust=store)

    asked = RunRequest(selection=Selection(roots=(str(folder / "archive"),)))
    outcome = runs.verify("ledger.db", asked, options(), watch=stopping, batch_files=1)
    assert not outcome.complete
    if exchanged == "anchor":
        shutil.copy("root.cert.pem", "kept.pem")
        pki.member("other root").write(folder)
        shutil.copy("other-root.cert.pem", "root.cert.pem")
    else:
        (folder / "policy.json").write_text('{"name": "ours", "weak": "accept"}')
    with pytest.raises(UsageError, match="run 1 trusted other certificates, or had another"):
        runs.verify("ledger.db", asked, options(), resume=True)
    if exchanged == "anchor":
        shutil.copy("kept.pem", "root.cert.pem")
    else:  # the same rules by another name
        (folder / "policy.json").write_text('{"name": "theirs"}')
    assert runs.verify("ledger.db", asked, options(), resume=True).complete


def test_a_ledger_of_before_is_read_and_resumed(run, folder):
    run(*VERIFY)
    with closing(sqlite3.connect("ledger.db")) as db, db:
        (asked,) = db.execute("SELECT asked FROM run").fetchone()
        old = json.loads(asked)
        del old["trusted"]
        db.execute("UPDATE run SET asked = ?", (json.dumps(old),))
        db.execute("DELETE FROM run_end")
    assert trusted(run) is None
    assert run(*VERIFY, "--resume")[0] == 1


def test_of_what_arrives(run, folder):
    """Of `watch`; that of the gate is looked at in tests/gate/test_gate.py."""
    run("watch", "archive", "--ledger", "ledger.db", "--trust", "root.cert.pem", "--once")
    assert [one["subject"] for one in trusted(run)["certificates"]] == ["CN=Test root"]

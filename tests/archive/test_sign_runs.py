"""Runs that sign: their keys, what the ledger says, and who may resume."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing

import pki
import pytest
from _archive_sign import SIGN
from _hsm import PIN

from dicomseal import SigningPolicy, TimestampAuthority, verify
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import sign_archive
from dicomseal.archive.run.runner import Selection
from dicomseal.errors import KeyFileError, SigningError, UsageError
from dicomseal.signing.policy import ALLOW_WEAK, STRONG


@pytest.fixture
def folder(archive_to_sign):
    return archive_to_sign


# --- keys ----------------------------------------------------------------------------------------


def test_a_password_is_asked_for_once(folder):
    from cryptography.hazmat.primitives import serialization as form

    locked_key = pki.member("rsa").key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"open")
    )
    pki.secret("locked.pem", locked_key)
    asked = []

    def password():
        asked.append(os.getpid())
        return b"open"

    outcome = sign_archive.sign(
        "ledger.db", Selection(roots=(str(folder / "archive"),)), "locked.pem", "rsa.cert.pem",
        password=password, jobs=2, batch_files=1,
    )  # fmt: skip
    assert outcome.complete
    assert outcome.totals.verdicts["signed"] == 4
    assert asked == [os.getpid()]
    with pytest.raises(KeyFileError, match="password is wrong"):
        sign_archive.sign("other.db", Selection(roots=("archive",)), "locked.pem", "rsa.cert.pem",
                     password="no")  # fmt: skip
    assert not os.path.exists("other.db")


@pytest.mark.parametrize("name", ["rsa", "ec"])
def test_a_key_in_memory(folder, name):
    outcome = sign_archive.sign(
        "ledger.db", Selection(roots=(str(folder / "archive"),)), *pki.member(name).pair
    )
    assert outcome.totals.verdicts["signed"] == (4 if name == "rsa" else 5)
    with pytest.raises(SigningError, match=r"too weak|not one the policy allows"):
        sign_archive.sign("o.db", Selection(roots=("archive",)), *pki.member(name).pair,
                     policy=SigningPolicy(macs=["SHA512"], rsa_bits=2048, ec_bits=256))  # fmt: skip


def test_a_key_on_a_token(folder, hsm):
    """Each worker has a session of its own; the PIN is asked for once."""
    asked = []

    def pin():
        asked.append(os.getpid())
        return PIN.encode()

    outcome = sign_archive.sign(
        "ledger.db", Selection(roots=(str(folder / "archive"),)),
        "pkcs11:token=archive;object=p256", str(hsm.file("p256")),
        password=pin, jobs=2, batch_files=1,
    )  # fmt: skip
    assert outcome.complete
    assert outcome.totals.verdicts["signed"] == 5
    assert asked == [os.getpid()]
    assert verify("archive/unsigned.dcm", integrity_only=True).verdict == "passed"


def test_a_warning_of_the_key_is_told_once(run, folder, hsm):
    key = f"pkcs11:token=archive;object=p256?pin-value={PIN}"
    err = run("archive", "sign", "archive", "--ledger", "ledger.db", "--in-place", "--jobs", "2",
              "--key", key, "--cert", hsm.file("p256"))[2]  # fmt: skip
    assert err.count("the PIN is in the URI") == 1


# --- the ledger ----------------------------------------------------------------------------------


def test_runs_of_two_kinds_in_one_ledger(run, folder):
    check = ("archive", "verify", "archive", "--ledger", "ledger.db", "--trust", "root.cert.pem")
    run(*check)
    run(*SIGN, "--in-place")
    run(*check)
    out = run("archive", "diff", "ledger.db", "--format", "jsonl")[1]
    told = map(json.loads, out.splitlines())
    kinds = {os.path.basename(one["path"]): one["change"] for one in told}
    assert kinds["unsigned.dcm"] == "newly_passing"
    assert "own.dcm" not in kinds
    code, _, err = run("archive", "diff", "ledger.db", "--since", "2")
    assert (code, "cannot be compared" in err) == (2, True)
    code, out, _ = run("archive", "report", "ledger.db", "--run", "2", "--format", "json")
    told = json.loads(out)
    assert (told["kind"], told["verdicts"]["signed"]) == ("sign", 4)
    assert {os.path.basename(one["path"]) for one in told["failures"]} == {
        "broken.dcm", "error.dcm",
    }  # fmt: skip
    assert "passed" not in told["verdicts"]
    text = run("archive", "report", "ledger.db", "--run", "2")[1]
    assert text.startswith("run 2 (sign), complete")
    assert run("archive", "audit", "ledger.db")[0] == 0
    run("archive", "export", "ledger.db", "--run", "2", "--jsonl", "lines.jsonl")
    assert len((folder / "lines.jsonl").read_text().splitlines()) == 9
    run(*SIGN, "--in-place")
    # the last run that verified, as long as there is one
    assert run("archive", "report", "ledger.db")[1].startswith("run 3, complete")


def test_the_report_of_a_ledger_of_runs_that_signed(run, folder):
    for number in (1, 2):
        run(*SIGN, "--in-place")
        code, out, _ = run("archive", "report", "ledger.db")
        assert code == 0
        assert out.startswith(f"run {number} (sign), complete")
        assert "broken.dcm" in out
    assert "\nthe run itself is not signed (--sign-run)\n" in out


def test_the_end_of_a_run_is_signed(run, folder):
    run(*SIGN, "--in-place", "--sign-run", "ec.key.pem", "ec.cert.pem")
    assert run("archive", "audit", "ledger.db", "--signer", "ec.cert.pem")[0] == 0


def test_a_run_is_resumed_as_what_it_was(run, folder):
    arguments = ("ledger.db", Selection(roots=(str(folder / "archive"),)), "rsa.key.pem",
                 "rsa.cert.pem")  # fmt: skip
    stopped = []

    def stop(_progress, stop_run):
        stopped.append(1)
        stop_run()

    assert not sign_archive.sign(*arguments, watch=stop, batch_files=1).complete
    with pytest.raises(UsageError, match="signing: mac"):
        sign_archive.sign(*arguments, resume=True, mac="SHA512")
    with pytest.raises(UsageError, match="signing: target"):
        sign_archive.sign(*arguments, resume=True, target="t")
    code, _, err = run("archive", "verify", "archive", "--ledger", "ledger.db", "--resume")
    assert (code, "one of another kind, 'sign'" in err) == (2, True)
    assert sign_archive.sign(*arguments, resume=True).complete


MINE = SigningPolicy(macs=["SHA256"], rsa_bits=2048)
TSA = "http://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("begun", "resumed", "said"),
    [({}, {"policy": ALLOW_WEAK}, "allow_weak"), ({"policy": ALLOW_WEAK}, {}, "allow_weak"),
     ({"policy": STRONG}, {"policy": MINE}, "policy"),
     ({"tsa": (TSA,)}, {"tsa": (TSA, "SHA512")}, "tsa_mac"),
     ({"tsa": (TSA, "SHA512")}, {"tsa": (TSA, "SHA384")}, "tsa_mac"),
     ({"tsa": (TSA,)}, {"tsa": (TSA, "SHA256", "1.2.3")}, "tsa_policy"),
     ({"tsa": (TSA,)}, {}, "tsa"), ({"tsa": (TSA,)}, {"tsa": (TSA, "SHA256", None, 5.0)}, ""),
     ({}, {"policy": STRONG}, ""), ({"policy": MINE}, {"policy": MINE}, "")],
)  # fmt: skip
def test_how_a_run_was_to_sign(folder, begun, resumed, said):
    """All that shows in the signatures is asked for once; how long to wait for an answer is not."""

    def sign(how, **more):
        arguments = how | ({"tsa": TimestampAuthority(*how["tsa"])} if "tsa" in how else {})
        one = Selection(roots=(str(folder / "archive"),), include=("own.dcm",))
        return sign_archive.sign("l.db", one, "rsa.key.pem", "rsa.cert.pem", **arguments, **more)

    assert not sign(begun, watch=lambda _, stop: stop()).complete
    if said:
        with pytest.raises(UsageError, match=f"other options about signing: {said}$"):
            sign(resumed, resume=True)
        resumed = begun
    assert sign(resumed, resume=True).complete


def test_a_run_is_resumed_with_the_same_options(run, folder):
    """One of a version that did not keep these options goes on where they are not given."""
    one = Selection(roots=(str(folder / "archive"),))
    sign_archive.sign("ledger.db", one, "rsa.key.pem", "rsa.cert.pem", watch=lambda _, stop: stop())
    with Ledger("ledger.db") as ledger:
        asked = json.loads(ledger.find().asked)
    for name in ("allow_weak", "policy", "tsa_mac", "tsa_policy"):
        del asked["signing"][name]
    with closing(sqlite3.connect("ledger.db")) as db, db:
        db.execute("UPDATE run SET asked = ?", (json.dumps(asked),))
    code, _, err = run(*SIGN, "--in-place", "--resume", "--allow-weak")
    assert (code, err) == (2, "dicomseal: run 1 had other options about signing: allow_weak\n")
    assert run(*SIGN, "--in-place", "--resume")[0] == 1

"""`archive sign`: what is signed, what is not and why, what the ledger says, and who may resume."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pki
import pytest
from _archive import appended, many, rows
from test_pkcs11_key import PIN, hsm  # noqa: F401 - a fixture
from tsa import Tsa, serving

from dicomseal import SigningPolicy, remove_file, sign_file, verify
from dicomseal.archive import locked, sign_work, signing
from dicomseal.archive.audit import audit
from dicomseal.archive.ledger import Ledger
from dicomseal.archive.run import Selection
from dicomseal.archive.walk import Found
from dicomseal.archive.work import StoppedError
from dicomseal.errors import KeyFileError, LedgerError, SigningError, SourceError, UsageError

NAMED = [*pki.SMALL[:2], (0x00080060, "CS", b"OT"), *pki.SMALL[2:]]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An archive of every kind of object, its ledger beside it, and the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("root", "rsa", "other", "ec"):
        pki.member(name).write(tmp_path)
    archive = tmp_path / "archive"
    (archive / "a" / "b").mkdir(parents=True)
    plain = archive / "unsigned.dcm"
    plain.write_bytes(pki.small())
    (archive / "a" / "b" / "implicit.dcm").write_bytes(pki.small("implicit"))
    sign_file(plain, archive / "a" / "own.dcm", *pki.member("rsa").pair)
    sign_file(plain, archive / "a" / "foreign.dcm", *pki.member("other").pair)
    data = (archive / "a" / "foreign.dcm").read_bytes()
    (archive / "broken.dcm").write_bytes(data.replace(b"Doe^John", b"Doe^Jane"))
    sign_file(plain, archive / "item.dcm", *pki.member("rsa").pair, items="BeamSequence[0]")
    (archive / "error.dcm").write_bytes(data[:-9])
    (archive / "notes.txt").write_text("no DICOM at all, and longer than a few bytes")
    (archive / "nothing").write_bytes(b"")
    return tmp_path


KEY = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
SIGN = ("archive", "sign", "archive", "--ledger", "ledger.db", *KEY)
VERDICTS = {
    "unsigned.dcm": "signed", "a/b/implicit.dcm": "signed", "a/foreign.dcm": "signed",
    "item.dcm": "signed", "a/own.dcm": "already_signed", "broken.dcm": "refused",
    "error.dcm": "error", "notes.txt": "not_dicom", "nothing": "not_dicom",
}  # fmt: skip


def found(run=None):
    return {os.path.relpath(row.path, "archive"): row for row in rows(run=run)}


def contents(name):
    return {path: path.read_bytes() for path in name.rglob("*") if path.is_file()}


def own(path):
    """The signatures of the main data set by the key that signs here."""
    mine = pki.member("rsa").certificate.fingerprint(pki.hashes.SHA256()).hex()
    report = verify(path, integrity_only=True)
    return [one for one in report.signatures if one.location == "" and one.signer.sha256 == mine]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_in_place(run, folder, jobs):
    before = contents(folder / "archive")
    os.chmod("archive/unsigned.dcm", 0o640)
    code, out, err = run(*SIGN, "--in-place", "--jobs", jobs)
    assert (code, err) == (1, "")
    assert out.startswith("run 1 in ledger.db: complete\n9 files, ")
    assert out.endswith("4 signed, 1 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    assert {name: row.verdict for name, row in found().items()} == VERDICTS
    after = contents(folder / "archive")
    for name, verdict in VERDICTS.items():
        path = folder / "archive" / name
        assert (before[path] != after[path]) == (verdict == "signed"), name
        if "signed" in verdict:
            (signature,) = own(path)
            (kept,) = found()[name].signatures
            assert signature.integrity == "intact"
            assert (kept.uid, kept.datetime) == (signature.uid, signature.datetime)
            assert (kept.integrity, kept.trust) == ("", "not_checked")  # nothing was verified
            assert (kept.mac_algorithm, kept.signer) == ("SHA256", signature.signer)
            status = os.stat(path)
            assert (found()[name].size, found()[name].mtime) == (status.st_size, status.st_mtime_ns)
            assert found()[name].sop_instance_uid == "2.25.1234"
    assert stat.S_IMODE(os.stat("archive/unsigned.dcm").st_mode) == 0o640
    broken = found()["broken.dcm"]
    assert broken.reason == "HASH_FAILURE"
    assert broken.sentence.startswith("a signature that is there does not verify: ")
    # again: nothing to do
    code, out, _ = run(*SIGN, "--in-place", "--jobs", jobs)
    assert out.endswith("5 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    assert contents(folder / "archive") == after
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).findings == []


def test_then_it_verifies(run, folder):
    for name in ("broken.dcm", "error.dcm", "a/foreign.dcm"):
        (folder / "archive" / name).unlink()
    assert run(*SIGN, "--in-place")[0] == 0
    code, out, _ = run("archive", "verify", "archive", "--ledger", "ledger.db", "--trust",
                       "root.cert.pem", "--require", "signature")  # fmt: skip
    assert code == 0
    assert out.endswith("4 passed, 2 not_dicom\n")


def test_to_a_target(run, folder):
    before = contents(folder / "archive")
    code, out, _ = run(*SIGN, "--target", "signed/copies", "--jobs", "2")
    assert code == 1
    assert out.endswith("4 signed, 1 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    assert contents(folder / "archive") == before
    copies = {os.path.relpath(path, "signed/copies") for path in contents(folder / "signed")}
    assert copies == {name for name, verdict in VERDICTS.items() if verdict == "signed"}
    for name in copies:
        row = found()[name]
        status = os.stat(f"archive/{name}")
        assert (row.size, row.mtime) == (status.st_size, status.st_mtime_ns)
        assert [one.uid for one in own(f"signed/copies/{name}")] == [row.signatures[0].uid]
    remove_file("signed/copies/unsigned.dcm", "plain.dcm")
    assert (folder / "plain.dcm").read_bytes() == before[folder / "archive" / "unsigned.dcm"]


def test_what_is_in_the_target(run, folder):
    """The copy that would be made is left alone; anything else only goes when asked."""
    run(*SIGN, "--target", "signed")
    made = contents(folder / "signed")
    again = run(*SIGN, "--target", "signed")[1]
    assert again.endswith("5 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    forced = run(*SIGN, "--target", "signed", "--overwrite")[1]
    assert forced.split(" files/s: ")[1] == again.split(" files/s: ")[1]
    assert contents(folder / "signed") == made
    other = pki.small(elements=NAMED)
    (folder / "archive" / "unsigned.dcm").write_bytes(other)  # one element more than the copy has
    (folder / "signed" / "item.dcm").write_bytes(pki.small())
    altered = folder / "archive" / "a" / "b" / "implicit.dcm"
    altered.write_bytes(altered.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
    kept = contents(folder / "signed")
    run(*SIGN, "--target", "signed")
    stale = ("unsigned.dcm", "item.dcm", "a/b/implicit.dcm")
    assert [found()[name].verdict for name in stale] == ["refused"] * 3
    assert {found()[name].reason for name in stale} == {"exists"}
    assert contents(folder / "signed") == kept
    run(*SIGN, "--target", "signed", "--overwrite")
    assert [found()[name].verdict for name in stale] == ["signed"] * 3
    remove_file("signed/unsigned.dcm", "plain.dcm")
    assert (folder / "plain.dcm").read_bytes() == other


def test_a_target_of_several_roots(run, folder):
    os.mkdir("one")
    os.rename("archive/a", "two")
    os.rename("archive/unsigned.dcm", "one/x.dcm")
    os.rename("archive/item.dcm", "single.dcm")
    command = ("archive", "sign", "one", "two", "single.dcm", "--ledger", "ledger.db", *KEY)
    assert run(*command, "--target", "t")[0] == 0
    copies = sorted(os.path.relpath(path, "t") for path in contents(folder / "t"))
    assert copies == ["one/x.dcm", "single.dcm", "two/b/implicit.dcm", "two/foreign.dcm"]


def test_broken_signatures_are_countersigned_when_asked(run, folder):
    assert run(*SIGN, "--in-place", "--countersign-broken")[0] == 4
    assert found()["broken.dcm"].verdict == "signed"
    assert verify("archive/broken.dcm", integrity_only=True).verdict == "failed"  # not hidden


def test_who_has_signed_decides_the_key(run, folder):
    """A certificate that names itself as ours is not ours; an altered object of ours is skipped."""
    run(*SIGN, "--in-place", "--include", "unsigned.dcm")
    path = folder / "archive" / "unsigned.dcm"
    path.write_bytes(path.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
    run(*SIGN, "--in-place", "--include", "unsigned.dcm")
    assert found()["unsigned.dcm"].verdict == "already_signed"
    assert (
        run("archive", "verify", "archive", "--include", "unsigned.dcm", "--ledger", "l.db")[0] == 1
    )
    key = ("--key", "ec.key.pem", "--cert", "ec.cert.pem")
    run("archive", "sign", "archive", "--ledger", "ledger.db", *key, "--in-place",
        "--include", "own.dcm")  # fmt: skip
    assert found()["a/own.dcm"].verdict == "signed"


def test_options_of_sign(run, folder):
    (folder / "archive" / "unsigned.dcm").write_bytes(pki.small(elements=NAMED))
    options = ("--mac", "SHA512", "--tag", "PatientName", "--tag", "PatientID", "--purpose", "14")
    run(*SIGN, "--in-place", "--include", "unsigned.dcm", *options)
    (signature,) = own("archive/unsigned.dcm")
    assert (signature.mac_algorithm, signature.signed_elements) == ("SHA512", 2)
    assert signature.purpose_code == "14"
    with Ledger("ledger.db") as ledger:
        asked = json.loads(ledger.find().asked)
    assert asked["signing"]["tags"] == ["PatientName", "PatientID"]
    assert asked["signing"]["certificate"] == signature.signer.sha256


def test_what_a_profile_refuses(run, folder):
    code, _, _ = run(*SIGN, "--in-place", "--profile", "sr", "--purpose", "1")
    assert code == 1
    assert found()["unsigned.dcm"].verdict == "refused"
    assert found()["unsigned.dcm"].reason == "profile"
    assert "PS3.15" in found()["unsigned.dcm"].sentence
    assert own("archive/unsigned.dcm") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say which"),
        (("--in-place", "--target", "t"), "say which"),
        (("--in-place", "--overwrite"), "--overwrite goes with --target"),
        (("--in-place", "--older-than", "1d"), "by its age"),
        (("--target", "archive/t"), "within each other"),
        (("--target", "."), "within each other"),
        (("--in-place", "--mac", "SHA1"), "too weak"),
        (("--in-place", "--cert", "ec.cert.pem"), "not the one of the certificate"),
        (("--in-place", "--tag", "FFFA,FFFA"), "can never be signed"),
        (("--in-place", "--resume"), "no run"),
    ],
)
def test_usage(run, folder, options, said):
    before = contents(folder / "archive")
    code, out, err = run(*SIGN, *options)
    assert code in (1, 2)
    assert said in err
    assert out == ""
    assert contents(folder / "archive") == before


def test_lists(run, folder):
    (folder / "list.txt").write_text("archive/unsigned.dcm\n")
    command = ("archive", "sign", "@list.txt", "--ledger", "ledger.db", *KEY)
    code, _, err = run(*command, "--target", "t")
    assert (code, "no tree to mirror" in err) == (2, True)
    assert run(*command, "--in-place")[0] == 0
    assert len(own("archive/unsigned.dcm")) == 1


def test_roots_of_one_name(run, folder):
    os.makedirs("x/archive")
    code, _, err = run("archive", "sign", "archive", "x/archive", "--ledger", "l.db", *KEY,
                       "--target", "t")  # fmt: skip
    assert (code, "same name" in err) == (2, True)


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

    outcome = signing.sign(
        "ledger.db", Selection(roots=(str(folder / "archive"),)), "locked.pem", "rsa.cert.pem",
        password=password, jobs=2, batch_files=1,
    )  # fmt: skip
    assert outcome.complete
    assert outcome.totals.verdicts["signed"] == 4
    assert asked == [os.getpid()]
    with pytest.raises(KeyFileError, match="password is wrong"):
        signing.sign("other.db", Selection(roots=("archive",)), "locked.pem", "rsa.cert.pem",
                     password="no")  # fmt: skip
    assert not os.path.exists("other.db")


@pytest.mark.parametrize("name", ["rsa", "ec"])
def test_a_key_in_memory(folder, name):
    outcome = signing.sign(
        "ledger.db", Selection(roots=(str(folder / "archive"),)), *pki.member(name).pair
    )
    assert outcome.totals.verdicts["signed"] == (4 if name == "rsa" else 5)
    with pytest.raises(SigningError, match=r"too weak|not one the policy allows"):
        signing.sign("o.db", Selection(roots=("archive",)), *pki.member(name).pair,
                     policy=SigningPolicy(macs=["SHA512"], rsa_bits=2048, ec_bits=256))  # fmt: skip


def test_a_key_on_a_token(folder, hsm):  # noqa: F811
    """Each worker has a session of its own; the PIN is asked for once."""
    asked = []

    def pin():
        asked.append(os.getpid())
        return PIN.encode()

    outcome = signing.sign(
        "ledger.db", Selection(roots=(str(folder / "archive"),)),
        "pkcs11:token=archive;object=p256", str(hsm.file("p256")),
        password=pin, jobs=2, batch_files=1,
    )  # fmt: skip
    assert outcome.complete
    assert outcome.totals.verdicts["signed"] == 5
    assert asked == [os.getpid()]
    assert verify("archive/unsigned.dcm", integrity_only=True).verdict == "passed"


# --- what stops a run ----------------------------------------------------------------------------


def test_timestamps_and_an_authority_that_goes(run, folder, monkeypatch):
    monkeypatch.setattr(sign_work, "_PAUSES", (0.01,))
    with serving(Tsa(folder)) as url:
        assert run(*SIGN, "--in-place", "--include", "unsigned.dcm", "--tsa", url)[0] == 0
        assert own("archive/unsigned.dcm")[0].timestamp is not None
    before = contents(folder / "archive")
    code, out, err = run(*SIGN, "--in-place", "--tsa", url, "--jobs", "2")
    assert (code, out) == (4, "")
    assert url in err
    assert "--resume goes on" in err
    assert contents(folder / "archive") == before
    done = {name for name, row in found().items()}
    assert "item.dcm" not in done  # no verdict on what could not be tried
    with Ledger("ledger.db") as ledger:
        assert ledger.find().finished is None
    code, _, err = run(*SIGN, "--in-place", "--resume")
    assert (code, "other options about signing: tsa" in err) == (2, True)
    with Ledger("ledger.db") as ledger:
        assert {row.verdict for row in ledger.rows(*ledger.span(ledger.find().number))} <= {
            "already_signed", "error", "refused", "not_dicom",
        }  # fmt: skip


def worker(folder):
    job = sign_work.Job(
        key=str(folder / "rsa.key.pem"), certificate=pki.member("rsa").der, password=None,
        wishes={"mac": "SHA256"}, roots=(str(folder / "archive"),), target=None, overwrite=False,
        countersign_broken=False, workers_lock="w", run="r", session="s",
    )  # fmt: skip
    return sign_work.Worker(job)


def test_a_full_disk_stops_the_run(folder, monkeypatch):
    path = str(folder / "archive" / "unsigned.dcm")
    before = (folder / "archive" / "unsigned.dcm").read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoppedError, match="No space left"):
        worker(folder).sign(Found(path))
    assert (folder / "archive" / "unsigned.dcm").read_bytes() == before
    assert not list(folder.rglob(".dicomseal-*"))


def test_a_file_that_changes_is_looked_at_again(folder, monkeypatch):
    path = str(folder / "archive" / "unsigned.dcm")
    made = worker(folder)
    inner = made._signer.sign
    calls = []

    def racing(*arguments):
        calls.append(1)
        if len(calls) == 1:  # another worker came to it by another name
            sign_file(path, path, *pki.member("rsa").pair)
        return inner(*arguments)

    monkeypatch.setattr(made._signer, "sign", racing)
    assert made.sign(Found(path)).verdict == "already_signed"
    assert len(own(path)) == 1

    def always(*_):
        raise SourceError("x: changed", "changed")

    monkeypatch.setattr(made._signer, "sign", always)
    item = str(folder / "archive" / "item.dcm")
    row = made.sign(Found(item))
    assert (row.verdict, row.reason) == ("error", "changed")


def test_two_names_of_one_file(run, folder):
    os.symlink("unsigned.dcm", "archive/zz-link.dcm")
    run(*SIGN, "--in-place")
    assert found()["zz-link.dcm"].verdict == "already_signed"
    assert os.path.islink("archive/zz-link.dcm")
    assert len(own("archive/unsigned.dcm")) == 1


def test_a_file_that_kills_its_worker(folder, monkeypatch):
    inner = sign_work.Worker._sign

    def deadly(self, file):
        if file.path.endswith("item.dcm"):
            os._exit(7)
        return inner(self, file)

    monkeypatch.setattr(sign_work.Worker, "_sign", deadly)
    signing.sign("ledger.db", Selection(roots=(str(folder / "archive"),)), "rsa.key.pem",
                 "rsa.cert.pem", jobs=2)  # fmt: skip
    verdicts = {name: row.verdict for name, row in found().items()}
    assert verdicts.pop("item.dcm") == "error"
    assert found()["item.dcm"].reason == "crashed"
    signed = {name for name, verdict in verdicts.items() if "signed" in verdict}
    # those of the batch were signed before it died, and found so when it was done again
    assert signed == {name for name, one in VERDICTS.items() if "signed" in one} - {"item.dcm"}


@pytest.mark.parametrize("times", [1, 2])
def test_interrupted(run, folder, times):
    many(folder)
    child = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", *SIGN, "--in-place", "--max-rate", "0.2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not any(own(path) for path in (folder / "archive").glob("00*.dcm")):
        assert child.poll() is None
        time.sleep(0.02)
    while not appended():
        time.sleep(0.02)
    for _ in range(times):
        child.send_signal(signal.SIGINT)
        time.sleep(0.01)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    if times == 1:
        assert "not complete" in out
        assert "--resume" in err
    before = appended()
    assert 0 < before < 409
    assert run(*SIGN, "--in-place", "--resume", "--jobs", "2")[0] == 1
    assert len(found()) == 409
    assert all(len(own(path)) == 1 for path in (folder / "archive").glob("00*.dcm"))
    assert not list(folder.rglob(".dicomseal-*"))


@pytest.mark.skipif(not os.path.exists("/proc"), reason="looks into /proc")
def test_nobody_goes_on_while_workers_of_a_killed_run_live(folder, monkeypatch):
    many(folder)
    # in a session of its own: else the kernel hangs up on a stopped process whose parent dies
    child = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", *SIGN, "--in-place", "--max-rate", "0.2"],
        start_new_session=True,
    )
    while not appended():
        time.sleep(0.01)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text()
    (worker_id,) = map(int, children.split())
    os.kill(worker_id, signal.SIGSTOP)
    try:
        while "(stopped)" not in Path(f"/proc/{worker_id}/status").read_text():
            time.sleep(0.01)  # it may be flushing a file to disk
        child.kill()
        child.wait()
        monkeypatch.setattr(locked, "PATIENCE", 0.2)
        arguments = ("ledger.db", Selection(roots=(str(folder / "archive"),)), "rsa.key.pem",
                     "rsa.cert.pem")  # fmt: skip
        with pytest.raises(LedgerError, match="still at work"):
            signing.sign(*arguments, resume=True)
    finally:
        os.kill(worker_id, signal.SIGCONT)
    monkeypatch.setattr(locked, "PATIENCE", 30)
    assert signing.sign(*arguments, resume=True).complete


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

    assert not signing.sign(*arguments, watch=stop, batch_files=1).complete
    with pytest.raises(UsageError, match="signing: mac"):
        signing.sign(*arguments, resume=True, mac="SHA512")
    with pytest.raises(UsageError, match="signing: target"):
        signing.sign(*arguments, resume=True, target="t")
    code, _, err = run("archive", "verify", "archive", "--ledger", "ledger.db", "--resume")
    assert (code, "one of another kind, 'sign'" in err) == (2, True)
    assert signing.sign(*arguments, resume=True).complete


def test_metrics(run, folder):
    run(*SIGN, "--in-place", "--metrics", "x.prom")
    text = (folder / "x.prom").read_text()
    assert 'dicomseal_archive_files{verdict="signed"} 4\n' in text
    assert "passed" not in text

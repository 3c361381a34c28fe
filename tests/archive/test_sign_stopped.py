"""`archive sign`: what stops a run, and what happens meanwhile to the files and their names."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pki
import pytest
from _archive import appended, many
from _archive_sign import SIGN, VERDICTS, contents, found, own
from cryptography.hazmat.primitives import serialization as form
from tsa import Tsa, serving

from dicomseal import remove_file, sign_file, verify
from dicomseal.archive.errors import StoppedError
from dicomseal.archive.find.found import Found
from dicomseal.archive.ledger import lock
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import batch_signer, sign_archive
from dicomseal.archive.run.runner import Selection
from dicomseal.errors import LedgerError, SourceError
from dicomseal.files import flush
from dicomseal.signing import bulk_signer
from dicomseal.signing.request import SigningOptions


@pytest.fixture
def folder(archive_to_sign):
    return archive_to_sign


def test_timestamps_and_an_authority_that_goes(run, folder, monkeypatch):
    monkeypatch.setattr(batch_signer, "_PAUSES", (0.01,))
    with serving(Tsa(folder)) as url:
        assert run(*SIGN, "--in-place", "--include", "unsigned.dcm", "--tsa", url)[0] == 0
        assert own("archive/unsigned.dcm")[0].timestamp is not None
    before = contents(folder / "archive")
    code, out, err = run(*SIGN, "--in-place", "--tsa", url, "--jobs", "2")
    assert (code, out) == (4, "")
    assert url in err
    assert "--resume continues" in err
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
    job = batch_signer.WorkerConfig(
        key=str(folder / "rsa.key.pem"), certificate=pki.member("rsa").der, password=None,
        signing_options=SigningOptions(), roots=(str(folder / "archive"),), target=None,
        overwrite=False, countersign_broken=False, workers_lock="w", run="r", session="s",
    )  # fmt: skip
    return batch_signer.Worker(job)


@pytest.mark.parametrize("together", [True, False])
def test_a_full_disk_stops_the_run(folder, monkeypatch, together):
    path = str(folder / "archive" / "unsigned.dcm")
    before = (folder / "archive" / "unsigned.dcm").read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(flush, "at_once", lambda _: together)
    monkeypatch.setattr(flush, "flush_all", full)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoppedError, match="No space left"):
        worker(folder).sign(Found(path))
    assert (folder / "archive" / "unsigned.dcm").read_bytes() == before
    assert not list(folder.rglob(".dicomseal-*"))


def test_a_certificate_that_expires_meanwhile_stops_the_run(folder, monkeypatch):
    path = folder / "archive" / "unsigned.dcm"
    before = path.read_bytes()
    signing = worker(folder)
    later = pki.NOW + timedelta(days=2)
    monkeypatch.setattr(bulk_signer, "datetime", SimpleNamespace(now=lambda _: later))
    with pytest.raises(StoppedError, match=r"is valid from .* would not be trusted"):
        signing.sign(Found(str(path)))
    assert path.read_bytes() == before


def test_a_file_that_changes_is_looked_at_again(folder, monkeypatch):
    path = str(folder / "archive" / "unsigned.dcm")
    signing = worker(folder)
    inner = signing._signer.signed
    calls = []

    def racing(*arguments):
        calls.append(1)
        if len(calls) == 1:  # another worker came to it by another name
            sign_file(path, path, *pki.member("rsa").pair)
        return inner(*arguments)

    monkeypatch.setattr(signing._signer, "signed", racing)
    assert signing.sign(Found(path)).verdict == "already_signed"
    assert len(own(path)) == 1

    def always(*_):
        raise SourceError("x: changed", "changed")

    monkeypatch.setattr(signing._signer, "signed", always)
    item = str(folder / "archive" / "item.dcm")
    row = signing.sign(Found(item))
    assert (row.verdict, row.reason) == ("error", "changed")


@pytest.mark.parametrize("together", [True, False])
def test_a_file_that_changes_before_it_is_renamed(run, folder, monkeypatch, together):
    """What somebody wrote meanwhile is not lost: the object is read again, and signed as it is."""
    path = folder / "archive" / "unsigned.dcm"
    changed = []

    def change(how):
        def flushed(*arguments):
            if not changed:
                changed.append(path.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
                path.write_bytes(changed[0])
            return how(*arguments)

        return flushed

    monkeypatch.setattr(flush, "at_once", lambda _: together)
    monkeypatch.setattr(flush, "flush_all", change(flush.flush_all))
    monkeypatch.setattr(flush, "flush_each", change(flush.flush_each))
    rows = {}
    names = ("item.dcm", "unsigned.dcm")
    worker(folder).sign_all([Found(str(folder / "archive" / name)) for name in names], rows)
    assert [rows[number].verdict for number in (0, 1)] == ["signed", "signed"]
    assert len(changed) == 1
    remove_file(path, folder / "plain.dcm")
    assert (folder / "plain.dcm").read_bytes() == changed[0]
    assert verify(path, integrity_only=True).verdict == "passed"
    assert not list(folder.rglob(".dicomseal-*"))


@pytest.mark.parametrize("together", [True, False])
def test_a_disk_that_fails_is_an_error_of_the_whole_group(folder, monkeypatch, together):
    def failing(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = contents(folder / "archive")
    monkeypatch.setattr(flush, "at_once", lambda _: together)
    monkeypatch.setattr(flush, "flush_all", failing)
    monkeypatch.setattr(os, "fsync", failing)
    rows = {}
    names = ("item.dcm", "unsigned.dcm", "notes.txt", "a/foreign.dcm")
    worker(folder).sign_all([Found(str(folder / "archive" / name)) for name in names], rows)
    told = [(rows[number].verdict, rows[number].reason) for number in range(4)]
    assert told == [("error", "write"), ("error", "write"), ("not_dicom", "not_dicom"),
                    ("error", "write")]  # fmt: skip
    assert contents(folder / "archive") == before


def test_a_full_disk_while_others_wait(folder, monkeypatch):
    """What waits to be renamed takes room on the disk, and gives some back."""
    signing = worker(folder)
    inner = signing._stage

    def full(*arguments):
        if len(signing._group) == 1:
            raise SourceError("x: cannot be written: No space left on device", "no_space")
        return inner(*arguments)

    monkeypatch.setattr(signing, "_stage", full)
    rows = {}
    names = ("item.dcm", "unsigned.dcm", "a/foreign.dcm")
    signing.sign_all([Found(str(folder / "archive" / name)) for name in names], rows)
    assert [rows[number].verdict for number in range(3)] == ["signed"] * 3


def test_many_names_of_one_file(run, folder):
    """Hard links: each name is signed apart, also where all of them are in one group."""
    for number in range(4):
        os.link("archive/unsigned.dcm", f"archive/link{number}.dcm")
    run(*SIGN, "--in-place")
    uids = set()
    for name in ("unsigned.dcm", *(f"link{number}.dcm" for number in range(4))):
        assert found()[name].verdict == "signed"
        (signature,) = own(folder / "archive" / name)
        uids.add(signature.uid)
    assert len(uids) == 5


def test_two_names_of_one_file(run, folder):
    os.symlink("unsigned.dcm", "archive/zz-link.dcm")
    run(*SIGN, "--in-place")
    assert found()["zz-link.dcm"].verdict == "already_signed"
    assert os.path.islink("archive/zz-link.dcm")
    assert len(own("archive/unsigned.dcm")) == 1


def test_a_file_that_kills_its_worker(folder, monkeypatch):
    inner = batch_signer.Worker._look

    def deadly(self, number, file, fetched):
        if file.path.endswith("item.dcm"):
            os._exit(7)
        return inner(self, number, file, fetched)

    monkeypatch.setattr(batch_signer.Worker, "_look", deadly)
    sign_archive.sign("ledger.db", Selection(roots=(str(folder / "archive"),)), "rsa.key.pem",
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


@pytest.mark.skipif(os.name != "posix", reason="a terminal of its own")
def test_interrupted_at_the_prompt(folder):
    """One Ctrl-C ends it, and the terminal shows again what is typed."""
    import pty
    import termios

    locked_key = pki.member("rsa").key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"open")
    )
    pki.secret("locked.pem", locked_key)
    ours, its = pty.openpty()

    def terminal():
        os.setsid()
        os.close(os.open(os.ttyname(its), os.O_RDWR))  # the first one that is opened is its own

    child = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", "archive", "sign", "archive", "--key", "locked.pem",
         "--cert", "rsa.cert.pem", "--in-place", "--ledger", "ledger.db"],
        stdin=its, stdout=its, stderr=its, preexec_fn=terminal,
    )  # fmt: skip
    try:
        said = b""
        while b"password of locked.pem" not in said:
            said += os.read(ours, 4096)
        while termios.tcgetattr(its)[3] & termios.ECHO:
            time.sleep(0.02)
        os.write(ours, b"\3")
        assert child.wait(20) == 130
        assert termios.tcgetattr(its)[3] & termios.ECHO
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(its)
    assert not os.path.exists("ledger.db")


def test_what_was_begun_elsewhere_is_removed(run, folder):
    """An object that a link leads to is written beside where it is."""
    os.mkdir("elsewhere")
    os.rename("archive/unsigned.dcm", "elsewhere/unsigned.dcm")
    os.symlink("../elsewhere/unsigned.dcm", "archive/unsigned.dcm")
    selection = Selection(roots=(str(folder / "archive"),))
    arguments = ("ledger.db", selection, "rsa.key.pem", "rsa.cert.pem")
    assert not sign_archive.sign(*arguments, watch=lambda _, stop: stop()).complete
    with Ledger("ledger.db") as ledger:
        head = ledger.find().head.hex()[:16]
    left = [f".dicomseal-{head}-00112233-77-0123456789abcdef.tmp", f".dicomseal-{head}-odd.tmp"]
    for name in left:
        (folder / "elsewhere" / name).write_bytes(b"half")
    assert sign_archive.sign(*arguments, resume=True).complete
    assert own("archive/unsigned.dcm")
    assert os.path.islink("archive/unsigned.dcm")
    assert sorted(os.listdir("elsewhere")) == [left[1], "unsigned.dcm"]


def test_a_new_run_removes_what_earlier_ones_began(run, folder):
    """Also where nothing is left to be signed; what another ledger's run began is not its own."""
    selection = Selection(roots=(str(folder / "archive"),))
    arguments = (selection, "rsa.key.pem", "rsa.cert.pem")
    assert not sign_archive.sign("ledger.db", *arguments, watch=lambda _, stop: stop()).complete
    with Ledger("ledger.db") as ledger:
        head = ledger.find().head.hex()[:16]
    assert sign_archive.sign("other.db", *arguments).complete
    begun = f".dicomseal-{head}-00112233-77-0123456789abcdef.tmp"
    foreign = ".dicomseal-0123456789abcdef-00112233-77-0123456789abcdef.tmp"
    for name in (begun, foreign):
        (folder / "archive" / name).write_bytes(b"half")
    assert sign_archive.sign("ledger.db", *arguments).complete
    left = [name for name in os.listdir("archive") if name.startswith(".dicomseal-")]
    assert left == [foreign]


def test_what_was_begun_is_not_said_to_be_there_still(run, folder):
    selection = Selection(roots=(str(folder / "archive"),))
    begun = sign_archive.sign(
        "ledger.db", selection, "rsa.key.pem", "rsa.cert.pem", watch=lambda _, stop: stop()
    )
    assert not begun.complete
    with Ledger("ledger.db") as ledger:
        head = ledger.find().head.hex()[:16]
    left = folder / "archive" / f".dicomseal-{head}-00112233-77-0123456789abcdef.tmp"
    left.write_bytes(b"half")
    said = (
        f"passed over, not signed: temporary files of dicomseal (1)\n  {left}\n"
        "  (those that an interrupted run of this ledger left were removed meanwhile)\n"
    )
    out = run(*SIGN, "--in-place", "--resume")[1]
    assert out.endswith(said)
    assert not left.exists()
    assert said in run("archive", "report", "ledger.db")[1]
    assert "removed" not in run(*SIGN, "--in-place")[1]


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
        monkeypatch.setattr(lock, "PATIENCE", 0.2)
        arguments = ("ledger.db", Selection(roots=(str(folder / "archive"),)), "rsa.key.pem",
                     "rsa.cert.pem")  # fmt: skip
        with pytest.raises(LedgerError, match="still at work"):
            sign_archive.sign(*arguments, resume=True)
    finally:
        os.kill(worker_id, signal.SIGCONT)
    monkeypatch.setattr(lock, "PATIENCE", 30)
    assert sign_archive.sign(*arguments, resume=True).complete

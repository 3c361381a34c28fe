"""`archive verify` and what files, disks and other processes do to it: a sentence, nothing lost."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pki
import pytest
from _clock import preloading

from dicomseal import sign_file
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.errors import LedgerError
from dicomseal.files.reader import SNAPSHOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="capabilities, tmpfs, LD_PRELOAD")
FILES = 400
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with an anchor, and an archive of one object that passes."""
    monkeypatch.chdir(tmp_path)
    pki.member("root").write(tmp_path)
    (tmp_path / "archive").mkdir()
    sign(tmp_path / "archive" / "good.dcm", pki.small())
    return tmp_path


def sign(path, data):
    path.write_bytes(data)
    sign_file(path, path, *pki.member("rsa").pair)


def many(folder):
    data = (folder / "archive" / "good.dcm").read_bytes()
    for number in range(1, FILES):
        (folder / "archive" / f"{number}.dcm").write_bytes(data)
    return len(data)


def command(*more, ledger="ledger.db"):
    return [sys.executable, "-m", "dicomseal", "archive", "verify", "archive", "--ledger", ledger,
            "--trust", "root.cert.pem", *more]  # fmt: skip


def told(done):
    """What was said; it is no traceback."""
    assert "Traceback" not in done.stdout + done.stderr, done
    return done.returncode, done.stdout, done.stderr


def run(*more, ledger="ledger.db", **options):
    arguments = command(*more, ledger=ledger)
    return told(subprocess.run(arguments, capture_output=True, text=True, **options))


def rows(ledger="ledger.db"):
    with Ledger(str(ledger)) as opened:
        assert audit(opened).intact
        found = list(opened.rows(*opened.span(opened.find().number)))
    assert len({row.path for row in found}) == len(found)
    return {os.path.basename(row.path): row for row in found}


def reasons(found):
    return {name: (row.verdict, row.reason) for name, row in found.items()}


def as_anybody():
    """In a child, before its program: root, if it is, may no longer pass permissions by."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.parametrize("closed", ["file", "folder", "both"])
def test_a_ledger_of_others(folder, closed):
    """An auditor may not write to it, nor beside it."""
    (folder / "theirs").mkdir()
    assert run(ledger="theirs/ledger.db")[0] == 0
    assert sorted(os.listdir("theirs")) == ["ledger.db", "ledger.db.lock"]
    if closed != "folder":
        os.chmod("theirs/ledger.db", 0o444)
    if closed != "file":
        os.chmod("theirs", 0o555)
    for what in ("audit", "report"):
        done = subprocess.run(
            [sys.executable, "-m", "dicomseal", "archive", what, "theirs/ledger.db"],
            capture_output=True, text=True, preexec_fn=as_anybody,
        )  # fmt: skip
        assert told(done)[0] == 0, done
    os.chmod("theirs", 0o755)
    assert sorted(os.listdir("theirs")) == ["ledger.db", "ledger.db.lock"]


def test_permission_denied(folder):
    """A file, and a folder: each is a row, and the rest is verified."""
    for name in ("denied.dcm", "closed/inner.dcm"):
        path = folder / "archive" / name
        path.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "archive" / "good.dcm", path)
        (path if path.parent.name == "archive" else path.parent).chmod(0)
    try:
        code, out, err = run(preexec_fn=as_anybody)
    finally:
        (folder / "archive" / "closed").chmod(0o700)
    assert (code, err) == (4, "")
    assert out.endswith("1 passed, 2 error\n")
    found = rows()
    assert reasons(found) == {
        "good.dcm": ("passed", ""), "denied.dcm": ("error", "permission"),
        "closed": ("error", "permission"),
    }  # fmt: skip
    assert found["denied.dcm"].sentence == found["closed"].sentence == "Permission denied"


def test_metrics_without_permission(folder):
    """The run is not begun."""
    (folder / "closed").mkdir(mode=0o555)
    code, out, err = run("--metrics", "closed/x.prom", preexec_fn=as_anybody)
    assert (code, out) == (2, "")
    assert "--metrics: closed/x.prom: cannot be written: Permission denied; name a file" in err
    assert not os.path.exists("ledger.db")


def test_no_regular_files(folder):
    """What would block for ever, or is no file at all, is told and not opened."""
    import socket

    os.mkfifo("archive/fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("archive/socket")
        code, _, err = run(timeout=60)
    assert (code, err) == (4, "")
    found = rows()
    assert reasons(found) == {
        "good.dcm": ("passed", ""), "fifo": ("error", "unreadable"),
        "socket": ("error", "unreadable"),
    }  # fmt: skip
    assert found["fifo"].sentence == "not a regular file"


@pytest.fixture(scope="module")
def broken_reads(tmp_path_factory):
    """The shim, built; see its source."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None and not os.environ.get("CI"):
        pytest.skip("there is no C compiler")
    library = tmp_path_factory.mktemp("shim") / "broken_reads.so"
    source = Path(__file__).parents[1] / "support" / "_broken_reads.c"
    subprocess.run([compiler or "cc", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                   check=True)  # fmt: skip
    return library


@pytest.fixture(scope="module")
def sizes():
    """An object that is read whole, and one that is read through a window."""
    pixels = (0x7FE00010, "OW", bytes(SNAPSHOT + 100_000))
    small = (0x7FE00010, "OW", bytes(100_000))
    return {name: pki.small(elements=[*pki.SMALL[:-1], one])
            for name, one in (("small", small), ("large", pixels))}  # fmt: skip


@pytest.mark.parametrize("ahead", ["0", "4"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_an_error_in_the_middle_of_a_read(folder, broken_reads, sizes, size, ahead):
    sign(folder / "archive" / f"{size}-eio.dcm", sizes[size])
    assert run()[0] == 0
    code, out, err = run("--read-ahead", ahead, env=preloading(broken_reads))
    assert (code, err) == (4, "")
    assert out.endswith("1 passed, 1 error\n")
    row = rows()[f"{size}-eio.dcm"]
    assert (row.verdict, row.reason) == ("error", "unreadable")
    assert row.sentence == "Input/output error"


@pytest.mark.parametrize("ahead", ["0", "4"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_changed_while_it_is_read(folder, broken_reads, sizes, size, ahead):
    """Zeros behind the data set, which without a check would pass."""
    sign(folder / "archive" / f"{size}-grows.dcm", sizes[size])
    time.sleep(0.05)  # the kernel's clock moves on
    code, out, err = run("--read-ahead", ahead, env=preloading(broken_reads))
    assert (code, err) == (4, ""), out
    row = rows()[f"{size}-grows.dcm"]
    assert (row.verdict, row.reason) == ("error", "changed")
    assert row.sentence == "changed while it was read; try again"
    assert run()[0] == 0  # it is quiet again, and the zeros are no part of it


@pytest.fixture
def disk(tmp_path):
    """A disk of 300 KB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", mount],
                          capture_output=True, text=True)  # fmt: skip
    if mounted.returncode and not os.environ.get("CI"):
        pytest.skip(f"no disk of our own can be mounted here: {mounted.stderr.strip()}")
    mounted.check_returncode()
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_a_full_disk(folder, disk):
    """It stops with a sentence; when there is room again it goes on, and nothing is lost."""
    many(folder)
    ledger = str(disk / "ledger.db")
    (disk / "other").write_bytes(bytes(150_000))
    code, out, err = run(ledger=ledger)
    assert (code, out) == (2, "")
    assert err == f"dicomseal: {ledger}: the ledger cannot be used: database or disk is full\n"
    before = rows(ledger)
    assert 0 < len(before) < FILES
    os.remove(disk / "other")
    subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
    code, out, err = run("--resume", ledger=ledger)
    assert (code, err) == (0, "")
    assert f"{FILES - len(before)} files now, {len(before)} before" in out
    assert len(rows(ledger)) == FILES


def test_no_room_for_a_ledger(folder, disk):
    (disk / "other").write_bytes(bytes(297_000))
    code, out, err = run(ledger=str(disk / "ledger.db"))
    assert (code, out) == (2, "")
    assert "the ledger cannot be used: " in err


def test_two_runs_at_once(folder):
    """The second is refused and told who the first is, which ends as if nothing had been."""
    size = many(folder)
    rate = str(FILES * size / 4e6)
    first = subprocess.Popen(command("--max-rate", rate), stdout=-1, stderr=-1, text=True)
    while not begun():
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    code, out, err = run()
    assert (code, out) == (2, "")
    assert f"another run is writing to this ledger: process {first.pid} on " in err
    code, out, err = run("--resume")
    assert (code, str(first.pid) in err) == (2, True)
    out, err = first.communicate(timeout=60)
    assert (first.returncode, err) == (0, "")
    assert len(rows()) == FILES
    assert run()[0] == 0  # and after it there is nobody in the way


def begun():
    try:
        with Ledger("ledger.db") as ledger:
            return bool(ledger.runs())
    except LedgerError:
        return False

"""Runs that are stopped, interrupted, resumed, or started twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from _archive import VERIFY, many, rows

from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.lock import locked
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.errors import LedgerError, UsageError
from dicomseal.verification.options import Options


def test_stopped_and_resumed(folder):
    asked = RunRequest(selection=Selection(roots=("archive",)))
    seen = []

    def watch(progress, stop):
        seen.append(progress.files)
        if progress.files:
            stop()

    first = runs.verify("ledger.db", asked, Options(), watch=watch, batch_files=1)
    assert not first.complete
    assert len(rows()) == first.totals.files < 8
    with pytest.raises(UsageError, match="include"):
        other = RunRequest(selection=Selection(roots=("archive",), include=("x",)))
        runs.verify("ledger.db", other, Options(), resume=True)
    with pytest.raises(UsageError, match="weak"):
        other = RunRequest(selection=asked.selection, trust={"weak": "reject"})
        runs.verify("ledger.db", other, Options(), resume=True)
    second = runs.verify("ledger.db", asked, Options(), resume=True)
    assert (second.complete, second.run, second.totals.files) == (True, 1, 8)
    assert len({row.path for row in rows()}) == len(rows()) == 8
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact
    with pytest.raises(LedgerError, match="came to its end"):
        runs.verify("ledger.db", asked, Options(), resume=True)


SLOW = """
import multiprocessing, sys, time
multiprocessing.set_start_method("fork")
from dicomseal import cli
from dicomseal.archive.run import verify_worker as work
whole, seconds = work.verify_with, float(sys.argv.pop(1))
def slow(path, options):
    if path.endswith("00200.dcm"):
        open("hanging", "w").close()
        time.sleep(seconds)
    return whole(path, options)
work.verify_with = slow
cli.main()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, and sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once(run, folder, number):
    """It waits for the batches under way, however long they take, and keeps them."""
    many(folder, 800)
    child = subprocess.Popen([sys.executable, "-c", SLOW, "3", *VERIFY],
                             stdout=-1, stderr=-1, text=True)  # fmt: skip
    while not os.path.exists("hanging"):
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(number)
    time.sleep(1)
    assert child.poll() is None
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "not complete" in out
    assert err == "stopped: --resume continues from here\n"  # and no more: it is a pipe
    before = {os.path.basename(row.path) for row in rows()}
    assert "00200.dcm" in before
    _resumed(run, len(before))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, and sends signals")
def test_interrupted_twice(run, folder):
    """It ends at once, and what was appended is there."""
    many(folder, 800)
    child = subprocess.Popen([sys.executable, "-c", SLOW, "600", *VERIFY],
                             stdout=-1, stderr=-1, text=True)  # fmt: skip
    while not os.path.exists("hanging"):
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert child.poll() is None
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    assert time.monotonic() - start < 20  # the worker hangs for 600
    child.stdout.close()
    child.stderr.close()
    before = {os.path.basename(row.path) for row in rows()}
    assert "00200.dcm" not in before
    _resumed(run, len(before))


def _resumed(run, before):
    assert 0 < before < 808
    code, out, _ = run(*VERIFY, "--resume")
    assert code == 1
    assert f"{808 - before} files now, {before} before" in out
    assert len({row.path for row in rows()}) == len(rows()) == 808
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact


def test_one_run_at_a_time(run, folder):
    program = (
        "from dicomseal.archive.ledger.lock import locked\n"
        "with locked('ledger.db'): print('held', flush=True); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1)
    assert holder.stdout.readline() == b"held\n"
    code, _, err = run(*VERIFY)
    assert code == 2
    assert f"another run is writing to this ledger: process {holder.pid} on " in err
    holder.kill()
    holder.communicate()
    assert run(*VERIFY)[1].startswith("run 1 ")
    with locked("ledger.db"), pytest.raises(LedgerError, match="this process"), locked("ledger.db"):
        pass


def test_one_run_at_a_time_by_whatever_name(run, folder):
    os.makedirs("links")
    os.symlink("../ledger.db", "links/one.db")  # before it is there
    this = pytest.raises(LedgerError, match="this process")
    with locked("ledger.db"), this, locked("links/one.db"):
        pass
    assert os.listdir("links") == ["one.db"]
    assert run("archive", "verify", ".", "--ledger", "links/one.db")[2] == ""
    assert not {os.path.basename(row.path) for row in rows()} & {
        "ledger.db", "ledger.db-wal", "ledger.db.lock", "one.db",
    }  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="limits the size of a file")
def test_a_full_disk(folder):
    """Of the ledger's file, as setrlimit plays it; nothing that was appended is lost."""
    many(folder)
    program = (
        "import resource, signal, sys; from dicomseal import cli;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.RLIM_INFINITY));"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *VERIFY], capture_output=True, text=True)
    assert done.returncode == 2, done
    assert "the ledger cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact
        before = len(rows())
        assert before < 408
    done = subprocess.run([sys.executable, "-m", "dicomseal", *VERIFY, "--resume"], text=True,
                          capture_output=True)  # fmt: skip
    assert "408 files" in done.stdout, done

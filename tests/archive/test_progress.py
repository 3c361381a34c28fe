"""What is told while a run is under way: on a terminal, in a pipe, to Prometheus."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from _archive import VERIFY, appended, many
from _clock import waits

from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.estimate import BackgroundCount, Estimate, as_before
from dicomseal.archive.run.runner import Progress, RunRequest, Selection
from dicomseal.cli.progress import _duration
from dicomseal.errors import UsageError
from dicomseal.verification.options import Options

POSIX = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")


def on_a_terminal(*arguments):
    """Run the command with a terminal as standard error: what it shows there, and its output."""
    import pty

    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", *arguments],
        stdout=-1, stderr=theirs, env=os.environ | {"COLUMNS": "200", "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        said += read
    os.close(ours)
    out, _ = child.communicate(timeout=60)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", said.decode())
    return text, out.decode(), child.returncode


@POSIX
@waits
def test_on_a_terminal(folder):
    many(folder)
    rate = ("--max-rate", "0.1")  # MB/s: two seconds for all of it
    shown, out, code = on_a_terminal(*VERIFY, *rate)
    assert code == 1
    assert "408 files, " in out
    figures = r"GB  [\d,]+ files/s  [\d,]+ MB/s  "
    # the first time the files are counted meanwhile, which is soon done
    assert re.search(
        rf"\d+ of about 408 \(counted\) files  0\.00 {figures}about \d+ s left  \d fai", shown
    )
    assert re.search(rf"408 of 408 files  0\.00 {figures}0 s left  2 failed", shown)
    # then as many are expected as the last time
    (folder / "archive" / "00000.dcm").unlink()
    shown, _, _ = on_a_terminal(*VERIFY, *rate)
    assert re.search(rf"\d+ of about 408 \(as in run 1\) files  0\.00 {figures}about", shown)
    assert re.search(rf"407 of 407 files  0\.00 {figures}0 s left  2 failed", shown)
    # of another selection nothing is known
    shown, _, _ = on_a_terminal(*VERIFY, *rate, "--include", "0001*")
    assert "as in run" not in shown


@POSIX
@waits
def test_resumed_on_a_terminal(folder):
    many(folder)
    command = [*VERIFY, "--max-rate", "0.1"]
    child = subprocess.Popen([sys.executable, "-m", "dicomseal", *command], stderr=-1, stdout=-1)
    while not os.path.exists("ledger.db") or not appended():
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    shown, _, code = on_a_terminal(*command, "--resume")
    assert code == 1
    assert re.search(r"\d+ of about 408 \(counted\) files .* \d+ done before", shown)
    assert "408 of 408 files" in shown


def test_quiet_in_a_pipe(folder):
    many(folder)
    done = subprocess.run([sys.executable, "-m", "dicomseal", *VERIFY], capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"")
    assert len(done.stdout.splitlines()) == 2


def test_time_left():
    progress = Progress(1)
    assert progress.left(5) is None
    progress.files, progress.bytes = 10, 1000
    assert progress.left(5) is None
    progress.expected = Estimate(100, 2000)
    assert progress.left(5) is None  # it is still being counted
    progress.expected.source = "counted"
    assert progress.left(5) == 45  # by files
    progress.expected.bytes = 21_000
    assert progress.left(5) == 100  # by bytes
    progress.before, progress.bytes_before = 80, 10_000
    assert progress.left(5) == 50
    progress.before = 1000  # more than there were the last time
    progress.bytes_before = 90_000
    assert progress.left(5) == 0
    progress.found, progress.walked = 14, True
    assert progress.left(5) == 2
    assert [_duration(s) for s in (0, 59.4, 60, 3599, 3600, 100_000)] == [
        "0 s", "59 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "27 h 46 min",
    ]  # fmt: skip


def test_as_many_as_before(folder):
    """In the last finished run over the same selection, whenever ``--older-than`` counts from."""
    one = Selection(roots=("archive",))
    for before in (None, 4e9):
        asked = RunRequest(selection=Selection(roots=("archive",), modified_before=before))
        runs.verify("ledger.db", asked, Options())
    runs.verify("ledger.db", asked, Options(), watch=lambda _, stop: stop())  # not finished
    with Ledger("ledger.db") as ledger:
        size = sum(row.size for row in ledger.rows(1, 8))
        assert as_before(ledger, one) == Estimate(8, size, "as in run 1")
        later = Selection(roots=("archive",), modified_before=5e9)
        assert as_before(ledger, later) == Estimate(8, size, "as in run 2")
        assert as_before(ledger, Selection(roots=("archive",), include=("x",))) is None
        assert as_before(ledger, Selection(roots=("elsewhere",))) is None


def test_a_count_that_is_stopped_or_fails():
    before = threading.active_count()

    def endless():
        while True:
            time.sleep(0.001)
            yield type("File", (), {"size": 2})

    made = Estimate()
    with BackgroundCount(made, endless):
        while made.files < 5:
            time.sleep(0.01)
    assert made.bytes == 2 * made.files
    assert (made.source, threading.active_count()) == ("", before)

    def failing():
        raise UsageError("gone")
        yield

    made = Estimate()
    with BackgroundCount(made, failing):
        pass
    assert made == Estimate()

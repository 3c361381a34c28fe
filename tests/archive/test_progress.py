"""What is told while a run is under way: on a terminal, in a pipe, to Prometheus."""

from __future__ import annotations

import io
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
from rich.console import Console

from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.estimate import BackgroundCount, Estimate, as_before
from dicomseal.archive.run.runner import Progress, RunRequest, Selection
from dicomseal.cli.progress import Figures, Line, _duration
from dicomseal.errors import UsageError
from dicomseal.verification.options import Options

POSIX = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")


def on_a_terminal(*arguments, columns=200):
    """Run the command with a terminal as standard error: what it shows there, and its output."""
    import pty

    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", *arguments],
        stdout=-1, stderr=theirs, env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm"},
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
    figures = r"files  [\d,]+ files/s  0\.00 GB  [\d,]+ MB/s"
    # the first time the files are counted meanwhile, which is soon done
    assert re.search(rf"\d+ of about 408 \(counted\) {figures}", shown)
    assert re.search(r"━+[^\n]* \d\d%  about \d+ s left", shown)
    assert re.search(rf"408 of 408 {figures}", shown)
    assert re.search(r"━ +100%  0 s left", shown)
    # the counts are those of the summary, and mean the same
    told = out.strip().rpartition(": ")[2]
    assert told == "2 passed, 1 failed, 1 indeterminate, 401 unsigned, 1 error, 2 not_dicom"
    assert told in shown
    # then as many are expected as the last time
    (folder / "archive" / "00000.dcm").unlink()
    shown, _, _ = on_a_terminal(*VERIFY, *rate)
    assert re.search(rf"\d+ of about 408 \(as in run 1\) {figures}", shown)
    assert re.search(rf"407 of 407 {figures}", shown)
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
    before = appended()
    shown, out, code = on_a_terminal(*command, "--resume", columns=80)
    assert code == 1
    assert re.search(r"\d+ of about 408 \(counted\) files .* \d+ done before", shown)
    assert "408 of 408 files" in shown
    # what this call did, and what the run holds
    head, now, call, whole = out.splitlines()
    assert head == "run 1 in ledger.db: complete"
    assert now == f"{408 - before} files now, {before} before"
    found = re.fullmatch(r"this call: [\d,]+ bytes in [\d.]+ s, [\d,]+ files/s: (.*)", call)
    assert sum(map(int, re.findall(r"\d+", found[1]))) == 408 - before
    told = "2 passed, 1 failed, 1 indeterminate, 401 unsigned, 1 error, 2 not_dicom"
    assert re.fullmatch(rf"the run: 408 files, [\d,]+ bytes: {told}", whole)
    assert told in shown  # at its end the progress has the counts of the run, too
    assert max(map(len, shown.splitlines())) <= 80


def test_quiet_in_a_pipe(folder):
    many(folder)
    done = subprocess.run([sys.executable, "-m", "dicomseal", *VERIFY], capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"")
    assert len(done.stdout.splitlines()) == 2


def small_figures(**other):
    return Figures(**{"done": 3, "total": "4", "share": 0.75, "seconds": 1.0, "left": 1.0, **other})


WIDE = {
    "small": small_figures(),
    "unknown": small_figures(total="", share=None, left=None),
    "a million": small_figures(
        done=987_654, total="about 1,000,000 (as in run 12)", share=0.987, size=10**12, now=87_654,
        size_now=10**11, seconds=36_000, left=100_000, about=True, failed=3,
        verdicts="900,000 passed, 3 failed, 17 error, 87,634 not_dicom",
    ),
    "a milliard": small_figures(
        done=987_654_321, total="about 1,000,000,000 (counted)", share=0.987, size=10**15,
        now=987_654_320, size_now=10**15, seconds=90_000, left=1_000_000, about=True, failed=9,
        verdicts="900,000,000 passed, 3,000,000 failed, 1,000,000 indeterminate, "
                 "70,000,000 unsigned, 17,000 error, 87,634 not_dicom, 1 directory",
    ),
}  # fmt: skip


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("name", WIDE)
def test_lines_fit(name, width):
    """With a bar, percent and the time left wherever 80 columns are."""
    out = io.StringIO()
    with Line("verifying", Console(file=out, width=width, force_terminal=True)) as line:
        line.update(WIDE[name])
        line._live.refresh()
    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    if WIDE[name].share is None:
        assert "━" not in shown
        assert "%" not in shown
    if width >= 80 and WIDE[name].share is not None:
        assert "━" in shown
        assert ("75%" if WIDE[name].share == 0.75 else "98%") in shown
        assert f"{_duration(WIDE[name].left)} left" in shown
        assert f"{WIDE[name].done:,} of {WIDE[name].total} files" in shown
        assert "files/s" in shown


def test_the_share_that_is_done():
    progress = Progress(1)
    assert progress.share is None
    progress.files, progress.before = 30, 20
    progress.expected = Estimate(100, 2000)
    assert progress.share is None  # it is still being counted
    progress.expected.source = "counted"
    assert progress.share == 0.5
    progress.expected.files = 10  # more came since it was counted: the end is not known
    assert progress.share == 0.99
    progress.found, progress.walked = 40, True
    assert progress.share == 50 / 60
    progress.found = 30
    assert progress.share == 1


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

    estimate = Estimate()
    with BackgroundCount(estimate, endless):
        while estimate.files < 5:
            time.sleep(0.01)
    assert estimate.bytes == 2 * estimate.files
    assert (estimate.source, threading.active_count()) == ("", before)

    def failing():
        raise UsageError("gone")
        yield

    estimate = Estimate()
    with BackgroundCount(estimate, failing):
        pass
    assert estimate == Estimate()

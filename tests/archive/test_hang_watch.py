"""Whether a thread hangs with the file that it reads itself: what counts, and for how long."""

from __future__ import annotations

import contextlib
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest

from dicomseal import Limits
from dicomseal.archive.find.found import Found
from dicomseal.archive.run import hang_watch
from dicomseal.archive.run.hang_watch import HangWatch
from dicomseal.errors import SourceError
from dicomseal.files import reader
from dicomseal.files.reader import Reader

FILE = Found("/archive/1.dcm", 100 << 20)
TIMEOUT = 0.4
by_clock = pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="the system has no clocks of threads"
)


@pytest.fixture
def watched():
    """Return a function that has a thread do some work in a file; it returns thread and watch."""
    ended = threading.Event()

    def start(work, limits=Limits(seconds=1000)):  # noqa: B008
        def loop():
            while not ended.is_set():
                work()

        ahead = SimpleNamespace(now=FILE)
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        return ahead, HangWatch(ahead, TIMEOUT, limits, thread)

    yield start
    ended.set()


def seen(watch, seconds):
    """Return after how many seconds it was seen that the thread hangs; None if it was not."""
    start = time.monotonic()
    while time.monotonic() < start + seconds:
        time.sleep(watch.interval)
        if watch.look():
            return time.monotonic() - start
    return None


def asleep():
    time.sleep(60)


@by_clock
def test_one_that_sleeps_for_the_time_out(watched):
    """In compiled code that reads a large file, say; whatever the limits are."""
    _, watch = watched(asleep)
    assert TIMEOUT <= seen(watch, 60) < 30


@by_clock
def test_one_that_is_at_work_however_long_the_file_takes(watched):
    """It reads a large file that comes slowly, and so sleeps most of the time."""
    _, watch = watched(lambda: time.sleep(0.02))
    assert seen(watch, 5 * TIMEOUT) is None


@by_clock
def test_one_that_stands_in_line_for_a_processor(watched, monkeypatch, tmp_path):
    """On a machine on which others do a lot: it is no matter of the file."""
    _, watch = watched(asleep)
    state = tmp_path / "stat"
    state.write_bytes(b"1 (a name) of two) R 1 2 3")
    monkeypatch.setattr(watch, "_status", str(state))
    assert seen(watch, 4 * TIMEOUT) is None
    state.write_bytes(b"1 (a name) R of two) D 1 2 3")
    assert TIMEOUT <= seen(watch, 60) < 30


def test_one_that_reads_a_small_file_that_comes_slowly(watched, monkeypatch, tmp_path):
    """The time-out is one for the whole file."""
    (tmp_path / "file").write_bytes(bytes(1000))
    monkeypatch.setattr(reader, "quick_file", None)

    over = threading.Event()

    def slowly(descriptor, target, offset):
        while not over.is_set():
            time.sleep(0.02)
        return 0

    def read():
        with contextlib.suppress(SourceError):
            Reader().open(tmp_path / "file")

    monkeypatch.setattr(reader, "read_into", slowly)
    _, watch = watched(read, None)
    try:
        assert TIMEOUT <= seen(watch, 60) < 30
    finally:
        over.set()


@by_clock
def test_one_that_asks_about_revocation(watched):
    """That has a time-out of its own."""
    module = ModuleType("dicomseal.trust.fetching")
    exec("def fetch(work):\n    work()", module.__dict__)
    _, watch = watched(lambda: module.fetch(asleep))
    assert seen(watch, 4 * TIMEOUT) is None


def test_one_that_may_wait_for_other_things(watched):
    """For its key, or for the disk: only what is read counts."""
    _, watch = watched(asleep, None)
    assert seen(watch, 4 * TIMEOUT) is None


@by_clock
def test_each_file_has_its_own_time(watched):
    ahead, watch = watched(asleep)
    for number in range(12):
        ahead.now = Found(f"/archive/{number}")
        assert seen(watch, TIMEOUT / 2) is None
    ahead.now = None  # none is read
    assert seen(watch, 3 * TIMEOUT) is None


@by_clock
def test_time_in_which_the_process_was_stopped_does_not_count(watched, monkeypatch):
    _, watch = watched(asleep)
    watch.look()
    now = time.monotonic()
    monkeypatch.setattr(hang_watch.time, "monotonic", lambda: now + 1000)
    assert not watch.look()


def test_where_the_system_has_no_such_clocks(watched, monkeypatch):
    """Then the limits of a verification go by besides."""
    monkeypatch.setattr(hang_watch, "_clock_of", lambda _: None)
    ahead, watch = watched(asleep, Limits(seconds=0))
    ahead.now = Found("/archive/1", 0)
    assert TIMEOUT <= seen(watch, 60) < 30
    _, watch = watched(asleep)
    assert seen(watch, 4 * TIMEOUT) is None

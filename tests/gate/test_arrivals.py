"""What arrives in folders: what the system does not tell is found as well."""

from __future__ import annotations

import os
import time

import pytest

from dicomseal.gate import arrivals as arrivals_module
from dicomseal.gate.arrivals import Arrivals

pytest.importorskip("watchfiles")
PATIENCE = 60.0  # seconds


@pytest.fixture
def here(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    return tmp_path


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.05)


def taken(arrivals, count, seen=None):
    """Names as they are handed out, until there are so many."""
    names, seen, end = [], set() if seen is None else seen, time.monotonic() + PATIENCE
    for batch in arrivals.batches(256):
        for one in batch:
            names.append(os.path.basename(one.path))
            arrivals.done(one.path)
            seen.add(one.path)
        assert time.monotonic() < end, "in vain"
        if len(names) >= count:
            return names
    return names


def arriving(here, seen=(), **given):
    options = {"settle": 0.05, "sweep": 0.2} | given
    known = lambda path, state: path in seen  # noqa: E731
    return Arrivals([str(here / "in")], known, lambda path: True, **options)


def test_what_the_system_does_not_tell_is_found(here, monkeypatch):
    """As on a share that another machine writes to."""
    monkeypatch.setattr("watchfiles.watch", lambda *_, stop_event, **__: _nothing(stop_event))
    seen = set()
    with arriving(here, seen) as arrivals:
        for number in range(3):
            (here / "in" / str(number)).write_bytes(b"x")
            assert taken(arrivals, 1, seen) == [str(number)]


def _nothing(stop):
    while not stop.wait(0.05):
        yield set()


def test_a_system_that_breaks(here, monkeypatch):
    def broken(*_, **__):
        raise OSError("too many watches")
        yield

    monkeypatch.setattr("watchfiles.watch", broken)
    with pytest.raises(Exception, match="too many watches"), arriving(here) as arrivals:
        taken(arrivals, 1)


def test_more_than_is_kept_in_memory(here, monkeypatch):
    """What is told while too many wait is found by the next sweep."""
    monkeypatch.setattr(arrivals_module, "_MAX_PENDING", 10)
    monkeypatch.setattr(arrivals_module, "_AHEAD", 7)
    monkeypatch.setattr(arrivals_module, "_STEP", 20)
    seen = set()
    with arriving(here, seen, sweep=3600.0) as arrivals:
        until(lambda: taken_none(arrivals))
        for number in range(100):
            (here / "in" / str(number)).write_bytes(b"x")
        assert sorted(map(int, taken(arrivals, 100, seen))) == list(range(100))


def taken_none(arrivals):
    assert not arrivals._ready(1)
    return arrivals._swept == 1


def test_folders_that_cannot_be_read_and_what_is_no_file(here, monkeypatch):
    os.mkfifo(here / "in" / "pipe")
    os.symlink(here / "gone", here / "in" / "link")
    (here / "in" / "a").write_bytes(b"")
    told = []
    scandir = os.scandir

    def denied(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", denied)
    with arriving(here, once=True, trouble=lambda *said: told.append(said)) as arrivals:
        assert taken(arrivals, 9) == ["a"]
    assert told == [(str(here / "in" / "sub"), "denied")]

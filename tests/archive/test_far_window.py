"""A large file that a thread reads in blocks: the same bytes, whoever closes it, and when."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest

from dicomseal.archive.find import far_window
from dicomseal.archive.find.far_window import FarWindow
from dicomseal.archive.find.reader_threads import ReaderThreads
from dicomseal.errors import SourceError


def test_a_far_window(tmp_path):
    """The same bytes as those of a window, wherever they are asked for."""
    data = os.urandom(5 << 20)
    (tmp_path / "file").write_bytes(data)
    threads, reads = ReaderThreads(), []
    submit = threads.submit
    threads.submit = lambda *all_of_it: reads.append(1) or submit(*all_of_it)
    window = FarWindow(os.open(tmp_path / "file", os.O_RDONLY), threads, None, 60)
    assert window.descriptor == -1  # nobody passes the threads by
    for offset, length in ((0, 10), (10, 70_000), (4 << 20, 1 << 20), (3, 2 << 20), (5242870, 10)):
        assert window.read(offset, length) == data[offset : offset + length]
    reads.clear()
    assert b"".join(bytes(window.read(at, 1 << 16)) for at in range(0, 5 << 20, 1 << 16)) == data
    assert len(reads) <= 10  # in large blocks
    window.check()
    with pytest.raises(SourceError, match="became shorter"):
        window.read((5 << 20) - 5, 10)
    with (tmp_path / "file").open("ab") as file:
        file.write(b"x")
    with pytest.raises(SourceError, match="changed while it was read"):
        window.check()
    os.truncate(tmp_path / "file", 100_000)
    with pytest.raises(SourceError, match="became shorter"):
        window.read(2 << 20, 10)
    window.close()


class Slow:
    """Reads from an offset on that wait until they may go on."""

    def __init__(self, monkeypatch, since=0):
        self.begun, self.let = threading.Event(), threading.Event()
        read = far_window.read_into

        def waiting(descriptor, target, offset):
            if offset >= since:
                self.begun.set()
                assert self.let.wait(60)
            return read(descriptor, target, offset)

        monkeypatch.setattr(far_window, "read_into", waiting)


def open_descriptors():
    """Return those of the files that are read here."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one by which they are listed
            if os.readlink(f"/proc/self/fd/{number}").endswith("/file"):
                found.add(int(number))
    return found


def window_on(path, threads, seconds=60):
    def hung():
        return SourceError("it hangs", "hung")

    return FarWindow(os.open(path, os.O_RDONLY), threads, hung, seconds)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts descriptors")
@pytest.mark.parametrize("how", ["close", "collected"])
def test_closed_under_a_thread_that_reads(tmp_path, monkeypatch, how):
    """The number of its descriptor goes to no other file, of which that thread would read."""
    (tmp_path / "file").write_bytes(b"a" * (9 << 20))
    (tmp_path / "other").write_bytes(b"b" * (9 << 20))
    window, slow = window_on(tmp_path / "file", ReaderThreads()), Slow(monkeypatch)
    seen = []

    def read():
        try:
            seen.append(window.read(0, 2 << 20))
        except SourceError as error:
            seen.append(error)

    shared = window._shared
    thread = threading.Thread(target=read)
    thread.start()
    assert slow.begun.wait(60)
    (number,) = open_descriptors()
    start = time.monotonic()
    (window.close if how == "close" else window.__del__)()
    assert time.monotonic() - start < 10  # it does not wait for what hangs
    with (tmp_path / "other").open("rb") as other:
        assert other.fileno() != number
        slow.let.set()
        thread.join(60)
        (one,) = seen
        assert isinstance(one, SourceError)
        assert "was closed" in str(one)
    with pytest.raises(SourceError, match="was closed"):
        window.read(0, 10)
    with pytest.raises(SourceError, match="was closed"):
        window.check()
    until = time.monotonic() + 60
    while shared._descriptor >= 0 and time.monotonic() < until:
        time.sleep(0.01)
    assert not open_descriptors()
    window.close()  # twice is as once


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts descriptors")
def test_closed_while_the_next_block_is_read(tmp_path, monkeypatch):
    """Nobody asks for it any more, and nobody waits for it; a thread that hangs is counted."""
    (tmp_path / "file").write_bytes(b"a" * (9 << 20))
    threads = ReaderThreads()
    window = window_on(tmp_path / "file", threads)
    slow = Slow(monkeypatch, 1 << 20)
    while window._next is None or window._next[0] < 1 << 20:
        window.read(window._start + len(window._data), 1)
    assert slow.begun.wait(60)
    start = time.monotonic()
    window.close()
    assert time.monotonic() - start < 10
    slow.let.set()
    until = time.monotonic() + 60
    while (threads.stuck or open_descriptors()) and time.monotonic() < until:
        time.sleep(0.01)
    assert threads.stuck == 0
    assert not open_descriptors()


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts descriptors")
def test_a_thread_that_hangs_keeps_it_open_until_it_comes_back(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"a" * (9 << 20))
    window, slow = window_on(tmp_path / "file", ReaderThreads(), 0.2), Slow(monkeypatch)
    with pytest.raises(SourceError, match="it hangs"):
        window.read(0, 10)
    window.close()
    assert len(open_descriptors()) == 1
    slow.let.set()
    until = time.monotonic() + 60
    while open_descriptors() and time.monotonic() < until:
        time.sleep(0.01)
    assert not open_descriptors()

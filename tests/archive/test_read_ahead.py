"""What is read ahead: each file once, and bounded by bytes."""

from __future__ import annotations

import os
import queue
import threading
import time

import pytest

from dicomseal.archive.find import ahead, roots
from dicomseal.archive.find.ahead import HUNG, ReadAhead, Reading
from dicomseal.archive.find.buffers import Buffers
from dicomseal.archive.find.folder_root import FolderRoot, file_at
from dicomseal.archive.find.found import Found
from dicomseal.archive.find.reader_threads import ReaderThreads
from dicomseal.archive.find.root import Fetched
from dicomseal.errors import MalformedError, SourceError
from dicomseal.files.reader import SNAPSHOT
from dicomseal.files.window import Window


@pytest.fixture
def files(tmp_path):
    """Files of all sizes, each with content of its own."""
    sizes = (0, 1, 100, 5_000, 70_000, 530_000, 3 << 20, SNAPSHOT, SNAPSHOT + 1, 9 << 20)
    found = []
    for number, size in enumerate(sizes * 2):
        path = tmp_path / f"{number:02}"
        path.write_bytes(bytes([number + 1]) * size)
        found.append(file_at(str(path)))
    return found


def content(source):
    if isinstance(source, Window):
        return bytes(source.read(0, len(source)))
    return bytes(source)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("number", [1, 3, 64])
def test_each_once(files, number):
    seen = {}
    for place, fetched in ReadAhead(Reading(ahead=number)).each(files):
        assert (fetched.size, fetched.mtime) == (files[place].size, files[place].mtime)
        assert isinstance(fetched.source, Window) == (fetched.size > SNAPSHOT)
        data = content(fetched.source)
        assert len(data) == fetched.size
        assert data == bytes([place + 1]) * len(data)
        assert place not in seen
        seen[place] = True
    assert len(seen) == len(files)


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("number", [1, 3, 64])
def test_never_more_than_was_said(files, number, monkeypatch):
    """Neither more files at once, nor more bytes."""
    lock, now, most, held = threading.Lock(), [0], [0], [0]
    fetch = FolderRoot.fetch

    def counting(file, buffer, reads):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.003)
        fetched = fetch(file, buffer, reads)
        with lock:
            now[0] -= 1
        return fetched

    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(counting))
    reader = ReadAhead(Reading(ahead=number))
    for _, _fetched in reader.each(files):
        held[0] = max(held[0], reader._buffers.held)
    assert most[0] <= number
    assert most[0] > 1 or number == 1
    assert held[0] <= 32 << 20


@pytest.mark.usefixtures("both_ways")
def test_what_became_of_a_file(tmp_path):
    """Since it was listed: it has grown, beyond its buffer and beyond all; shrunk; vanished."""
    names = ("grown", "large", "shrunk", "gone", "link")
    for name in names:
        (tmp_path / name).write_bytes(bytes(1000))
    found = [file_at(str(tmp_path / name)) for name in names]
    (tmp_path / "grown").write_bytes(b"x" * 200_000)
    (tmp_path / "large").write_bytes(b"y" * (SNAPSHOT + 5))
    (tmp_path / "shrunk").write_bytes(b"z" * 10)
    os.remove(tmp_path / "gone")
    os.remove(tmp_path / "link")
    os.mkfifo(tmp_path / "link")
    fetched = {}
    for place, one in ReadAhead(Reading(ahead=4)).each(found):
        whole = one.source if isinstance(one.source, SourceError) else content(one.source)
        fetched[place] = one._replace(source=whole)
    for place, data in enumerate((b"x" * 200_000, b"y" * (SNAPSHOT + 5), b"z" * 10)):
        assert fetched[place].source == data
        assert fetched[place].size == len(data)
        assert fetched[place].mtime == os.stat(found[place].path).st_mtime_ns
    assert [(fetched[n].source.code, str(fetched[n].source)) for n in (3, 4)] == [
        ("not_found", "No such file or directory"), ("unreadable", "not a regular file"),
    ]  # fmt: skip


@pytest.mark.usefixtures("whole")
def test_an_error_of_one_ends_no_other(files, monkeypatch):
    """What a root raises is raised, and memory comes back."""
    fetch = FolderRoot.fetch

    def raising(file, buffer, reads):
        if file.path.endswith("05"):
            raise MalformedError("as asked")
        time.sleep(0.02)
        return fetch(file, buffer, reads)

    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(raising))
    reader = ReadAhead(Reading(ahead=8))
    with pytest.raises(MalformedError, match="as asked"):
        list(reader.each(files))
    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(fetch))
    until = time.monotonic() + 10
    while reader._threads.stuck and time.monotonic() < until:
        time.sleep(0.01)
    assert reader._threads.stuck == 0
    assert len(list(reader.each(files))) == len(files)


@pytest.mark.usefixtures("whole")
def test_it_is_given_up_and_comes_later(tmp_path, monkeypatch):
    """A late answer is nobody's; the thread is of use again."""
    (tmp_path / "a").write_bytes(b"a" * 100)
    (tmp_path / "b").write_bytes(b"b" * 100)
    found = [file_at(str(tmp_path / name)) for name in "ab"]
    let, fetch = threading.Event(), FolderRoot.fetch

    def waiting(file, buffer, reads):
        if file.path.endswith("a"):
            let.wait(60)
        return fetch(file, buffer, reads)

    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(waiting))
    reader = ReadAhead(Reading(ahead=2, timeout=0.5))
    got = dict(reader.each(found))
    assert got[0].source.code == HUNG
    assert len(got[1].source) == 100
    assert (reader._threads.stuck, reader.is_worn) == (1, False)
    let.set()
    until = time.monotonic() + 10
    while reader._threads.stuck and time.monotonic() < until:
        time.sleep(0.01)
    assert reader._threads.stuck == 0
    assert content(dict(reader.each(found))[0].source) == b"a" * 100


@pytest.mark.usefixtures("whole")
def test_so_many_hang_that_it_is_worn(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"a")
    found = [file_at(str(tmp_path / "a")) for _ in range(ahead._WORN)]
    let = threading.Event()
    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(lambda *_: let.wait(60)))
    reader = ReadAhead(Reading(ahead=4, timeout=0.2))
    start = time.monotonic()
    assert {one.source.code for _, one in reader.each(found)} == {HUNG}
    assert time.monotonic() - start < 20 * 0.2 + 5  # not one after the other
    assert reader.is_worn
    let.set()


@pytest.mark.usefixtures("whole")
def test_those_of_the_next_batch(tmp_path, monkeypatch):
    """They are begun while this batch is verified, each once, and never too many."""
    monkeypatch.setattr(roots, "kind_of", lambda _path: FolderRoot)
    for number in range(60):
        (tmp_path / f"{number:02}").write_bytes(bytes([number]) * 1000)
    found = [file_at(str(tmp_path / f"{number:02}")) for number in range(60)]
    batches = [found[at : at + 20] for at in range(0, 60, 20)]
    begun, fetch, waiting = [], FolderRoot.fetch, batches[1:]

    def counting(file, buffer, reads):
        begun.append(file.path)
        return fetch(file, buffer, reads)

    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(counting))
    reader = ReadAhead(Reading(ahead=4), lambda: waiting[0] if waiting else None)
    for number, batch in enumerate(batches):
        waiting = batches[number + 1 :]
        early = 0
        for place, fetched in reader.each(batch):
            assert content(fetched.source) == bytes([20 * number + place]) * 1000
            early = max(early, len(reader._running))
        assert early <= 4
        assert bool(waiting) == bool(reader._running or reader._ready)
    assert sorted(begun) == sorted(file.path for file in found)


@pytest.mark.usefixtures("both_ways")
def test_those_of_the_next_batch_are_forgotten_with_this_one(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    one, other = ([file_at(str(tmp_path / name))] for name in "ab")
    reader = ReadAhead(Reading(ahead=4), lambda: other)
    files = reader.each(one)
    next(files)
    assert reader._running or reader._ready
    files.close()
    assert not reader._running
    assert not reader._ready
    assert [content(fetched.source) for _, fetched in reader.each(other)] == [b"b"]


class Far(FolderRoot):
    """Files whose client provides the memory, and which do not say how large they are."""

    takes_buffers = False
    near = staticmethod(lambda _file: None)
    now, most, size = 0, 0, 100
    lock = threading.Lock()

    @staticmethod
    def fetch(file, buffer, reads):
        assert buffer is None
        with Far.lock:
            Far.now += 1
            Far.most = max(Far.most, Far.now)
        time.sleep(0.002)
        with Far.lock:
            Far.now -= 1
        return Fetched(memoryview(bytes(Far.size)), Far.size)


@pytest.mark.parametrize(("size", "said"), [(0, 16), (SNAPSHOT // 2, 8), (100, 64)])
def test_memory_of_others_is_counted(monkeypatch, size, said):
    monkeypatch.setattr(roots, "kind_of", lambda _path: Far)
    monkeypatch.setattr(Far, "most", 0)
    reader = ReadAhead(Reading(ahead=64))
    found = [Found(str(n), size) for n in range(200)]
    assert len(list(reader.each(found))) == 200
    assert 1 < Far.most <= said


def test_buffers():
    buffers = Buffers(1 << 20)
    first = buffers.take(400_000)
    assert len(first) >= 400_000
    assert buffers.take(600_000) is None
    buffers.give(first)
    assert buffers.take(390_000) is first  # used again
    buffers.give(first)
    second = buffers.take(700_000)  # in place of the one that is too small
    assert len(second) >= 700_000
    assert buffers.held == len(second)
    assert buffers.reserve((1 << 20) - len(second))
    assert not buffers.reserve(1)
    buffers.release((1 << 20) - len(second))
    assert buffers.reserve(1)


def test_idle_threads_end(monkeypatch):
    monkeypatch.setattr("dicomseal.archive.find.reader_threads._IDLE", 0.1)
    threads, done = ReaderThreads(), queue.SimpleQueue()
    for _ in range(2):
        task = threads.submit(lambda: 7, done)
        assert done.get(timeout=10) is task
        assert task.result() == 7
        until = time.monotonic() + 10
        while threads._threads and time.monotonic() < until:
            time.sleep(0.01)
        assert threads._threads == 0


def test_how_many_are_worth_while():
    reader = ReadAhead(Reading())
    assert reader._depth() == ahead._FIRST
    reader._worked, reader._waited = 0.0005, 0.005
    assert 10 <= reader._depth() <= 20
    reader._waited = 60
    assert reader._depth() == ahead.MOST_AHEAD
    reader._waited = 0.0001
    assert reader._depth() <= 4
    assert ReadAhead(Reading(ahead=7))._depth() == 7

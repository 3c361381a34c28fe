"""Files that threads open and the worker reads, within what is read ahead."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dicomseal.archive.find import openings
from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.archive.find.completions import Completions
from dicomseal.archive.find.folder_root import FolderRoot, file_at
from dicomseal.archive.find.root import Fetched
from dicomseal.files.opener import Opener

pytestmark = pytest.mark.skipif(Opener is None, reason="no compiled backend, or not Linux")


@pytest.fixture
def files(tmp_path):
    for number in range(40):
        (tmp_path / f"{number:02}").write_bytes(b"%02d" % number * 2_000)
    return [file_at(str(tmp_path / f"{number:02}")) for number in range(40)]


@pytest.fixture
def whole_reads(monkeypatch):
    """The files that a thread reads whole."""
    read, fetch = [], FolderRoot.fetch

    def noting(file, buffer, reads):
        read.append(os.path.basename(file.path))
        return fetch(file, buffer, reads)

    monkeypatch.setattr(FolderRoot, "fetch", staticmethod(noting))
    return read


def many(files):
    """More files, each an object of its own."""
    return [file_at(file.path) for file in files * 10]


def contents(reader, files):
    """By their places; also of those that are an error."""
    found = {}
    for place, fetched in reader.each(files):
        assert place not in found
        found[place] = bytes(fetched.source) if fetched.size else fetched.source
    return found


def as_they_are(files):
    return dict(enumerate(Path(file.path).read_bytes() for file in files))


def test_so_many_are_open_at_once(files, whole_reads, monkeypatch):
    """The others are read whole; there are always some that may be opened besides."""
    monkeypatch.setattr(openings, "_most_open", lambda: 3)
    most = 0
    reader = ReadAhead(Reading(ahead=30))
    held = openings.Openings.take

    def noting(self, file):
        nonlocal most
        most = max(most, self.opener.held if self.opener else 0)
        return held(self, file)

    monkeypatch.setattr(openings.Openings, "take", noting)
    assert contents(reader, files) == as_they_are(files)
    assert most == 3
    assert 0 < len(whole_reads) < 40
    assert reader._openings.opener.held == 0


@pytest.mark.parametrize(("limit", "most"), [(-1, 256), (64, 16), (1024, 256), (10**6, 256)])
def test_how_many_may_be_open(monkeypatch, limit, most):
    monkeypatch.setattr("resource.getrlimit", lambda _what: (limit, limit))
    assert openings._most_open() == most


class Untold:
    """Threads of a file system that does not tell what can be read without waiting."""

    def __init__(self, *arguments):
        self._whole = Opener(*arguments)

    def __getattr__(self, name):
        return getattr(self._whole, name)

    def next(self, seconds):
        opening = self._whole.next(seconds)
        return None if opening is None else _Untold(opening)

    def submit(self, path, key):
        return _Untold(self._whole.submit(path, key))

    def again(self, opening):
        return False


class _Untold:
    may_wait, size = True, -1

    def __init__(self, opening):
        self._whole = opening

    def __getattr__(self, name):
        return getattr(self._whole, name)

    def read(self, _buffer):
        return -1


def test_the_worker_reads_them(files, whole_reads):
    assert contents(ReadAhead(Reading(ahead=8)), files) == as_they_are(files)
    assert whole_reads == []


def test_where_the_system_does_not_tell(files, whole_reads, monkeypatch):
    """A thread reads them whole; those that were opened by then, too, and later ones at once."""
    monkeypatch.setattr(openings, "Opener", Untold)
    monkeypatch.setattr(openings, "_UNTOLD", 60)
    reader = ReadAhead(Reading(ahead=8))
    assert contents(reader, files) == as_they_are(files)
    assert sorted(whole_reads) == [f"{number:02}" for number in range(40)]
    asked = reader._openings.opener
    monkeypatch.setattr(asked, "submit", lambda *_: pytest.fail("it was asked again"))
    assert contents(reader, files[:10]) == as_they_are(files[:10])
    monkeypatch.undo()
    monkeypatch.setattr(openings, "Opener", Untold)
    assert contents(reader, files) == as_they_are(files)


@pytest.mark.usefixtures("whole")
def test_the_memory_of_the_next_batch_gives_way(files, monkeypatch):
    """Files of this batch come, whatever was read ahead of it."""
    reader = ReadAhead(Reading(ahead=30), lambda: files[10:30])
    reader._buffers._most = 4 * 65536  # of which each takes one
    reader._begin_next(30)
    while reader._running:
        assert reader._next() or reader._running
    assert len(reader._ready) == 4
    get, in_vain = Completions.get, []

    def noting(self, seconds):
        found = get(self, seconds)
        in_vain.extend([seconds] * (found is None))
        if len(in_vain) > 5:
            pytest.fail("nothing comes")
        return found

    monkeypatch.setattr(Completions, "get", noting)
    assert contents(reader, files[30:]) == as_they_are(files[30:])
    assert reader._buffers.held <= 4 * 65536


def test_what_became_of_them(files, whole_reads):
    """What is not as it was listed is read whole, and is what a thread says of it."""
    os.remove(files[3].path)
    os.truncate(files[5].path, 0)
    os.remove(files[7].path)
    os.mkfifo(files[7].path)
    os.truncate(files[9].path, 100)
    found = contents(ReadAhead(Reading(ahead=8)), files)
    assert found[3].code == "not_found"
    assert len(found[5]) == 0
    assert found[7].code == "unreadable"
    assert found[9] == b"09" * 50
    assert {"03", "05", "07"} <= set(whole_reads) < {"03", "05", "07", "09", "x"}
    assert len(found) == 40


def test_size_and_time_are_of_what_was_read(files):
    with open(files[1].path, "wb") as file:
        file.write(b"other")
    os.utime(files[1].path, ns=(10**18, 10**18))
    fetched = {
        place: one._replace(source=bytes(one.source))
        for place, one in ReadAhead(Reading(ahead=4)).each(files)
    }
    assert fetched[1] == Fetched(b"other", 5, 10**18)
    assert fetched[2] == Fetched(b"02" * 2_000, files[2].size, files[2].mtime)


def test_nothing_stays_open(files):
    """However a batch ends, with the next one begun."""

    def held():
        return sum(
            os.path.dirname(files[0].path) in os.path.realpath(f"/proc/self/fd/{one}")
            for one in os.listdir("/proc/self/fd")
        )

    reader = ReadAhead(Reading(ahead=16), lambda: files[20:])
    for number in (1, 5, 19):
        batch = reader.each(files[:20])
        for _ in range(number):
            next(batch)
        batch.close()
    assert contents(reader, files[:20]) == as_they_are(files[:20])
    assert contents(reader, files[20:]) == as_they_are(files[20:])
    del batch
    reader = None
    end = time.monotonic() + 30
    while held():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_worker_is_seen_to_read(files, monkeypatch):
    """A system that waits in spite of all is noticed: the file is that which the worker is in."""
    reader, seen = ReadAhead(Reading(ahead=4)), []
    read = openings.Openings.read

    def noting(self, file, opening):
        seen.append(reader.now is file)
        return read(self, file, opening)

    monkeypatch.setattr(openings.Openings, "read", noting)
    for _ in reader.each(files):
        assert reader.now is None
    assert seen == [True] * 40


def test_only_threads_read_where_the_worker_must_not(files, whole_reads):
    assert contents(ReadAhead(Reading(apart=True)), files) == as_they_are(files)
    assert sorted(whole_reads) == [f"{number:02}" for number in range(40)]


def test_near_files_are_found_by_opening_a_few(files):
    """The first ones are opened by threads; when these are soon there, the worker does it all."""
    reader = ReadAhead(Reading())
    by_itself = [isinstance(fetched.source, str) for _, fetched in reader.each(many(files))]
    assert by_itself.count(False) <= 64
    assert by_itself[-1]
    by_itself = [isinstance(fetched.source, str) for _, fetched in reader.each(files)]
    assert by_itself.count(True) >= 20


def test_files_that_take_long_to_open_are_not_tried(files, monkeypatch):
    monkeypatch.setattr(openings, "_SOON", 0)
    reader = ReadAhead(Reading())
    assert not any(isinstance(fetched.source, str) for _, fetched in reader.each(many(files)))

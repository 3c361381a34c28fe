"""A walk over a file system that does not answer: an entry, and the walk goes on behind it."""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from dicomseal.archive.errors import StoreLostError
from dicomseal.archive.find import folder_root, list_root, patience, roots, walk
from dicomseal.archive.find.ahead import Reading
from dicomseal.archive.find.found import Found
from dicomseal.archive.find.passed_over import PassedOver
from dicomseal.archive.find.root import Root, Walk
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run.runner import RunRequest, Selection, verify
from dicomseal.files import folders
from dicomseal.verification.options import Options

TIMEOUT = 0.2


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A tree of which ``hang`` makes a path hang, until the test is over."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/1", "a/2", "b/3", "b/4", "c/5", "6"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(b"x")
    answers = threading.Event()
    dead = set()

    def asked(path, inner):
        if os.path.relpath(path, tmp_path) in dead:
            answers.wait(60)
        return inner()

    scandir, file_of, file_at = os.scandir, folder_root._file_of, list_root.file_at
    system = SimpleNamespace(
        scandir=lambda path: asked(path, lambda: scandir(path)), stat=os.stat, DirEntry=os.DirEntry
    )
    monkeypatch.setattr(folders, "os", system)
    monkeypatch.setattr(
        folder_root, "_file_of", lambda entry: asked(entry.path, lambda: file_of(entry))
    )
    monkeypatch.setattr(list_root, "file_at", lambda path: asked(path, lambda: file_at(path)))
    yield SimpleNamespace(hang=dead.add, answers=answers)
    answers.set()


def found(root, **options):
    """Return what is found: paths, or path, code and whether it is about all that is below."""
    return [
        (os.path.relpath(one.path), one.trouble[0], one.whole) if one.trouble
        else os.path.relpath(one.path)
        for one in walk.find_files([root], timeout=TIMEOUT, **options)
    ]  # fmt: skip


EVERYTHING = ["tree/6", "tree/a/1", "tree/a/2", "tree/b/3", "tree/b/4", "tree/c/5"]


def hung(path):
    return (path, "hung", True)


def test_nothing_hangs(server):
    assert found("tree") == EVERYTHING


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_file_that_hangs(server, what):
    server.hang(what)
    assert found("tree") == [hung(one) if one == what else one for one in EVERYTHING]


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("tree/b", ["tree/6", "tree/a/1", "tree/a/2", hung("tree/b"), "tree/c/5"]),
        ("tree/c", [*EVERYTHING[:5], hung("tree/c")]),
        ("tree", [hung("tree")]),
    ],
)
def test_a_folder_that_hangs(server, what, wanted):
    server.hang(what)
    assert found("tree")[: len(wanted)] == wanted


@pytest.mark.parametrize("follow", [False, True])
def test_several_hang(server, follow):
    for path in ("tree/6", "tree/a/2", "tree/b"):
        server.hang(path)
    assert found("tree", follow=follow) == [
        hung("tree/6"), "tree/a/1", hung("tree/a/2"), hung("tree/b"), "tree/c/5"
    ]  # fmt: skip


def test_what_comes_back_late_disturbs_nobody(server):
    server.hang("tree/a/1")
    files = walk.find_files(["tree"], timeout=TIMEOUT)
    some = [next(files), next(files)]
    assert [(os.path.relpath(one.path), bool(one.trouble)) for one in some] == [
        ("tree/6", False), ("tree/a/1", True)
    ]  # fmt: skip
    server.answers.set()
    assert [os.path.relpath(one.path) for one in files] == EVERYTHING[2:]


def test_a_folder_that_comes_back_late_takes_no_file_of_others(server, tmp_path):
    """Nothing in it is to be found, and its thread would go on with the next folder."""
    (tmp_path / "tree/aa").mkdir()
    server.hang("tree/aa")
    files = walk.find_files(["tree"], timeout=TIMEOUT)
    assert [os.path.relpath(next(files).path) for _ in range(4)] == [
        "tree/6", "tree/a/1", "tree/a/2", "tree/aa"
    ]  # fmt: skip
    server.answers.set()
    time.sleep(0.1)
    assert [os.path.relpath(one.path) for one in files] == EVERYTHING[3:]


def test_a_link_that_hangs(server, tmp_path, monkeypatch):
    (tmp_path / "tree/b/link").symlink_to("/a mount point of a server that is dead")
    kind = folders._is_folder

    def is_folder(entry, follow):
        if entry.name == "link" and follow:
            server.answers.wait(60)
        return kind(entry, follow)

    monkeypatch.setattr(folders, "_is_folder", is_folder)
    assert found("tree") == [*EVERYTHING[:5], hung("tree/b/link"), EVERYTHING[5]]


def test_a_list_of_files(server, tmp_path):
    """Its names are read on by another thread; it is not closed when the first comes back."""
    server.hang("tree/a/2")
    (tmp_path / "list").write_text("".join(f"{one}\n" for one in EVERYTHING))
    files = walk.find_files(["@list"], timeout=TIMEOUT)
    some = [next(files) for _ in range(4)]
    assert [(os.path.relpath(one.path), bool(one.trouble)) for one in some] == [
        ("tree/6", False), ("tree/a/1", False), ("tree/a/2", True), ("tree/b/3", False)
    ]  # fmt: skip
    server.answers.set()
    time.sleep(0.05)
    assert [os.path.relpath(one.path) for one in files] == EVERYTHING[4:]


def test_no_more_than_some_are_waited_for(server, monkeypatch):
    monkeypatch.setattr(patience, "_MOST_HUNG", 2)
    for path in ("tree/a/1", "tree/a/2", "tree/b"):
        server.hang(path)
    files = list(walk.find_files(["tree", __file__], timeout=TIMEOUT))
    assert [os.path.relpath(one.path) for one in files[:-1]] == [
        "tree/6", "tree/a/1", "tree/a/2", "tree"
    ]  # fmt: skip
    code, sentence = files[-2].trouble
    assert code == "hung"
    assert sentence.startswith("it did not answer within 0.2 seconds: is its server dead?")
    assert sentence.endswith(f"; the rest of {os.path.abspath('tree')} was not looked at")
    assert files[-1].path == __file__  # the next root is gone over


def test_who_writes_a_list_may_take_its_time(server, monkeypatch):
    class Slow(io.BytesIO):
        def __next__(self):
            time.sleep(2 * TIMEOUT)
            return super().__next__()

        def __iter__(self):
            return self

    names = "".join(f"{one}\n" for one in EVERYTHING[:3]).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Slow(names)))
    assert found("-") == EVERYTHING[:3]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_worker_is_forked_while_a_name_is_waited_for(monkeypatch):
    """The new process closes its standard input, which the thread reads at that moment."""
    ours, theirs = os.pipe()
    os.write(theirs, b"1\n")  # and not closed: more may come
    with open(ours) as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        files = walk.find_files(["-"])
        assert next(files).path == os.path.abspath("1")
        process = multiprocessing.get_context("fork").Process(target=int)
        process.start()
        process.join(10)
        code = process.exitcode
        process.kill()
        os.close(theirs)
        assert list(files) == []
    assert code == 0


class Shelf(Root):
    """A root that does what its test says."""

    may_hang = True
    place = None

    def __init__(self, work):
        super().__init__("shelf")
        self.find = work

    def check(self): ...

    def find(self, walk): ...

    @staticmethod
    def fetch(file, buffer, reads): ...


def shelf(work):
    return patience.patiently(Shelf(work), Walk(False, False, PassedOver(), bool), TIMEOUT)


def test_a_large_folder_that_comes_slowly(server):
    def slow(walk):
        for _ in range(20):
            walk.asks("large")
            time.sleep(TIMEOUT / 4)
        yield Found("one")

    assert [one.path for one in shelf(slow)] == ["one"]


def test_an_error_of_the_walk():
    def failing(walk):
        yield Found("one")
        raise OSError("the disk for temporary files is full")

    files = shelf(failing)
    assert next(files).path == "one"
    with pytest.raises(OSError, match="is full"):
        next(files)


def test_a_walk_that_is_left_ends():
    ended = threading.Event()

    def endless(walk):
        try:
            while True:
                yield Found("one")
        finally:
            ended.set()

    files = shelf(endless)
    assert next(files).path == "one"
    files.close()
    assert ended.wait(30)


def test_not_far_ahead():
    made = []

    def many(walk):
        for number in range(100_000):
            made.append(number)
            yield Found(str(number))

    files = shelf(many)
    assert next(files).path == "0"
    time.sleep(0.3)
    assert len(made) < 5_000
    assert [int(one.path) for one in files] == list(range(1, 100_000))


def test_a_run_goes_on(server, tmp_path):
    server.hang("tree/b")
    server.hang("tree/a/1")
    outcome = verify(
        "ledger.db", RunRequest(selection=Selection(roots=(str(tmp_path / "tree"),))),
        Options(integrity_only=True), reading=Reading(ahead=0, timeout=TIMEOUT),
    )  # fmt: skip
    assert outcome.complete
    with Ledger("ledger.db") as ledger:
        rows = {os.path.relpath(row.path): row for row in ledger.rows(*ledger.span(1))}
    assert {name: row.reason for name, row in rows.items() if row.verdict == "error"} == {
        "tree/b": "hung", "tree/a/1": "hung"
    }  # fmt: skip
    assert rows["tree/b"].sentence.startswith("it did not answer within 0.2 seconds")
    assert set(rows) == {"tree/6", "tree/a/1", "tree/a/2", "tree/b", "tree/c/5"}


def test_a_root_that_does_not_answer(server, tmp_path, monkeypatch):
    there = threading.Event()
    monkeypatch.setattr(folder_root.FolderRoot, "check", lambda _: there.wait(60))
    with pytest.raises(StoreLostError, match=r"tree: it did not answer within 0\.2 seconds"):
        roots.check_roots([str(tmp_path / "tree")], TIMEOUT)
    there.set()

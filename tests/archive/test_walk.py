"""Which files a run is over: lists, ages, links, what vanishes, and batches of them."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import subprocess
import sys
import time
import tracemalloc

import pytest
from _archive import TRUST, VERIFY, rows
from _clock import times_of_files

from dicomseal.archive.find import folder_root, sample, unique_paths, walk
from dicomseal.archive.find.found import Files, Found
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.errors import LedgerError


def test_lists(run, folder, monkeypatch):
    (folder / "list.txt").write_text("archive/a/passed.dcm\n\narchive/gone.dcm\r\n")
    code, out, _ = run("archive", "verify", "@list.txt", "--ledger", "ledger.db", *TRUST)
    assert code == 4
    assert out.endswith("1 passed, 1 error\n")
    assert rows()[1].reason == "not_found"
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "archive", "verify", "-", "--ledger", "l.db", *TRUST],
        input=b"archive/a/passed.dcm\n", capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(rows("l.db")) == 1


@times_of_files
def test_age(run, folder):
    os.utime("archive/failed.dcm", (time.time() - 3 * 86400,) * 2)
    assert run(*VERIFY, "--older-than", "2d")[0] == 1
    assert [os.path.basename(row.path) for row in rows()] == ["failed.dcm"]


def test_roots_that_make_no_sense(run, folder):
    for roots, said in ((("gone",), "no such"), (("archive", "archive/a"), "lies within")):
        code, _, err = run("archive", "verify", *roots, "--ledger", "ledger.db")
        assert code == 2
        assert said in err
    assert not os.path.exists("ledger.db")


def test_links_and_loops(folder):
    os.symlink("..", "archive/a/up")
    os.symlink("nowhere", "archive/dangling")
    os.symlink("failed.dcm", "archive/link.dcm")
    plain = list(walk.find_files(["archive"]))
    followed = list(walk.find_files(["archive"], follow=True))
    assert sorted(f.path for f in plain) == sorted(f.path for f in followed)
    trouble = {os.path.basename(f.path): f.trouble for f in plain if f.trouble}
    assert trouble == {"dangling": ("not_found", "a link to nothing")}
    os.symlink(folder / "archive" / "a", folder / "other")
    assert [f.trouble[0] for f in walk.find_files([str(folder / "other" / "b" / "gone")])] == [
        "not_found"
    ]


def test_both_backends_find_the_same(folder, monkeypatch):
    if folder_root.quick_file is None:
        pytest.skip("the compiled backend is not built")
    os.symlink("failed.dcm", "archive/link.dcm")
    os.symlink("nowhere", "archive/dangling")
    os.symlink("loop", "archive/loop")
    for name in (b"\xff.dcm", "\u00e9.dcm".encode(), b"late.dcm", b"old.dcm"):
        (folder / "archive" / os.fsdecode(name)).write_bytes(b"x" * len(name))
    os.utime("archive/late.dcm", ns=(0, 2**33 * 10**9 + 123_456_789))
    os.utime("archive/old.dcm", ns=(0, -1_500_000_001))
    os.truncate("archive/old.dcm", 5 << 32)
    os.mkfifo("archive/fifo")
    compiled = list(walk.find_files(["archive"]))
    monkeypatch.setattr(folder_root, "quick_file", None)
    assert list(walk.find_files(["archive"])) == compiled
    found = {os.path.basename(file.path): file for file in compiled}
    assert (found["late.dcm"].mtime, found["old.dcm"].mtime) == (
        os.stat("archive/late.dcm").st_mtime_ns, os.stat("archive/old.dcm").st_mtime_ns
    )  # fmt: skip
    assert found["old.dcm"].size == 5 << 32
    assert found["dangling"].trouble == ("not_found", "a link to nothing")
    assert found["loop"].trouble[0] == "unreadable"


def test_the_compiled_backend_is_asked(folder, monkeypatch):
    if folder_root.quick_file is None:
        pytest.skip("the compiled backend is not built")
    asked = []

    class Watched:
        @staticmethod
        def status(path):
            asked.append(path)
            return 7, 8

    monkeypatch.setattr(folder_root, "quick_file", Watched)
    found = list(walk.find_files(["archive"]))
    assert [file.path for file in found] == asked
    assert {(file.size, file.mtime) for file in found} == {(7, 8)}


def test_what_vanishes_while_it_is_walked(folder, monkeypatch):
    inner = folder_root._file_of

    def first(entry):
        if os.path.exists("archive/a"):
            os.rename("archive/a", "elsewhere")
        return inner(entry)

    monkeypatch.setattr(folder_root, "_file_of", first)
    names = [os.path.basename(file.path) for file in walk.find_files(["archive"])]
    assert "passed.dcm" not in names
    assert len(names) == 6


def test_an_empty_folder_is_an_error(run, folder):
    os.mkdir("empty")
    assert run("archive", "verify", "empty", "--ledger", "ledger.db")[0] == 4
    assert rows()[0].reason == "empty_folder"


@pytest.mark.parametrize(
    "options",
    [("--include", "*.dcm"), ("--include", "*/archive/*"), ("--sample", "0.0001%"),
     ("--sample", "0.0001%", "--stratify"), ("--older-than", "1d")],
)  # fmt: skip
def test_no_selection_hides_that_nothing_is_there(run, folder, options):
    """As where the archive is not mounted."""
    os.mkdir("empty")
    assert run("archive", "verify", "empty", "--ledger", "ledger.db", *options)[0] == 4
    assert [row.reason for row in rows()] == ["empty_folder"]


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--include", "*.dmc"), "no file has a name that matches *.dmc"),
     (("--include", "*.dmc", "--include", "x"), "no file has a name that matches *.dmc or x"),
     (("--include", "*/elsewhere/*"), "no file has a path that matches */elsewhere/*"),
     (("--include", "*.dmc", "--sample", "0.0001%"), "no file has a name that matches *.dmc")],
)  # fmt: skip
def test_a_selection_that_leaves_nothing(run, folder, options, said):
    """As where a pattern is misspelt: in cron that must not look as if all were well."""
    code, out, err = run("archive", "verify", "archive", "--ledger", "ledger.db", *options)
    root = os.path.abspath("archive")
    told = f"dicomseal: {root}: nothing is selected: {said}; no run was begun\n"
    assert (code, out, err) == (4, "", told)
    assert not os.path.exists("ledger.db")
    run(*VERIFY)
    assert run("archive", "verify", "archive", "--ledger", "ledger.db", *options)[0] == 4
    with Ledger("ledger.db") as ledger:
        assert len(ledger.runs()) == 1


@times_of_files
def test_nothing_is_old_enough(run, folder):
    """So it is in the first month of an archive, which is no mistake."""
    options = ("--older-than", "8w", "--include", "*.dcm")
    code, _, err = run("archive", "verify", "archive", "--ledger", "ledger.db", *options)
    assert (code, err, rows()) == (0, "", [])


def test_each_root_of_which_nothing_is_left(run, folder):
    os.rename("archive/a", "other")
    code, _, err = run("archive", "verify", "archive", "other", "--include", "x", "--ledger", "l")
    assert (code, err.count("nothing is selected"), os.path.exists("l")) == (4, 2, False)
    assert run("archive", "verify", "archive", "other", "--include", "passed*", "--ledger", "m",
               *TRUST)[0] == 0  # fmt: skip
    assert len(rows("m")) == 1


def test_what_a_list_names_twice(run, folder, monkeypatch):
    """Not only in a row, nor only in one list: an auditor reads the totals."""
    for name, lines in (
        ("one", ["a/passed.dcm", "failed.dcm", "a/passed.dcm", "gone", "gone"]),
        ("two", ["./a/../failed.dcm", "a/b/again.dcm", "a/b/again.dcm"]),
    ):
        (folder / name).write_text("".join(f"archive/{line}\n" for line in lines))
    roots = ("@one", "@two", "archive/a")
    code, out, _ = run("archive", "verify", *roots, "--ledger", "ledger.db", *TRUST)
    assert code == 1
    assert out.endswith("2 passed, 1 failed, 1 error\n")
    found = [os.path.relpath(row.path, "archive") for row in rows()]
    assert found == ["a/passed.dcm", "failed.dcm", "gone", "a/b/again.dcm"]
    with Ledger("ledger.db") as ledger:
        assert json.loads(ledger.find().totals)["population"] == 4


def test_names_in_a_list_that_are_no_utf_8(folder):
    name = b"archive/\xff.dcm"
    os.rename("archive/failed.dcm", name)
    (folder / "list").write_bytes(name + b"\narchive/error.dcm\n" + name + b"\n")
    assert [os.path.relpath(os.fsencode(one.path)) for one in walk.find_files(["@list"])] == [
        name, b"archive/error.dcm",
    ]  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_a_path(run, folder):
    """As Windows' editors put it first; what they write in UTF-16 is told, not read as names."""
    lines = "archive/a/passed.dcm\r\narchive/failed.dcm\r\n"
    (folder / "list").write_text(lines, "utf-8-sig")
    found = [os.path.relpath(one.path) for one in walk.find_files(["@list"])]
    assert found == ["archive/a/passed.dcm", "archive/failed.dcm"]
    os.rename("archive/failed.dcm", "\ufeff.dcm")
    (folder / "list").write_bytes(b"x\n\xef\xbb\xbf.dcm\n")  # only the first line has a mark
    assert [one.trouble for one in walk.find_files(["@list"])][1:] == [None]
    for encoding in ("utf-16", "utf-16-be"):
        (folder / "list").write_text(
            f"{'' if encoding == 'utf-16' else chr(0xFEFF)}{lines}", encoding
        )
        code, _, err = run("archive", "verify", "@list", "--ledger", "l.db")
        assert (code, "UTF-16: write it in UTF-8" in err) == (2, True)
    os.rename("archive/a/passed.dcm", b"\xff\xfe.dcm")  # the same bytes, and a name
    (folder / "list").write_bytes(b"\xff\xfe.dcm\n")
    assert [one.trouble for one in walk.find_files(["@list"])] == [None]


def test_lists_with_nul(run, folder):
    """As `find -print0` writes them: names may hold line ends."""
    os.rename("archive/a/passed.dcm", "archive/x\n.dcm")
    names = [
        "archive/x\n.dcm",
        *(f"archive/{number}" for number in range(20_000)),
        "archive/failed.dcm",
    ]
    for end in ("\0", ""):
        (folder / "list").write_text("\0".join(names) + end)
        found = list(walk.find_files(["@list"], null=True))
        assert [one.path for one in found] == [os.path.abspath(name) for name in names]
        assert [one.trouble for one in (found[0], found[-1])] == [None, None]
    command = [
        sys.executable,
        "-m",
        "dicomseal",
        "archive",
        "verify",
        "-",
        "--ledger",
        "l.db",
        *TRUST,
    ]
    done = subprocess.run([*command, "-0"], input=b"archive/x\n.dcm\0", capture_output=True)
    assert (done.returncode, len(rows("l.db"))) == (0, 1), done.stderr
    done = subprocess.run(command, input=b"archive/x\n.dcm\0", capture_output=True)
    assert done.returncode == 4


def test_excluded(run, folder):
    everything = {os.path.relpath(one.path, "archive") for one in walk.find_files(["archive"])}
    code = run("archive", "verify", "archive", "--ledger", "l.db", *TRUST, "--exclude", "*/b/*",
               "--exclude", "fail*", "--include", "*.dcm")[0]  # fmt: skip
    left = {
        name for name in everything
        if name.endswith(".dcm") and "b/" not in name and not name.startswith("fail")
    }  # fmt: skip
    assert {os.path.relpath(row.path, "archive") for row in rows("l.db")} == left
    assert left
    assert code != 1  # what fails was left out
    code, _, err = run("archive", "verify", "archive", "--ledger", "l.db", "--exclude", "*")
    assert (code, "every file is excluded" in err) == (4, True)


def test_a_long_list_costs_no_memory(folder, monkeypatch):
    """Most of it is in a temporary file, which is gone when the walk is."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(folder))
    before = set(os.listdir(folder))
    names = [f"archive/{number % 50_000:050}" for number in range(60_000)]
    files = unique_paths.unique_paths(Found(name * 4) for name in names)
    next(files)
    tracemalloc.start()
    assert sum(1 for _ in files) == 49_999
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert set(os.listdir(folder)) == before


def test_no_room_for_a_long_list(folder, monkeypatch):
    def refuse(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(LedgerError, match="database or disk is full; TMPDIR names another folder"):
        list(unique_paths.unique_paths([Found("x")]))


@pytest.mark.parametrize("listed", ["", "\n\r\n"])
def test_an_empty_list(run, folder, listed, monkeypatch):
    (folder / "list.txt").write_text(listed)
    code, _, err = run("archive", "verify", "@list.txt", "--ledger", "ledger.db")
    name = f"@{os.path.abspath('list.txt')}"
    assert (code, err) == (4, f"dicomseal: {name}: the list names no file\n")
    assert [(row.path, row.reason) for row in rows()] == [(name, "empty_list")]
    with open("list.txt") as file:
        monkeypatch.setattr(sys, "stdin", file)
        code, _, err = run("archive", "verify", "-", "--ledger", "ledger.db", "--include", "*.dcm")
    assert (code, err) == (4, "dicomseal: standard input: the list names no file\n")
    assert [(row.path, row.reason) for row in rows()] == [("-", "empty_list")]


def test_no_selection_hides_a_folder_that_cannot_be_read(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files = list(walk.find_files(["archive"]))
    whole = [file for file in files if file.whole]
    assert [(os.path.basename(file.path), file.trouble) for file in whole] == [
        ("b", ("permission", "Permission denied"))
    ]
    assert list(walk.included(files, ["*.nothing"])) == whole
    assert list(sample.drawn(files, 1e-9, "", False)) == whole
    drawn = list(sample.drawn(files, 1e-9, "", True))  # at least one file of each folder
    assert whole[0] in drawn
    assert len(drawn) == 1 + len({os.path.dirname(one.path) for one in files if not one.whole})


def test_names_that_are_no_utf_8(run, folder):
    name = os.path.join(os.fsencode(folder), b"archive", b"\xff\xfe.dcm")
    os.rename("archive/a/passed.dcm", name)
    assert run(*VERIFY)[0] == 1
    assert [row.path for row in rows() if isinstance(row.path, bytes)] == [name]
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact


def test_the_ledger_is_not_part_of_the_archive(run, folder):
    run("archive", "verify", "archive", "--ledger", "archive/ledger.db")
    assert len(rows("archive/ledger.db")) == 8


@pytest.mark.parametrize("name", [b"a.dcm", "\u00e9\U0001f5c4".encode(), b"\xff\xfe.dcm"])
def test_batches_on_their_way(name):
    """A batch is packed; what cannot be goes all the same."""
    path = os.fsdecode(b"/archive/" + name)
    batch = Files(
        [Found(path, 1 << 62, -1), Found("s3://bucket/x", 0, 2),
         Found(path, trouble=("not_found", f"no {path}"), whole=True)]
    )  # fmt: skip
    packed = pickle.dumps(batch)
    assert pickle.loads(packed) == list(batch)
    assert (b"Found" in packed) == (b"\xff" in name)  # else every file is packed

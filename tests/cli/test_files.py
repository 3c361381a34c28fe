"""Which files `dicomseal verify` means: lists that NUL ends, and what is excluded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pki
import pytest

from dicomseal.report import unescaped

ODD = b"a\nb \xff.dcm"  # a name that no list of lines can hold


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three objects, one of them below the name `ODD`, and a text."""
    monkeypatch.chdir(tmp_path)
    for name in (b"one.dcm", b"old/two.dcm", b"old/deep/" + ODD, b"old/notes.txt"):
        path = Path(os.fsdecode(b"archive/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no DICOM" if name.endswith(b"txt") else pki.small())
    return tmp_path


def verify(data, *line):
    """Exit code, paths with verdicts or codes of errors, and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "verify", "--format", "jsonl", *line],
        input=data, capture_output=True,
    )  # fmt: skip
    said = [json.loads(one) for one in done.stdout.splitlines()]
    found = [
        (os.fsencode(unescaped(one["path"])), (one["error"] or {"code": one["verdict"]})["code"])
        for one in said
    ]
    return done.returncode, found, done.stderr.decode()


@pytest.mark.parametrize("jobs", [(), ("--jobs", "2")])
@pytest.mark.parametrize("last", [b"\0", b""])
def test_a_list_that_nul_ends(folder, jobs, last):
    names = [b"archive/one.dcm", b"archive/old/deep/" + ODD]
    expected = (0, [(name, "unsigned") for name in names], "")
    listed = b"\0".join(names) + last
    assert verify(listed, "-0", "-", *jobs) == expected
    Path("list").write_bytes(listed)
    assert verify(b"", "--null", "@list", *jobs) == expected


def test_what_find_prints(folder):
    found = subprocess.run(["find", "archive", "-name", "*.dcm", "-print0"], capture_output=True)
    code, paths, _ = verify(found.stdout, "-0", "-")
    assert (code, len(paths), {verdict for _, verdict in paths}) == (0, 3, {"unsigned"})


def test_without_null_a_dash_is_an_object_and_an_at_sign_a_name(folder):
    Path("@list").write_bytes(pki.small())
    assert verify(pki.small(), "-", "@list") == (
        0, [(b"-", "unsigned"), (b"@list", "unsigned")], "",
    )  # fmt: skip


def test_names_in_a_list_are_names_of_files(folder):
    for name in ("-", "@one"):
        Path(name).write_bytes(pki.small())
    listed = b"-\0@one\0./-\0archive/gone.dcm\0archive\0"
    code, found, _ = verify(listed, "-0", "-")
    assert (code, [name for name, _ in found]) == (4, listed.split(b"\0")[:-1])
    assert [verdict for _, verdict in found[:3]] == ["unsigned"] * 3
    assert [verdict for _, verdict in found[3:]] == ["not_found", "unreadable"]


def test_lists_that_name_nothing(folder):
    Path("empty").write_bytes(b"\0\0")
    for data, line in ((b"", ["-"]), (b"\0", ["-"]), (b"", ["@empty"])):
        code, found, _ = verify(data, "-0", *line)
        assert (code, found) == (4, [(line[0].encode(), "empty_list")])
    for line, said in ((["@gone"], "gone: No such file"), (["-", "-"], "only once")):
        code, found, err = verify(b"", "-0", *line)
        assert (code, found, said in err) == (2, [], True), err


def test_a_list_makes_a_list(run, folder):
    Path("list").write_bytes(b"archive/one.dcm\0")
    _, out, _ = run("verify", "-0", "@list", "--format", "json")
    assert [one["path"] for one in json.loads(out)] == ["archive/one.dcm"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.txt"], ["old/deep", "old/two.dcm", "one.dcm"]),
        (["*/old/*"], ["one.dcm"]),
        (["archive/old/*"], ["one.dcm"]),  # as the paths are said
        (["*/archive/old/*"], ["one.dcm"]),  # as `archive verify` says them
        (["*.txt", "two.*", "a?b*"], ["one.dcm"]),
        (["old"], ["old/deep", "old/notes.txt", "old/two.dcm", "one.dcm"]),  # it is no file
    ],
)
def test_excluded(folder, patterns, left):
    options = [part for one in patterns for part in ("--exclude", one)]
    _, found, err = verify(b"", "archive", "--list-others", *options)
    short = sorted(os.fsdecode(name.replace(b"/" + ODD, b"")) for name, _ in found)
    assert (short, err) == ([f"archive/{name}" for name in left], "")
    # and the archive's walk has the same rule
    line = [sys.executable, "-m", "dicomseal", "archive"]
    patterns = [one for one in options if one != "archive/old/*"]
    if len(patterns) == len(options):
        subprocess.run([*line, "verify", "archive", "--ledger", "l.db", *options], check=False)
        subprocess.run([*line, "export", "l.db", "--jsonl", "e.jsonl"], check=True)
        rows = [json.loads(one) for one in Path("e.jsonl").read_text().splitlines()]
        there = {os.path.relpath(os.fsencode(unescaped(row["path"]))) for row in rows}
        assert there == {name for name, _ in found}


def test_named_and_listed_files_are_excluded_too(folder):
    line = ["archive/one.dcm", "archive/old/two.dcm", "--exclude", "two*"]
    assert verify(b"", *line)[1] == [(b"archive/one.dcm", "unsigned")]
    listed = b"archive/one.dcm\0archive/old/two.dcm"
    assert verify(listed, "-0", "-", "--exclude", "one*")[1] == [
        (b"archive/old/two.dcm", "unsigned")
    ]


def test_an_object_on_standard_input_has_no_name(folder):
    found = verify(pki.small(), "-", "archive", "--exclude", "*")[1]
    assert found == [(b"-", "unsigned")]


def test_who_excludes_all_hears_of_it(folder):
    os.mkdir("hollow")
    assert verify(b"", "archive", "hollow", "--exclude", "*")[:2] == (
        4, [(b"hollow", "empty_folder"), (b"archive", "nothing_selected")],
    )  # fmt: skip


def test_a_folder_that_cannot_be_read_is_never_excluded(run, folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path.endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    code, out, _ = run("verify", "archive", "--exclude", "*")
    assert (code, "archive/old/deep" in out) == (4, True)


def test_progress_counts_what_is_not_excluded(folder, monkeypatch):
    from dicomseal.cli.files import Files

    assert Files(["archive"], False, ["*.txt"]).count() == 3
    assert Files(["archive", "-"], False, ["*"]).count() == 1
    Path("list").write_bytes(b"archive/one.dcm\0archive/old/notes.txt")
    assert Files(["@list"], True, ["*.txt"]).count() == 1


def test_nothing_is_imported_for_folders_that_nobody_names(folder):
    code = (
        "import sys; from dicomseal.cli import main; sys.argv[1:] = ['verify', 'archive/one.dcm']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('dicomseal.')\n"
        "      and ('archive' in name or 'other_files' in name)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done

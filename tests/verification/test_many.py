"""`dicomseal.verify_many`: many files in Python, in order, in bounded memory, in any program."""

from __future__ import annotations

import inspect
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pki
import pytest

import dicomseal
from dicomseal.verification import many, parallel, processors

SIGNED = pki.member("rsa")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some" / "deep").mkdir(parents=True)
    for number in range(80):
        (tmp_path / "some" / f"{number:03}.dcm").write_bytes(pki.small())
    dicomseal.sign_file("some/000.dcm", "some/deep/signed.dcm", *SIGNED.pair)
    for name, data in (("notes.txt", b"text"), ("deep/gone.dcm", b""),
                       ("deep/.dicomseal-0123.tmp", b"")):  # fmt: skip
        (tmp_path / "some" / name).write_bytes(data)
    return tmp_path


def one_by_one(paths):
    return [(path, dicomseal.verify(path, integrity_only=True)) for path in paths]


@pytest.mark.parametrize("jobs", [1, 2, "auto"])
def test_a_folder(tree, jobs, monkeypatch):
    monkeypatch.setattr(many, "processors", lambda: 2)
    found = list(dicomseal.verify_many("some", jobs=jobs, integrity_only=True))
    objects = [f"some/{number:03}.dcm" for number in range(80)]
    assert [path for path, _ in found] == [*objects, "some/deep/gone.dcm", "some/deep/signed.dcm"]
    assert found[:80] == one_by_one(objects)
    assert found[-1] == one_by_one(["some/deep/signed.dcm"])[0]
    assert [report.verdict for _, report in found[-2:]] == ["error", "passed"]
    with_others = dicomseal.verify_many("some", jobs=jobs, list_others=True)
    assert [(path, report.verdict) for path, report in with_others if path not in dict(found)] == [
        ("some/notes.txt", "not_dicom")
    ]


def test_paths_of_every_kind(tree):
    paths = [Path("some/001.dcm"), b"some/002.dcm", "some/notes.txt", "some/deep", "gone"]
    found = [(path, one.verdict) for path, one in dicomseal.verify_many(iter(paths), jobs=2)]
    assert found == [
        ("some/001.dcm", "unsigned"), ("some/002.dcm", "unsigned"), ("some/notes.txt", "error"),
        ("some/deep/gone.dcm", "error"), ("some/deep/signed.dcm", "indeterminate"),
        ("gone", "error"),
    ]  # fmt: skip
    assert [path for path, _ in dicomseal.verify_many(b"some/001.dcm")] == ["some/001.dcm"]
    assert list(dicomseal.verify_many([])) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_endless_paths_cost_no_memory(tree, jobs):
    taken = 0

    def endless():
        nonlocal taken
        for taken in itertools.count(1):  # noqa: B007
            yield "some/001.dcm"

    running = dicomseal.verify_many(endless(), jobs=jobs)
    for number in range(1, 600):
        next(running)
        assert taken <= number + 2 * parallel.BATCH * 5
    begun = time.monotonic()
    running.close()
    assert time.monotonic() - begun < 30
    assert list(running) == []
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", [1, 2, "auto"])
def test_a_slow_generator_is_not_waited_for(tree, jobs, monkeypatch):
    """As of a queue: each report comes before the next path is asked for."""
    monkeypatch.setattr(many, "processors", lambda: 2)
    monkeypatch.setattr(many, "_SLOW", 0.005)
    taken = 0

    def slow():
        nonlocal taken
        for taken in range(1, 81):
            yield f"some/{taken % 80:03}.dcm"
            time.sleep(0.006)

    for number, (path, report) in enumerate(dicomseal.verify_many(slow(), jobs=jobs), 1):
        assert taken == number
        assert (path, report.verdict) == (f"some/{number % 80:03}.dcm", "unsigned")
    assert number == 80


def test_a_generator_that_becomes_slow_holds_up_what_is_in_the_window(tree, monkeypatch):
    """Of those that came quickly all are yielded when the first slow one has come."""
    monkeypatch.setattr(many, "processors", lambda: 2)
    taken = 0

    def slow():
        nonlocal taken
        for taken in range(1, 204):
            if taken > 200:
                time.sleep(0.3)
            yield "some/001.dcm"

    seen = [taken for _ in dicomseal.verify_many(slow())]
    assert seen[0] == 1
    assert seen[-2:] == [202, 203]
    assert seen[199] <= 201


def test_few_files_need_no_process(tree, monkeypatch):
    monkeypatch.setattr(many, "processors", lambda: 8)
    monkeypatch.setattr(parallel, "verify_many", None)
    assert len(list(dicomseal.verify_many("some/deep"))) == 2
    with pytest.raises(TypeError):
        list(dicomseal.verify_many("some"))


WRONG = {
    "jobs": ({"jobs": 0}, {"jobs": "2"}, {"jobs": 1.0}, {"jobs": True}, {"jobs": None}),
    "options": (
        {"trust": "ca.pem"}, {"at": datetime(2026, 1, 1)}, {"weak": "no"}, {"require": "nothing"},
        {"require_signed": ["NoSuchKeyword"]}, {"unsigned": "no"}, {"transfer_syntax": "1.2"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", [one for some in WRONG.values() for one in some], ids=str)
def test_what_makes_no_sense_is_told_at_once(tree, wrong):
    with pytest.raises(dicomseal.DicomSealError) as told:
        dicomseal.verify_many("some", **wrong)
    assert told.value.code == "usage"
    if wrong in WRONG["options"]:  # in the words of `verify`
        with pytest.raises(dicomseal.DicomSealError) as alone:
            dicomseal.verify("some/001.dcm", **wrong)
        assert str(alone.value) == str(told.value)


def test_wrong_paths():
    with pytest.raises(dicomseal.DicomSealError, match="a path or several, not int"):
        dicomseal.verify_many(7)
    with pytest.raises(dicomseal.DicomSealError, match="a path is text, not 7"):
        list(dicomseal.verify_many([7]))


def test_the_options_are_those_of_verify():
    one = inspect.signature(dicomseal.verify).parameters
    all_ = inspect.signature(dicomseal.verify_many).parameters
    options = {name: found.default for name, found in one.items() if name != "source"}
    assert {name: all_[name].default for name in options} == options
    assert set(all_) - set(options) == {"paths", "jobs", "list_others"}


SCRIPT = """
import sys, multiprocessing, threading
print("begun")
multiprocessing.set_start_method(sys.argv[1])
import dicomseal
found = {}
def work():
    for path, report in dicomseal.verify_many("some", jobs=2, integrity_only=True):
        found[path] = report.verdict
if sys.argv[2] == "thread":
    thread = threading.Thread(target=work); thread.start(); thread.join()
else:
    work()
print(len(found), sorted(set(found.values())))
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_script_without_a_guard(tree, method, where):
    """However processes are started, and from a notebook's thread: it runs once, from its top."""
    Path("script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py", method, where], capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert done.stdout.splitlines() == ["begun", "82 ['error', 'passed', 'unsigned']"], done
    assert done.returncode == 0


def test_from_standard_input_and_a_shell(tree):
    """There the main module has no file, and what is typed in a shell has no module at all."""
    for line in ([sys.executable, "-"], [sys.executable, "-c", SCRIPT, "spawn", "main"]):
        script = SCRIPT.replace("sys.argv[1]", "'spawn'").replace("sys.argv[2]", "''")
        done = subprocess.run(line, input=script, capture_output=True, text=True, timeout=120)
        assert done.stdout.splitlines()[-1] == "82 ['error', 'passed', 'unsigned']", done


def test_a_loop_that_is_left_ends_the_workers(tree):
    for path, _ in dicomseal.verify_many(itertools.repeat("some/001.dcm"), jobs=2):
        assert path == "some/001.dcm"
        break
    until = time.monotonic() + 30
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []
    assert threading.active_count() < 5


def test_processors(monkeypatch, tmp_path):
    monkeypatch.setattr(processors, "_GROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert processors.processors() == 8
    for quota, expected in (("max 100000", 8), ("150000 100000", 2), ("1000 100000", 1), ("", 8)):
        (tmp_path / "cpu.max").write_text(quota)
        assert processors.processors() == expected, quota
    assert json.dumps(processors.processors()) == "8"

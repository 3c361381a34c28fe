"""`watch`: what another receiver puts into a folder is verified once, when it is complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pki
import pytest
from _archive import rows

from dicomseal import sign_file
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.errors import LedgerError
from dicomseal.gate import arrivals

pytest.importorskip("watchfiles")
TRUST = ("--ledger", "ledger.db", "--trust", "root.cert.pem")
PATIENCE = 60.0  # seconds


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """An object for each verdict."""
    folder = tmp_path_factory.mktemp("contents")
    files = {"unsigned": pki.small()}
    for verdict, who in (("passed", "rsa"), ("indeterminate", "other")):
        (folder / "a.dcm").write_bytes(files["unsigned"])
        sign_file(folder / "a.dcm", folder / "a.dcm", *pki.member(who).pair)
        files[verdict] = (folder / "a.dcm").read_bytes()
    files["failed"] = files["passed"].replace(b"Doe^John", b"Doe^Jane")
    files["error"] = files["passed"][:-9]
    files["not_dicom"] = b"this is text, and no object"
    return files


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pki.member("root").write(tmp_path)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    return tmp_path


def fill(here, contents):
    for verdict, data in contents.items():
        (
            here / "in" / "sub" / f"{verdict}{'.txt' if verdict == 'not_dicom' else '.dcm'}"
        ).write_bytes(data)


def found():
    """Name and verdict of each row, in their order."""
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact
        every = [row for run in ledger.runs() for row in rows(run=run.number)]
    names = [os.path.basename(os.fsdecode(row.path)).partition(".")[0] for row in every]
    return [(name, row.verdict) for name, row in zip(names, every, strict=True)]


@contextmanager
def watching(*more):
    """The command in a process of its own; ended as a service is."""
    command = [sys.executable, "-m", "dicomseal", "watch", "in", *TRUST, *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: os.path.exists("ledger.db") and begun())
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.out, process.err = process.communicate(timeout=PATIENCE)


def begun():
    try:
        with Ledger("ledger.db") as ledger:
            return bool(ledger.runs())
    except LedgerError:
        return False


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.05)


# --- one look ------------------------------------------------------------------------------------


def test_one_look(run, here, contents):
    """Every verdict, once; what stays in the folder is not verified by the next look."""
    fill(here, contents)
    code, out, err = run("watch", "in", *TRUST, "--once", "--jobs", "2")
    assert (code, err) == (1, "")
    assert sorted(found()) == sorted((verdict, verdict) for verdict in contents)
    assert sorted(line.split()[0] for line in out.splitlines()[:3]) == [
        "error", "failed", "indeterminate",
    ]  # fmt: skip
    before = time.time() - 5
    os.utime(here / "in" / "sub" / "passed.dcm", (before, before))
    assert run("watch", "in", *TRUST, "--once")[0] == 0
    assert found()[len(contents) :] == [("passed", "passed")]
    with Ledger("ledger.db") as ledger:
        assert [(one.kind, one.finished is not None) for one in ledger.runs()] == [
            ("watch", True), ("watch", True),
        ]  # fmt: skip


def test_the_report_on_it(run, here, contents):
    """A ledger that has nothing but what was watched shows that; an archive's shows the archive."""
    fill(here, contents)
    run("watch", "in", *TRUST, "--once")
    code, out, _ = run("archive", "report", "ledger.db", "--format", "json")
    report = json.loads(out)
    assert (code, report["kind"], report["verdicts"]["failed"]) == (0, "watch", 1)
    run("archive", "verify", "in/sub/passed.dcm", *TRUST)
    run("watch", "in", *TRUST, "--once")
    assert json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])["run"] == 2
    assert run("archive", "export", "ledger.db", "--csv", "all.csv", "--run", "1")[0] == 0


def test_quarantine(run, here, contents):
    """What falls short goes there with its report, and nothing else does."""
    fill(here, contents)
    run("watch", "in", *TRUST, "--once", "--quarantine", "q")
    left = {one.name.partition(".")[0] for one in (here / "in" / "sub").iterdir()}
    assert left == {"passed", "unsigned", "not_dicom"}
    reports = [json.loads(one.read_text()) for one in (here / "q").glob("*.json")]
    assert sorted(one["report"]["verdict"] for one in reports) == [
        "error", "failed", "indeterminate",
    ]  # fmt: skip
    for one in reports:
        with open(one["report"]["path"], "rb") as file:
            assert file.read() == contents[one["report"]["verdict"]]
    assert {one["origin"]["via"] for one in reports} == {"watch"}


def test_what_is_done_with_each(run, here, contents):
    fill(here, contents)
    run("watch", "in", *TRUST, "--once", "--quarantine", "q", "--on-failed", "accept",
        "--on-indeterminate", "accept", "--on-unsigned", "quarantine")  # fmt: skip
    left = {one.name.partition(".")[0] for one in (here / "in" / "sub").iterdir()}
    assert left == set(contents) - {"unsigned"}


def test_quarantine_of_what_an_earlier_process_left(run, here, contents):
    """Killed between ledger and quarantine, or without one: the next one sees to it."""
    fill(here, contents)
    run("watch", "in", *TRUST, "--once")
    run("watch", "in", *TRUST, "--once", "--quarantine", "q")
    assert len(list((here / "q").glob("*.dcm"))) == 3
    assert {verdict for _, verdict in found()[len(contents) :]} == {
        "failed", "error", "indeterminate",
    }  # fmt: skip


def test_quarantine_that_is_full(run, here, contents, monkeypatch):
    """It is said, the object stays, and the others are verified."""
    fill(here, contents)

    def full(*_):
        from dicomseal.errors import SourceError

        raise SourceError("no space", "no_space")

    monkeypatch.setattr("dicomseal.gate.quarantine.Quarantine.put", full)
    code, out, _ = run("watch", "in", *TRUST, "--once", "--quarantine", "q")
    assert (code, out.count("NOT in quarantine: no space")) == (1, 3)
    assert len(found()) == len(contents)
    assert len(list((here / "in" / "sub").iterdir())) == len(contents)


def test_a_signed_run(run, here, contents):
    fill(here, contents)
    key, certificate = pki.member("rsa").write(here)
    run("watch", "in", *TRUST, "--once", "--sign-run", key, certificate)
    with Ledger("ledger.db") as ledger:
        audited = audit(ledger)
        assert (audited.intact, ledger.runs()[0].signature is not None) == (True, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--on-failed", "quarantine"), "--quarantine"), (("--quarantine", "in/q"), "lies within"),
        (("nowhere",), "no such folder"), (("in/sub",), "lies within"),
        (("--on-failed", "refuse"), "refuse"),
    ],
)  # fmt: skip
def test_what_makes_no_sense(run, here, more, said):
    code, _, err = run("watch", "in", *TRUST, "--once", *more)
    assert (code, said in err) == (2, True)


def test_nothing_goes_into_quarantine_because_nobody_is_trusted(run, here, contents):
    """Every signed object would: that is to be said, and not what happens to a forgotten option."""
    fill(here, contents)
    blind = ("watch", "in", "--ledger", "ledger.db", "--quarantine", "q", "--once")
    code, _, err = run(*blind)
    assert (code, "--on-indeterminate" in err) == (2, True)
    assert not os.path.exists("q")
    assert run(*blind, "--on-indeterminate", "accept")[0] != 2
    assert (here / "in" / "sub" / "passed.dcm").exists()
    assert run(*blind, "--integrity-only")[0] != 2


def test_a_link_is_verified_and_stays(run, here, contents):
    """What it leads to lies elsewhere: to move the link would put nothing into quarantine."""
    (here / "elsewhere.dcm").write_bytes(contents["failed"])
    os.symlink(here / "elsewhere.dcm", here / "in" / "link.dcm")
    os.symlink(here / "nowhere.dcm", here / "in" / "dangling.dcm")
    code, out, _ = run("watch", "in", *TRUST, "--quarantine", "q", "--once")
    assert (code, found()) == (1, [("link", "failed")])
    assert "NOT in quarantine: it is a symbolic link" in out
    assert os.listdir("q") == []
    assert os.path.islink(here / "in" / "link.dcm")


# --- as it arrives -------------------------------------------------------------------------------


def test_as_it_arrives(here, contents):
    """Written at once, slowly, in a new folder, renamed, and written over."""
    with watching("--settle", "0.2", "--sweep", "3600", "--metrics", "figures") as process:
        (here / "in" / "passed.dcm").write_bytes(contents["passed"])
        until(lambda: found() == [("passed", "passed")])
        with open(here / "in" / "slow.dcm", "wb", buffering=0) as file:
            for start in range(0, len(contents["passed"]), 400):
                file.write(contents["passed"][start : start + 400])
                time.sleep(0.3)
        (here / "in" / "new").mkdir()
        (here / "new.dcm").write_bytes(contents["unsigned"])
        os.rename(here / "new.dcm", here / "in" / "new" / "new.dcm")
        until(lambda: len(found()) == 3)
        assert sorted(found()[1:]) == [("new", "unsigned"), ("slow", "passed")]
        (here / "in" / "passed.dcm").write_bytes(contents["failed"])
        until(lambda: len(found()) == 4)
        assert found()[3] == ("passed", "failed")
        (here / "in" / ".dicomseal-x.tmp").write_bytes(contents["failed"])
        (here / "in" / "last.dcm").write_bytes(contents["passed"])
        until(lambda: len(found()) == 5)
    assert (process.returncode, process.err) == (0, "")
    assert "complete" in process.out
    figures = (here / "figures").read_text().splitlines()
    (passed,) = (
        line
        for line in figures
        if line.startswith("dicomseal_archive_files{") and 'verdict="passed"' in line
    )
    assert 'kind="watch"' in passed
    assert float(passed.rpartition(" ")[2]) == 3
    with Ledger("ledger.db") as ledger:
        assert ledger.find().finished is not None


def test_whoever_holds_it_open_is_waited_for(here, contents):
    """However long nothing is written: half an object is not judged."""
    if arrivals._lease is None:
        pytest.skip("this system does not tell who has a file open")
    data = contents["passed"]
    with watching("--settle", "0.1", "--quarantine", "q"):
        with open(here / "in" / "slow.dcm", "wb", buffering=0) as file:
            file.write(data[:500])
            time.sleep(1.5)
            assert found() == []
            file.write(data[500:])
        until(lambda: found() == [("slow", "passed")])
    assert os.listdir(here / "q") == []


def test_killed(here, contents):
    """Again and again, while objects arrive: each has a row, and the ledger is intact."""
    count = 0
    for _ in range(3):
        with watching("--settle", "0.05", "--quarantine", "q") as process:
            for _ in range(60):
                name = f"{count:03}.dcm"
                (here / name).write_bytes(contents["failed" if count % 3 == 0 else "passed"])
                os.rename(here / name, here / "in" / name)
                count += 1
                time.sleep(0.003)
            process.kill()
    with watching("--settle", "0.05", "--quarantine", "q"):
        until(lambda: len(list((here / "in").glob("*.dcm"))) == count - count // 3)
        until(lambda: {name for name, _ in found()} == {f"{one:03}" for one in range(count)})
    assert len(list((here / "q").glob("*.json"))) == 1  # one content: one object in quarantine
    assert all(
        verdict == ("failed" if int(name) % 3 == 0 else "passed") for name, verdict in found()
    )


def test_names_that_are_no_utf8(here, contents):
    """watchfiles gives up at one. It is verified all the same, and so is what comes after it."""
    names = [b"in/\xfc.dcm", b"in/line\nbreak.dcm", b"in/b.dcm", b"in/\xfd.dcm", b"in/c.dcm"]
    with watching("--settle", "0.1", "--sweep", "3600") as process:
        for number, name in enumerate(names):
            with open(name, "wb") as file:
                file.write(contents["passed"])
            until(lambda count=number + 1: len(found()) == count)
        for number in range(20):
            with open(b"in/\xfe%d.dcm" % number, "wb") as file:
                file.write(contents["passed"])
            time.sleep(0.02)
        until(lambda: len(found()) == 25)
    assert process.returncode == 0
    with Ledger("ledger.db") as ledger:
        assert {os.fsencode(row.path).rpartition(b"/")[2] for row in ledger.rows(1, 5)} == {
            name.rpartition(b"/")[2] for name in names
        }

"""`archive verify` over files that are far away, as on a file server: ahead of them, and hung."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import _far
import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.files.reader import SNAPSHOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a shim for LD_PRELOAD")
FILES = 120
WAIT = 20  # milliseconds


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A small object, and one that is read through a window."""
    folder = tmp_path_factory.mktemp("signed")
    pixels = (0x7FE00010, "OW", os.urandom(SNAPSHOT + 300_000))
    contents = {"small": pki.small(), "large": pki.small(elements=[*pki.SMALL[:-1], pixels])}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        sign_file(folder / name, folder / name, *pki.member("rsa").pair)
    return {name: (folder / name).read_bytes() for name in contents}


@pytest.fixture
def folder(tmp_path, monkeypatch, signed):
    monkeypatch.chdir(tmp_path)
    pki.member("root").write(tmp_path)
    (tmp_path / "archive").mkdir()
    for number in range(FILES):
        (tmp_path / "archive" / f"{number:03}.dcm").write_bytes(signed["small"])
    return tmp_path


def run(*more, ledger="ledger.db", **options):
    """Return the exit code, standard output, and seconds from the beginning of the run."""
    command = [sys.executable, "-m", "dicomseal", "archive", "verify", "archive", "--ledger",
               ledger, "--trust", "root.cert.pem", *more]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.stderr == "", done.stderr
    found, head = rows(ledger)
    return done.returncode, found, head.finished - head.started


def rows(ledger):
    with Ledger(str(ledger)) as opened:
        assert audit(opened).intact
        run = opened.find()
        found = list(opened.rows(*opened.span(run.number)))
    by_name = {Path(row.path).name: row for row in found}
    assert len(by_name) == len(found)  # each once
    return by_name, run


def counted(found):
    verdicts = [(row.verdict, row.reason) for row in found.values()]
    return {one: verdicts.count(one) for one in set(verdicts)}


def test_several_are_waited_for_at_once(folder, shim):
    """Of auto, of a number, and one after the other; the same rows, in the same order."""
    at_once, found = {}, {}
    for ahead in ("0", "3", "16", "auto"):
        away = _far.away(shim, folder / "archive", WAIT, folder / "count")
        code, found[ahead], seconds = run("--read-ahead", ahead, ledger=f"{ahead}.db", env=away)
        assert code == 0
        assert list(found[ahead]) == list(found["0"])
        assert counted(found[ahead]) == {("passed", ""): FILES}
        at_once[ahead] = _far.most_at_once(folder / "count")
        assert seconds >= FILES * WAIT / 1000 / at_once[ahead]
    assert at_once["0"] == 1
    assert 1 < at_once["3"] <= 3
    assert 3 < at_once["16"] <= 16
    assert 3 < at_once["auto"] <= 64


def test_near_files_are_not_read_ahead(folder, shim):
    """The worker reads them itself, unless it had to sleep by chance, on a busy machine."""
    said = []
    for number in range(5):
        command = [sys.executable, "-c", NEAR, "archive", "verify", "archive", "--ledger",
                   f"{number}.db", "--trust", "root.cert.pem"]  # fmt: skip
        env = _far.away(shim, folder / "archive")
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert done.stdout.endswith(f"{FILES} passed\n"), done
        said.append(done.stderr)
    assert "" in said


@pytest.mark.parametrize("ahead", ["0", "auto", "4"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_file_that_hangs(folder, shim, signed, ahead, jobs):
    """It is an error after the time-out, whoever reads it, and all others are verified."""
    os.rename("archive/050.dcm", "archive/050-hangs.dcm")
    away = _far.away(shim, folder / "archive")
    code, found, seconds = run("--read-ahead", ahead, "--read-timeout", "1", "--jobs", jobs,
                               env=away)  # fmt: skip
    assert code == 4
    assert counted(found) == {("passed", ""): FILES - 1, ("error", "hung"): 1}
    row = found["050-hangs.dcm"]
    assert row.sentence == ("it was not read within 1 seconds; --read-timeout SECONDS waits longer")
    assert row.size == len(signed["small"])
    assert 1 <= seconds < 30
    os.rename("archive/050-hangs.dcm", "archive/050.dcm")
    assert run()[0] == 0


@pytest.mark.parametrize("ahead", ["0", "auto", "4"])
def test_a_large_file_that_hangs_in_the_middle(folder, shim, signed, ahead):
    (folder / "archive" / "large-stalls.dcm").write_bytes(signed["large"])
    (folder / "archive" / "large.dcm").write_bytes(signed["large"])
    away = _far.away(shim, folder / "archive")
    code, found, seconds = run("--read-ahead", ahead, "--read-timeout", "1", env=away)
    assert code == 4
    assert counted(found) == {("passed", ""): FILES + 1, ("error", "hung"): 1}
    assert 1 <= seconds < 100  # not what a verification may take besides
    assert found["large-stalls.dcm"].reason == "hung"


def test_a_server_that_is_dead(folder, shim):
    """Most files hang: the run goes on, with new processes in place of those that are worn out."""
    for number in range(20, FILES):
        os.rename(f"archive/{number:03}.dcm", f"archive/{number:03}-hangs.dcm")
    away = _far.away(shim, folder / "archive")
    code, found, _ = run("--read-ahead", "4", "--read-timeout", "1", "--jobs", "2", env=away)
    assert code == 4
    assert counted(found) == {("passed", ""): 20, ("error", "hung"): FILES - 20}


IN_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from dicomseal import TrustStore
from dicomseal.archive.api import verify_archive
with ThreadPoolExecutor(2) as executor:
    for ledger in sys.argv[1:]:
        verify_archive(ledger, "archive", executor=executor, workers=2, read_timeout=1,
                       trust=TrustStore.from_files("root.cert.pem"))
"""


@pytest.mark.parametrize("name", ["050-hangs.dcm", "large-stalls.dcm"])
def test_in_a_process_that_is_not_ours_to_end(folder, shim, signed, name):
    """A worker of another executor, which reads near files itself; and its next run."""
    if name.startswith("large"):
        (folder / "archive" / name).write_bytes(signed["large"])
    else:
        os.rename("archive/050.dcm", f"archive/{name}")
    done = subprocess.run(
        [sys.executable, "-c", IN_THREADS, "1.db", "2.db"], capture_output=True, text=True,
        timeout=300, env=_far.away(shim, folder / "archive"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    good = FILES - (not name.startswith("large"))
    for ledger in ("1.db", "2.db"):
        found, run_of = rows(ledger)
        assert counted(found) == {("passed", ""): good, ("error", "hung"): 1}
        assert found[name].reason == "hung"
        assert run_of.finished - run_of.started < 60


NEAR = """
import multiprocessing, sys
multiprocessing.set_start_method("fork")
from dicomseal import cli
from dicomseal.archive.find.reader_threads import ReaderThreads
whole = ReaderThreads.submit
def submit(*all_of_it):
    if multiprocessing.parent_process():  # which looks whether the folder is there
        print("a thread reads", file=sys.stderr, flush=True)
    return whole(*all_of_it)
ReaderThreads.submit = submit
cli.main()
"""
MEMORY = """
import resource, sys
from dicomseal import cli
try:
    cli.main()
finally:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(usage.ru_maxrss << 10)
"""


@pytest.mark.parametrize("ahead", ["32", "auto"])
def test_memory_is_bounded_by_bytes(folder, shim, signed, ahead):
    """However many are read ahead, and however large they are."""
    for number in range(24):
        (folder / "archive" / f"large{number}.dcm").write_bytes(signed["large"])
        # as large as what is read whole can be
        (folder / "archive" / f"most{number}.dcm").write_bytes(signed["large"][:SNAPSHOT])
    away = _far.away(shim, folder / "archive", 5)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, "archive", "verify", "archive", "--ledger", "ledger.db",
         "--trust", "root.cert.pem", "--read-ahead", ahead],
        capture_output=True, text=True, env=away,
    )  # fmt: skip
    assert done.returncode == 4, done  # those that were cut
    assert int(done.stdout.splitlines()[-1]) < 150 << 20


def test_max_rate_still_holds(folder, shim, signed):
    away = _far.away(shim, folder / "archive", 5)
    rate = FILES * len(signed["small"]) / 2e6
    code, _, seconds = run("--max-rate", str(rate), "--read-ahead", "32", env=away)
    assert code == 0
    assert seconds > 1.9

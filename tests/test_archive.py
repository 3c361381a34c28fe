"""`archive verify` and `archive audit`: what is found, what is kept, what is said."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive import run as runs
from dicomseal.archive import walk, work
from dicomseal.archive.audit import audit
from dicomseal.archive.ledger import Ledger
from dicomseal.archive.locked import locked
from dicomseal.archive.loop import ExecutorLostError, Loop
from dicomseal.archive.run import Asked, Selection
from dicomseal.archive.sample import drawn, upper_bound
from dicomseal.errors import LedgerError, UsageError
from dicomseal.verifier import Options

VERDICTS = {"passed": 2, "failed": 1, "indeterminate": 1, "unsigned": 1, "error": 1, "not_dicom": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An archive with an object for each verdict, its ledger beside it, and the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("root", "rsa", "other"):
        pki.member(name).write(tmp_path)
    archive = tmp_path / "archive"
    (archive / "a" / "b").mkdir(parents=True)
    (archive / "unsigned.dcm").write_bytes(pki.small())
    for name, who in (("a/passed", "rsa"), ("a/b/again", "rsa"), ("indeterminate", "other")):
        sign_file(archive / "unsigned.dcm", archive / f"{name}.dcm", *pki.member(who).pair)
    good = (archive / "a" / "passed.dcm").read_bytes()
    (archive / "failed.dcm").write_bytes(good.replace(b"Doe^John", b"Doe^Jane"))
    (archive / "error.dcm").write_bytes(good[:-9])
    (archive / "notes.txt").write_text("no DICOM at all, and longer than a few bytes")
    (archive / "nothing").write_bytes(b"")
    return tmp_path


TRUST = ("--trust", "root.cert.pem")
VERIFY = ("archive", "verify", "archive", "--ledger", "ledger.db", *TRUST)


def rows(path="ledger.db", run=None):
    with Ledger(str(path)) as ledger:
        return list(ledger.rows(*ledger.span(ledger.find(run).number)))


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_verdict(run, folder, jobs):
    code, out, err = run(*VERIFY, "--jobs", str(jobs))
    assert (code, err) == (1, "")
    assert out.startswith("run 1 in ledger.db: complete\n8 files, ")
    assert out.endswith("2 passed, 1 failed, 1 indeterminate, 1 unsigned, 1 error, 2 not_dicom\n")
    found = {os.path.relpath(row.path, folder / "archive"): row for row in rows()}
    counts = {}
    for row in found.values():
        counts[row.verdict] = counts.get(row.verdict, 0) + 1
    assert counts == VERDICTS
    failed = found["failed.dcm"]
    assert (failed.reason, failed.reasons) == ("HASH_FAILURE", "HASH_FAILURE")
    assert "changed" in failed.sentence
    status = os.stat("archive/failed.dcm")
    assert (failed.size, failed.mtime) == (status.st_size, status.st_mtime_ns)
    (signature,) = found["a/passed.dcm"].signatures
    assert (signature.integrity, signature.trust) == ("intact", "trusted")
    assert signature.mac_algorithm == "SHA256"
    assert signature.signer.sha256 == pki.member("rsa").certificate.fingerprint(
        pki.hashes.SHA256()).hex()  # fmt: skip
    assert found["error.dcm"].signatures == ()


def test_a_ledger_holds_many_runs(run, folder):
    run(*VERIFY)
    assert run(*VERIFY, "--include", "passed*", "--include", "*/b/*")[0] == 0
    assert sorted(os.path.basename(row.path) for row in rows()) == ["again.dcm", "passed.dcm"]
    assert len(rows(run=1)) == 8
    code, out, _ = run("archive", "audit", "ledger.db")
    assert (code, out.splitlines()[:2]) == (
        0, ["ledger.db: intact", "  2 runs, 2 batches, 10 objects"],
    )  # fmt: skip


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


def test_age(run, folder):
    os.utime("archive/failed.dcm", (time.time() - 3 * 86400,) * 2)
    assert run(*VERIFY, "--older-than", "2d")[0] == 1
    assert [os.path.basename(row.path) for row in rows()] == ["failed.dcm"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--older-than", "soon"), "no age"),
        (("--sample", "7"), "no share"),
        (("--sample", "0%"), "no share"),
        (("--seed", "x"), "go with --sample"),
        (("--resume",), "no run"),
    ],
)
def test_usage(run, folder, options, said):
    code, out, err = run(*VERIFY, *options)
    assert code == 2
    assert said in err
    assert out == ""


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
    plain = list(walk.find(["archive"]))
    followed = list(walk.find(["archive"], follow=True))
    assert sorted(f.path for f in plain) == sorted(f.path for f in followed)
    trouble = {os.path.basename(f.path): f.trouble for f in plain if f.trouble}
    assert trouble == {"dangling": ("not_found", "a link to nothing")}
    os.symlink(folder / "archive" / "a", folder / "other")
    assert [f.trouble[0] for f in walk.find([str(folder / "other" / "b" / "gone")])] == [
        "not_found"
    ]


def test_what_vanishes_while_it_is_walked(folder):
    found = walk.find(["archive"])
    names = [os.path.basename(next(found).path)]
    os.rename("archive/a", "elsewhere")
    names += [os.path.basename(file.path) for file in found]
    assert "passed.dcm" not in names
    assert len(names) == 6


def test_an_empty_folder_is_an_error(run, folder):
    os.mkdir("empty")
    assert run("archive", "verify", "empty", "--ledger", "ledger.db")[0] == 4
    assert rows()[0].reason == "empty_folder"


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


def test_batches_are_bounded():
    files = [walk.Found(str(n), size) for n, size in enumerate([1, 1, 1, 9, 1, 1, 1, 1])]
    assert [[f.size for f in b] for b in walk.batches(files, 3, 5)] == [[1, 1, 1], [9], [1, 1, 1],
                                                                       [1]]  # fmt: skip


# --- the loop ------------------------------------------------------------------------------------


def dies(batch):
    if "poison" in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    if "raises" in batch:
        raise MemoryError("no more")
    return [f"done {item}" for item in batch]


def verdict(item, error):
    return [f"{item}: {type(error).__name__}"]


def in_processes():
    from dicomseal import parallel

    return parallel.pool(2, Options())


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_poison_is_isolated():
    items = [f"{n}" for n in range(60)]
    items[7] = items[23] = items[59] = "poison"
    items[31] = "raises"
    batches = [items[n : n + 8] for n in range(0, 60, 8)]
    results = list(Loop(in_processes, dies, verdict, 4).run(batches))
    assert sorted(item for batch, _ in results for item in batch) == sorted(items)
    said = sorted(line for _, lines in results for line in lines)
    assert said[:56] == sorted(f"done {item}" for item in items if item.isdecimal())
    assert said[56:] == ["poison: BrokenProcessPool"] * 3 + ["raises: MemoryError"]


def test_the_window_is_bounded():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield ["x"]

    loop = Loop(lambda: ThreadPoolExecutor(2), lambda batch: batch, verdict, 5)
    running = loop.run(endless())
    for number in range(1, 40):
        next(running)
        assert taken <= number + 5
    loop.stop()
    rest = len(list(running))
    assert rest <= 5
    assert taken == 39 + rest


def test_an_executor_that_is_gone():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ExecutorLostError, match="no more work"):
        list(Loop(lambda: executor, list, verdict, 1).run([["x"]]))


def test_any_executor(folder):
    asked = Asked(selection=Selection(roots=("archive",)))
    outcome = runs.verify("ledger.db", asked, Options(), executor=lambda: ThreadPoolExecutor(2))
    assert outcome.complete
    assert outcome.totals.files == len(rows()) == 8


def test_options_are_unpacked_once():
    batch = [walk.Found("gone")]
    work._unpacked.cache_clear()
    for _ in range(3):
        work.Elsewhere(Options())(batch)
    assert work._unpacked.cache_info().misses == 1
    assert work.rows_of(work.Elsewhere(Options())(batch))[0].reason == "not_found"


# --- stopping ------------------------------------------------------------------------------------


def test_stopped_and_resumed(folder):
    asked = Asked(selection=Selection(roots=("archive",)))
    seen = []

    def watch(progress, stop):
        seen.append(progress.files)
        if progress.files:
            stop()

    first = runs.verify("ledger.db", asked, Options(), watch=watch, batch_files=1)
    assert not first.complete
    assert len(rows()) == first.totals.files < 8
    with pytest.raises(UsageError, match="include"):
        other = Asked(selection=Selection(roots=("archive",), include=("x",)))
        runs.verify("ledger.db", other, Options(), resume=True)
    with pytest.raises(UsageError, match="weak"):
        other = Asked(selection=asked.selection, trust={"weak": "reject"})
        runs.verify("ledger.db", other, Options(), resume=True)
    second = runs.verify("ledger.db", asked, Options(), resume=True)
    assert (second.complete, second.run, second.totals.files) == (True, 1, 8)
    assert len({row.path for row in rows()}) == len(rows()) == 8
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact
    with pytest.raises(LedgerError, match="came to its end"):
        runs.verify("ledger.db", asked, Options(), resume=True)


def many(folder, count=400):
    data = pki.small()
    for number in range(count):
        (folder / "archive" / f"{number:05}.dcm").write_bytes(data)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("times", [1, 2])
def test_interrupted(run, folder, times):
    many(folder)
    arguments = [*VERIFY, "--max-rate", "0.05"]
    child = subprocess.Popen(
        [sys.executable, "-m", "dicomseal", *arguments], stdout=-1, stderr=-1, text=True
    )
    while not os.path.exists("ledger.db") or not _batches():
        assert child.poll() is None
        time.sleep(0.02)
    for _ in range(times):
        child.send_signal(signal.SIGINT)
        time.sleep(0.01)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    if times == 1:
        assert "not complete" in out
        assert "--resume" in err
    before = len(rows())
    assert 0 < before < 408
    code, out, _ = run(*VERIFY, "--resume")
    assert code == 1
    assert f"{408 - before} files now, {before} before" in out
    assert len({row.path for row in rows()}) == len(rows()) == 408


def _batches():
    try:
        with Ledger("ledger.db") as ledger:
            return ledger.span(1)[1]
    except LedgerError:
        return 0


# --- the ledger ----------------------------------------------------------------------------------


def test_one_run_at_a_time(run, folder):
    program = (
        "from dicomseal.archive.locked import locked\n"
        "with locked('ledger.db'): print('held', flush=True); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1)
    assert holder.stdout.readline() == b"held\n"
    code, _, err = run(*VERIFY)
    assert code == 2
    assert f"another run is writing to this ledger: process {holder.pid} on " in err
    holder.kill()
    holder.communicate()
    assert run(*VERIFY)[1].startswith("run 1 ")
    with locked("ledger.db"), pytest.raises(LedgerError, match="this process"), locked("ledger.db"):
        pass


def test_other_files_and_versions(run, folder):
    run(*VERIFY)
    with sqlite3.connect("ledger.db") as db:
        db.execute("PRAGMA user_version=7")
    code, _, err = run(*VERIFY)
    assert (code, "has version 7; this dicomseal reads version 1" in err) == (2, True)
    with sqlite3.connect("other.db") as db:
        db.execute("CREATE TABLE x (y)")
    for path, said in (("other.db", "no ledger of dicomseal"), ("root.cert.pem", "not a database"),
                       ("gone.db", "there is no ledger")):  # fmt: skip
        code, _, err = run("archive", "audit", path)
        assert (code, said in err) == (2, True), err


@pytest.mark.skipif(os.name != "posix", reason="limits the size of a file")
def test_a_full_disk(folder):
    """Of the ledger's file, as setrlimit plays it; nothing that was appended is lost."""
    many(folder)
    program = (
        "import resource, signal, sys; from dicomseal import cli;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.RLIM_INFINITY));"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *VERIFY], capture_output=True, text=True)
    assert done.returncode == 2, done
    assert "the ledger cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact
        before = len(rows())
        assert before < 408
    done = subprocess.run([sys.executable, "-m", "dicomseal", *VERIFY, "--resume"], text=True,
                          capture_output=True)  # fmt: skip
    assert "408 files" in done.stdout, done


EDITS = {
    "verdict": "UPDATE object SET verdict = 'passed' WHERE verdict = 'failed'",
    "path": "UPDATE object SET path = 'x' WHERE id = 3",
    "signature": "UPDATE signature SET integrity = 'unverifiable' WHERE object = 3",
    "signer": "UPDATE signer SET subject = 'CN=Somebody'",
    "a row": "DELETE FROM object WHERE id = 4",
    "its signature": "DELETE FROM signature WHERE object = 3",
    "one more": "INSERT INTO object SELECT 99, path, size, mtime, '', '', 'passed', '', '', '', 1"
    " FROM object WHERE id = 1",
    "a run": "DELETE FROM run WHERE id = 1",
    "its question": "UPDATE run SET asked = replace(asked, 'root', 'toor') WHERE id = 2",
    "totals": "UPDATE run_end SET totals = '{}' WHERE run = 1",
    "signed": "UPDATE run_end SET signature = zeroblob(256) WHERE run = 2",
    "unsigned": "UPDATE run_end SET signature = NULL WHERE run = 2",
    "bytes": "UPDATE batch SET bytes = 1 WHERE run = 1",
    "time": "UPDATE batch SET time = 1 WHERE run = 1",
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_show(run, folder, edit):
    run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    check = ("archive", "audit", "ledger.db", "--signer", "rsa.cert.pem")
    assert run(*check)[0] == 0
    with sqlite3.connect("ledger.db") as db:
        assert db.execute(EDITS[edit]).rowcount > 0
    code, out, _ = run(*check)
    assert (code, "CHANGED" in out) == (1, True), out


def test_a_chain_computed_anew_does_not_help(run, folder):
    """Who knows how the chain is made cannot make the signature."""
    from dicomseal.archive import chain

    run(*VERIFY, "--sign-run", "rsa.key.pem", "rsa.cert.pem")
    with sqlite3.connect("ledger.db") as db:
        db.execute(EDITS["verdict"])
    with Ledger("ledger.db") as ledger:
        (found,) = ledger.runs()
        (batch,) = ledger.batches(1)
        head = chain.of_batch(found.head, 1, batch.time, ledger.rows(1, 8))
    with sqlite3.connect("ledger.db") as db:
        db.execute("UPDATE batch SET head = ?", (head,))
        db.execute("UPDATE run_end SET head = ?",
                   (chain.of_end(head, found.finished, found.totals),))  # fmt: skip
    code, out, _ = run("archive", "audit", "ledger.db")
    assert (code, "its signature is not over what is there" in out) == (1, True)


def test_signed_by_somebody_else(run, folder):
    run(*VERIFY, "--sign-run", "other.key.pem", "other.cert.pem")
    assert run("archive", "audit", "ledger.db")[0] == 0
    code, out, _ = run("archive", "audit", "ledger.db", "--signer", "rsa.cert.pem")
    assert (code, "who was not named" in out) == (1, True)


# --- sampling, metrics ---------------------------------------------------------------------------


def test_a_draw_is_the_same_again():
    files = [walk.Found(f"/a/{n % 10}/{n}") for n in range(4000)]
    files.sort(key=lambda file: os.path.dirname(file.path))
    one = list(drawn(files, 0.1, "x", False))
    assert one == list(drawn(files, 0.1, "x", False))
    assert set(one) == set(drawn(reversed(files), 0.1, "x", False))
    assert 300 < len(one) < 500
    assert set(one) != set(drawn(files, 0.1, "y", False))
    strata = list(drawn(files, 0.001, "x", True))
    assert sorted(os.path.dirname(file.path) for file in strata) == [f"/a/{n}" for n in range(10)]


@pytest.mark.parametrize(
    ("drawn", "found", "bound"),
    [(10_000, 0, 1 - 0.05 ** (1 / 10_000)), (1, 0, 0.95), (10, 10, 1.0), (10, 1, 0.394163),
     (100, 5, 0.102253)],
)  # fmt: skip
def test_what_a_sample_proves(drawn, found, bound):
    """Against tables of Clopper and Pearson's bound, one-sided, 95%."""
    assert upper_bound(drawn, found) == pytest.approx(bound, rel=1e-4)


def test_metrics(run, folder):
    run(*VERIFY, "--metrics", "dicomseal.prom")
    text = (folder / "dicomseal.prom").read_text()
    for verdict, count in VERDICTS.items():
        assert f'dicomseal_archive_files{{verdict="{verdict}"}} {count}\n' in text
    assert "dicomseal_archive_complete 1\n" in text
    for line in text.splitlines():
        assert line.startswith("#") or len(line.split()) == 2


def test_rate(folder):
    asked = Asked(selection=Selection(roots=("archive",)))
    size = sum(file.size for file in walk.find(["archive"]))
    start = time.monotonic()
    runs.verify("ledger.db", asked, Options(), max_rate=size)
    assert time.monotonic() - start > 0.7
    assert json.loads(rows_totals())["bytes"] == size


def rows_totals():
    with Ledger("ledger.db") as ledger:
        return ledger.find().totals

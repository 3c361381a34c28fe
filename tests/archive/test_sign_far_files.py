"""`archive sign` on a server that does not answer: each file an error, and the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import _far
import pki
import pytest

from dicomseal import verify
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.files.reader import SNAPSHOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a shim for LD_PRELOAD")
FILES = 60


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pki.member("rsa").write(tmp_path)
    (tmp_path / "archive").mkdir()
    for number in range(FILES):
        (tmp_path / "archive" / f"{number:03}.dcm").write_bytes(pki.small())
    return tmp_path


def sign(shim, folder, *more, target=False, ledger="ledger.db"):
    where = ("--target", "signed") if target else ("--in-place",)
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "archive", "sign", "archive", "--ledger", ledger,
         "--key", "rsa.key.pem", "--cert", "rsa.cert.pem", *where, *more],
        capture_output=True, text=True, timeout=300, env=_far.away(shim, folder),
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    with Ledger(ledger) as opened:
        assert audit(opened).intact
        run = opened.find()
        found = list(opened.rows(*opened.span(run.number)))
    assert run.finished is not None
    rows = {Path(row.path).name: row for row in found}
    assert len(rows) == len(found)
    return done.returncode, rows, run.finished - run.started


def signed(path):
    found = verify(path, integrity_only=True)
    return found.verdict == "passed" and len(found.signatures) == 1


@pytest.mark.parametrize(("target", "jobs"), [(False, "2"), (True, "1")])
def test_a_file_that_hangs(folder, shim, target, jobs):
    os.rename("archive/030.dcm", "archive/030-hangs.dcm")
    before = Path("archive/030-hangs.dcm").read_bytes()
    code, rows, seconds = sign(shim, folder, "--read-timeout", "1", "--jobs", jobs, target=target)
    assert code == 4
    row = rows.pop("030-hangs.dcm")
    assert (row.verdict, row.reason) == ("error", "hung")
    assert row.sentence == "it was not read within 1 seconds; --read-timeout SECONDS waits longer"
    assert {row.verdict for row in rows.values()} <= {"signed", "already_signed"}
    assert len(rows) == FILES - 1
    assert 1 <= seconds < 60
    place = Path("signed" if target else "archive")
    assert all(signed(place / name) for name in rows)
    assert Path("archive/030-hangs.dcm").read_bytes() == before
    assert not list(Path().rglob(".dicomseal-*"))  # of the worker that was ended
    # when the server answers again, what is missing is signed, and nothing twice
    os.rename("archive/030-hangs.dcm", "archive/030.dcm")
    code, rows, _ = sign(shim, folder, target=target, ledger="next.db")
    verdicts = [row.verdict for row in rows.values()]
    assert (code, verdicts.count("signed"), verdicts.count("already_signed")) == (0, 1, FILES - 1)
    assert all(signed(place / name) for name in rows)


@pytest.mark.parametrize("target", [False, True], ids=["in-place", "target"])
def test_a_large_file_that_hangs_in_the_middle(folder, shim, target):
    """And one beside it that does not: it is read by the same threads, and signed."""
    pixels = (0x7FE00010, "OW", os.urandom(SNAPSHOT + 300_000))
    data = pki.small(elements=[*pki.SMALL[:-1], pixels])
    for name in ("large.dcm", "large-stalls.dcm"):
        Path("archive", name).write_bytes(data)
    code, rows, seconds = sign(shim, folder, "--read-timeout", "1", target=target)
    assert code == 4
    assert (rows["large-stalls.dcm"].verdict, rows["large-stalls.dcm"].reason) == ("error", "hung")
    assert [row.verdict for row in rows.values()].count("signed") == FILES + 1
    assert seconds < 60
    assert signed(Path("signed" if target else "archive") / "large.dcm")
    assert Path("archive/large-stalls.dcm").read_bytes() == data


def test_a_server_that_is_dead(folder, shim):
    """Most files hang: they are waited for several at once, not one after the other."""
    for number in range(10, FILES):
        os.rename(f"archive/{number:03}.dcm", f"archive/{number:03}-hangs.dcm")
    code, rows, seconds = sign(shim, folder, "--read-timeout", "1", "--jobs", "2")
    assert code == 4
    verdicts = [(row.verdict, row.reason) for row in rows.values()]
    assert verdicts.count(("error", "hung")) == FILES - 10
    assert seconds < 40


def test_a_copy_that_hangs(folder, shim):
    """What is in the target already is read as well."""
    assert sign(shim, folder, target=True, ledger="first.db")[0] == 0
    for place in ("archive", "signed"):
        os.rename(f"{place}/031.dcm", f"{place}/031-hangs.dcm")
    away = _far.away(shim, folder / "signed")
    done = subprocess.run(
        [sys.executable, "-m", "dicomseal", "archive", "sign", "archive", "--ledger", "second.db",
         "--key", "rsa.key.pem", "--cert", "rsa.cert.pem", "--target", "signed", "--read-timeout",
         "1"], capture_output=True, text=True, timeout=300, env=away,
    )  # fmt: skip
    assert done.returncode == 4, done
    with Ledger("second.db") as opened:
        found = {Path(row.path).name: row for row in opened.rows(*opened.span(1))}
    assert (found["031-hangs.dcm"].verdict, found["031-hangs.dcm"].reason) == ("error", "hung")
    assert [row.verdict for row in found.values()].count("already_signed") == FILES - 1

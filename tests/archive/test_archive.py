"""`archive verify`: what is found, what is kept, what is said."""

from __future__ import annotations

import json
import os
import time

import pki
import pytest
from _archive import VERDICTS, VERIFY, many, rows

from dicomseal.archive.find import walk
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.verification.options import Options


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--older-than", "soon"), "not an age"),
        (("--sample", "7"), "not a share"),
        (("--sample", "0%"), "not a share"),
        (("--seed", "x"), "go with --sample"),
        (("--resume",), "no run"),
    ],
)
def test_usage(run, folder, options, said):
    code, out, err = run(*VERIFY, *options)
    assert code == 2
    assert said in err
    assert out == ""


def test_rate(folder):
    asked = RunRequest(selection=Selection(roots=("archive",)))
    size = sum(file.size for file in walk.find_files(["archive"]))
    start = time.monotonic()
    runs.verify("ledger.db", asked, Options(), max_rate=size)
    assert time.monotonic() - start > 0.7
    assert json.loads(rows_totals())["bytes"] == size


def test_batches_of_a_rate(folder):
    """A batch is what comes in a second: one of many files would be out for long."""
    many(folder, 20)
    asked = RunRequest(selection=Selection(roots=("archive",), include=("0*.dcm",)))
    size = sum(
        file.size for file in walk.find_files(["archive"]) if os.path.basename(file.path)[0] == "0"
    )
    runs.verify("ledger.db", asked, Options(), max_rate=size / 4)
    with Ledger("ledger.db") as ledger:
        sizes = [batch.size for batch in ledger.batches(1)]
    assert len(sizes) == 4
    assert max(sizes) <= size / 4


def rows_totals():
    with Ledger("ledger.db") as ledger:
        return ledger.find().totals

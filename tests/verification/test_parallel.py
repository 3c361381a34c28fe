"""Verifying in several processes: the same reports, in the same order, whatever happens."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import pytest

from dicomseal import TrustStore
from dicomseal.verification import parallel
from dicomseal.verification.options import Options
from dicomseal.verification.parallel import BATCH, verify_many


@pytest.fixture
def files(test_files, tmp_path) -> list[str]:
    data = Path(test_files, "MR_small_RLE.dcm").read_bytes()
    paths = []
    for number in range(BATCH * 3 + 1):
        path = tmp_path / f"{number:03}.dcm"
        path.write_bytes(data if number % 7 else data[: 100 + number])
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("jobs", [2, 3])
def test_same_as_in_one_process(files, jobs):
    assert list(verify_many(files, Options(), jobs)) == list(verify_many(files, Options()))


def test_names_that_are_no_utf_8(files, tmp_path):
    odd = [os.path.join(tmp_path, os.fsdecode(name)) for name in (b"\xff.dcm", b"none\xff.dcm")]
    os.link(files[1], odd[0])
    reports = list(verify_many([files[1], *odd], Options(), 2))
    assert [report.path for report in reports] == [files[1], *odd]
    assert reports == list(verify_many([files[1], *odd], Options()))


def test_bounded(files):
    """Paths are taken from as results go out, not all at once."""
    taken = []

    def endless():
        while True:
            taken.append(files[len(taken) % len(files)])
            yield taken[-1]

    reports = verify_many(endless(), Options(), 2)
    for _ in range(BATCH * 2):
        next(reports)
    reports.close()
    assert len(taken) <= BATCH * 2 * parallel._WINDOW + 2 * BATCH


def _work_that_dies(paths):
    if any(path.endswith("040.dcm") for path in paths):
        os.kill(os.getpid(), signal.SIGKILL)
    return parallel_work(paths)


parallel_work = parallel._work


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_a_worker_that_dies_costs_one_file(files, monkeypatch):
    monkeypatch.setattr(parallel, "_work", _work_that_dies)
    listed = list(verify_many(files, Options(), 2))
    assert [report.path for report in listed] == files
    crashed = [report.path for report in listed if report.error and report.error.code == "crashed"]
    assert crashed == [files[40]]


def test_trust_travels_to_the_workers():
    import pki

    store = TrustStore([pki.member("root").certificate], [pki.member("rsa").certificate])
    again = pickle.loads(pickle.dumps(store))
    assert again.anchors == store.anchors
    assert again.intermediates == store.intermediates

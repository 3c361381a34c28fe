"""`dicomseal.archive.api.verify_archive`: the run of the command, from a program of one's own."""

from __future__ import annotations

import inspect
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from _archive import VERDICTS, VERIFY, many, rows

import dicomseal
from dicomseal.archive import api as archive
from dicomseal.errors import LedgerError, UsageError


@pytest.fixture
def trust(folder):
    return dicomseal.TrustStore.from_files("root.cert.pem")


def test_as_the_command(run, trust):
    run(*VERIFY)
    outcome = archive.verify_archive("l.db", ["archive"], trust=trust)
    assert (outcome.run, outcome.complete) == (1, True)
    assert outcome.totals.verdicts == VERDICTS

    def told(path):
        return sorted(
            (row.path, row.verdict, row.reason, [(one.uid, one.trust) for one in row.signatures])
            for row in rows(path)
        )

    assert told("l.db") == told("ledger.db")
    with archive.Ledger("l.db") as ledger:
        summary = archive.summarize(ledger)
    assert summary.asked.trusted.certificates[0].subject
    assert "options about" not in run("archive", "report", "l.db")[1]
    with ThreadPoolExecutor(2) as executor:
        again = archive.verify_archive("l.db", "archive", trust=trust, executor=executor)
    assert (again.run, again.totals.verdicts) == (2, VERDICTS)


def test_stopped_and_resumed(folder, trust):
    many(folder)
    seen = []

    def watch(progress, stop):
        seen.append(progress.files)
        if progress.files:
            stop()

    first = archive.verify_archive("l.db", "archive", trust=trust, jobs=2, watch=watch)
    assert not first.complete
    assert seen[0] == 0
    assert 0 < first.totals.files < 408
    for different in ({}, {"trust": trust, "require": "signature"}, {"trust": trust, "jobs": 0},
                      {"trust": trust, "include": "*.dcm"},
                      {"trust": trust, "limits": dicomseal.Limits(signatures=9)}):  # fmt: skip
        with pytest.raises(UsageError):
            archive.verify_archive("l.db", "archive", resume=True, **different)
    second = archive.verify_archive("l.db", "archive", trust=trust, resume=True)
    assert (second.run, second.complete, second.totals.files) == (1, True, 408)
    assert len({row.path for row in rows("l.db")}) == 408
    with pytest.raises(LedgerError):
        archive.verify_archive("l.db", "archive", trust=trust, resume=True)


def test_what_is_selected(folder, trust):
    outcome = archive.verify_archive("l.db", "archive", include=["*.dcm"], exclude="failed*",
                                     content_digest=True, integrity_only=True)  # fmt: skip
    assert {os.path.basename(row.path): len(row.content) for row in rows("l.db")} == {
        "passed.dcm": 32, "again.dcm": 32, "indeterminate.dcm": 32, "unsigned.dcm": 32,
        "error.dcm": 0,
    }  # fmt: skip
    assert outcome.totals.verdicts == {"passed": 3, "unsigned": 1, "error": 1}


def test_what_makes_no_sense(folder):
    for given in ({"roots": "gone"}, {"roots": ["archive", "archive/a"]}, {"weak": "no"}):
        with pytest.raises(UsageError):
            archive.verify_archive("l.db", **{"roots": "archive", **given})
    assert not os.path.exists("l.db")


def test_the_options_are_those_of_verify():
    one = inspect.signature(dicomseal.verify).parameters
    all_ = inspect.signature(archive.verify_archive).parameters
    assert {name: all_[name].default for name in one if name != "source"} == {
        name: found.default for name, found in one.items() if name != "source"
    }
    assert all(hasattr(archive, name) for name in archive.__all__)

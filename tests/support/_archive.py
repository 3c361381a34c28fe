"""An archive with an object for each verdict, and what the tests of the archive share."""

from __future__ import annotations

import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.errors import LedgerError

# of each kind that the folder below holds; a report names those of which there is none, too
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


def many(folder, count=400):
    data = pki.small()
    for number in range(count):
        (folder / "archive" / f"{number:05}.dcm").write_bytes(data)


def appended():
    """How many objects are in a ledger that is being written."""
    try:
        with Ledger("ledger.db") as ledger:
            return ledger.span(1)[1]
    except LedgerError:
        return 0

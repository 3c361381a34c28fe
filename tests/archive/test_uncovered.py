"""What no signature covers: in the ledger, and in what reads it."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from contextlib import closing

import pki
import pytest
from _archive import VERIFY, rows
from tests.verification.test_unsigned import COMMENT, IMAGE, SLOPE, added

from dicomseal import sign_file
from dicomseal.archive.ledger.uncovered import left_out, read, shortened, summed, told
from dicomseal.archive.reports import diff
from dicomseal.report import UncoveredClass
from dicomseal.signature.items import encode

PRIVATE = [(0x00111001 + n, "LO", b"x ") for n in range(12)]


@pytest.fixture
def archive(run, tmp_path, monkeypatch):
    """Signed objects: as they were, and with elements beside what is signed."""
    monkeypatch.chdir(tmp_path)
    for name in ("root", "rsa", "other"):
        pki.member(name).write(tmp_path)
    folder = tmp_path / "archive"
    folder.mkdir()
    sign_file(pki.part10(encode(IMAGE)), folder / "whole.dcm", *pki.member("rsa").pair)
    data = (folder / "whole.dcm").read_bytes()
    window = (0x00281050, "DS", b"40")
    (folder / "slope.dcm").write_bytes(added(data, SLOPE, COMMENT))
    (folder / "both.dcm").write_bytes(added(data, SLOPE, window, (0x00080054, "AE", b"PACS")))
    (folder / "private.dcm").write_bytes(added(data, *PRIVATE))
    (folder / "unsigned.dcm").write_bytes(pki.part10(encode(IMAGE)))
    (folder / "failed.dcm").write_bytes(data.replace(b"Doe^John", b"Doe^Jane"))
    return folder


def by_name():
    return {row.path.rpartition("/")[2].partition(".")[0]: row for row in rows()}


def test_the_rows(run, archive):
    assert run(*VERIFY)[0] == 1
    found = {name: (row.verdict, row.uncovered, row.uncovered_classes) for name, row in
             by_name().items()}  # fmt: skip
    some = ",".join(f"{tag:08X}" for tag, *_ in PRIVATE[:10])
    assert found == {
        "whole": ("passed", 0, ""),
        "slope": ("indeterminate", 2, "rescale=RescaleSlope other=PatientComments"),
        "both": ("indeterminate", 3,
                 "window=WindowCenter rescale=RescaleSlope archive=RetrieveAETitle"),
        "private": ("passed", 12, f"other={some}+2"),
        "unsigned": ("unsigned", 0, ""),
        "failed": ("failed", 0, ""),
    }  # fmt: skip
    assert by_name()["slope"].reason == "UNSIGNED_CONTENT"


def test_all_are_listed_on_demand(run, archive):
    run(*VERIFY, "--list-uncovered")
    row = by_name()["private"]
    assert row.uncovered_classes == "other=" + ",".join(f"{tag:08X}" for tag, *_ in PRIVATE)


@pytest.mark.parametrize(
    ("how", "verdicts"),
    [
        ("accept", ["failed", "passed", "unsigned"]),
        ("warn", ["failed", "indeterminate", "passed", "unsigned"]),
        ("reject", ["failed", "passed", "unsigned"]),
    ],
)
def test_the_policy(run, archive, how, verdicts):
    run(*VERIFY, "--unsigned", how)
    found = by_name()
    assert sorted({row.verdict for row in found.values()}) == verdicts
    assert found["whole"].verdict == "passed"
    assert (found["private"].verdict == "failed") is (how == "reject")
    assert found["slope"].uncovered == 2  # whatever is made of it


def test_a_run_goes_on_with_the_policy_it_was_begun_with(run, archive):
    run(*VERIFY, "--unsigned", "accept")
    with closing(sqlite3.connect("ledger.db", isolation_level=None)) as db:
        (asked,) = db.execute("SELECT asked FROM run").fetchone()
        db.execute("DELETE FROM run_end")
    assert json.loads(asked)["trust"]["unsigned"] == "accept"
    code, _, err = run(*VERIFY, "--resume")
    assert code == 2
    assert "run 1 had other options about trust: unsigned" in err


def test_the_report(run, archive):
    run(*VERIFY)
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    assert (report["uncovered_objects"], report["uncovered_elements"]) == (3, 17)
    names = {one["name"]: one for one in report["uncovered"]}
    assert list(names) == ["rescale", "window", "other", "archive"]
    assert names["rescale"] == {
        "name": "rescale", "effect": "meaning", "objects": 2, "elements": 2,
        "names": {"RescaleSlope": 2},
    }  # fmt: skip
    assert (names["other"]["objects"], names["other"]["elements"]) == (2, 13)
    assert names["archive"]["effect"] == "archive"
    text = run("archive", "report", "ledger.db")[1]
    assert "not covered by a passing signature: 17 elements of 3 objects\n" in text
    assert "2  rescale (says what signed elements mean): RescaleSlope\n" in text
    page = run("archive", "report", "ledger.db", "--format", "html")[1]
    assert "<h3>Not covered by a passing signature</h3><p>17 elements of 3 objects" in re.sub(
        "\n", "", page
    )
    assert (
        '<td data-head="Class">window (says what signed elements mean)</td>'
        '<td data-head="Elements">WindowCenter</td>'
    ) in page


def test_a_report_without_any(run, archive):
    for name in ("slope", "both", "private"):
        (archive / f"{name}.dcm").unlink()
    run(*VERIFY)
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    assert (report["uncovered"], report["uncovered_objects"], report["uncovered_elements"]) == (
        [],
        0,
        0,
    )
    for kind in ("text", "html"):
        out = run("archive", "report", "ledger.db", "--format", kind)[1]
        assert "covered by a passing" not in out


def test_the_export(run, archive):
    run(*VERIFY)
    run("archive", "export", "ledger.db", "--csv", "out.csv")
    with open("out.csv", newline="", encoding="utf-8") as file:
        lines = {line["path"].rpartition("/")[2]: line for line in csv.DictReader(file)}
    assert lines["slope.dcm"]["uncovered"] == "2"
    assert lines["slope.dcm"]["uncovered_classes"].startswith("rescale=RescaleSlope ")


def test_what_was_added_between_two_runs(run, archive):
    """Nothing but what stands beside the signed elements tells; the signatures are the same."""
    run(*VERIFY)
    data = (archive / "whole.dcm").read_bytes()
    (archive / "whole.dcm").write_bytes(added(data, COMMENT))
    data = (archive / "private.dcm").read_bytes()
    (archive / "private.dcm").write_bytes(added(data, SLOPE))
    run(*VERIFY, "--list-uncovered")
    code, out, _ = run("archive", "diff", "ledger.db", "--format", "jsonl")
    changes = [json.loads(line) for line in out.splitlines()]
    found = {one["path"].rpartition("/")[2]: one["change"] for one in changes}
    assert code == 1
    assert found == {"whole.dcm": "unsigned_changed", "private.dcm": "no_longer_passing"}


def test_who_is_trusted_otherwise_has_not_changed(run, archive):
    """Other signatures pass then, and they leave out other elements."""
    sign_file(archive / "slope.dcm", archive / "slope.dcm", *pki.member("other").pair)
    run(*VERIFY)
    first = by_name()["slope"]
    assert run(*VERIFY, "--trust-signer", "other.cert.pem")[0] == 1
    second = by_name()["slope"]
    assert first.uncovered_classes != second.uncovered_classes
    assert diff.compare(first, second) == diff.NEWLY_PASSING


def test_a_run_that_signs_keeps_what_it_left_out(run, archive):
    for path in archive.iterdir():
        if path.name != "unsigned.dcm":
            path.unlink()
    keys = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
    code, _, err = run("archive", "sign", "archive", "--ledger", "ledger.db", *keys,
                         "--in-place", "--tag", "PixelData", "--tag", "PatientName")  # fmt: skip
    assert (code, err) == (0, "")
    row = by_name()["unsigned"]
    assert (row.verdict, row.uncovered) == ("signed", 4)
    assert row.uncovered_classes == "meaning=Rows,Columns other=SOPClassUID,SOPInstanceUID"
    text = run("archive", "report", "ledger.db", "--run", "1")[1]
    assert "left out by signatures: 4 elements of 1 objects\n" in text


def test_text_and_back():
    classes = [
        UncoveredClass("rescale", "meaning", 1, ("RescaleSlope (0028,1053)",)),
        UncoveredClass("other", "other", 30, tuple(f"(0011,10{n:02X})" for n in range(25))),
    ]
    text = told(classes)
    assert text.endswith(",00111009+20")
    assert [(one.name, len(one.elements), one.more) for one in read(text)] == [
        ("rescale", 1, 0), ("other", 10, 20),
    ]  # fmt: skip
    assert shortened(text) == shortened(told(classes, listed=True))
    assert list(read("")) == []
    assert left_out((), ()) == ""
    assert left_out(["Rows (0028,0010)"], ["Rows (0028,0010)", "(0011,0010)"]) == (
        "meaning=Rows other=00110010"
    )


def test_sums_are_bounded():
    found = summed(((f"other=0011{n:04X}+1", 2) for n in range(100)), 10, "(others)")
    (one,) = found
    assert (one.objects, one.elements, len(one.names)) == (200, 400, 11)
    assert one.names["(others)"] == 180

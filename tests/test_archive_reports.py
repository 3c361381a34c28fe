"""`archive report` and `export`; the HTML is looked at in a real browser."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import zlib

import pki
import pytest
from _archive import VERDICTS, VERIFY

from dicomseal.archive.html import COLOURS

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def ledger(run, folder):
    (folder / "archive" / "<b>x&y.dcm").write_bytes((folder / "archive/failed.dcm").read_bytes())
    assert run(*VERIFY)[0] == 1
    return folder


def test_json(run, ledger):
    code, out, err = run("archive", "report", "ledger.db", "--format", "json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert (made["run"], made["files"], made["complete"], made["signed"]) == (1, 9, True, False)
    assert made["bytes"] == sum(
        os.path.getsize(os.path.join(where, name))
        for where, _, names in os.walk("archive")
        for name in names
    )
    assert made["verdicts"] == VERDICTS | {"failed": 2}
    assert made["reasons"] == {
        "HASH_FAILURE": 2, "NO_CERTIFICATE_CHAIN_FOUND": 1, "not_dicom": 1, "empty": 1,
        "truncated": 1,
    }  # fmt: skip
    assert made["algorithms"] == {"SHA256": 5}
    assert made["unsigned_share"] == pytest.approx(1 / 6)
    signers = {one["subject"]: one for one in made["signers"]}
    rsa = pki.member("rsa").certificate
    assert len(signers) == 2
    one = signers[rsa.subject.rfc4514_string()]
    assert one["sha256"] == rsa.fingerprint(pki.hashes.SHA256()).hex()
    assert [one[n] for n in ("signatures", "intact", "trusted", "without_timestamp")] == [
        4,
        2,
        4,
        4,
    ]
    failures = {os.path.basename(one["path"]): one for one in made["failures"]}
    assert failures.keys() == {"failed.dcm", "<b>x&y.dcm", "error.dcm"}
    assert failures["failed.dcm"]["sentence"].endswith("the content was changed")
    assert sum(point["files"] for point in made["throughput"]) == 9


def test_text(run, ledger):
    code, out, _ = run("archive", "report", "ledger.db", "--most", "1")
    assert code == 0
    assert re.search(r"^ +2  failed$", out, re.MULTILINE)
    assert out.endswith("  and 2 more\n")
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
    assert 10 < drawn < 50  # five standard deviations: it depends on the paths
    bound = 1 - 0.05 ** (1 / drawn)
    assert said == (
        f"of 60 files {drawn} were drawn, and none failed: with 95% confidence at most "
        f"{bound:.2%} of all would fail"
    )
    run(*VERIFY, "--sample", "50%", "--stratify")
    assert "no share of all is concluded" in run("archive", "report", "ledger.db")[1]


# --- html ----------------------------------------------------------------------------------------


def test_html_needs_nothing_else(run, ledger):
    run("archive", "report", "ledger.db", "--format", "html", "--output", "report.html")
    text = (ledger / "report.html").read_text("utf-8")
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|https?:", text)
    assert "<b>x" not in text


def browse(folder, *options):
    if BROWSER is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium")
        pytest.skip("there is no chromium")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={folder / 'browser'}", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--window-size=1000,900", "--hide-scrollbars", *options,
         (folder / "report.html").as_uri()],
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def pixels(path):
    """How many pixels of a PNG (8 bits, RGB or RGBA) have which colour."""
    data = path.read_bytes()
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    raw, step = zlib.decompress(packed), width * size
    before, counts = bytearray(step), {}
    for y in range(height):
        filtered, line = raw[y * (step + 1)], bytearray(raw[y * (step + 1) + 1 :][:step])
        for x in range(step if filtered else 0):
            a, b = line[x - size] if x >= size else 0, before[x]
            c = before[x - size] if x >= size else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[filtered]) & 255
        for x in range(0, step, size):
            colour = line[x : x + 3].hex()
            counts[colour] = counts.get(colour, 0) + 1
        before = line
    return counts


def test_html_in_a_browser(run, ledger):
    run("archive", "report", "ledger.db", "--format", "html", "--output", "report.html")
    dom = browse(ledger, "--dump-dom")
    assert "<h2>Failures</h2>" in dom
    assert "&lt;b&gt;x&amp;y.dcm" in dom
    browse(ledger, f"--screenshot={ledger / 'report.png'}")
    seen = pixels(ledger / "report.png")
    for verdict in ("passed", "failed", "indeterminate", "unsigned", "error", "not_dicom"):
        width = 440 * (VERDICTS | {"failed": 2})[verdict] / 2
        # the bar as it was drawn: 18 units high, and scaled to the window
        assert seen.get(COLOURS[verdict][1:], 0) > width * 18, verdict


# --- export --------------------------------------------------------------------------------------


def test_export(run, ledger):
    parquet = pytest.importorskip("pyarrow.parquet")
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

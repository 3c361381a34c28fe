"""Names of files in reports: two files never read the same, and a path opens its file."""

from __future__ import annotations

import csv
import json
import os
import string
from pathlib import Path

import pki
import pytest

from dicomseal.report import escaped, harmless, unescaped

# file names that some program or person may take for one another
ALIKE = [b"x\xfc.dcm", b"x\\xfc.dcm", b"x\\\\xfc.dcm", b"x\\udcfc.dcm", b"x\xc3\xbc.dcm",
         b"x\\.dcm", b"x\xad.dcm", b"x\xc2\xad.dcm", b"x\\u00ad.dcm", b"x\n.dcm", b"x\\n.dcm",
         b"x\x1b.dcm", b"x\\x1b.dcm", b"x\xed\xb3\xbc.dcm", b"x\xe2\x80\xae.dcm", b"x\\u202e.dcm",
         b"x\xf3\xa0\x80\x81.dcm", b"x\\U000e0001.dcm"]  # fmt: skip


def test_two_files_are_two_paths_in_every_output(run, tmp_path, monkeypatch):
    """And each can be turned back into the file's name."""
    monkeypatch.chdir(tmp_path)
    folder = os.path.join(os.fsencode(tmp_path), b"a")
    os.mkdir(folder)
    for number, name in enumerate(ALIKE):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(pki.small()[: -1 - number])
    root = os.fsdecode(folder)

    def said(*arguments):  # `run` gives bytes as Latin-1
        return run(*arguments)[1].encode("latin-1").decode().split("\n")[:-1]

    verified = [json.loads(line) for line in said("verify", "--format", "jsonl", root)]
    assert [os.path.getsize(unescaped(one["path"])) for one in verified] == [
        one["bytes"] for one in verified
    ]
    paths = [one["path"] for one in verified]
    assert sorted(map(os.fsencode, map(unescaped, paths))) == sorted(
        os.path.join(folder, name) for name in ALIKE
    )
    text = [line for line in said("verify", root) if line.startswith("error")]
    printed = [line.split(None, 1)[1] for line in text]
    assert [unescaped(line) for line in printed] == [unescaped(path) for path in paths]
    assert len(set(printed)) == len(set(paths)) == len(ALIKE)
    assert "x\\xfc.dcm" in {os.path.basename(path) for path in paths}
    run("archive", "verify", "--integrity-only", root, "--ledger", "l.db")
    run("archive", "export", "l.db", "--jsonl", "e.jsonl", "--csv", "e.csv")
    with open("e.jsonl", encoding="utf-8") as file:
        assert [json.loads(line)["path"] for line in file] == paths
    with open("e.csv", encoding="utf-8", newline="") as file:
        assert [line["path"] for line in csv.DictReader(file)] == paths
    report = json.loads("".join(said("archive", "report", "l.db", "--format", "json")))
    assert [one["path"] for one in report["failures"]] == paths[: len(report["failures"])]
    for name in ALIKE:
        os.unlink(os.path.join(folder, name))
    Path(root, "other").write_bytes(pki.small())
    run("archive", "verify", "--integrity-only", root, "--ledger", "l.db")
    changes = [json.loads(line) for line in said("archive", "diff", "l.db", "--format", "jsonl")]
    assert {one["path"] for one in changes if one["change"] == "vanished"} == set(paths)


@pytest.mark.parametrize("name", [*ALIKE, bytes(range(1, 256)), "ü\u0301\U0001f5c4".encode()])
def test_there_and_back(name):
    path = os.fsdecode(name)
    assert escaped(path) == escaped(name)
    assert unescaped(escaped(path)) == unescaped(harmless(escaped(path))) == path
    escaped(path).encode("utf-8")


def test_usual_names_are_as_they_are():
    for path in ("/archive/größe 1.dcm", f"/{string.printable[:62]}", "s3://b/x.dcm", ""):
        assert escaped(path) == unescaped(path) == path


def test_a_separator_of_folders_is_none_of_ours(monkeypatch):
    monkeypatch.setattr(os, "sep", "\\")
    for path in ("C:\\archive\\x.dcm", "C:\\archive\\größe.dcm"):
        assert escaped(path) == unescaped(path) == path


def test_a_text_that_names_no_file():
    assert escaped("\ud800.dcm") == "\\\\ud800.dcm"

"""docs/archive.md against the program: its commands and what they print."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import dicomseal

DOCUMENT = (Path(__file__).parents[2] / "docs" / "archive.md").read_text("utf-8")


def anonymous(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"[\d,]+ bytes in [\d.,]+ s, [\d,]+ files/s", "SO FAST", text)
    text = re.sub(r"files, [\d,]+ bytes\n", "files, N bytes\n", text)
    text = re.sub(r"2\.25\.\d+", "2.25.UID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[ T][\d:]+(\+00:00| UTC)", "TIME", text)
    return re.sub(r"/\S*/archive/", "/archive/", text)


def test_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dicomseal", "demo", "--keep", "archive"], check=True,
                   capture_output=True)  # fmt: skip
    for name in ("key.pem", "cert.pem", "ca.pem"):
        shutil.move(f"archive/{name}", name)
    dicomseal.remove_file("archive/rtplan.dcm", "archive/unsigned.dcm")
    Path("archive/notes.txt").write_text("about this archive, and not an object of it")
    commands = []
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL):
        for part in block.split("$ ")[1:]:
            line, _, expected = part.partition("\n")
            words = shlex.split(line)
            assert words[:2] == ["dicomseal", "archive"]
            done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
            assert done.returncode in (0, 1), (line, done.stderr)
            assert anonymous(done.stdout) == anonymous(expected), line
            commands.append(words[2])
    assert {"verify", "audit", "report"} <= set(commands)


def test_every_kind_of_change_is_explained():
    from dicomseal.archive.reports.diff import ALARMING, KINDS

    section = DOCUMENT.partition("## What changed")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert named == list(KINDS)
    assert set(named[: len(ALARMING)]) == ALARMING
    assert "if one of the first seven happened" in DOCUMENT
    assert len(ALARMING) == 7

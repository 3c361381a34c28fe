"""docs/explain.md against the program: its commands, its codes, its JSON."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dicomseal.explanation.diagnosis.cause import CauseCode
from dicomseal.explanation.step import STEPS

TEXT = (Path(__file__).parents[2] / "docs" / "explain.md").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the demo; every command of the page is run over them, in its order."""
    place = tmp_path_factory.mktemp("explain")
    command = [sys.executable, "-m", "dicomseal"]
    subprocess.run([*command, "demo", "--keep", "demo"], cwd=place, check=True, capture_output=True)
    shutil.copy(place / "demo" / "MR_small_bigendian.dcm", place / "signed.dcm")
    shutil.copy(place / "signed.dcm", place / "copy.dcm")
    shutil.copy(place / "demo" / "ca.pem", place / "ca.pem")
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL):
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            words = shlex.split(line)
            words[:1] = command if words[0] == "dicomseal" else words[:1]
            done = subprocess.run(words, cwd=place, capture_output=True, text=True)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
    return place


def test_every_command_is_run(folder):
    assert TEXT.count("\n$ ") >= 8
    for name in ("signed.json", "signed.html", "evidence"):
        assert (folder / name).exists()


def test_every_file_of_an_export_is_named(folder):
    named = set(re.findall(r"`(\w+\.(?:bin|pem|sh))`", TEXT))
    assert {path.name for path in (folder / "evidence").iterdir()} - {"key.pem"} <= named


def test_every_code_is_explained_and_no_other():
    part = TEXT[TEXT.index("| code | what happened") :]
    rows = re.findall(r"^\| `([A-Z_]+)` \|", part, re.MULTILINE)
    assert sorted(rows) == sorted(CauseCode)


def test_every_step_is_explained():
    assert re.findall(r"^\| (\d) \| `(\w+)` \|", TEXT, re.MULTILINE) == [
        (str(number), step) for number, step in enumerate(STEPS, 1)
    ]


def test_the_fields_of_the_json(folder):
    shown = json.loads(re.search(r"```json\n(\{\"mac\".*?)```", TEXT, re.DOTALL)[1])
    content = json.loads((folder / "signed.json").read_bytes())["signatures"][0]
    assert shown.keys() <= content.keys()
    assert shown["covers"][0].keys() == content["covers"][0].keys()
    assert shown["steps"][0].keys() == content["steps"][0].keys()
    assert shown["chain"][0].keys() <= content["chain"][0].keys()

"""An archive that nights go over, and what the tests of nights share."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pki
import pytest

from dicomseal import remove_file, sign_file

CONFIG = """\
[archive]
roots = ["archive"]
ledger = "ledger.db"
name = "ct"

[verify]
trust = ["root.cert.pem"]

[alarm]
baseline = "known.jsonl"
expiry-days = 0

[report]
json = "night.json"
new = "new.jsonl"
"""
NIGHT = ("archive", "nightly", "--config", "archive.toml")
ACCEPT = ("archive", "baseline", "--config", "archive.toml")


def make(place: Path, count: int = 4) -> None:
    """Make an archive of signed objects, its anchor, and the configuration of its nights."""
    for name in ("root", "rsa"):
        pki.member(name).write(place)
    archive = place / "archive" / "a"
    archive.mkdir(parents=True)
    (place / "archive" / "unsigned.dcm").write_bytes(pki.small())
    for number in range(count):
        source = place / "archive" / "unsigned.dcm"
        sign_file(source, archive / f"{number}.dcm", *pki.member("rsa").pair)
    (place / "archive.toml").write_text(CONFIG)


@pytest.fixture
def nights(tmp_path, monkeypatch):
    """The folder of such an archive, which is the current one."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    return tmp_path


def add(text: str) -> None:
    """Put lines into the configuration: behind the head of a table, or as a new table."""
    path = Path("archive.toml")
    head = text.partition("\n")[0]
    before = path.read_text()
    if head in before:
        path.write_text(before.replace(head, text, 1))
    else:
        path.write_text(before + text + "\n")


def told() -> dict[str, str]:
    """What the last night wrote of each object in new trouble, by its name."""
    lines = map(json.loads, Path("new.jsonl").read_text().splitlines())
    return {os.path.basename(one["path"]): one["kind"] for one in lines}


def night() -> dict:
    """The last night as data."""
    return json.loads(Path("night.json").read_text())


def damage(path: str) -> None:
    """Change what is signed."""
    data = Path(path).read_bytes()
    changed = data.replace(b"Doe^John", b"Doe^Jane")
    assert changed != data
    Path(path).write_bytes(changed)


def strip(path: str) -> None:
    """Take the signatures off."""
    remove_file(path, path)


def zero(path: str) -> None:
    """Empty a file."""
    with open(path, "wb"):
        pass


def metrics(path: str) -> dict[str, float]:
    """The figures in a file by their names, with kind and reason where they have these."""
    found = {}
    for line in Path(path).read_text().splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line).groups()
        more = "".join(f" {one}" for key in ("kind", "reason")
                       for one in re.findall(rf'\b{key}="([^"]*)"', labels))  # fmt: skip
        found[name.removeprefix("dicomseal_nightly_") + more] = float(value)
    return found

"""The README against the program: its commands, its sample of the output, its Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
# the files that its commands are about
MADE = re.search(r"```console\n(\$ \. CHECKOUT.*?)```\n", README, re.DOTALL)[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicomseal", *arguments], cwd=cwd, capture_output=True, text=True
    )


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a reader types it."""
    command = f'dicomseal() {{ "{sys.executable}" -m dicomseal "$@"; }}\n{line}'
    return subprocess.run(["sh", "-c", command], cwd=cwd, capture_output=True, text=True)


def anonymous(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"2\.25\.\d+", "2.25.UID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+-]+", "TIME", text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """The folder that the page makes, and what the demo printed."""
    folder = tmp_path_factory.mktemp("readme")
    activated, *lines = MADE.splitlines()
    assert activated.startswith("$ . CHECKOUT/.venv/bin/activate ")
    for line in lines:
        done = shell(line.removeprefix("$ "), cwd=folder)
        assert (done.returncode, done.stderr) == (0, ""), line
    key = ("--key", "key.pem", "--cert", "cert.pem")  # test_commands may run in another worker
    assert run("sign", "ct.dcm", "signed.dcm", *key, cwd=folder).returncode == 0
    return folder, (folder / "demo.txt").read_text("utf-8")


def test_the_sample_is_what_the_demo_prints(demo):
    sample = anonymous(re.search(r"```text\n(.*?)```", README, re.DOTALL)[1])
    printed = anonymous(demo[1])
    for part in sample.split("...\n"):
        assert part in printed


@pytest.fixture(scope="module")
def after_commands(demo) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """Every other `$` line of the README that calls dicomseal, one after the other."""
    lines = re.findall(r"^\$ (.*?)(?: +#.*)?$", README.replace(MADE, ""), re.MULTILINE)
    # the first are to show what it is, before there are files
    return [(line, shell(line, cwd=demo[0])) for line in lines if "dicomseal " in line]


def test_commands(after_commands):
    assert len(after_commands) >= 14
    for line, done in after_commands:
        altered = "verify" in line and "archive" in line
        assert done.returncode == int(altered), (line, done.stdout, done.stderr)


def test_python(demo, after_commands, monkeypatch):
    """It goes on with the files that the commands made."""
    monkeypatch.chdir(demo[0])
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_make_targets():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"`make ([a-z-]+)`", document.read_text("utf-8")))
        named |= set(re.findall(r"^\$ make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE))
        assert named <= targets, document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links(document):
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", document.read_text("utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tables(document):
    """Every row of a table has as many cells as its head."""
    text = re.sub(
        r"^ *```.*?^ *```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    for table in re.findall(r"(?:^\|.*\n)+", re.sub(r"`[^`\n]*`", "code", text), re.MULTILINE):
        rows = [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
        assert set(rows) == {rows[0]}, table.splitlines()[rows.index(max(rows))]


def test_verdicts_and_exit_codes():
    from dicomseal.cli import exit_codes

    for verdict, code in re.findall(r"^\| `(\w+)` \| (\d) \|", README, re.MULTILINE):
        assert exit_codes.exit_code({verdict: 1}) == int(code), verdict

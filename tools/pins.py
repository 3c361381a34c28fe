#!/usr/bin/env python3
"""Pins with hashes, requirements/*.txt, from the ranges in pyproject.toml.

``make pins`` writes them and keeps every version that still fits; ``make pins UPGRADE=--upgrade``
takes the newest of all; ``make pins-check`` says whether they are what pyproject.toml asks for.
One file serves every supported Python and system: what differs carries an environment marker.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = "requirements"
LIKE_DEV = ["--constraints", f"{FOLDER}/dev.txt"]
# in this order: the later ones take their versions from dev.txt, so that a package has one version
SETS = {
    "dev": ["pyproject.toml", "--all-extras", "--group", "dev"],
    "run": ["pyproject.toml", *LIKE_DEV],
    "bench": ["--group", "bench", *LIKE_DEV],
    "fuzz": ["--group", "fuzz", *LIKE_DEV],
    "differential": ["--group", "differential", *LIKE_DEV],
    "docs": ["--group", "docs", *LIKE_DEV],
    "supply": ["--group", "supply", *LIKE_DEV],
}


def compile_pins(folder: Path, lowest: str, upgrade: bool) -> None:
    """Write all sets into the ``requirements`` of a folder that has a pyproject.toml."""
    for name, inputs in SETS.items():
        command = [
            sys.executable, "-m", "uv", "pip", "compile", *inputs,
            "--universal", "--python-version", lowest, "--generate-hashes", "--no-header",
            "--no-emit-index-url", "--no-emit-find-links", "--quiet",
            "--output-file", f"{FOLDER}/{name}.txt",
        ]  # fmt: skip
        if upgrade:
            command.append("--upgrade")
        subprocess.run(command, cwd=folder, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--upgrade", action="store_true", help="the newest version of everything")
    how.add_argument("--check", action="store_true", help="write nothing; 1 if they differ")
    arguments = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lowest = project["requires-python"].removeprefix(">=")
    if not arguments.check:
        compile_pins(ROOT, lowest, arguments.upgrade)
        return 0
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        shutil.copy(ROOT / "pyproject.toml", copy)
        shutil.copytree(ROOT / FOLDER, copy / FOLDER)
        compile_pins(copy, lowest, upgrade=False)
        different = [
            line
            for file in SETS
            for line in difflib.unified_diff(
                (ROOT / FOLDER / f"{file}.txt").read_text("utf-8").splitlines(),
                (copy / FOLDER / f"{file}.txt").read_text("utf-8").splitlines(),
                f"{FOLDER}/{file}.txt", "what pyproject.toml asks for", "", "", 0, "",
            )
        ]  # fmt: skip
    print("\n".join(different[:50]))
    print("the pins do not match pyproject.toml: make pins" if different else "the pins match")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

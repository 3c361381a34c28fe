"""What `canonical.update` takes, to a type checker: each hasher that the documentation names."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import dicomseal

OWN = """from collections.abc import Buffer
class Own:
    def update(self, piece: Buffer) -> None: ...
"""
HASHERS = {
    "hashlib": ("import hashlib", "hashlib.sha256()"),
    "cryptography": (
        "from cryptography.hazmat.primitives import hashes", "hashes.Hash(hashes.SHA256())",
    ),
    "blake3": ("from blake3 import blake3", "blake3()"),
    "xxhash": ("import xxhash", "xxhash.xxh3_128()"),
    "own": (OWN, "Own()"),
}  # fmt: skip
WRONG = "class Wrong:\n    def update(self, text: str) -> None: ..."
# basedpyright is pyright as a wheel with all that it needs; that of its own downloads itself from
# npm when it is first called. In this mode it has pyright's strict rules and none of its own.
CHECKERS = {"mypy": ["--strict", "--python-version", "3.12"], "basedpyright": []}


def check(checker: str, text: str, folder) -> subprocess.CompletedProcess[str]:
    path = folder / "use.py"
    path.write_text(text)
    # what an editable install looks like is not known to pyright
    packages = [os.path.dirname(os.path.dirname(dicomseal.__file__)), *sys.path[1:]]
    options = {"typeCheckingMode": "strict", "pythonVersion": "3.12", "extraPaths": packages}
    (folder / "pyrightconfig.json").write_text(json.dumps(options))
    return subprocess.run(
        [sys.executable, "-m", checker, *CHECKERS[checker], str(path)],
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_hasher_passes_strictly(checker, tmp_path):
    lines = [setup for setup, _ in HASHERS.values()] + ["from dicomseal import canonical"]
    lines += [f'canonical.update({constructor}, "a.dcm")' for _, constructor in HASHERS.values()]
    done = check(checker, "\n".join(lines) + "\n", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("checker", CHECKERS)
def test_what_takes_text_does_not(checker, tmp_path):
    text = f'from dicomseal import canonical\n{WRONG}\ncanonical.update(Wrong(), "a.dcm")\n'
    done = check(checker, text, tmp_path)
    assert done.returncode == 1
    assert "Wrong" in done.stdout

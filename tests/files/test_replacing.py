"""Signing, stamping and removing, killed at every moment, leave the old file or the new one, whole.

Disks, owners and links are in `test_replacing_places.py`, changes in `test_replacing_changes.py`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pki
import pytest
from _killed import UID, WHEN
from tsa import Tsa

from dicomseal import remove_file, sign_file, verify
from dicomseal.files.reader import SNAPSHOT
from dicomseal.timestamps.request_files import insert_file, query_file

KILLER = Path(__file__).parents[1] / "support" / "_killed.py"
# What an administrator may delete (docs/writing.md): nothing else is ever left behind.
TEMPORARY = ".dicomseal-????????????????.tmp"
KILLED, EXCEEDED = -9, -25  # SIGKILL, SIGXFSZ

# name: (operation, where to, whether a target is there)
CASES = {
    "sign in place": ("sign", "same", True),
    "sign to a new file": ("sign", "other", False),
    "sign over another file": ("sign", "other", True),
    "remove in place": ("remove", "same", True),
    "remove to a new file": ("remove", "other", False),
    "timestamp in place": ("timestamp", "same", True),
    "timestamp to a new file": ("timestamp", "other", False),
}


def sized(size: int) -> bytes:
    """An unsigned object of about so many bytes."""
    return pki.small(
        elements=[*pki.SMALL[:-1], (0x7FE00010, "OW", bytes(range(250)) * (size // 250))]
    )


class Case:
    """One operation on one object, the file before and the file after."""

    def __init__(self, folder: Path, name: str, size: int) -> None:
        self.operation, where, self.exists = CASES[name]
        self.folder = folder
        self.key, self.certificate = pki.member("rsa").write(folder)
        plain, signed = folder / "plain", folder / "signed"
        plain.write_bytes(sized(size))
        sign_file(plain, signed, *pki.member("rsa").pair, uid=UID, when=WHEN)
        source = plain if self.operation == "sign" else signed
        self.new = (signed if self.operation == "sign" else plain).read_bytes()
        self.response = None
        if self.operation == "timestamp":
            self.new = self._stamped(signed)
        (folder / "work").mkdir()
        self.target = folder / "work" / "target.dcm"
        if where == "same":
            self.source, self.before = self.target, source
        else:
            self.source, self.before = source, folder / "before"
            self.before.write_bytes(b"another file" * 99)
        self.old = self.before.read_bytes() if self.exists else None

    def _stamped(self, signed: Path) -> bytes:
        response = Tsa(self.folder / "tsa").reply(query_file(signed)[1])
        self.response = self.folder / "response"
        self.response.write_bytes(response)
        insert_file(signed, self.folder / "stamped", response)
        return (self.folder / "stamped").read_bytes()

    def kill(self, how: str, **more: object) -> list[list]:
        """Run `_killed.py`; every outcome is the old or the new file, and what is left is named."""
        job = {
            "source": str(self.source), "target": str(self.target), "before": str(self.before),
            "exists": self.exists, "key": self.key if self.operation == "sign" else None,
            "certificate": self.certificate, "how": how,
            "response": self.response and str(self.response), **more,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, KILLER, json.dumps(job)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        outcomes = [json.loads(line) for line in done.stdout.splitlines()]
        for outcome in outcomes:
            assert outcome[2] in (digest(self.old), digest(self.new)), outcome
            assert len(outcome[3]) <= 1, outcome
            assert fnmatch.filter(outcome[3], TEMPORARY) == outcome[3], outcome
        return outcomes

    def count(self, outcomes: list[list], content: bytes | None) -> int:
        return sum(outcome[2] == digest(content) for outcome in outcomes)


def digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_killed_between_any_two_calls(tmp_path, name):
    case = Case(tmp_path, name, 5_000)
    outcomes = case.kill("steps")
    assert outcomes[-1][1:] == [0, digest(case.new), []]
    assert {outcome[1] for outcome in outcomes[:-1]} == {KILLED}
    # first the old file alone, then a temporary one beside it, then the new file alone
    seen = [(outcome[2] == digest(case.new), len(outcome[3])) for outcome in outcomes]
    phases = [phase for n, phase in enumerate(seen) if not n or phase != seen[n - 1]]
    assert phases == [(False, 0), (False, 1), (True, 0)]
    assert len(outcomes) > 100


@pytest.mark.parametrize("name", CASES)
def test_killed_while_it_writes(tmp_path, name):
    case = Case(tmp_path, name, 70_000)
    size = len(case.new)
    sizes = sorted({0, 1, size - 1, *range(0, size, 3_001), 8192, 65536})
    outcomes = case.kill("bytes", sizes=[*sizes, size])
    for outcome in outcomes[:-1]:
        assert outcome[1] == EXCEEDED
        assert outcome[2] == digest(case.old)
        assert len(outcome[3]) == 1
    assert outcomes[-1][1:] == [0, digest(case.new), []]


@pytest.mark.parametrize("name", ["sign in place", "sign over another file", "remove in place"])
def test_killed_at_any_time(tmp_path, name):
    """A large object, read through a window while it is written."""
    case = Case(tmp_path, name, SNAPSHOT + 1_000_000)
    outcomes = case.kill("times", times=25)[1:]
    assert len(outcomes) == 25
    assert any(outcome[3] for outcome in outcomes), "none was killed while it wrote"
    assert case.count(outcomes, case.old) > 2


def test_what_is_left_behind(tmp_path):
    """It is not half an object that passes, and it does not hinder the next attempt."""
    case = Case(tmp_path, "sign in place", 5_000)
    left = tmp_path / "work" / ".dicomseal-0123456789abcdef.tmp"
    for cut in (0, 1, 200, len(case.new) // 2, len(case.new) - 1):
        left.write_bytes(case.new[:cut])
        assert verify(left, integrity_only=True).verdict in ("error", "failed", "unsigned")
    case.target.write_bytes(case.old)
    sign_file(case.target, case.target, *pki.member("rsa").pair, uid=UID, when=WHEN)
    assert case.target.read_bytes() == case.new
    left.unlink()
    remove_file(case.target, case.target)
    assert case.target.read_bytes() == case.old
    assert os.listdir(tmp_path / "work") == ["target.dcm"]

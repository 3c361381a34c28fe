"""Instructions that the encoder takes, counted by valgrind: a figure that noise cannot move.

Counted are the index of a data set and its canonical stream, into a consumer that does nothing, so
no hash is in it. A program that does it N times and one that does it 2N times are compared: what
is left is N times the work itself, without the start of Python.
"""

from __future__ import annotations

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, workloads
from .measure import say

CASES = {"ct": 40, "sr_small": 40, "sr_large": 1}  # and the N of each
STEPS = ("index", "index and stream")


def run(cases: Iterable[str] = tuple(CASES)) -> dict[str, Any]:
    """Instructions for each step of each case, and for each record and byte of it.

    Raises:
        Unavailable: there is no valgrind.
    """
    if not shutil.which("valgrind"):
        raise Unavailable("instruction counts need valgrind (apt-get install valgrind)")
    results: dict[str, Any] = {}
    for name in cases:
        path = workloads.make(name)
        facts = workloads.describe(path)
        results[name] = {**facts, "steps": {}}
        n = CASES[name]
        for step in STEPS:
            say(f"instructions: {name}, {step}")
            counted = (_count(path, step, 2 * n) - _count(path, step, n)) / n
            results[name]["steps"][step] = {
                "instructions": counted,
                "per_record": counted / facts["records"],
                "per_byte": counted / facts["bytes"],
            }
    return results


def _count(path: Path, step: str, times: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            sys.executable,
            "-m",
            "bench.callgrind",
            str(path),
            step,
            str(times),
        ]
        # a fixed hash seed: else the layout of dicts, and with it the count, differs by run
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        found = re.search(r"^(?:summary|totals): (\d+)", _read(out), re.MULTILINE)
        if done.returncode or not found:
            raise Unavailable(f"callgrind failed:\n{done.stderr[-1000:]}")
        return int(found[1])


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""


def _child(path: str, step: str, times: str) -> None:
    from dicomseal.files.part10 import Part10

    part10 = Part10.from_bytes(Path(path).read_bytes())
    sink = collections.deque[object](maxlen=0).append  # a consumer in C that keeps nothing
    for _ in range(int(times)):
        index = part10.index()
        if step == STEPS[1]:
            index.stream(sink)


if __name__ == "__main__":
    _child(*sys.argv[1:])

"""What archives do for fixity today, beside us: a hash of every file, and no more.

Whole commands over the same files of 41 KB, two processes each, in turns: ``find | xargs -P2`` with
``sha256sum`` and with ``openssl dgst -sha256``, and `archive verify` with signatures, trust and
ledger. Files are in the page cache.
"""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, latency, parallel, signing, workloads
from .measure import say
from .tables import ratio, table

FILES = 40_000
JOBS = 2
MOST = 0.9  # ours over sha256sum
LABELS = {
    "sha256sum": f"`find \\| xargs -P{JOBS} sha256sum`",
    "openssl": f"`find \\| xargs -P{JOBS} openssl dgst -sha256`",
    "ours": f"`archive verify --jobs {JOBS}`, RSA-2048, trust, ledger",
}


def run(rounds: int) -> dict[str, Any]:
    """For each command its seconds and its processor seconds: medians, and all samples."""
    path = _tree()
    for tool in ("find", "xargs", "sha256sum", "openssl"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool}")
    commands: dict[str, Callable[[], None]] = {
        "sha256sum": lambda: _hashed(path, ["sha256sum"]),
        "openssl": lambda: _hashed(path, ["openssl", "dgst", "-sha256"]),
        "ours": lambda: _verified(path),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        say(f"fixity: round {number}")
        for name, command in commands.items():
            before, start = _processor(), time.perf_counter()
            command()
            if number:  # the first round has brought the files into the page cache
                seconds[name].append(time.perf_counter() - start)
                cpu[name].append(_processor() - before)
    return {
        "files": FILES,
        "seconds": {name: statistics.median(one) for name, one in seconds.items()},
        "cpu": {name: statistics.median(one) for name, one in cpu.items()},
        "samples": seconds,
    }


def _tree() -> Path:
    latency._copies("ct_small")
    source = sorted(parallel.copies("ct_small", latency.FILES).iterdir())
    target = cache() / f"fixity-{workloads.GENERATION}-{FILES}"
    if not target.exists():
        partial = target.with_suffix(".part")
        for number, file in enumerate(itertools.islice(itertools.cycle(source), FILES)):
            folder = partial / f"{number // 500:05}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:08}.dcm").hardlink_to(file)
        os.replace(partial, target)
    return target


def _hashed(path: Path, command: list[str]) -> None:
    with subprocess.Popen(["find", str(path), "-type", "f"], stdout=subprocess.PIPE) as find:
        subprocess.run(
            ["xargs", f"-P{JOBS}", *command], stdin=find.stdout, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _verified(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        subprocess.run(
            [sys.executable, "-m", "dicomseal", "archive", "verify", str(path), "--ledger",
             f"{folder}/ledger.db", "--trust", str(signing.key_and_certificate()[1]), "--jobs",
             str(JOBS)],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section of RESULTS.md."""
    del drawn
    seconds, cpu, files = found["seconds"], found["cpu"], found["files"]
    over = seconds["ours"] / seconds["sha256sum"]
    rows = [
        [LABELS[name], f"{seconds[name]:.2f}", f"{files / seconds[name]:,.0f}",
         f"{cpu[name] / files * 1e6:,.0f}", ratio(seconds[name] / seconds["sha256sum"]),
         str(len(found["samples"][name]))]
        for name in LABELS
    ]  # fmt: skip
    head = ["", "s", "files/s", "processor microseconds a file", "over sha256sum", "samples"]
    return [
        f"Whole commands over {files:,} files of 41 KB in the page cache, in turns. The first",
        "two hash bytes; ours verifies signatures, judges who signed, and keeps the result.",
        "",
        *table(head, rows),
        f"Over `sha256sum`, at most {MOST} is the target:",
        f"{over:.2f}." if over <= MOST else f"**{over:.2f}**.",
        "",
    ]

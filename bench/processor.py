"""Where the time of a run over an archive goes: samples of the processor, by `perf`.

Three whole commands with two processes: files in the page cache, files that are 5 ms away, and
signing. What a sample was in is told by the library: the hash is that of `hashlib` (libcrypto), the
key operations are those of cryptography (_rust), which has an OpenSSL of its own.
"""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, archive_sign, cache, fixity, latency, signing
from .measure import say
from .tables import table

JOBS = 2
RATE = 997  # samples a second
MILLISECONDS = 5
PARTS = {
    "kernel": ("[kernel", "[vdso", "[unknown"),
    "hash": ("libcrypto",),
    "key": ("_rust.",),
    "index, stream": ("_index_c", "_encoder_c", "_file_c"),
    "SQLite": ("libsqlite", "_sqlite3"),
}
REST = "Python"  # the interpreter, its modules, libc


def run() -> dict[str, Any]:
    """For each case: files, wall clock, and processor microseconds a file by process and part."""
    if shutil.which("perf") is None:
        raise Unavailable("there is no perf (linux-perf)")
    near, far = fixity._tree(), latency._copies("ct")
    unsigned = archive_sign.unsigned("sr_small")
    key, certificate = map(str, signing.key_and_certificate())
    verify = ["verify", "--trust", certificate]
    shim = {"LD_PRELOAD": str(latency._shim()), "SLOW_OPENS_MS": str(MILLISECONDS),
            "SLOW_OPENS_UNDER": str(far)}  # fmt: skip
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        sign = ["sign", "--key", key, "--cert", certificate, "--target", f"{folder}/signed"]
        cases = {
            f"{fixity.FILES:,} files of 41 KB, near": (near, verify, {}),
            f"{latency.FILES:,} of 530 KB, near": (far, verify, {}),
            f"{latency.FILES:,} of 530 KB, {MILLISECONDS} ms away": (far, verify, shim),
            f"signing {archive_sign.FOLDERS['sr_small']:,} reports of 7 KB": (unsigned, sign, {}),
        }
        found = {}
        for number, (name, (root, command, more)) in enumerate(cases.items()):
            say(f"processor: {name}")
            found[name] = _profiled(root, command, more, Path(folder) / str(number))
    return {"cases": found, "jobs": JOBS}


def _profiled(root: Path, command: list[str], more: dict[str, str], work: Path) -> dict[str, Any]:
    samples = work.with_suffix(".perf")
    what, *options = command
    ours = [sys.executable, "-m", "dicomseal", "archive", what, str(root), "--ledger",
            f"{work}.db", "--jobs", str(JOBS), *options]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(
        ["perf", "record", "-q", "-F", str(RATE), "-e", "cpu-clock", "-o", str(samples), "--",
         "env", *(f"{name}={value}" for name, value in more.items()), *ours],
        cwd=ROOT, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    told = subprocess.run(
        ["perf", "report", "-i", str(samples), "--stdio", "-F", "sample,pid,dso", "-t", "\t"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    counts: dict[int, collections.Counter[str]] = {}
    for line in told.splitlines():
        fields = [one.strip() for one in line.split("\t")]
        if line.startswith("#") or len(fields) != 3:
            continue
        pid = int(fields[1].partition(":")[0])
        counts.setdefault(pid, collections.Counter())[_part(fields[2])] += int(fields[0])
    if not counts:
        raise Unavailable(f"perf saw nothing: {told[:200]}")
    main, *workers = (counts[pid] for pid in sorted(counts))  # it was there before its workers
    whole: collections.Counter[str] = sum(workers, collections.Counter())
    files = sum(len(names) for _, _, names in os.walk(root))
    return {
        "files": files,
        "seconds": seconds,
        "main": {part: count / RATE for part, count in main.items()},
        "workers": {part: count / RATE for part, count in whole.items()},
    }


def _part(library: str) -> str:
    name = os.path.basename(library)
    for part, beginnings in PARTS.items():
        if name.startswith(beginnings):
            return part
    return REST


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section of RESULTS.md."""
    del drawn
    parts = [*PARTS, REST]
    lines = [
        f"Processor microseconds a file of whole commands with {found['jobs']} processes, their",
        f"start included, by {RATE} samples a second. *Waiting* is the time in which the workers",
        "did not run.",
        "",
    ]
    rows: list[list[str]] = []
    for name, one in found["cases"].items():
        each = 1e6 / one["files"]
        workers = sum(one["workers"].values())
        waiting = found["jobs"] * one["seconds"] - workers
        rows += [
            [f"{name}: {who}", *(f"{one[who].get(part, 0) * each:,.1f}" for part in parts),
             f"{sum(one[who].values()) * each:,.0f}",
             f"{waiting * each:,.0f}" if who == "workers" else ""]
            for who in ("workers", "main")
        ]  # fmt: skip
    return lines + table(["", *parts, "all", "waiting"], rows)

"""Where the time of a run over an archive goes: samples of the processor, by `perf`.

Whole commands with two processes: files in the page cache, files that are 5 ms away, workers of
Dask, and signing. What a sample was in is told by the library: the hash is that of `hashlib`
(libcrypto), the key operations are those of cryptography (_rust), which has an OpenSSL of its own.
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

from . import ROOT, Unavailable, archive_sign, cache, dask_workers, fixity, latency, signing
from .measure import say
from .tables import table

JOBS = 2
RATE = 997  # samples a second
MILLISECONDS = 5
PARTS = {
    "kernel": ("[kernel", "[vdso", "[unknown"),
    "hash": ("libcrypto",),
    "key": ("_rust.",),
    "index, stream": ("_index_c", "_encoder_c", "_file_c", "_opener_c"),
    "SQLite": ("libsqlite", "_sqlite3"),
}
_NONE: collections.Counter[str] = collections.Counter()
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
        name = f"{fixity.FILES:,} files of 41 KB, by workers of Dask"
        say(f"processor: {name}")
        with dask_workers._cluster() as (address, processes):
            by_them = [*verify, "--scheduler", address]
            found[name] = _profiled(near, by_them, {}, Path(folder) / "dask", processes)
    return {"cases": found, "jobs": JOBS}


def _profiled(
    root: Path, command: list[str], more: dict[str, str], work: Path,
    elsewhere: dict[str, int] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run a command; ``elsewhere`` are processes, by name, that work for it and are not its own."""
    samples, theirs = work.with_suffix(".perf"), work.with_suffix(".theirs")
    what, *options = command
    jobs = [] if elsewhere else ["--jobs", str(JOBS)]
    ours = [sys.executable, "-m", "dicomseal", "archive", what, str(root), "--ledger",
            f"{work}.db", *jobs, *options]  # fmt: skip
    record = ["perf", "record", "-q", "-F", str(RATE), "-e", "cpu-clock", "-o"]
    recorded = [*record, str(samples), "--", "env",
                *(f"{name}={value}" for name, value in more.items()), *ours]  # fmt: skip
    if elsewhere:
        # of everything: by the numbers of processes their new threads would be left out
        recorded = [*record, str(theirs), "-a", "--", *recorded]
    start = time.perf_counter()
    _quietly(recorded)
    seconds = time.perf_counter() - start
    counts = _counted(samples)
    found = {"files": sum(len(names) for _, _, names in os.walk(root)), "seconds": seconds}
    main, *workers = (counts[pid] for pid in sorted(counts))  # it was there before its workers
    if elsewhere:
        by_process = _counted(theirs)
        main = sum(workers, main)
        workers = [by_process.get(elsewhere[one], _NONE) for one in dask_workers.WORKERS]
        found["scheduler"] = _seconds(by_process.get(elsewhere["scheduler"], _NONE))
    return found | {"main": _seconds(main), "workers": _seconds(sum(workers, _NONE))}


def _quietly(command: list[str]) -> None:
    subprocess.run(
        command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _counted(samples: Path) -> dict[int, collections.Counter[str]]:
    """Return how many samples of each process were in each part."""
    if not samples.exists():
        raise Unavailable("perf may not sample other processes: kernel.perf_event_paranoid")
    # `perf report` tells threads apart where it says pid, and so would take those of the main
    # process for workers
    told = subprocess.run(
        ["perf", "script", "-i", str(samples), "-F", "pid,ip,dso"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    counts: dict[int, collections.Counter[str]] = {}
    for line in told.splitlines():
        pid, _, library = line.split(maxsplit=2)
        counts.setdefault(int(pid), collections.Counter())[_part(library.strip("()"))] += 1
    if not counts:
        raise Unavailable(f"perf saw nothing: {told[:200]}")
    return counts


def _seconds(counts: collections.Counter[str]) -> dict[str, float]:
    return {part: count / RATE for part, count in counts.items()}


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
            for who in ("workers", "scheduler", "main")
            if who in one
        ]  # fmt: skip
    return lines + table(["", *parts, "all", "waiting"], rows)

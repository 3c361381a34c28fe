"""`archive verify` over files that are far away: rate over latency, and over processes.

Every open of a file takes 0, 1, 5 or 20 ms more (a shim for LD_PRELOAD, `tests/support`), with 1, 2
and 8 processes; beside it, with two, what it is without reading ahead, over fewer files. And an S3
server (moto's) that answers each request for an object 20 ms later. All of a run is timed but the
start of Python: ledger, pool, walk.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, parallel, workloads
from .measure import say
from .tables import ratio, size, table

MILLISECONDS = (0, 1, 5, 20)
JOBS = (1, 2, 8)
FILES, FEW = 2_000, 300
ROWS = {"ct": 512, "ct_small": 140}
TARGETS = {5: 0.8, 20: 0.5}  # of the rate without latency, two processes, `ct`
NOTHING_LOST = 1.02  # `auto` over none ahead, without latency
OBJECTS, S3_MILLISECONDS = 300, 20
SHIM = ROOT / "tests/support/_slow_opens.c"


def run(rounds: int) -> dict[str, Any]:
    """``folders``: for each, files a second by processes and latency; and ``s3``."""
    shim, missing = _shim(), {}
    folders = {}
    for name in ROWS:
        path = _copies(name)
        rates: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for number in range(rounds):
            for milliseconds in MILLISECONDS:
                say(f"latency: {name}, {milliseconds} ms, round {number + 1}")
                for jobs in JOBS:
                    sample = _child(path, jobs, "auto", milliseconds, shim)
                    _noted(rates, f"{jobs}", milliseconds, sample)
                one_by_one = path if not milliseconds else few(path)
                sample = _child(one_by_one, 2, "0", milliseconds, shim)
                _noted(rates, "2, none ahead", milliseconds, sample)
        folders[name] = {
            "bytes": sum(file.stat().st_size for file in path.iterdir()),
            "rates": {
                who: {ms: _median(samples) for ms, samples in by_latency.items()}
                for who, by_latency in rates.items()
            },
        }
    try:
        s3 = _s3(min(rounds, 3))
    except Unavailable as error:
        s3, missing = {}, {"s3": str(error)}
    return {"files": FILES, "folders": folders, "s3": s3, "missing": missing}


def _noted(rates: Any, who: str, milliseconds: int, sample: dict[str, Any]) -> None:
    rates.setdefault(who, {}).setdefault(str(milliseconds), []).append(sample)


def _median(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "rate": statistics.median(one["rate"] for one in samples),
        "cpu": statistics.median(one["cpu"] for one in samples),
        "worker_memory": max(one["worker_memory"] for one in samples),
        "memory": max(one["memory"] for one in samples),
        "verdicts": samples[-1]["verdicts"],
        "samples": len(samples),
    }


def _shim() -> Path:
    library = cache() / "slow_opens.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"the shim cannot be built: {error}") from error
    return library


def _copies(name: str) -> Path:
    if name == "ct_small":
        workloads.WORKLOADS.setdefault(name, lambda path: workloads.ct(path, rows=ROWS[name]))
    return parallel.copies(name, FILES)


def few(path: Path) -> Path:
    """A folder with the first of these files."""
    target = path.with_name(f"{path.name}-few")
    if not target.exists():
        partial = target.with_suffix(".part")
        partial.mkdir(exist_ok=True)
        for file in sorted(path.iterdir())[:FEW]:
            (partial / file.name).hardlink_to(file)
        os.replace(partial, target)
    return target


def _child(root: Path | str, jobs: int, ahead: str, milliseconds: int, shim: Path | None) -> Any:
    environment = dict(os.environ)
    if milliseconds and shim is not None:
        environment |= {"LD_PRELOAD": str(shim), "SLOW_OPENS_MS": str(milliseconds),
                        "SLOW_OPENS_UNDER": str(root)}  # fmt: skip
    command = [sys.executable, "-m", "bench.latency", str(root), str(jobs), ahead]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, env=environment
    )
    if done.returncode:
        raise Unavailable(f"{root}: exit code {done.returncode}")
    return json.loads(done.stdout)


def _s3(rounds: int) -> dict[str, Any]:
    """The rate over an S3 server without and with latency, with and without reading ahead."""
    if any(importlib.util.find_spec(name) is None for name in ("moto", "flask", "obstore")):
        raise Unavailable("no moto, flask or obstore")
    sys.path.insert(0, str(ROOT / "tests/support"))
    try:
        support = importlib.import_module("_s3")
    finally:
        sys.path.pop(0)
    data = workloads.make("ct").read_bytes()
    rates: dict[str, list[float]] = {}
    with support.running() as server:
        os.environ |= server.environment
        server.put("bench")
        for number in range(OBJECTS):
            server.put("bench", f"ct/{number:04}.dcm", data)
        for number in range(rounds):
            for milliseconds in (0, S3_MILLISECONDS):
                say(f"latency: S3, {milliseconds} ms, round {number + 1}")
                server.faults({"path": ".dcm", "wait": milliseconds / 1000})
                for ahead in ("auto", "0"):
                    sample = _child("s3://bench/ct", 2, ahead, 0, None)
                    rates.setdefault(f"{milliseconds} ms, {ahead}", []).append(sample["rate"])
    return {"objects": OBJECTS, "rates": {name: statistics.median(r) for name, r in rates.items()}}


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section of RESULTS.md."""
    lines = [
        f"Files a second over {found['files']:,} files, by the milliseconds that each open takes",
        "more, and by processes. Integrity only; files in the page cache, their latency by a shim.",
        "",
    ]
    if drawn.get("latency"):
        lines += ["![files a second over latency, and over processes](latency.svg)", ""]
    for name, one in found["folders"].items():
        rows = []
        for who, rates in one["rates"].items():
            base = rates["0"]["rate"]
            rows.append(
                [f"{who} {'process' if who == '1' else 'processes'}"
                 if "," not in who else "2 processes, none ahead",
                 *(f"{rates[str(ms)]['rate']:,.0f} ({rates[str(ms)]['rate'] / base:.2f})"
                   for ms in MILLISECONDS),
                 f"{max(r['worker_memory'] for r in rates.values()) >> 20}",
                 f"{max(r['memory'] for r in rates.values()) >> 20}"]
            )  # fmt: skip
        head = [
            f"{name}, {size(one['bytes'] // found['files'])}",
            *(f"{ms} ms" for ms in MILLISECONDS),
            "MiB of a worker",
            "MiB of the main process",
        ]
        lines += table(head, rows)
    lines += _targets(found)
    if found["s3"]:
        rates = found["s3"]["rates"]
        with_latency = f"{S3_MILLISECONDS} ms, "
        share = rates[f"{with_latency}auto"] / rates["0 ms, auto"]
        lines += [
            f"S3 (moto's server on loopback), {found['s3']['objects']} CT, two processes:",
            f"{rates['0 ms, auto']:,.0f} a second; {S3_MILLISECONDS} ms a request more:",
            f"{rates[with_latency + 'auto']:,.0f} a second, none ahead",
            f"{rates[with_latency + '0']:,.0f}. Of the rate without latency, at least",
            f"{TARGETS[20]} is the target: {_mark(share, TARGETS[20])}.",
            "",
        ]
    return lines + [f"- {name} did not run: {why}" for name, why in found["missing"].items()]


def _targets(found: dict[str, Any]) -> list[str]:
    rates = found["folders"]["ct"]["rates"]
    two = rates["2"]
    rows = [
        [f"ct, two processes, {ms} ms over 0 ms, at least", f"{least:.2f}",
         _mark(two[str(ms)]["rate"] / two["0"]["rate"], least)]
        for ms, least in TARGETS.items()
    ]  # fmt: skip
    for name, one in found["folders"].items():
        rates = one["rates"]
        lost = rates["2"]["0"]["cpu"] / rates["2, none ahead"]["0"]["cpu"]
        text = ratio(lost) if lost <= NOTHING_LOST else f"**{ratio(lost)}**"
        rows.append([f"{name}, without latency, processor time of auto over none ahead, at most",
                     f"{NOTHING_LOST:.2f}x", text])  # fmt: skip
    return table(["", "target", "measured"], rows)


def _mark(value: float, least: float) -> str:
    return f"{value:.2f}" if value >= least else f"**{value:.2f}**"


# --- what runs in a process of its own ------------------------------------------------------------


def verify(root: str, jobs: str, ahead: str) -> dict[str, Any]:
    """One whole run: files a second, processor time a file, memory."""
    from dicomseal.archive.find.ahead import Reading
    from dicomseal.archive.run import runner as runs
    from dicomseal.archive.run.runner import RunRequest, Selection
    from dicomseal.verification.options import Options

    from .archive import children

    asked = RunRequest(selection=Selection(roots=(root,)))
    reading = Reading(ahead=None if ahead == "auto" else int(ahead))
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        start, own, before = time.perf_counter(), time.process_time(), children()
        outcome = runs.verify(
            f"{folder}/ledger.db", asked, Options(integrity_only=True), jobs=int(jobs),
            reading=reading,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        cpu = time.process_time() - own + children() - before
    totals = outcome.totals
    return {
        "rate": totals.files / seconds,
        "cpu": cpu / totals.files,
        "worker_memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "verdicts": totals.verdicts,
    }


if __name__ == "__main__":
    print(json.dumps(verify(*sys.argv[1:])))

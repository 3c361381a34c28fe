"""`archive verify` and its ledger: against the floor and dcmsign, over many files, and very many.

``race``: the ``archive`` workload, ten times over (hard links), with two processes, each pass from
nothing: ledger, pool, walk. ``growth``: cost per file over real files. ``long``: 10^7 objects by a
stand-in for the verifier, so that what is measured is loop, ledger and report; the memory of the
process is read as the run goes on.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, contenders, peers, signing, workloads
from .measure import say, spread

JOBS = 2
RACE = 20_000
GROWTH = (1_000, 10_000, 100_000)
LONG = 10_000_000
LONG_BATCH = 1_000
LIMIT = 300 << 20
POINTS = 100


def run(rounds: int, budget: float) -> dict[str, Any]:
    """``race``, ``growth`` and ``long``, and ``missing`` with why one of them is not there.

    $DICOMSEAL_BENCH_LONG is another number of objects for ``long``.
    """
    missing: dict[str, str] = {}
    race = _race(min(rounds, 7), budget, missing)
    growth = [_grown(count, 3 if count < GROWTH[-1] else 1) for count in GROWTH]
    count = int(os.environ.get("DICOMSEAL_BENCH_LONG") or LONG)
    say(f"archive: {count:,} objects by a stand-in")
    return {"race": race, "growth": growth, "long": _child("long", count), "missing": missing}


def tree(count: int) -> Path:
    """So many signed files in folders of 500: hard links to the ``archive`` workload."""
    source = sorted(workloads.archive().iterdir())
    target = cache() / f"tree-{workloads.GENERATION}-{count}"
    if not target.exists():
        say(f"linking {count:,} files")
        partial = target.with_suffix(".part")
        for number, file in enumerate(itertools.islice(itertools.cycle(source), count)):
            folder = partial / f"{number // 500:05}"
            if number % 500 == 0:
                folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:08}.dcm").hardlink_to(file)
        os.replace(partial, target)
    return target


def _race(rounds: int, budget: float, missing: dict[str, str]) -> dict[str, Any]:
    path = tree(RACE)
    say(f"archive: {RACE:,} files, floor and ours in turns")
    floor = contenders.start(contenders.CONTENDERS["floor"])
    samples: dict[str, list[float]] = {"floor": [], "ours": [], "dcmsign": []}
    cpu, whole = [], str(workloads.archive())
    try:
        repeat = RACE / len(os.listdir(whole))
        floor.run(1, whole)
        _child("verify", str(path), 1)
        for number in range(rounds):
            if number and sum(samples["ours"]) > budget:
                break
            samples["floor"] += [one * repeat for one in floor.run(1, whole)["seconds"]]
            sample = _child("verify", str(path), 1)
            samples["ours"] += sample["seconds"]
            cpu += sample["cpu"]
    finally:
        floor.close()
    try:
        say("archive: find | xargs dcmsign")
        samples["dcmsign"].append(_xargs(whole) * repeat)
    except Unavailable as error:
        missing["dcmsign"] = str(error)
    found = {name: spread(seconds) for name, seconds in samples.items() if seconds}
    ours, half = found["ours"]["median"], found["floor"]["median"] / JOBS
    return {
        "files": RACE,
        "bytes": sum(file.stat().st_size for file in workloads.archive().iterdir()) * int(repeat),
        "contenders": found,
        "cpu": statistics.median(cpu),
        "over_half_floor": ours / half,
        "dcmsign_over_ours": found["dcmsign"]["median"] / ours if "dcmsign" in found else None,
    }


def _xargs(folder: str) -> float:
    """Seconds of ``find | xargs -P2`` over the files of a folder."""
    command = [peers.dcmsign(), "-q", "+cf", str(signing.key_and_certificate()[1])]
    start = time.perf_counter()
    find = subprocess.Popen(["find", folder, "-type", "f"], stdout=subprocess.PIPE)
    subprocess.run(
        ["xargs", f"-P{JOBS}", "-n1", *command], stdin=find.stdout, check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    find.wait()
    return time.perf_counter() - start


def _grown(count: int, passes: int) -> dict[str, Any]:
    path = tree(count)
    say(f"archive: {count:,} real files")
    sample = _child("verify", str(path), passes)
    return {
        "files": count,
        "seconds": statistics.median(sample["seconds"]),
        "cpu": statistics.median(sample["cpu"]),
        "parent_cpu": statistics.median(sample["parent_cpu"]),
        "ledger_bytes": sample["ledger_bytes"],
        "verdicts": sample["verdicts"],
    }


def _child(what: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.archive", what, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{what}: exit code {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# --- what runs in a process of its own ------------------------------------------------------------


def verify(path: str, passes: str) -> dict[str, Any]:
    """Passes of a whole run with two processes: wall clock, and the processor time of all."""
    from dicomseal.archive.run import runner as runs
    from dicomseal.archive.run.runner import RunRequest, Selection
    from dicomseal.verification.options import Options

    asked = RunRequest(selection=Selection(roots=(path,)))
    samples: dict[str, Any] = {"seconds": [], "cpu": [], "parent_cpu": []}
    for _ in range(int(passes)):
        with tempfile.TemporaryDirectory(dir=cache()) as folder:
            ledger = f"{folder}/ledger.db"
            start, own, before = time.perf_counter(), time.process_time(), children()
            outcome = runs.verify(ledger, asked, Options(integrity_only=True), jobs=JOBS)
            samples["seconds"].append(time.perf_counter() - start)
            samples["parent_cpu"].append(time.process_time() - own)
            samples["cpu"].append(samples["parent_cpu"][-1] + children() - before)
            samples["ledger_bytes"] = os.path.getsize(ledger) / outcome.totals.files
            samples["verdicts"] = outcome.totals.verdicts
    return samples


def children() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def long(text: str) -> dict[str, Any]:
    """A run over objects that are not there, and the report on it; memory as it goes on."""
    from dicomseal.archive.find import walk
    from dicomseal.archive.ledger.ledger import VERIFY, Ledger
    from dicomseal.archive.reports.summary import summarize
    from dicomseal.archive.run import runner as runs
    from dicomseal.archive.run import verify_worker
    from dicomseal.archive.run.runner import Progress, RunRequest, Selection, Task
    from dicomseal.verification.options import Options

    count = int(text)
    points: list[dict[str, float]] = []
    start = time.perf_counter()

    def watch(progress: Progress, _: object) -> None:
        if progress.files * POINTS >= len(points) * count:
            points.append({"files": progress.files, "seconds": time.perf_counter() - start,
                           "memory": _memory()})  # fmt: skip

    walk.find_files = lambda *_, **__: _imagined(count)
    template = str(min(workloads.archive().iterdir()))
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        ledger = f"{folder}/ledger.db"
        options = Options(integrity_only=True)
        standin = Standin(template)
        task = Task(verify_worker.Pools(JOBS, options), standin, verify_worker.crashed,
                    lambda packed: (packed, ""), JOBS)  # fmt: skip
        outcome = runs.carry_out(
            ledger, VERIFY, RunRequest(selection=Selection(roots=(folder,))), lambda _: task,
            resume=False, max_rate=None, sign=None, watch=watch, batch_files=LONG_BATCH,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        if outcome.totals.files != count:
            raise SystemExit(f"{outcome.totals.files:,} objects, not {count:,}")
        size = os.path.getsize(ledger)
        start = time.perf_counter()
        with Ledger(ledger) as opened:
            summary = summarize(opened)
        return {
            "objects": outcome.totals.files,
            "seconds": seconds,
            "points": points,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
            "limit": LIMIT,
            "ledger_bytes": size / count,
            "report": {"files": summary.files, "seconds": time.perf_counter() - start,
                       "memory": _memory()},
        }  # fmt: skip


class Standin:
    """In place of a verification: the row of one real file, with another path and other UIDs."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._row: Any = None

    def __call__(self, batch: list[Any]) -> bytes:
        import msgspec

        from dicomseal.archive.ledger.rows import row_of
        from dicomseal.verification.options import Options
        from dicomseal.verification.verifier import verify_with

        global _row
        if _row is None:
            options = Options(integrity_only=True, digests=True)
            report = verify_with(self._template, options)
            _row = row_of(report, self._template, 1, 1, time.time())
        rows = []
        for file in batch:
            uid = f"2.25.{hash(file.path) & (1 << 120) - 1}"
            signatures = tuple(msgspec.structs.replace(s, uid=uid) for s in _row.signatures)
            rows.append(
                msgspec.structs.replace(
                    _row, path=file.path, sop_instance_uid=uid, signatures=signatures
                )
            )
        return msgspec.msgpack.encode(rows)


_row: Any = None


def _imagined(count: int) -> Iterator[Any]:
    from dicomseal.archive.find.found import Found

    for number in range(count):
        yield Found(f"/archive/{number // 10**6:03}/{number // 500:06}/{number:010}.dcm", 8_000, 1)


def _memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps({"verify": verify, "long": long}[sys.argv[1]](*sys.argv[2:])))

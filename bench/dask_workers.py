"""`archive verify --scheduler` on loopback beside `--jobs 2`: where the processor's time goes.

A scheduler and two workers are started as docs/archive.md says, each a process of its own, and
runs by them and by two local processes take turns over the same files. The processor time of every
process is read from /proc. The first run finds workers that have never verified anything; the last
one workers that were idle. What a process of Dask takes while there is nothing to do (heartbeats,
its monitor) is measured too: on a busy machine a run lasts longer, and has more of it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, signing, workloads
from .archive import JOBS, children
from .measure import say
from .tables import ratio, size, table

FILES, DISTINCT = 40_000, 500
IDLE = 20.0  # seconds before the last run
PRELOAD = "dicomseal.archive.run.dask_worker"
WORKERS = tuple(f"worker{number}" for number in range(JOBS))
_TICKS = os.sysconf("SC_CLK_TCK")


def run(rounds: int) -> dict[str, Any]:
    """For each run ``local`` and ``dask``: seconds, and processor seconds of every process.

    $DICOMSEAL_BENCH_DASK is another number of files.
    """
    count = int(os.environ.get("DICOMSEAL_BENCH_DASK") or FILES)
    path = files(count)
    local, dask = [], []
    _child("local", str(path))  # files into the page cache
    with _cluster() as (address, processes):
        idle = _idle(processes)
        for number in range(max(rounds, 3)):
            say(f"dask: run {number + 1}")
            local.append(_child("local", str(path)))
            if number == max(rounds, 3) - 1:
                time.sleep(IDLE)
            before, start = _all(processes), time.perf_counter()
            done = _child("dask", str(path), address)
            done["whole"] = time.perf_counter() - start
            dask.append({**done, **_since(before, processes)})
    return {
        "files": count,
        "bytes": sum(file.stat().st_size for file in path.rglob("*.dcm")),
        "pause": IDLE,
        "idle": idle,
        "local": local,
        "dask": dask,
        "found": compared(local, dask, idle, count),
    }


def compared(
    local: list[Any], dask: list[Any], idle: dict[str, float], count: int
) -> dict[str, Any]:
    """Medians, in microseconds of a file, and ratios.

    A worker is also given ``busy``: without what it takes of a processor while it idles.
    """

    def median(runs: list[Any], *names: str) -> float:
        return statistics.median(sum(one[name] for name in names) for one in runs) / count * 1e6

    def busy(*names: str) -> float:
        return statistics.median(
            sum(one[name] - idle[name] * one["whole"] for name in names) for one in dask
        ) / count * 1e6  # fmt: skip

    worker, own = median(local, "workers"), median(local, "own")
    later = statistics.median(one["seconds"] for one in dask[1:-1])
    later_cpu = statistics.median(sum(one[name] for name in WORKERS) for one in dask[1:-1])
    return {
        "local_worker": worker,
        "local_parent": own,
        "worker": median(dask, *WORKERS),
        "worker_busy": busy(*WORKERS),
        "scheduler": median(dask, "scheduler"),
        "scheduler_busy": busy("scheduler"),
        "client": median(dask, "own"),
        "connecting": statistics.median(one["connecting"] for one in dask),
        "worker_over_local": median(dask, *WORKERS) / worker,
        "worker_busy_over_local": busy(*WORKERS) / worker,
        "scheduler_and_client": median(dask, "scheduler", "own"),
        "added": median(dask, "scheduler", "own") - own,
        "local_over_dask": median(local, "seconds") / median(dask, "seconds"),
        "first_over_later": dask[0]["seconds"] / later,
        "first_over_later_cpu": sum(dask[0][name] for name in WORKERS) / later_cpu,
        "idle_over_later": dask[-1]["seconds"] / later,
    }


def _all(processes: dict[str, int]) -> dict[str, float]:
    return {name: _cpu(process) for name, process in processes.items()}


def _since(before: dict[str, float], processes: dict[str, int]) -> dict[str, float]:
    return {name: _cpu(process) - before[name] for name, process in processes.items()}


def _idle(processes: dict[str, int]) -> dict[str, float]:
    """Processor seconds that each process takes in a second without work."""
    before, start = _all(processes), time.perf_counter()
    time.sleep(IDLE)
    seconds = time.perf_counter() - start
    return {name: used / seconds for name, used in _since(before, processes).items()}


def files(count: int) -> Path:
    """So many signed CT of pydicom, 41 KB each, in folders of 500: hard links to a few."""
    target = cache() / f"small-{workloads.GENERATION}-{count}"
    if not target.exists():
        from pydicom.data import get_testdata_file

        say(f"signing {DISTINCT} and linking {count:,} files")
        partial = target.with_suffix(".part")
        partial.mkdir(parents=True, exist_ok=True)
        source = Path(str(get_testdata_file("CT_small.dcm")))
        distinct = []
        for number in range(DISTINCT):
            distinct.append(partial / f"{number:04}.signed")
            signing.sign(source, distinct[-1])
        for number, file in enumerate(itertools.islice(itertools.cycle(distinct), count)):
            folder = partial / f"{number // 500:05}"
            folder.mkdir(exist_ok=True)
            (folder / f"{number:08}.dcm").hardlink_to(file)
        for file in distinct:
            file.unlink()
        os.replace(partial, target)
    return target


@contextlib.contextmanager
def _cluster() -> Iterator[tuple[str, dict[str, int]]]:
    """Start a scheduler and workers; yield the address, and the number of each process."""
    try:
        from distributed import Client
    except ImportError as error:
        raise Unavailable(f"{error}: pip install dicomseal[archive]") from error
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = Path(folder) / "scheduler.json"

        def start(*arguments: str) -> int:
            command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file)]
            process = subprocess.Popen(
                command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process.pid

        processes = {"scheduler": start("scheduler", "--host", "127.0.0.1", "--port", "0")}
        for name in WORKERS:
            processes[name] = start(
                "worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny",
                "--preload", PRELOAD,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not file.exists():
            if time.monotonic() > deadline:
                raise Unavailable("the scheduler of dask did not start")
            time.sleep(0.1)
        address = str(json.loads(file.read_text("utf-8"))["address"])
        with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(JOBS, timeout=60)
        yield address, processes


def _cpu(process: int) -> float:
    """Processor seconds of a process until now."""
    stat = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICKS


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.dask_workers", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(arguments)}: exit code {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# --- what runs in a process of its own ------------------------------------------------------------


def one_run(path: str, address: str = "") -> dict[str, Any]:
    """One whole run: wall clock, and the processor time of this process and its children."""
    from dicomseal import TrustStore
    from dicomseal.archive.run import runner as runs
    from dicomseal.archive.run.dask_cluster import cluster
    from dicomseal.archive.run.runner import RunRequest, Selection
    from dicomseal.verification.options import Options

    asked = RunRequest(selection=Selection(roots=(path,)))
    options = Options(trust=TrustStore.from_files(signing.key_and_certificate()[1]))
    messages = Messages()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=cache()))
        elsewhere: dict[str, Any] = {}
        begun = time.process_time()
        if address:
            elsewhere = stack.enter_context(cluster(address))._asdict()
            make = elsewhere["executor"]
            elsewhere["executor"] = lambda: messages.of(make())
        connecting = time.process_time() - begun
        start, own, before = time.perf_counter(), time.process_time(), children()
        outcome = runs.verify(f"{folder}/ledger.db", asked, options, jobs=JOBS, **elsewhere)
        return {
            "seconds": time.perf_counter() - start,
            "own": time.process_time() - own,
            "workers": children() - before,
            "connecting": connecting,
            "verdicts": outcome.totals.verdicts,
            **messages.facts(),
        }


class Messages:
    """What goes to the workers and comes back: how many batches, and the bytes of the largest."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._largest: Any = []
        self._results: list[int] = []

    def of(self, executor: Any) -> Any:
        submit = executor.submit

        def noted(function: Any, batch: Any) -> Any:
            self._sizes.append(len(batch))
            if len(batch) > len(self._largest):
                self._largest = batch
            future = submit(function, batch)
            future.add_done_callback(
                lambda done: done.cancelled() or self._results.append(len(done.result()))
            )
            return future

        executor.submit = noted
        return executor

    def facts(self) -> dict[str, Any]:
        if not self._sizes:
            return {}
        return {
            "batches": len(self._sizes),
            "growth": self._sizes,
            "largest_batch_bytes": len(pickle.dumps(self._largest)),
            "largest_result_bytes": max(self._results),
        }


# --- what RESULTS.md says -------------------------------------------------------------------------

WORKER, ADDED, WALL, FIRST = 1.10, 15.0, 0.75, 1.05


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """The section on this part."""
    del drawn
    one, last = found["found"], found["dask"][-1]
    odd = [run for run in found["local"] + found["dask"] if set(run["verdicts"]) != {"passed"}]
    rows = [
        ["two local workers", f"{one['local_worker']:.1f}", ""],
        ["two workers of Dask", f"{one['worker']:.1f}", f"{one['worker_busy']:.1f}"],
        ["the parent of the local ones: walk and ledger", f"{one['local_parent']:.1f}", ""],
        ["the client: walk, ledger, its side of Dask", f"{one['client']:.1f}", ""],
        ["the scheduler", f"{one['scheduler']:.1f}", f"{one['scheduler_busy']:.1f}"],
    ]
    targets = [
        ["a worker of Dask over a local one, at most", ratio(WORKER),
         _mark(ratio(one["worker_over_local"]), one["worker_over_local"] <= WORKER)],
        ["the same without what Dask takes while it idles, at most", ratio(WORKER),
         _mark(ratio(one["worker_busy_over_local"]), one["worker_busy_over_local"] <= WORKER)],
        ["scheduler and client, microseconds a file, at most", f"{ADDED:.0f}",
         _mark(f"{one['scheduler_and_client']:.1f}", one["scheduler_and_client"] <= ADDED)],
        ["the same without what the local parent takes", f"{ADDED:.0f}",
         _mark(f"{one['added']:.1f}", one["added"] <= ADDED)],
        ["seconds of two local workers over those of Dask, at least", ratio(WALL),
         _mark(ratio(one["local_over_dask"]), one["local_over_dask"] >= WALL)],
        ["the first run over the later ones, seconds, at most", ratio(FIRST),
         _mark(ratio(one["first_over_later"]), one["first_over_later"] <= FIRST)],
        ["the same, processor time of the workers, at most", ratio(FIRST),
         _mark(ratio(one["first_over_later_cpu"]), one["first_over_later_cpu"] <= FIRST)],
        [f"the run after {found['pause']:.0f} s of idling over the later ones, at most",
         ratio(FIRST), _mark(ratio(one["idle_over_later"]), one["idle_over_later"] <= FIRST)],
    ]  # fmt: skip
    seconds = [statistics.median(r["seconds"] for r in found[w]) for w in ("local", "dask")]
    idle = statistics.mean(found["idle"][name] for name in WORKERS)
    return [
        f"{found['files']:,} signed CT of 41 KB, judged by a trust anchor: two local processes,",
        "and a scheduler with two workers on the same two cores, in turns. Medians of",
        f"{len(found['dask'])} runs: {seconds[0]:.2f} s and {seconds[1]:.2f} s.",
        *(["", "**!** not every file passed."] if odd else []),
        "",
        *table(["microseconds of processor time a file", "", "without idling"], rows),
        *table(["", "target", "measured"], targets),
        f"Without work a worker takes {idle:.1%} of a core and the scheduler",
        f"{found['idle']['scheduler']:.1%}: where other work lengthens a run, it has more of that.",
        f"{last['batches']} batches, from {min(last['growth'])} to {max(last['growth']):,} files;",
        f"the largest goes as {size(last['largest_batch_bytes'])} and comes back as",
        f"{size(last['largest_result_bytes'])}.",
        "",
    ]


def _mark(text: str, good: bool) -> str:
    return text if good else f"**{text}**"


if __name__ == "__main__":
    print(json.dumps(one_run(*sys.argv[2:])))

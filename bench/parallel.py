"""Many files: one process, two threads, two processes.

Each pass verifies a whole folder and starts the pool that it uses, as a command would. What the
pool alone takes is measured too: one file, through a new pool.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import Unavailable, cache, contenders, workloads
from .contenders import Contender
from .measure import Field, say

FOLDERS = {"ct": 2000, "sr_small": 4000}
WORKERS = 2
MODES = {
    c.name: c
    for c in (
        Contender("one", "one process, in-line", "passed", module="bench.parallel"),
        Contender("threads", f"{WORKERS} threads", "passed", module="bench.parallel"),
        Contender("processes", f"{WORKERS} processes", "passed", module="bench.parallel"),
    )
}


def run(rounds: int, budget: float) -> dict[str, Any]:
    """For each folder: what is in it, and its ``modes`` with ``speed_up`` and ``pool`` seconds."""
    results: dict[str, Any] = {}
    paths = {name: copies(name, count) for name, count in FOLDERS.items()}
    with Field(known=MODES) as field:
        for name, path in paths.items():
            say(f"parallel: {FOLDERS[name]:,} of {name}")
            facts = workloads.describe(path)
            raced = field.race(path, rounds, budget)
            alone = field.race(workloads.make(name), rounds, budget)
            modes = {}
            for mode, result in raced.items():
                seconds = result["median"]
                modes[mode] = {
                    **{key: value for key, value in result.items() if key != "cpu"},
                    "speed_up": raced["one"]["median"] / seconds if "one" in raced else None,
                    "files_per_second": facts["files"] / seconds,
                    "bytes_per_second": facts["bytes"] / seconds,
                    "pool": alone[mode]["median"] if mode in alone else None,
                }
            results[name] = {**facts, "modes": modes}
        method = multiprocessing.get_start_method()
        return {"folders": results, "missing": field.missing, "start_method": method}


def copies(name: str, count: int) -> Path:
    """A folder with ``count`` copies of a workload, in the cache."""
    source = workloads.make(name)
    target = cache() / f"copies-{workloads.GENERATION}-{name}-{count}"
    if not target.exists():
        say(f"making {count:,} copies of {name}")
        partial = target.with_suffix(".part")
        partial.mkdir(exist_ok=True)
        for number in range(count):
            shutil.copyfile(source, partial / f"{number:05}.dcm")
        os.replace(partial, target)
    return target


def _maker(mode: str) -> tuple[Callable[[str], object], Callable[[str], str]]:
    """What a worker process does for one of `MODES`."""
    try:
        from dicomseal.verification.options import Options
        from dicomseal.verification.parallel import BATCH, verify_many
        from dicomseal.verification.verifier import verify_with
    except ImportError as error:
        raise Unavailable(f"dicomseal.verification.parallel is missing: {error}") from error
    options = Options(integrity_only=True)

    def by_threads(paths: list[str]) -> Iterator[Any]:
        from concurrent.futures import ThreadPoolExecutor

        batches = [paths[n : n + BATCH] for n in range(0, len(paths), BATCH)]
        with ThreadPoolExecutor(WORKERS) as pool:
            done = pool.map(lambda batch: [verify_with(path, options) for path in batch], batches)
            yield from itertools.chain.from_iterable(done)

    verify = {
        "one": lambda paths: verify_many(paths, options, jobs=1),
        "threads": by_threads,
        "processes": lambda paths: verify_many(paths, options, jobs=WORKERS),
    }[mode]

    def call(path: str) -> str:
        paths = contenders.files(path)
        verdicts = [report.verdict for report in verify(paths)]
        if len(verdicts) != len(paths):
            return "incomplete"
        return next((verdict for verdict in verdicts if verdict != "passed"), "passed")

    return contenders.nothing, call


if __name__ == "__main__":
    contenders.serve(
        lambda: _maker(sys.argv[1]), MODES[sys.argv[1]].expected, split=lambda path: [path]
    )

"""Run the benchmarks: ``python -m bench``; figures to results.json, tables to RESULTS.md.

What one run measures replaces what results.json held of it; the rest is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from typing import Any

from . import (
    RESULTS,
    Unavailable,
    archive,
    archive_sign,
    callgrind,
    cold,
    compile_modules,
    dask_workers,
    datasets,
    fixity,
    gate,
    group_commit,
    growth,
    in_memory,
    latency,
    machine,
    measure,
    memory,
    parallel,
    processor,
    report,
    trust,
    workloads,
)

EVERYTHING = (*workloads.WORKLOADS, "archive")
PARTS = {
    "workloads": lambda o: measure.workloads(
        o.workload or EVERYTHING, o.rounds, o.budget, o.contender or tuple(measure.CONTENDERS)
    ),
    "growth": lambda o: growth.run(growth.FAMILIES, min(o.rounds, 5), o.budget / 4),
    "parallel": lambda o: parallel.run(o.rounds, o.budget),
    "archive": lambda o: archive.run(o.rounds, o.budget),
    "archive-sign": lambda o: archive_sign.run(min(o.rounds, 3)),
    "dask": lambda o: dask_workers.run(min(o.rounds, 7)),
    "signing": lambda o: group_commit.run(min(o.rounds, 5)),
    "latency": lambda o: latency.run(min(o.rounds, 3)),
    "fixity": lambda o: fixity.run(min(o.rounds, 7)),
    "processor": lambda _: processor.run(),
    "datasets": lambda o: datasets.run(o.rounds, o.budget),
    "in-memory": lambda o: in_memory.run(o.rounds, o.budget),
    "trust": lambda o: trust.run(min(o.rounds, 5)),
    "cold": lambda o: cold.run(o.rounds),
    "gate": lambda o: gate.run(min(o.rounds, 5)),
    "memory": lambda _: {"cases": memory.run()},
    "instructions": lambda _: {"cases": callgrind.run()},
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part (repeat)")
    parser.add_argument("--workload", action="append", choices=EVERYTHING, help="only this one")
    parser.add_argument("--contender", action="append", choices=list(measure.CONTENDERS))
    parser.add_argument("--rounds", type=int, default=measure.ROUNDS)
    parser.add_argument("--budget", type=float, default=measure.BUDGET, metavar="SECONDS")
    parser.add_argument("--report-only", action="store_true", help="only write tables and plots")
    options = parser.parse_args()
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    compile_modules()
    for part in () if options.report_only else options.part or PARTS:
        facts = machine.facts()  # before the load that we cause ourselves
        try:
            found = PARTS[part](options)
        except Unavailable as error:
            measure.say(f"{part}: skipped: {error}")
            found = {"skipped": str(error)}
        results[part] = {"machine": facts, "command": command, **found}
        partial = RESULTS.with_suffix(".part")
        text = machine.nameless(json.dumps(results, indent=1))
        partial.write_text(text + "\n", "utf-8")
        os.replace(partial, RESULTS)
        results = json.loads(text)
    report.write(results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

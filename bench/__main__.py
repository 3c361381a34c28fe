"""Run the benchmarks: ``python -m bench``; figures to results.json, tables to RESULTS.md.

What one run measures replaces what results.json held of it; the rest is kept.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from . import RESULTS, Unavailable, callgrind, growth, machine, measure, memory, report, workloads

PARTS = ("workloads", "growth", "memory", "instructions")


def main() -> int:
    """The command line."""
    everything = [*workloads.WORKLOADS, "archive"]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part (repeat)")
    parser.add_argument("--workload", action="append", choices=everything, help="only this one")
    parser.add_argument("--contender", action="append", choices=list(measure.CONTENDERS))
    parser.add_argument("--rounds", type=int, default=measure.ROUNDS)
    parser.add_argument("--budget", type=float, default=measure.BUDGET, metavar="SECONDS")
    parser.add_argument("--report-only", action="store_true", help="only write tables and plots")
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for part in () if options.report_only else options.part or PARTS:
        facts = machine.facts()  # before the load that we cause ourselves
        try:
            if part == "workloads":
                found = measure.workloads(
                    options.workload or everything,
                    options.rounds,
                    options.budget,
                    options.contender or tuple(measure.CONTENDERS),
                )
            elif part == "growth":
                found = growth.run(growth.FAMILIES, min(options.rounds, 5), options.budget / 4)
            elif part == "memory":
                found = {"cases": memory.run()}
            else:
                found = {"cases": callgrind.run()}
        except Unavailable as error:
            measure.say(f"{part}: skipped: {error}")
            found = {"skipped": str(error)}
        results[part] = {"machine": facts, **found}
        partial = RESULTS.with_suffix(".part")
        partial.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        os.replace(partial, RESULTS)
    report.write(results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

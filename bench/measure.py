"""The timing core: all contenders in turn, round after round, so that noise hits all alike.

A sample is one pass over a file, timed inside the contender's own process (wall clock and
processor time). In each round every contender takes a few samples in a row, A, then B, then C; the
next round begins again with A. Files are in the page cache. Figures are medians, comparisons are
ratios of medians of the same run.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import Unavailable
from .contenders import CONTENDERS, Contender, Runner, start

BURST = 0.05  # seconds of samples in a row in one round, at the most 25 samples
ROUNDS = 15
BUDGET = 20.0  # seconds that one contender may take for one file; one round it always gets


def say(text: str) -> None:
    """Progress, to standard error."""
    print(text, file=sys.stderr, flush=True)


class Field:
    """The contenders that are available, started once for all files.

    Args:
        names: which of those that are known.
        known: all there are.
    """

    def __init__(
        self, names: Iterable[str] | None = None, known: Mapping[str, Contender] = CONTENDERS
    ) -> None:
        self.known = known
        self.runners: dict[str, Runner] = {}
        self.missing: dict[str, str] = {}
        for name in names or known:
            try:
                self.runners[name] = start(known[name])
            except Unavailable as error:
                self._lose(name, error)

    def _lose(self, name: str, error: Unavailable) -> None:
        self.missing[name] = str(error)
        runner = self.runners.pop(name, None)
        if runner is not None:
            runner.close()
        say(f"  {name}: not available: {error}")

    def __enter__(self) -> Field:
        return self

    def __exit__(self, *_: object) -> None:
        for runner in self.runners.values():
            runner.close()

    def race(
        self,
        path: Path | str,
        rounds: int = ROUNDS,
        budget: float = BUDGET,
        names: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """Time the contenders (or those named) on a file or a folder.

        Returns:
            For each name: ``median``, ``low``, ``high`` (quartiles), ``best``, ``cpu`` (median)
            in seconds, ``samples``, ``verdict``, ``message``, and ``agrees``: whether the verdict
            is the one an intact file must get.
        """
        entrants = [n for n in (names or self.known) if n in self.runners]
        samples: dict[str, dict[str, list[float]]] = {}
        answers: dict[str, dict[str, Any]] = {}
        burst: dict[str, int] = {}
        for name in entrants:  # warm up: caches, lazy imports, the size of a burst
            try:
                self.runners[name].run(1, str(path))
                answers[name] = self.runners[name].run(1, str(path))
            except Unavailable as error:
                self._lose(name, error)
                continue
            once = max(answers[name]["seconds"][0], 1e-6)
            burst[name] = max(1, min(25, int(BURST / once)))
            samples[name] = {"seconds": [], "cpu": []}
        for number in range(rounds):
            for name, kept in samples.items():
                if number and sum(kept["seconds"]) > budget:
                    continue
                answer = answers[name] = self.runners[name].run(burst[name], str(path))
                kept["seconds"] += answer["seconds"]
                kept["cpu"] += answer["cpu"]
        return {name: self._summary(name, samples[name], answers[name]) for name in samples}

    def _summary(
        self, name: str, kept: dict[str, list[float]], answer: dict[str, Any]
    ) -> dict[str, Any]:
        agrees = answer["verdict"] == self.known[name].expected
        if not agrees:
            say(f"  {name}: says {answer['verdict']} ({answer['message']})")
        return {
            **spread(kept["seconds"]),
            "cpu": statistics.median(kept["cpu"]),
            "verdict": answer["verdict"],
            "message": answer["message"],
            "agrees": agrees,
        }


def spread(seconds: list[float]) -> dict[str, Any]:
    """Median, quartiles, best and number of samples."""
    several = len(seconds) > 1
    low, _, high = statistics.quantiles(seconds, n=4) if several else [seconds[0]] * 3
    return {
        "median": statistics.median(seconds),
        "low": low,
        "high": high,
        "best": min(seconds),
        "samples": len(seconds),
    }


def ratios(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Medians over the floor's, and over ours."""
    found = {}
    for base in ("floor", "ours"):
        if base in result:
            unit = result[base]["median"]
            found[f"over_{base}"] = {name: r["median"] / unit for name, r in result.items()}
    return found


def workloads(names: Iterable[str], rounds: int, budget: float, only: Iterable[str]) -> Any:
    """Race on each workload: size and elements of the file, ``contenders`` and their ratios."""
    from . import workloads as workload

    results = {}
    paths = {}
    for name in names:
        say(f"making {name}")
        paths[name] = workload.make(name)
    with Field(only) as field:
        for name, path in paths.items():
            say(f"timing {name}")
            result = field.race(path, rounds, budget)
            results[name] = {
                **workload.describe(path),
                "contenders": result,
                "ratios": ratios(result),
            }
        return {"workloads": results, "missing": field.missing}

"""How cost grows with elements, depth, bytes, signatures, ...: it must be linear.

Cost is processor time here: the points of a family are measured one after the other, so what else
runs on the machine meanwhile would bend a curve of wall-clock time. Both are in the JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from . import workloads
from .measure import Field, say

FAMILIES = ("elements", "depth", "bytes", "signatures", "macs", "tags")
NAMES = ("floor", "ours", "dcmtk")
TOO_LONG = 10.0  # seconds; who took longer on one size is not asked for the next


def run(families: Iterable[str], rounds: int, budget: float) -> dict[str, Any]:
    """For each family its ``points`` (size, bytes, cpu and wall-clock seconds) and ``slopes``."""
    results: dict[str, Any] = {}
    with Field(NAMES) as field:
        for family in families:
            names = list(NAMES)
            points = []
            for size, make in workloads.family(family):
                say(f"growth: {family} {size:,}")
                path = make()
                raced = field.race(path, rounds, budget, names)
                names = [n for n in names if n in raced and raced[n]["median"] < TOO_LONG]
                points.append(
                    {
                        "size": size,
                        **workloads.describe(path),
                        "cpu": {name: r["cpu"] for name, r in raced.items()},
                        "seconds": {name: r["median"] for name, r in raced.items()},
                        "disagree": {n: r["message"] for n, r in raced.items() if not r["agrees"]},
                    }
                )
            slopes = {name: slope(points, name) for name in NAMES}
            results[family] = {"points": points, "slopes": slopes}
        return {"families": results, "missing": field.missing}


def slope(points: list[dict[str, Any]], name: str) -> float | None:
    """The exponent of growth over the upper part of a family (its last tenfold): 1 is linear."""
    known = [(p["size"], p["cpu"][name]) for p in points if name in p["cpu"]]
    if len(known) < 2:
        return None
    (size, cost) = known[-1]
    lower = [k for k in known if k[0] <= size / 10]
    if not lower:
        return None
    return math.log(cost / lower[-1][1]) / math.log(size / lower[-1][0])

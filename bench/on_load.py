"""Verify on load beside `pydicom.dcmread` alone: what the verification adds, in floors.

The rounds of `pydicom.dcmread`, `dicomseal.dcmread` and the floor (see `floor`) take turns in one
process, on the same file.
"""

from __future__ import annotations

from typing import Any

from . import workloads
from .floor import Floor
from .measure import say
from .tables import marked, ms, table

FILES = ("sr_small", "ct", "multiframe")
MOST = 1.2  # floors


def run(medians: Any, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians of each file in microseconds, and ``cost``: what it adds, in floors.

    Args:
        medians: `in_memory.medians`.
        rounds, seconds: for it.
    """
    import pydicom

    import dicomseal

    floor, found = Floor(), {}
    for name in FILES:
        say(f"{name}, on load")
        path = str(workloads.make(name))
        floor.prepare(path)
        case = medians(
            {
                "pydicom": lambda path=path: pydicom.dcmread(path),
                "dicomseal": lambda path=path: dicomseal.dcmread(path, integrity_only=True),
                "floor": lambda path=path: floor.verify(path),
                "verify": lambda path=path: dicomseal.verify(path, integrity_only=True),
            },
            rounds,
            seconds,
        )
        case["cost"] = (case["dicomseal"] - case["pydicom"]) / case["floor"]
        found[name] = case
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """The table for RESULTS.md."""
    names = ("pydicom", "dicomseal", "floor", "verify")
    rows = [
        [name, *(ms(case[one] / 1e6) for one in names), marked(case["cost"], case["cost"] <= MOST)]
        for name, case in found.items()
    ]
    head = ("", "`pydicom.dcmread`, ms", "`dicomseal.dcmread`, ms", "floor, ms",
            "`verify` of the file, ms", f"added, in floors; at most {MOST}")  # fmt: skip
    return [
        "What `dicomseal.dcmread` adds to `pydicom.dcmread` of the same file, in floors:",
        "",
        *table(head, rows),
        "A small file cannot meet it: its verification alone takes two floors, as one RSA",
        "verification is nearly all of the floor, and the rest is Python that makes the report.",
        "",
    ]

"""Data sets in memory beside pydicom and beside the same object as a file, in one process and run.

    python -m bench.in_memory [--rounds N]

For each shape the medians of: pydicom's `dcmwrite` into a `BytesIO` with SHA-256 over it, which is
what a program does without dicomseal; `canonical.digest` of the same data set and of the file;
`verify` of the data set, and the memory that takes. Their rounds take turns. Prints a table, and
which goals are missed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from . import workloads

GOALS = {  # ahead of pydicom at least, over the file at most
    "decoded": (20, 6), "nested raw": (40, 6), "raw": (40, 3), "large": (None, 1.05),
}  # fmt: skip


class Shape(NamedTuple):
    """A data set: where it comes from, and which goal is set for its state."""

    name: str
    goal: str
    content: bytes
    data_set: Any


def decoded(data_set: Any) -> Any:
    """The data set, with every element decoded."""
    for _ in data_set.iterall():
        pass
    return data_set


def shapes() -> list[Shape]:
    """What is measured."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    found = []
    for name in (
        "CT_small", "test-SR", "rtplan", "waveform_ecg", "MR_small_implicit", "liver_expb_1frame",
    ):  # fmt: skip
        with open(get_testdata_file(f"{name}.dcm"), "rb") as file:
            content = file.read()
        found.append(Shape(f"{name}, decoded", "decoded", content, decoded(_read(content))))
        found.append(Shape(f"{name}, raw", "raw", content, _read(content)))
    report = workloads.cached("in-memory-report")
    if not report.exists():
        workloads.report(report, 2000)
    built = decoded(dcmread(report))
    content = _written(built)
    found.append(Shape("report of 2,000 items, built", "decoded", content, built))
    _undefine(built)
    content = _written(built)
    found.append(Shape("2,000 items, nested raw", "nested raw", content, _read(content)))
    with open(workloads.make("multiframe"), "rb") as file:
        content = file.read()
    found.append(Shape("105 MB of Pixel Data, decoded", "large", content, decoded(_read(content))))
    return found


def _read(content: bytes) -> Any:
    from pydicom import dcmread

    return dcmread(io.BytesIO(content))


def _written(data_set: Any) -> bytes:
    from pydicom import dcmwrite

    out = io.BytesIO()
    dcmwrite(out, data_set)
    return out.getvalue()


def _undefine(data_set: Any) -> None:
    for element in data_set:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _undefine(item)


def _by_pydicom(data_set: Any) -> bytes:
    return hashlib.sha256(_written(data_set)).digest()


def medians(
    calls: dict[str, Callable[[], object]], rounds: int, seconds: float
) -> dict[str, float]:
    """Microseconds of each call; their rounds take turns, at least three of each."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    for number in range(rounds):
        if number >= 3 and time.perf_counter() > end:
            break
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) * 1e6 for name, times in taken.items()}


def peak(call: Callable[[], object]) -> float:
    """MiB that a call takes beyond what was there."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.in_memory", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each shape")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    from dicomseal import canonical, verify

    print("| shape | pydicom µs | digest µs | file µs | ahead | over the file | verify µs | MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    missed = []
    for shape in shapes():
        data_set, content = shape.data_set, shape.content
        found = medians(
            {
                "pydicom": lambda data_set=data_set: _by_pydicom(data_set),
                "digest": lambda data_set=data_set: canonical.digest(data_set),
                "file": lambda content=content: canonical.digest(content),
                "verify": lambda data_set=data_set: verify(data_set, integrity_only=True),
            },
            options.rounds,
            options.seconds,
        )
        ahead, over = found["pydicom"] / found["digest"], found["digest"] / found["file"]
        memory = peak(lambda data_set=data_set: verify(data_set, integrity_only=True))
        print(
            f"| {shape.name} | {found['pydicom']:,.0f} | {found['digest']:,.0f} "
            f"| {found['file']:,.0f} | {ahead:.1f} | {over:.2f} | {found['verify']:,.0f} "
            f"| {memory:.2f} |"
        )
        least, most = GOALS[shape.goal]
        if least and ahead < least:
            missed.append(f"{shape.name}: {ahead:.1f} times ahead of pydicom, goal {least}")
        if over > most:
            missed.append(f"{shape.name}: {over:.2f} times the file, goal {most}")
    print("\n".join(["", "missed:", *missed] if missed else ["", "no goal is missed"]))


if __name__ == "__main__":
    main()

"""Data sets in memory beside pydicom and beside the same object as a file, in one process and run.

    python -m bench --part in-memory

For each shape the medians of: pydicom's `dcmwrite` into a `BytesIO` with SHA-256 over it, which is
what a program does without dicomseal; `canonical.digest` of the same data set and of the file;
`verify` of the data set, and the memory that takes. Their rounds take turns.
"""

from __future__ import annotations

import hashlib
import io
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from . import workloads
from .measure import say
from .tables import ratio, table

GOALS = {  # ahead of pydicom at least, over the file at most
    "decoded": (20, 6), "nested raw": (40, 6), "raw": (40, 3), "large": (None, 1.05),
}  # fmt: skip


MAX_VERIFY = 2  # times `digest`
CALLS = 20  # of each in a round


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


def run(rounds: int, seconds: float) -> dict[str, Any]:
    """What `python -m bench --part in-memory` keeps: the medians of each shape, and its goals."""
    from dicomseal import canonical, verify

    cases = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for shape in shapes():
            say(shape.name)
            data_set, content = shape.data_set, shape.content
            found: dict[str, Any] = dict(medians(
                {
                    "pydicom": lambda data_set=data_set: _by_pydicom(data_set),
                    "digest": lambda data_set=data_set: canonical.digest(data_set),
                    "file": lambda content=content: canonical.digest(content),
                    "verify": lambda data_set=data_set: verify(data_set, integrity_only=True),
                },
                max(rounds, 1) * CALLS,
                seconds / 4,
            ))  # fmt: skip
            found["ahead"] = found["pydicom"] / found["digest"]
            found["over_file"] = found["digest"] / found["file"]
            found["verify_over_digest"] = found["verify"] / found["digest"]
            found["mib"] = peak(lambda data_set=data_set: verify(data_set, integrity_only=True))
            found["goals"] = GOALS[shape.goal]
            cases[shape.name] = found
    return {"cases": cases}


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """What RESULTS.md says of it."""
    del drawn
    rows = []
    for name, case in found["cases"].items():
        least, most = case["goals"]
        ahead, over, verify = case["ahead"], case["over_file"], case["verify_over_digest"]
        rows.append([
            name, *(f"{case[one]:,.0f}" for one in ("pydicom", "digest", "file")),
            _marked(ahead, least is None or ahead >= least), f"{least}x" if least else "",
            _marked(over, over <= most), f"{most}x",
            _marked(verify, verify <= MAX_VERIFY), f"{case['mib']:.2f}",
        ])  # fmt: skip
    head = ("", "pydicom, µs", "digest, µs", "file, µs", "ahead of pydicom", "at least",
            "over the file", "at most", "verify / digest", "MiB of verify")  # fmt: skip
    return [
        "Medians, whose rounds took turns. `pydicom` is `dcmwrite` into a `BytesIO` and SHA-256",
        "over it; `digest` is `canonical.digest` of the data set, `file` of the same object as",
        "a file.",
        f"`verify` of the data set may take {MAX_VERIFY} times `digest`. Bold: missed.",
        "",
        *table(head, rows),
    ]


def _marked(value: float, met: bool) -> str:
    return ratio(value) if met else f"**{ratio(value)}**"

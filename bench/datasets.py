"""Data sets in memory: the canonical stream of a `pydicom.Dataset`, compiled against pure.

The stream goes to a consumer that does nothing. Before it is timed, its hash is compared with that
of the same elements in the file.
"""

from __future__ import annotations

import collections
import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import Unavailable, contenders, workloads
from .contenders import Contender
from .measure import Field, say

TWINS = {
    c.name: c
    for c in (
        Contender("compiled", "compiled", "streamed", module="bench.datasets"),
        Contender(
            "pure",
            "pure twin",
            "streamed",
            environment=(("DICOMSEAL_BACKEND", "python"),),
            module="bench.datasets",
        ),
    )
}
NESTED_ITEMS = 2000  # a tenth of sr_large: each of its elements is an object here


class Case(NamedTuple):
    """A data set: its file, what is done to it once it is read, and what that makes it."""

    make: Callable[[], Path]
    change: Callable[[Any], Any]
    label: str


def _metadata(dataset: Any) -> Any:
    del dataset.PixelData
    return dataset


def _decoded(dataset: Any) -> Any:
    for _ in dataset.iterall():
        pass
    return dataset


def _nested(dataset: Any) -> Any:
    """The same, read again from a form with undefined lengths: pydicom reads all items then."""
    from pydicom import dcmread

    _undefine(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    out.seek(0)
    return dcmread(out)


def _undefine(dataset: Any) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _undefine(item)


def _sr_nested() -> Path:
    return workloads.signed(f"sr-{NESTED_ITEMS}", lambda path: workloads.report(path, NESTED_ITEMS))


CASES = {
    "ct metadata": Case(
        lambda: workloads.make("ct"), _metadata, "read, Pixel Data deleted; all elements raw"
    ),
    "ct decoded": Case(
        lambda: workloads.make("ct"), _decoded, "read, every element decoded by `iterall`"
    ),
    "sr_large raw": Case(
        lambda: workloads.make("sr_large"), lambda dataset: dataset, "as read: sequences are raw"
    ),
    "sr nested": Case(
        _sr_nested,
        _nested,
        f"a report of {NESTED_ITEMS:,} items with undefined lengths: nested data sets of raw "
        "elements",
    ),
}


def run(rounds: int, budget: float) -> dict[str, Any]:
    """For each case: size and records of its file, both twins, and pure over compiled."""
    results: dict[str, Any] = {}
    facts = {name: workloads.describe(case.make()) for name, case in CASES.items()}
    with Field(known=TWINS) as field:
        for name in CASES:
            say(f"datasets: {name}")
            raced = field.race(name, rounds, budget)
            over = None
            if len(raced) == len(TWINS):
                over = raced["pure"]["median"] / raced["compiled"]["median"]
            results[name] = {**facts[name], "twins": raced, "pure_over_compiled": over}
        return {"cases": results, "missing": field.missing}


def _maker() -> tuple[Callable[[str], object], Callable[[str], str]]:
    """What a worker process does: ``path`` is the name of a case."""
    try:
        from pydicom import dcmread

        from dicomseal import canonical
        from dicomseal.encoding.backend import Index
        from dicomseal.encoding.from_pydicom import as_written, stream_dataset
        from dicomseal.encoding.obstacles import offers
    except ImportError as error:
        raise Unavailable(f"the encoder of data sets is missing: {error}") from error
    sink = collections.deque[object](maxlen=0).append  # a consumer in C that keeps nothing
    datasets: dict[str, Any] = {}
    verdicts: dict[str, str] = {}

    def prepare(name: str) -> None:
        case = CASES[name]
        path = case.make()
        dataset = datasets[name] = case.change(dcmread(path))
        hasher = hashlib.sha256()
        stream_dataset(hasher.update, dataset)
        index = Index(as_written(dataset)[0])
        tags = [tag for tag, obstacle in offers(index, 0) if not obstacle]
        same = hasher.digest() == canonical.digest(str(path), tags)
        verdicts[name] = "streamed" if same else "not the stream of the file"

    def call(name: str) -> str:
        stream_dataset(sink, datasets[name])
        return verdicts[name]

    return prepare, call


if __name__ == "__main__":
    contenders.serve(_maker, TWINS[sys.argv[1]].expected)

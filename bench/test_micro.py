"""For developers: index, stream and verification of cached workloads, with pytest-benchmark.

    python -m bench.workloads ct sr_small jpeg        # make the files
    python -m pytest bench/test_micro.py --benchmark-autosave --benchmark-compare

The comparison with others, and all figures that are published, are those of ``python -m bench``.
"""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import pytest

import dicomseal
from dicomseal.files.part10 import Part10

from . import workloads

pytest.importorskip("pytest_benchmark", reason="needs pytest-benchmark (pip install --group bench)")


@pytest.fixture(params=["ct", "sr_small", "jpeg"])
def path(request: pytest.FixtureRequest) -> Path:
    """A workload that is in the cache; none is made here."""
    found = workloads.cached(request.param)
    if not found.exists():
        pytest.skip(f"not in the cache; make it with: python -m bench.workloads {request.param}")
    return found


def test_index(benchmark: Any, path: Path) -> None:
    part10 = Part10.from_bytes(path.read_bytes())
    assert len(benchmark(part10.index)) > 100


def test_stream(benchmark: Any, path: Path) -> None:
    index = Part10.from_bytes(path.read_bytes()).index()
    sink = collections.deque[object](maxlen=0).append  # a consumer in C that keeps nothing
    assert benchmark(index.stream, sink).signed > 10


def test_verify(benchmark: Any, path: Path) -> None:
    report = benchmark(dicomseal.verify, str(path), integrity_only=True)
    assert report.verdict == "passed"

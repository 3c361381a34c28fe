"""Drawing a part of an archive, and what it proves."""

from __future__ import annotations

import os

import pytest

from dicomseal.archive import walk
from dicomseal.archive.sample import drawn, upper_bound


def test_a_draw_is_the_same_again():
    files = [walk.Found(f"/a/{n % 10}/{n}") for n in range(4000)]
    files.sort(key=lambda file: os.path.dirname(file.path))
    one = list(drawn(files, 0.1, "x", False))
    assert one == list(drawn(files, 0.1, "x", False))
    assert set(one) == set(drawn(reversed(files), 0.1, "x", False))
    assert 300 < len(one) < 500
    assert set(one) != set(drawn(files, 0.1, "y", False))
    strata = list(drawn(files, 0.001, "x", True))
    assert sorted(os.path.dirname(file.path) for file in strata) == [f"/a/{n}" for n in range(10)]


@pytest.mark.parametrize(
    ("drawn", "found", "bound"),
    [(10_000, 0, 1 - 0.05 ** (1 / 10_000)), (1, 0, 0.95), (10, 10, 1.0), (10, 1, 0.394163),
     (100, 5, 0.102253)],
)  # fmt: skip
def test_what_a_sample_proves(drawn, found, bound):
    """Against tables of Clopper and Pearson's bound, one-sided, 95%."""
    assert upper_bound(drawn, found) == pytest.approx(bound, rel=1e-4)

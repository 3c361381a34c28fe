"""Drawing a part of an archive, and what it proves."""

from __future__ import annotations

import os
import shutil

import pki
import pytest
from _archive import rows

from dicomseal.archive.find.found import Found
from dicomseal.archive.find.sample import drawn, no_less_than, upper_bound


def test_a_draw_is_the_same_again():
    files = [Found(f"/a/{n % 10}/{n}") for n in range(4000)]
    files.sort(key=lambda file: os.path.dirname(file.path))
    one = list(drawn(files, 0.1, "x", False))
    assert one == list(drawn(files, 0.1, "x", False))
    assert set(one) == set(drawn(reversed(files), 0.1, "x", False))
    assert 300 < len(one) < 500
    assert set(one) != set(drawn(files, 0.1, "y", False))
    strata = list(drawn(files, 0.001, "x", True))
    assert sorted(os.path.dirname(file.path) for file in strata) == [f"/a/{n}" for n in range(10)]


def test_a_draw_does_not_depend_on_where_the_archive_is(run, folder):
    """Nor on other roots; and two roots that look alike are not drawn alike."""

    def drawn_of(*roots):
        assert run("archive", "verify", *roots, "--ledger", "l.db", "--sample", "40%",
                   "--seed", "2026-11")[0] in (0, 3)  # fmt: skip
        return {os.path.relpath(row.path, folder) for row in rows("l.db")}

    for number in range(200):
        (folder / "archive" / "a" / f"{number}").write_bytes(pki.small())
    shutil.rmtree("archive/a/b")
    shutil.copytree("archive/a", "one/a")
    first = drawn_of("one")
    assert 50 < len(first) < 110
    shutil.copytree("one", "elsewhere/two")
    assert {name.replace("elsewhere/two", "one") for name in drawn_of("elsewhere/two")} == first
    both = drawn_of("one", "elsewhere/two")
    assert {name for name in both if name.startswith("one/")} == first
    other = {name.replace("elsewhere/two", "one") for name in both - first}
    assert 20 < len(other & first) < len(first) - 20


@pytest.mark.parametrize(
    ("drawn", "found", "bound"),
    [(10_000, 0, 1 - 0.05 ** (1 / 10_000)), (1, 0, 0.95), (10, 10, 1.0), (10, 1, 0.394163),
     (100, 5, 0.102253)],
)  # fmt: skip
def test_what_a_sample_proves(drawn, found, bound):
    """Against tables of Clopper and Pearson's bound, one-sided, 95%."""
    assert upper_bound(drawn, found) == pytest.approx(bound, rel=1e-4)


@pytest.mark.parametrize(
    ("share", "said"),
    [(upper_bound(10_000, 0), "0.03%"), (upper_bound(1_000_000, 0), "0.0003%"),
     (upper_bound(300, 0), "0.994%"), (0.00034, "0.034%"), (0.00034101, "0.0342%"),
     (0.95, "95%"), (0.10221, "10.3%"), (0.1, "10%"), (1.0, "100%"), (0.0, "0%")],
)  # fmt: skip
def test_a_bound_is_never_rounded_down(share, said):
    """Of 1,000,000 drawn ones "at most 0.00%" would be too much to say."""
    assert no_less_than(share) == said
    assert float(said[:-1]) / 100 >= share - 1e-12

"""The sizes of batches: of the first and last ones, by what workers do in a second, by bytes."""

from __future__ import annotations

import gc

import pytest
from _archive import many, rows

from dicomseal.archive.find import walk
from dicomseal.archive.find.found import Found
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.run import runner as runs
from dicomseal.archive.run.runner import RunRequest, Selection
from dicomseal.verification.options import Options

FILES = [Found(f"{n}", 1) for n in range(20_000)]


class Clock:
    """A clock that goes on by what a batch takes the workers."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sizes(self, files, most, workers, seconds, **options):
        """Return the sizes of all batches, where a file takes a worker so many seconds."""
        found, sizes = [], []
        for batch in walk.batches(files, most, workers=workers, clock=self, **options):
            found += batch
            sizes.append(len(batch))
            self.now += len(batch) * seconds / workers
        assert found == files
        return sizes


def test_they_are_bounded():
    files = [Found(str(n), size) for n, size in enumerate([1, 1, 1, 9, 1, 1, 1, 1])]
    assert [[f.size for f in b] for b in walk.batches(files, 3, 5)] == [[1, 1, 1], [9], [1, 1, 1],
                                                                       [1]]  # fmt: skip
    large = [Found("large", 20 << 20)] * 10
    assert [len(batch) for batch in walk.batches(large)] == [3, 3, 3, 1]
    assert {len(batch) for batch in walk.batches(FILES, 5)} == {5}
    assert max(len(batch) for batch in walk.batches(FILES, 50)) == 50
    assert list(walk.batches([])) == []


@pytest.mark.parametrize("workers", [1, 2, 32])
def test_they_grow_and_become_small_at_the_end(workers):
    """Few files are work for all workers; many go out in few batches."""
    sizes, gone = Clock().sizes(FILES, 1024, workers, 1e-4), 0
    growing = True
    for size in sizes:
        grown = min(max(32, gone // (2 * workers)), 1024)
        growing = growing and size == grown
        if not growing:  # the end is near
            left = len(FILES) - gone
            assert size <= max(left // (2 * workers), grown // 16, 32)
        gone += size
    assert max(sizes) == min(1024, max(sizes))
    assert max(sizes) > 150
    assert sizes[-1] <= 64
    assert not growing


def test_few_files_are_work_for_all():
    for count in (0, 1, 32, 33, 100):
        sizes = Clock().sizes(FILES[:count], 1024, 2, 1e-4)
        assert sizes == [32] * (count // 32) + [count % 32] * (count % 32 > 0)


def test_none_takes_a_worker_much_longer_than_a_second():
    for seconds in (0.001, 0.01, 0.1, 10):
        sizes = Clock().sizes(FILES, 1024, 2, seconds)
        assert max(sizes) <= max(32, 1.5 / seconds)
        assert max(sizes) >= min(1000, 0.7 / seconds)


def test_very_many_workers_get_fewer_at_a_time():
    """So that what is in memory at once is bounded."""
    many = [Found("", 1)] * 600_000
    for workers, most in ((2, 4096), (16, 4096), (64, 1024), (256, 256), (4096, 32)):
        sizes = [len(batch) for batch in walk.batches(many, 4096, workers=workers, clock=Clock())]
        assert max(sizes) == most
        assert sum(sizes) == len(many)


def test_a_long_wait_is_forgotten():
    """As at an archive whose first half was verified before, or whose file server was away."""
    clock, sizes = Clock(), []
    for batch in walk.batches(FILES, 1024, workers=2, clock=clock):
        sizes.append(len(batch))
        clock.now += 3600 if len(sizes) == 10 else len(batch) * 1e-4
    assert sizes[10] == 32
    assert max(sizes) == 1024


@pytest.mark.parametrize(("ahead", "most"), [(True, 2 * 2 * 512), (False, 1)])
def test_how_many_files_are_found_before_they_are_sent(ahead, most):
    taken = sent = 0

    def files():
        nonlocal taken
        for file in FILES:
            taken += 1
            yield file

    for batch in walk.batches(files(), 512, workers=2, clock=Clock(), ahead=ahead):
        sent += len(batch)
        assert taken <= sent + most
        if sent < 1000:  # a slow walk keeps no worker waiting
            assert taken <= 1.5 * sent + 1
    assert taken == sent == len(FILES)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64, 4096, 4097, 10_000])
@pytest.mark.parametrize("ahead", [True, False])
def test_the_last_one_is_known_before_it_is_sent(count, ahead):
    said, sent = [], 0

    def last():
        said.append(sent)

    before = 0
    for batch in walk.batches(iter(FILES[:count]), 1024, workers=2, ahead=ahead, last=last):
        before, sent = sent, sent + len(batch)
    assert said == [before]


def test_a_run_that_is_stopped_when_all_is_found_is_not_complete(folder):
    """The walk is at its end, and files that it found were sent to no worker."""
    many(folder, 600)
    asked = RunRequest(selection=Selection(roots=("archive",)))
    walked = []

    def watch(progress, stop):
        if progress.files >= 300 and progress.walked:
            walked.append(progress.files)
            stop()

    first = runs.verify("ledger.db", asked, Options(), watch=watch)
    assert walked
    count = len(rows())
    assert not first.complete
    assert count == first.totals.files
    second = runs.verify("ledger.db", asked, Options(), resume=True)
    paths = [row.path for row in rows()]
    assert (second.complete, second.totals.files) == (True, len(paths))
    assert len(set(paths)) == len(paths) > count
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).intact


def test_no_look_for_garbage_among_the_rows(folder, monkeypatch):
    asked = RunRequest(selection=Selection(roots=("archive",)))
    looked, append = [], Ledger.append

    def watched(*arguments):
        looked.append(gc.isenabled())
        return append(*arguments)

    monkeypatch.setattr(Ledger, "append", watched)
    runs.verify("ledger.db", asked, Options())
    assert looked
    assert not any(looked)
    assert gc.isenabled()

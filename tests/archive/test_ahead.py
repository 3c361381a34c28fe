"""Reading ahead: what a batch took is given back, however the batch ends."""

from __future__ import annotations

import contextlib
import os
import queue
import threading

import pytest

from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.archive.find.found import Found
from dicomseal.archive.find.reader_threads import ReaderThreads

SIZE = 7 << 20  # of which only a few fit into what may be ahead


@pytest.fixture
def files(tmp_path):
    def found(number):
        path = tmp_path / str(number)
        path.write_bytes(bytes(SIZE))
        status = os.stat(path)
        return Found(str(path), status.st_size, status.st_mtime_ns)

    return [found(number) for number in range(3)]


def test_a_batch_that_is_left_in_the_middle_takes_no_memory_along(files):
    """An exception of what verifies ends the batch at any file; the next batch is read all the
    same."""
    ahead = ReadAhead(Reading(ahead=2, timeout=4))
    for _ in range(8):
        with contextlib.closing(ahead.each(list(files))) as batch:
            next(batch)
        # read by another thread, so that a reader that waits for ever fails the test
        numbers = []
        thread = threading.Thread(
            target=lambda into=numbers: into.extend(
                number for number, _ in ahead.each(list(files))
            ),
            daemon=True,
        )
        thread.start()
        thread.join(30)
        assert sorted(numbers) == [0, 1, 2]
    assert ahead._buffers.held == sum(map(len, ahead._buffers._free))


def test_a_thread_that_cannot_be_started_is_not_waited_for(monkeypatch):
    """The work is an error at once where no thread could do it, and the next one is done."""
    threads, done = ReaderThreads(), queue.SimpleQueue()

    def refused(_self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError):
            threads.submit(lambda: 1, done)
    task = threads.submit(lambda: 2, done)
    assert done.get(timeout=30) is task
    assert task.result() == 2

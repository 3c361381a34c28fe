"""Find files, and put them into batches that are bounded by files and by bytes."""

from __future__ import annotations

import collections
import fnmatch
import itertools
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator

from .far_reads import TIMEOUT
from .found import NOTHING_SELECTED, Files, Found
from .passed_over import PassedOver
from .patience import patiently
from .root import Root, Walk
from .roots import is_path, root_of
from .unique_paths import unique_paths

BATCH_FILES, BATCH_BYTES = 256, 64 << 20
FIRST_FILES = 32  # the size of the first batches, until that many files were sent
ALL_EXCLUDED = "nothing is selected: every file is excluded"
_SHARE = 2  # a worker gets this part of what was sent, or of what is left
_AT_ONCE = 1 << 16  # files in a batch of each worker: they and their rows are in memory
_SMALLER = 16  # the last batches are smaller than the largest ones by this factor, no more
_SECONDS = 1.0  # of a worker, for a batch
_LATELY = 16  # batches by which it is known how long a file takes


def find_files(
    roots: Iterable[str],
    follow: bool = False,
    passed: PassedOver | None = None,
    null: bool = False,
    timeout: float = TIMEOUT,
) -> Iterator[Found]:
    """Yield the files of all roots, in a stable order: by name, before the subfolders.

    Args:
        roots: folders, files, object stores (``s3://bucket/prefix``, ``gs://``, ``az://``),
            ``@list`` for a file with a path on each line, ``-`` for such lines on standard input.
            A file that a list names twice, or that another root holds too, is found once.
        follow: go into folders that are symbolic links; one is never entered from within itself.
        passed: collects the entries that the walk leaves out.
        null: in lists a NUL ends each path, not a line end.
        timeout: seconds in which a file system must answer; what it does not answer about is an
            entry with the code ``hung``.

    Raises:
        UsageError: a list cannot be read, or names an object store.
        LedgerError: the disk for temporary files is full or missing.
        StoreLostError: an object store no longer answers.
    """
    all_roots = [root_of(root) for root in roots]
    how = Walk(follow, null, PassedOver() if passed is None else passed, is_path)
    found = _all(all_roots, how, timeout)
    # a walk visits a path once; `check_roots` has made sure that roots do not overlap
    yield from unique_paths(found) if any(root.is_list for root in all_roots) else found


def _all(roots: Iterable[Root], how: Walk, timeout: float) -> Iterator[Found]:
    for root in roots:
        yield from patiently(root, how, timeout) if root.may_hang else root.find(how)


def included(files: Iterable[Found], patterns: Iterable[str]) -> Iterator[Found]:
    """Yield the files whose name (or, for a pattern with a slash, path) matches a pattern."""
    matches = matcher(patterns)
    return (file for file in files if file.whole or matches(file.path))


def excluded(files: Iterable[Found], patterns: Iterable[str]) -> Iterator[Found]:
    """Yield the files that match none of the patterns, which are as for `included`."""
    matches = matcher(patterns)
    return (file for file in files if file.whole or not matches(file.path))


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test whether a path matches a pattern by its name, or by all if that has a slash."""
    patterns = tuple(patterns)
    names = [re.compile(fnmatch.translate(one)) for one in patterns if "/" not in one]
    paths = [re.compile(fnmatch.translate(one)) for one in patterns if "/" in one]

    def matches(path: str) -> bool:
        name = os.path.basename(path)
        return any(one.match(name) for one in names) or any(one.match(path) for one in paths)

    return matches


def or_report_nothing(files: Iterable[Found], roots: Iterable[str], why: str) -> Iterator[Found]:
    """Yield the same files; if there are none, an entry for each root that says why."""
    empty = True
    for file in files:
        empty = False
        yield file
    if empty:
        for root in roots:
            yield Found(root_of(root).name, trouble=(NOTHING_SELECTED, why), whole=True)


def batches(
    files: Iterable[Found],
    most_files: int = BATCH_FILES,
    most_bytes: int = BATCH_BYTES,
    workers: int = 1,
    first_files: int = FIRST_FILES,
    *,
    ahead: bool = True,
    last: Callable[[], object] = bool,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Files]:
    """Yield the files in batches, in order; a file larger than ``most_bytes`` is one alone.

    Each batch costs the process that writes the ledger about a millisecond, whatever its size, so
    batches grow with the files that were sent. None has more than a worker verifies in about a
    second: what is in progress when a run is killed is done again. The first ones are small, so
    that a few files are work for all workers, and so are the last ones, so that no worker waits
    long for another.

    Args:
        files: the files.
        most_files, most_bytes: of a batch; of very many workers, fewer files.
        workers: how many work on batches at once.
        first_files: of the first batches, and of the last ones.
        ahead: find more files than are sent, to know when the end is near; else only one.
        last: is called when the batch that is yielded next is the last one, or there is none.
        clock: returns the time in seconds.
    """
    rest, waiting, ended = iter(files), collections.deque[Found](), False
    most_files = min(most_files, max(first_files, _AT_ONCE // workers))
    first, gone = min(first_files, most_files), 0
    lately = collections.deque([(clock(), 0)], _LATELY)
    while True:
        limit = min(max(first, gone // (_SHARE * workers)), most_files)
        since, then = lately[0]
        seconds = (clock() - since) * workers  # of the workers, in which they did those in between
        if seconds > 0:
            limit = min(limit, max(first, int((gone - then) / seconds * _SECONDS)))
        if ended:
            least = max(first, limit // _SMALLER)
            limit = min(limit, max(least, len(waiting) // (_SHARE * workers)))
        kept, batch, size = len(waiting), Files(), 0
        while len(batch) < limit:
            if not waiting and not ended:
                waiting.extend(itertools.islice(rest, 1))
            if not waiting:
                ended = True
                break
            size += waiting[0].size
            if batch and size > most_bytes:
                break
            batch.append(waiting.popleft())
        wanted = kept + len(batch) // 2 if ahead else 1
        wanted = max(1, min(wanted, _SHARE * workers * limit)) - len(waiting)
        if wanted > 0 and not ended:
            found = list(itertools.islice(rest, wanted))
            waiting.extend(found)
            ended = len(found) < wanted
        at_end = ended and not waiting
        if at_end:
            last()
        if batch:
            yield batch
        if at_end:
            return
        gone += len(batch)
        lately.append((clock(), gone))

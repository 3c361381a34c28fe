"""Find files, and put them into batches that are bounded by files and by bytes."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator

from .found import NOTHING_SELECTED, Files, Found
from .passed_over import PassedOver
from .root import Root, Walk
from .roots import is_path, root_of
from .unique_paths import unique_paths

BATCH_FILES, BATCH_BYTES = 256, 64 << 20
FIRST_FILES = 32  # the size of the first batches, until that many files were sent
ALL_EXCLUDED = "nothing is selected: every file is excluded"
_BATCHES_AHEAD = 4  # batches of a size for each worker, before the size grows


def find_files(
    roots: Iterable[str],
    follow: bool = False,
    passed: PassedOver | None = None,
    null: bool = False,
) -> Iterator[Found]:
    """Yield the files of all roots, in a stable order: by name, before the subfolders.

    Args:
        roots: folders, files, object stores (``s3://bucket/prefix``, ``gs://``, ``az://``),
            ``@list`` for a file with a path on each line, ``-`` for such lines on standard input.
            A file that a list names twice, or that another root holds too, is found once.
        follow: go into folders that are symbolic links; one is never entered from within itself.
        passed: collects the entries that the walk leaves out.
        null: in lists a NUL ends each path, not a line end.

    Raises:
        UsageError: a list cannot be read, or names an object store.
        LedgerError: the disk for temporary files is full or missing.
        StoreLostError: an object store no longer answers.
    """
    all_roots = [root_of(root) for root in roots]
    how = Walk(follow, null, PassedOver() if passed is None else passed, is_path)
    found = _all(all_roots, how)
    # a walk visits a path once; `check_roots` has made sure that roots do not overlap
    yield from unique_paths(found) if any(root.is_list for root in all_roots) else found


def _all(roots: Iterable[Root], how: Walk) -> Iterator[Found]:
    for root in roots:
        yield from root.find(how)


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
) -> Iterator[Files]:
    """Yield the files in batches, in order; a file larger than ``most_bytes`` is one alone.

    Each batch costs the process that writes the ledger about a millisecond, whatever its size, so
    batches are large. The first ones are smaller (``first_files``), so that a few files are work
    for all ``workers``, and no batch is so large that all other workers would wait long for the
    last one.
    """
    batch, size, gone = Files(), 0, 0
    limit = min(first_files, most_files)
    for file in files:
        if batch and (len(batch) >= limit or size + file.size > most_bytes):
            yield batch
            gone += len(batch)
            limit = min(max(first_files, gone // (_BATCHES_AHEAD * workers)), most_files)
            batch, size = Files(), 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch

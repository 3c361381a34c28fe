"""Finding files, and making batches of them that are bounded by files and by bytes."""

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
FIRST_FILES = 32  # that a batch has at most as long as few files went out
ALL_EXCLUDED = "nothing is selected: every file is excluded"
_BATCHES_AHEAD = 4  # for each worker, of a size, before the size grows


def find_files(
    roots: Iterable[str],
    follow: bool = False,
    passed: PassedOver | None = None,
    null: bool = False,
) -> Iterator[Found]:
    """The files of all roots, in a stable order: files of a folder by name, then its subfolders.

    Args:
        roots: folders, files, object stores (``s3://bucket/prefix``, ``gs://``, ``az://``),
            ``@list`` for a file with a path on each line, ``-`` for such lines on standard input.
            What a list names twice, or what another root holds too, is found once.
        follow: go into folders that are symbolic links; one is never entered from within itself.
        passed: is told what the walk leaves out.
        null: in lists a NUL ends each path, not a line end.

    Raises:
        UsageError: a list cannot be read, or names an object store.
        LedgerError: the disk for temporary files is full, or not there.
        StoreLostError: an object store does not answer any more.
    """
    places = [root_of(root) for root in roots]
    how = Walk(follow, null, PassedOver() if passed is None else passed, is_path)
    found = _all(places, how)
    # a walk comes by a path once; `check_roots` has seen to it that roots do not overlap
    yield from unique_paths(found) if any(root.is_list for root in places) else found


def _all(roots: Iterable[Root], how: Walk) -> Iterator[Found]:
    for root in roots:
        yield from root.find(how)


def included(files: Iterable[Found], patterns: Iterable[str]) -> Iterator[Found]:
    """Those whose name (or, for a pattern with a slash, path) matches one of the patterns."""
    matches = matcher(patterns)
    return (file for file in files if file.whole or matches(file.path))


def excluded(files: Iterable[Found], patterns: Iterable[str]) -> Iterator[Found]:
    """Those that match none of the patterns, which are as for `included`."""
    matches = matcher(patterns)
    return (file for file in files if file.whole or not matches(file.path))


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path matches one of the patterns: its name, or all of it where that has a slash."""
    patterns = tuple(patterns)
    names = [re.compile(fnmatch.translate(one)) for one in patterns if "/" not in one]
    paths = [re.compile(fnmatch.translate(one)) for one in patterns if "/" in one]

    def matches(path: str) -> bool:
        name = os.path.basename(path)
        return any(one.match(name) for one in names) or any(one.match(path) for one in paths)

    return matches


def or_report_nothing(files: Iterable[Found], roots: Iterable[str], why: str) -> Iterator[Found]:
    """The same files; where there is none, what stands for each root and says why."""
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
) -> Iterator[Files]:
    """The files in batches, in their order; a file larger than ``most_bytes`` is one alone.

    Each costs the process that writes the ledger about a millisecond, whatever is in it, so they
    are large. The first ones are smaller, so that few files are work for all ``workers``, and
    none is so large that all the others would wait long for the last one.
    """
    batch, size, gone = Files(), 0, 0
    limit = min(FIRST_FILES, most_files)
    for file in files:
        if batch and (len(batch) >= limit or size + file.size > most_bytes):
            yield batch
            gone += len(batch)
            limit = min(max(FIRST_FILES, gone // (_BATCHES_AHEAD * workers)), most_files)
            batch, size = Files(), 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch

"""Finding files, and making batches of them that are bounded by files and by bytes."""

from __future__ import annotations

import codecs
import fnmatch
import itertools
import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec

from ...errors import UsageError
from ...files.atomic import is_temporary
from ...report import escaped
from . import object_stores
from .found import EMPTY_FOLDER, EMPTY_LIST, NOTHING_SELECTED, Files, Found
from .unique_paths import unique_paths

BATCH_FILES, BATCH_BYTES = 256, 64 << 20
FIRST_FILES = 32  # that a batch has at most as long as few files went out
EMPTY = {EMPTY_FOLDER: "the folder holds no file", EMPTY_LIST: "the list names no file"}
ALL_EXCLUDED = "nothing is selected: every file is excluded"
_BATCHES_AHEAD = 4  # for each worker, of a size, before the size grows


TEMPORARY, LINK_TO_FOLDER, OF_THE_LEDGER = "temporary", "link_to_folder", "ledger"
PASSED_OVER = {
    TEMPORARY: "temporary files of dicomseal",
    LINK_TO_FOLDER: "links to folders",
    OF_THE_LEDGER: "files of the ledger",
}
_MOST_NAMED = 10


class PassedOver(msgspec.Struct, kw_only=True):
    """What a walk left out, unasked: somebody may have put an object there.

    Attributes:
        counts: how many of each kind of `PASSED_OVER`.
        first: paths of the first few, for people.
    """

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    first: list[str] = msgspec.field(default_factory=list)

    def add(self, kind: str, path: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(self.first) < _MOST_NAMED:
            self.first.append(escaped(path))

    def lines(self) -> list[str]:
        """The same for people."""
        if not self.counts:
            return []
        parts = [
            f"{what} ({self.counts[kind]:,})"
            for kind, what in PASSED_OVER.items()
            if kind in self.counts
        ]
        more = sum(self.counts.values()) - len(self.first)
        return [
            f"passed over, not verified: {', '.join(parts)}",
            *(f"  {path}" for path in self.first),
            *([f"  and {more:,} more"] if more > 0 else []),
        ]


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
    roots = tuple(roots)
    found = _all(roots, follow, PassedOver() if passed is None else passed, null)
    # a walk comes by a path once; `check_roots` has seen to it that roots do not overlap
    yield from unique_paths(found) if any(map(is_list, roots)) else found


def is_list(root: str) -> bool:
    """Whether a root stands for a list of paths."""
    return root == "-" or root.startswith("@")


def _all(roots: Iterable[str], follow: bool, passed: PassedOver, null: bool) -> Iterator[Found]:
    for root in roots:
        if root == "-":
            yield from _listed(root, _paths(sys.stdin.buffer, null))
        elif root.startswith("@"):
            try:
                with open(root[1:], "rb") as lines:
                    yield from _listed(root, _paths(lines, null))
            except OSError as error:
                raise UsageError(f"{root[1:]}: {error.strerror or error}") from None
        elif object_stores.is_url(root):
            yield from _stored(root)
        else:
            yield from _below(os.path.abspath(root), follow, passed)


def _stored(root: str) -> Iterator[Found]:
    empty = True
    for found in object_stores.listed(root):
        empty = False
        yield Found(*found)
    if empty:
        yield Found(root, trouble=(EMPTY_FOLDER, "no object's key begins so"), whole=True)


def check_roots(roots: Iterable[str]) -> None:
    """Refuse what would verify a file twice, or nothing at all.

    Raises:
        UsageError: a root is not there, or lies within another.
        StoreLostError: an object store does not answer, or does not let us list it.
    """
    folders: list[str] = []
    for root in roots:
        if is_list(root):
            continue
        if object_stores.is_url(root):
            folders.append(object_stores.place_of(root).url + "/")
            continue
        if not os.path.lexists(root):
            raise UsageError(f"{root}: there is no such file or folder")
        folders.append(os.path.join(os.path.abspath(root), ""))
    folders.sort()
    for first, second in itertools.pairwise(folders):
        if second.startswith(first):
            raise UsageError(f"{second[:-1]} lies within {first[:-1]}: name one of them")
    for folder in folders:
        if object_stores.is_url(folder):
            object_stores.check(folder)


def _paths(file: BinaryIO, null: bool) -> Iterator[bytes]:
    """What a list names, without line ends and the mark that Windows' editors put first."""
    if null:  # from a program, and exact
        yield from ended_by_null(file)
        return
    for number, line in enumerate(file):
        name = line.rstrip(b"\r\n")
        if not number:
            if name.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in name:
                raise UsageError("a list is in UTF-16: write it in UTF-8")
            name = name.removeprefix(codecs.BOM_UTF8)
        yield name


def ended_by_null(file: BinaryIO) -> Iterator[bytes]:
    """What a NUL ends, or the end of the file."""
    rest = b""
    while piece := file.read(1 << 16):
        *names, rest = (rest + piece).split(b"\0")
        yield from names
    if rest:
        yield rest


def _listed(root: str, names: Iterable[bytes]) -> Iterator[Found]:
    empty = True
    for one in names:
        name = os.fsdecode(one)
        if object_stores.is_url(name):
            raise UsageError(f"{name}: a list names files; name an object store as a root")
        if name:
            empty = False
            yield _file(os.path.abspath(name))
    if empty:  # as where the command that makes the list has failed
        yield Found(root, trouble=(EMPTY_LIST, EMPTY[EMPTY_LIST]), whole=True)


def _file(path: str) -> Found:
    try:
        status = os.stat(path)
    except OSError as error:
        return Found(path, trouble=_trouble(error))
    except ValueError as error:  # a NUL
        return Found(path, trouble=("not_found", str(error)))
    return Found(path, status.st_size, status.st_mtime_ns)


def _trouble(error: OSError) -> tuple[str, str]:
    codes = {FileNotFoundError: "not_found", PermissionError: "permission"}
    return codes.get(type(error), "unreadable"), error.strerror or str(error)


def _below(root: str, follow: bool, passed: PassedOver) -> Iterator[Found]:
    if not os.path.isdir(root):
        file = _file(root)
        yield msgspec.structs.replace(file, whole=file.trouble is not None)
        return
    # of each folder: its path, and what (device, inode) lies above it, for links
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    empty = True
    while pending:
        folder, above = pending.pop()
        try:
            if follow:
                status = os.stat(folder)
                here = (status.st_dev, status.st_ino)
                if here in above:
                    continue  # a link to a folder that it lies in
                above |= {here}
            with os.scandir(folder) as found:
                entries = sorted(found, key=operator.attrgetter("name"))
        except FileNotFoundError:
            if folder != root:
                continue  # it was removed since its parent was listed
            yield Found(folder, trouble=("not_found", "the folder has vanished"), whole=True)
            return
        except OSError as error:
            empty = False
            yield Found(folder, trouble=_trouble(error), whole=True)
            continue
        folders = []
        for entry in entries:
            if is_temporary(entry.name):
                passed.add(TEMPORARY, entry.path)
                continue  # half an object, that somebody is writing, or was killed at
            if not _is_file(entry):
                if _is_folder(entry, follow):
                    folders.append((entry.path, above))
                    continue
                if entry.is_symlink() and _is_folder(entry, True):
                    passed.add(LINK_TO_FOLDER, entry.path)
                    continue
            empty = False
            try:
                status = entry.stat()
            except FileNotFoundError:
                if not entry.is_symlink():
                    continue  # vanished
                yield Found(entry.path, trouble=("not_found", "a link to nothing"))
                continue
            except OSError as error:
                yield Found(entry.path, trouble=_trouble(error))
                continue
            yield Found(entry.path, status.st_size, status.st_mtime_ns)
        pending += reversed(folders)
    if empty:
        yield Found(root, trouble=(EMPTY_FOLDER, EMPTY[EMPTY_FOLDER]), whole=True)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is one itself, no link to one: most are, and need no other question."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str], follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False


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
            local = not (is_list(root) or object_stores.is_url(root))
            path = os.path.abspath(root) if local else root
            yield Found(path, trouble=(NOTHING_SELECTED, why), whole=True)


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

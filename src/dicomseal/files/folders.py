"""The walk through a folder, for a command that works on all files below it.

In: the path of a folder.
Out: the entries of its files in a stable order: those of a folder by name, then its subfolders.
PS3: none, as files are not opened here.

A folder that cannot be listed is yielded as well, so that the caller can report it.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Unreadable(NamedTuple):
    """A folder that could not be listed, and the reason."""

    path: str
    error: OSError


def walk(
    root: str,
    follow: bool = False,
    linked: Callable[[str], object] = str,
    left_out: Callable[[os.DirEntry[str]], bool] | None = None,
) -> Iterator[os.DirEntry[str] | Unreadable]:
    """Yield the files below a folder, and the folders that could not be listed.

    A link to a file counts as a file, and so does an entry that is neither a file nor a folder.

    Args:
        root: the folder.
        follow: go into folders that are symbolic links; one is never entered from within itself.
        linked: is called with each link to a folder that is not entered.
        left_out: says first of each entry whether it is left out, with all that is below it.
    """
    # of each folder: its path, and the folders above it (device, inode), to detect cycles of links
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
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
        except OSError as error:
            yield Unreadable(folder, error)
            continue
        folders = []
        for entry in entries:
            if left_out is not None and left_out(entry):
                continue
            if not _is_file(entry):
                if _is_folder(entry, follow):
                    folders.append((entry.path, above))
                    continue
                if entry.is_symlink() and _is_folder(entry, True):
                    linked(entry.path)
                    continue
            yield entry
        pending += reversed(folders)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file itself, not a link to one; most are, and need no further call."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str], follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False

"""The walk through a folder, for a command that works on all files below it.

In: the path of a folder.
Out: the entries of its files in a stable order: those of a folder by name, then its subfolders.
PS3: none, as files are not opened here.

A folder that cannot be listed is yielded as well, so that the caller can report it.
"""

from __future__ import annotations

import collections
import copy
import itertools
import operator
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

_AT_ONCE = 1024  # names of a folder


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

    The arguments are those of `FolderWalk`.
    """
    return FolderWalk(root, follow, linked, left_out).entries()


class FolderWalk:
    """A walk, which keeps what is still to be done: another thread can go on behind what hangs.

    A link to a file counts as a file, and so does an entry that is neither a file nor a folder.

    Args:
        root: the folder.
        follow: go into folders that are symbolic links; one is never entered from within itself.
        linked: is called with each link to a folder that is not entered.
        left_out: says first of each entry whether it is left out, with all that is below it.
        asked: is called with the path of each folder before it is listed, and as its names come;
            and of each entry before the system is asked for its kind.
    """

    def __init__(
        self,
        root: str,
        follow: bool = False,
        linked: Callable[[str], object] = str,
        left_out: Callable[[os.DirEntry[str]], bool] | None = None,
        asked: Callable[[str], object] = str,
    ) -> None:
        self._follow, self._linked, self._left_out = follow, linked, left_out
        self._asked = asked
        # of each folder: its path, and the folders above it (device, inode), to detect cycles of
        # links
        self._pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
        self._above: frozenset[tuple[int, int]] = frozenset()  # the folder that is listed, too
        self._listed: collections.deque[os.DirEntry[str]] = collections.deque()
        self._folders: list[tuple[str, frozenset[tuple[int, int]]]] = []  # in that folder
        self._left = False

    def rest(self) -> FolderWalk:
        """Return the walk over what is still to be done, for another thread, as this one hangs.

        If it comes back after all, it takes nothing of that, and ends.
        """
        rest = copy.copy(self)
        rest._pending, rest._folders = self._pending.copy(), self._folders.copy()
        rest._listed = self._listed.copy()
        self._left = True
        for done_by_another in self._pending, self._folders, self._listed:
            done_by_another.clear()
        return rest

    def _goes_on_elsewhere(self) -> bool:
        return self._left  # another thread sets it at any time

    def entries(self) -> Iterator[os.DirEntry[str] | Unreadable]:
        """Yield what is still to be done; each entry is taken out before anything is asked of it.

        When the iterator does not come back, `rest` goes on behind what it hangs with.
        """
        while True:
            yield from self._of_the_folder()
            self._pending += reversed(self._folders)
            self._folders = []
            if self._goes_on_elsewhere() or not self._pending:
                return
            folder, above = self._pending.pop()
            try:
                self._asked(folder)
                if self._follow:
                    status = os.stat(folder)
                    here = (status.st_dev, status.st_ino)
                    if here in above:
                        continue  # a link to a folder that it lies in
                    above |= {here}
                entries: list[os.DirEntry[str]] = []
                with os.scandir(folder) as found:
                    while some := list(itertools.islice(found, _AT_ONCE)):
                        entries += some
                        if self._goes_on_elsewhere():
                            return
                        self._asked(folder)
                entries.sort(key=operator.attrgetter("name"))
            except OSError as error:
                yield Unreadable(folder, error)
                continue
            if self._goes_on_elsewhere():
                return
            self._above, self._listed = above, collections.deque(entries)

    def _of_the_folder(self) -> Iterator[os.DirEntry[str]]:
        listed, follow, left_out = self._listed, self._follow, self._left_out
        asked = self._asked
        while listed:
            entry = listed.popleft()
            if left_out is not None and left_out(entry):
                continue
            asked(entry.path)
            if not _is_file(entry):
                if _is_folder(entry, follow):
                    self._folders.append((entry.path, self._above))
                    continue
                if entry.is_symlink() and _is_folder(entry, True):
                    self._linked(entry.path)
                    continue
            yield entry


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

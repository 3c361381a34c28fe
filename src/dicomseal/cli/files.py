"""The files of a command: paths, folders that are walked, lists, without the excluded ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..errors import UsageError
from ..files.folders import walk
from .streams import STANDARD, once_at_most, standard_input


class Files:
    """The files that the arguments of a command name; they can be iterated once.

    Args:
        paths: files, folders; ``-`` for an object on standard input.
        null: ``-`` is a list of paths on standard input instead, each ended by a NUL, and ``@FILE``
            one in a file. A list names files: a folder in it is not walked, as its files are
            usually in the list, too.
        exclude: patterns of names or, with a slash, of paths. An object on standard input has
            neither, and a folder that cannot be read is never left out.

    Attributes:
        standard_input: whether an object is to be read there.
        single: whether one object is named, and not a list or a folder, even with one file.

    Raises:
        UsageError: standard input is named twice, or a list cannot be read.
    """

    def __init__(self, paths: Sequence[str], null: bool, exclude: Sequence[str]) -> None:
        once_at_most(paths)
        self.standard_input = STANDARD in paths and not null
        # each with its files, if a list has named them already
        self._roots = [
            (path, _listed(path) if null and (path == STANDARD or path[:1] == "@") else None)
            for path in paths
            if null or path != STANDARD
        ]
        listed = any(names is not None for _, names in self._roots)
        self.single = len(paths) == 1 and not listed and (
            self.standard_input or not os.path.isdir(paths[0])
        )  # fmt: skip
        self._matches: Callable[[str], bool] | None = None
        if exclude:
            from ..archive.find.walk import matcher

            self._matches = matcher(exclude)
        self._empty: list[tuple[str, bool]] = []
        self._linked: list[str] = []
        self._temporary: list[str] = []
        self._named: set[str] = set()
        self._left_out = self._any = False

    def named(self, file: str) -> bool:
        """Return whether an argument names the file itself: then it should be an object."""
        return file in self._named

    def __iter__(self) -> Iterator[str]:
        for path, names in self._roots:
            found = False
            for file in self._below(path, names, self._linked.append, self._temporary.append):
                found = True
                if self._excluded(file):
                    self._left_out = True
                    continue
                self._any = True
                yield file
            if not found:
                self._empty.append((path, names is not None))

    def _below(
        self,
        path: str,
        names: list[str] | None,
        linked: Callable[[str], object] = str,
        temporary: Callable[[str], object] = str,
    ) -> Iterable[str]:
        if names is not None:
            return names
        if not os.path.isdir(path):
            self._named.add(path)
            return (path,)
        from ..files.atomic import is_temporary

        def left_out(entry: os.DirEntry[str]) -> bool:
            found = is_temporary(entry.name)
            if found:
                temporary(entry.path)
            return found

        # opening a folder that cannot be read will report the reason, and the rest of the walk goes
        # on
        return (entry.path for entry in walk(path, linked=linked, left_out=left_out))

    def _excluded(self, path: str) -> bool:
        """Return whether it is excluded, by its path as given or as `archive verify` writes it."""
        if self._matches is None:
            return False
        matches = self._matches(path) or self._matches(os.path.abspath(path))
        return matches and not os.path.isdir(path)

    def count(self) -> int:
        """Return how many files there are, counted separately from the walk."""
        return self.standard_input + sum(
            not self._excluded(file)
            for path, names in self._roots
            for file in self._below(path, names)
        )

    def nothing(self) -> Iterator[tuple[str, str, str]]:
        """Yield, after the walk, the roots without a file: path, code and sentence."""
        if not self._empty and not self._left_out:
            return
        from ..archive.find.found import EMPTY, EMPTY_FOLDER, EMPTY_LIST, NOTHING_SELECTED
        from ..archive.find.walk import ALL_EXCLUDED

        for path, is_list in self._empty:
            code = EMPTY_LIST if is_list else EMPTY_FOLDER
            yield path, code, EMPTY[code]
        if self._left_out and not self._any and not self.standard_input:
            empty = {path for path, _ in self._empty}
            for path, _ in self._roots:
                if path not in empty:
                    yield path, NOTHING_SELECTED, ALL_EXCLUDED

    def passed_over(self) -> list[str]:
        """Return, after the walk, lines about the entries that it left out by itself."""
        if not self._linked and not self._temporary:
            return []
        from ..archive.find.passed_over import LINK_TO_FOLDER, TEMPORARY, PassedOver

        passed = PassedOver()
        for kind, paths in ((TEMPORARY, self._temporary), (LINK_TO_FOLDER, self._linked)):
            for path in paths:
                passed.add(kind, path)
        return passed.lines()


def _listed(path: str) -> list[str]:
    from ..archive.find.list_root import ended_by_null

    if path == STANDARD:
        names = list(ended_by_null(standard_input()))
    else:
        try:
            with open(path[1:], "rb") as file:
                names = list(ended_by_null(file))
        except (OSError, ValueError) as error:  # the latter for a NUL in the name
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"{path[1:]}: {why}") from None
    return [os.fsdecode(name) for name in names if name]

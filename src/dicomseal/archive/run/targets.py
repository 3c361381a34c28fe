"""Where the signed copies of a run go: to the folders of the tree, below a target.

In: the paths of files.
Out: the paths of their copies, whose folders are there.
PS3: none.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ...errors import SourceError
from ...files.atomic import NO_SPACE
from ..find.far_reads import HUNG
from ..find.root import Reads


class Targets:
    """Finds the places of signed files.

    Args:
        roots: of the run.
        target: the folder for the copies; None: files are signed in place.
        entered: called with the path of each folder, links in it resolved, before the first file in
            it is signed.
        reads: reads that are given up in time: a folder of a server that is dead hangs as its files
            do.
    """

    def __init__(
        self,
        roots: tuple[str, ...],
        target: str | None,
        entered: Callable[[str], object],
        reads: Reads,
    ) -> None:
        self._roots, self._target = roots, target
        self._entered, self._reads = entered, reads
        self._folder = self._target_folder = ""
        self._error: SourceError | None = None  # of this folder, if it hangs

    def of(self, path: str) -> str:
        """Return the path of the signed file; folders in the target are created.

        Raises:
            SourceError: a folder cannot be created, or does not answer.
        """
        folder, name = os.path.split(path)
        if folder != self._folder:  # files come folder by folder
            # after any other error the next file asks again: it must not get the folder before it
            self._folder, self._error = "", None
            try:
                self._target_folder = self._reads.within(lambda: self._enter(path, folder))
            except SourceError as error:
                if error.code != HUNG:
                    raise
                self._error = error
            self._folder = folder
        if self._error is not None:
            raise self._error
        if self._target is None:
            return path
        return os.path.join(self._target_folder, name)

    def _enter(self, path: str, folder: str) -> str:
        target = self._other_folder(path, folder)
        # also where no file is left to be written: a killed run may have begun the last one
        self._entered(os.path.realpath(target))
        return target

    def _other_folder(self, path: str, folder: str) -> str:
        """Return the folder for the signed file, and create it."""
        if self._target is None:
            return folder
        for root in self._roots:
            if path == root or path.startswith(os.path.join(root, "")):
                below = os.path.dirname(root) if os.path.isfile(root) else root
                several = len(self._roots) > 1 and below == root
                name = os.path.join(os.path.basename(root) if several else "",
                                    os.path.relpath(path, below))  # fmt: skip
                target = os.path.dirname(os.path.join(self._target, name))
                _create(target)
                return target
        raise SourceError(f"{path}: lies below none of the roots")


def _create(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        code = "no_space" if error.errno in NO_SPACE else "write"
        raise SourceError(f"{folder}: cannot be made: {error.strerror or error}", code) from None

"""Temporary files that killed processes left in the folders of an archive."""

from __future__ import annotations

import contextlib
import os
import re

from ...files import atomic

# the name of a temporary file: the run, the process's part in it, its worker
_BEGUN = re.compile(re.escape(atomic.PREFIX) + r"(\w+)-(\w+)-(\d{1,9})-").match
_MAX_SWEPT = 10_000  # folders that are remembered


def mark(run: str, session: str) -> None:
    """Have the temporary files of this process say whose they are."""
    atomic.mark(f"{run}-{session}-{os.getpid()}-")


class Sweeper:
    """Removes what killed workers of runs of a ledger left behind, each folder once.

    Args:
        run, session: of this process, see `mark`.
        runs: earlier runs in the ledger, of which no worker lives.
    """

    def __init__(self, run: str, session: str, runs: frozenset[str]) -> None:
        self._run, self._session, self._runs = run, session, runs
        self._swept: set[str] = set()

    def sweep(self, folder: str) -> None:
        """Remove such files from a folder, whose path has no links in it."""
        if folder in self._swept:
            return
        if len(self._swept) >= _MAX_SWEPT:
            self._swept.clear()
        self._swept.add(folder)
        begun = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:  # may be unreadable
            begun = [(entry.path, parts) for entry in entries if (parts := _BEGUN(entry.name))]
        for path, parts in begun:
            run, session, process = parts.groups()
            mine = run == self._run
            if (run in self._runs and not mine) or (
                mine and (session != self._session or not _lives(int(process)))
            ):
                with contextlib.suppress(OSError):  # another worker was faster
                    os.unlink(path)


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True

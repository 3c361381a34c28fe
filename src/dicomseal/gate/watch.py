"""Verifying what another receiver puts into folders, into a ledger, as it arrives.

One process is one run of the ledger, from its start until it is stopped. What the ledger has of an
earlier run, with the same size and time, is not verified again; what a killed process had verified
and not yet recorded is. So nothing is lost, and restarting costs no more than looking through the
folders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from ..archive.find.found import Found, path_of
from ..archive.find.selection import RunRequest, as_json
from ..archive.find.trusted import trusted_by
from ..archive.find.walk import BATCH_FILES, matcher
from ..archive.ledger.ledger import WATCH, Ledger, Seal
from ..archive.ledger.lock import locked
from ..archive.ledger.rows import NOT_READ, Row, unpack
from ..archive.ledger.sqlite_file import explained
from ..archive.run import verify_worker
from ..archive.run.loop import Loop
from ..archive.run.progress import Outcome, Progress
from ..archive.run.session import Session
from ..errors import DicomSealError, UsageError
from ..report import ERROR, FAILED, INDETERMINATE, PASSED, UNSIGNED
from ..verification.other_files import DIRECTORY, NOT_DICOM
from .arrivals import Arrivals, State
from .judgement import comment, judge
from .origin import Origin
from .placer import digest
from .policy import QUARANTINE, REFUSE, Policy
from .quarantine import Quarantine

SETTLE, SWEEP = 0.5, 300.0  # seconds
_WINDOW = 2  # batches for each worker that are under way: one it works on, one that waits
_SETTLED = frozenset((PASSED, NOT_DICOM, DIRECTORY))  # verdicts with which nothing is done
_OTHERS = (FAILED, INDETERMINATE, UNSIGNED, ERROR)
_CHANGED, _VANISHED = "changed", "not_found"
_LOAD = (
    "INSERT OR REPLACE INTO taken SELECT path, size, mtime, NULL, NULL FROM object"
    " WHERE NOT (verdict = ? AND reason IN (SELECT value FROM json_each(?)))"
    " AND verdict NOT IN (SELECT value FROM json_each(?)) ORDER BY id"
)


class Taken:
    """Which files were verified, and in which state: in a temporary file of SQLite's (``TMPDIR``).

    Args:
        ledger: what its runs have is known from the start.
        without: verdicts of objects that are not taken for settled, because something is still to
            be done with them.
    """

    def __init__(self, ledger: Ledger, without: Iterable[str] = ()) -> None:
        self._ledger = ledger
        with explained(ledger.path):
            ledger.db.execute(
                "CREATE TEMP TABLE taken (path PRIMARY KEY, size, mtime, ctime, inode)"
                " WITHOUT ROWID"
            )
            ledger.db.execute(_LOAD, (ERROR, json.dumps(NOT_READ), json.dumps(list(without))))

    def __call__(self, path: str, state: State) -> bool:
        """Return whether a file was taken in this state.

        Of an earlier process size and time are known.
        """
        with explained(self._ledger.path):
            found = self._ledger.db.execute(
                "SELECT size, mtime, ctime, inode FROM taken WHERE path = ?", (path_of(path),)
            ).fetchone()
        if found is None:
            return False
        size, mtime, ctime, inode = found
        return (size, mtime) == state[:2] and (ctime is None or (ctime, inode) == state[2:])

    def add(self, path: str, state: State) -> None:
        """Take note of a file."""
        with explained(self._ledger.path):
            self._ledger.db.execute(
                "INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?, ?)", (path_of(path), *state)
            )


class Sorted(msgspec.Struct, frozen=True):
    """What was done with an object that fell short.

    Attributes:
        row: as the ledger has it.
        quarantined: where it is now; empty if it is where it was.
        trouble: why it could not be put there; or empty.
    """

    row: Row
    quarantined: str = ""
    trouble: str = ""


def watch(
    path: str,
    asked: RunRequest,
    policy: Policy,
    *,
    quarantine: Quarantine | None = None,
    jobs: int = 1,
    settle: float = SETTLE,
    sweep: float = SWEEP,
    once: bool = False,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None = None,
    progress: Callable[[Progress, Callable[[], None]], object] | None = None,
    told: Callable[[Sorted], object] = lambda _: None,
    trouble: Callable[[str, str], object] = lambda *_: None,
) -> Outcome:
    """Verify what arrives in folders, until it is stopped.

    Args:
        path: of the ledger; made if it is not there.
        asked: the folders as roots, and patterns of names.
        policy: of the verification, and what is done with each verdict: ``accept`` leaves an object
            where it is. There is nobody to whom one could be refused.
        quarantine: where objects go that the policy puts there.
        jobs: processes that verify.
        settle: seconds that a file must not have changed for.
        sweep: seconds between two looks through the folders.
        once: end after the first look.
        sign: as for `archive.run.runner.verify`.
        progress: is called at the beginning and after every batch, with what stops it.
        told: is called with each object that did not pass, and is not unsigned.
        trouble: is told of folders that cannot be read: path and sentence.

    Raises:
        UsageError: the policy refuses, a folder is not there, or quarantine lies in one of them.
        LedgerError: the ledger cannot be used.
        SourceError: the folders cannot be watched any more.
    """
    folders = _checked(asked.selection.roots, policy, quarantine)
    options = msgspec.structs.replace(policy.options, digests=True)
    asked = msgspec.structs.replace(asked, trusted=trusted_by(options.trust))
    left = [one for one in _OTHERS if policy.action_for(one) == QUARANTINE]
    with locked(path), Ledger(path, create=True) as ledger:
        ledger.check()
        seal: Seal | None = None if sign is None else lambda data: sign(data)[0]
        taken = Taken(ledger, left)
        run = ledger.begin(as_json(asked), WATCH, seal)
        arrivals = Arrivals(
            folders, taken, _wanted(path, asked), settle=settle, sweep=sweep, once=once,
            trouble=trouble,
        )  # fmt: skip
        loop = Loop(
            verify_worker.Pools(jobs, options, afresh=True),
            verify_worker.verify_batch,
            partial(verify_worker.crashed, seconds=options.limits.seconds),
            jobs * _WINDOW,
        )

        def stop() -> None:
            arrivals.stop()
            loop.stop()

        session = Session(ledger, run, WATCH, stop, progress, seal)
        session.tell()
        with arrivals:
            for batch, packed in loop.run(arrivals.batches(BATCH_FILES)):
                if not batch:
                    continue
                session.found(len(batch))
                session.append(packed)
                for file, row in zip(batch, unpack(packed), strict=True):
                    fallen_short = _settled(file, row, arrivals, taken, policy, quarantine)
                    if fallen_short is not None:
                        told(fallen_short)
        session.all_found()
        return session.end(sign)


def _settled(
    file: Found,
    row: Row,
    arrivals: Arrivals,
    taken: Taken,
    policy: Policy,
    quarantine: Quarantine | None,
) -> Sorted | None:
    """Return what is done with an object once it is in the ledger."""
    state = arrivals.done(file.path)
    if row.verdict == ERROR and row.reason in (_CHANGED, _VANISHED):
        arrivals.again(file.path)
        return None
    if state is not None and (row.size, row.mtime) == state[:2]:
        taken.add(file.path, state)
    else:  # it was written to before it was read, and nobody knows whether that was all
        arrivals.again(file.path)
    if row.verdict in _SETTLED:
        return None
    if quarantine is not None and policy.action_for(row.verdict) == QUARANTINE:
        return _quarantined(file.path, row, policy, quarantine)
    return None if row.verdict == UNSIGNED else Sorted(row)


def _quarantined(path: str, row: Row, policy: Policy, quarantine: Quarantine) -> Sorted | None:
    """Put it there; judged once more, as it may be another by now.

    A link stays: what it leads to lies elsewhere, and would be left there.
    """
    if os.path.islink(path):
        return Sorted(row, trouble="it is a symbolic link, which stays where it is")
    decision = judge(path, policy)
    if decision.action != QUARANTINE:
        return Sorted(row)
    origin = Origin(via="watch", peer=path)
    try:
        placed = quarantine.put(path, digest(path), decision, comment(decision.report), origin)
    except (DicomSealError, OSError) as error:
        return Sorted(row, trouble=str(error))
    return Sorted(row, quarantined=placed.path)


def _checked(
    roots: Sequence[str], policy: Policy, quarantine: Quarantine | None
) -> tuple[str, ...]:
    """Return the folders, absolute."""
    actions = {policy.on_failed, policy.on_indeterminate, policy.on_unsigned}
    if REFUSE in actions:
        raise UsageError("nothing can be refused that another receiver has taken: quarantine it")
    if QUARANTINE in actions and quarantine is None:
        raise UsageError("name the folder for quarantine")
    folders = tuple(os.path.abspath(root) for root in roots)
    for folder in folders:
        if not os.path.isdir(folder):
            raise UsageError(f"{folder}: there is no such folder")
        for other in (*folders, *([quarantine.root] if quarantine else ())):
            if other is not folder and _within(os.path.realpath(other), os.path.realpath(folder)):
                raise UsageError(f"{other} lies within {folder}, which is watched")
    return folders


def _within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _wanted(ledger: str, asked: RunRequest) -> Callable[[str], bool]:
    """Return whether a path is selected, and not of the ledger itself."""
    names = os.path.abspath(ledger), os.path.realpath(ledger)
    own = {name + end for name in names for end in ("", "-wal", "-shm", ".lock")}
    include: Any = matcher(asked.selection.include) if asked.selection.include else None
    exclude: Any = matcher(asked.selection.exclude) if asked.selection.exclude else None

    def wanted(path: str) -> bool:
        if path in own or (include and not include(path)):
            return False
        return not (exclude and exclude(path))

    return wanted

"""Damage that is known: objects whose state somebody has looked at and accepted.

A baseline names each object by its path and a mark, which is a digest of what is wrong with it. An
object that is damaged in another way later has another mark, so it is new trouble. A baseline is a
file of JSON lines, or a ledger: then it holds what was in trouble in its last completed run.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import IO

import msgspec

from ...errors import LedgerError, UsageError
from ...report import ALTERED, ERROR, FAILED, escaped, harmless
from ..ledger.ledger import VERIFY, Ledger
from ..ledger.rows import Row
from ..ledger.written import as_written
from .diff import TROUBLE, VANISHED, Change

_SQLITE = b"SQLite format 3\0"
_VERSION = 1


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a baseline: an object whose state is accepted.

    Attributes:
        path: as `escaped` returns it.
        mark: from `mark_of`.
        kind: what it was told as: a verdict or a kind of change; for people.
        reason, sentence: why; for people.
    """

    path: str
    mark: str
    kind: str = ""
    reason: str = ""
    sentence: str = ""


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a baseline."""

    dicomseal_baseline: int
    ledger: str = ""
    run: int = 0


class Baseline:
    """The accepted objects. It takes about 100 bytes of memory for each.

    Args:
        entries: the accepted objects.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._known = {_key(one.path, one.mark) for one in entries}

    def __len__(self) -> int:
        return len(self._known)

    def holds(self, change: Change) -> bool:
        """Return whether the state of this object was accepted."""
        return _key(escaped(change.row.path), mark_of(change)) in self._known


def mark_of(change: Change) -> str:
    """Return the mark of what is wrong with an object, hexadecimal.

    It is made from what does not vary from run to run while nothing happens to the object: neither
    from the time, nor from sentences, which may tell the age of a revocation list. Only the
    sentence on an altered signature is in it, which has the hash of the present content. Such an
    object is not damaged once more by a certificate that expires.
    """
    if change.after is not None:
        return _mark(change.after)
    # the row that vanished: what came back, and is gone again, is another loss
    return f"{VANISHED} {change.number} {change.row.size} {change.row.mtime}"


def _mark(row: Row) -> str:
    size = row.size if row.verdict in (ERROR, FAILED) else 0
    parts: list[object] = [row.verdict, row.sop_instance_uid, row.content, size]
    altered = any(one.integrity == ALTERED for one in row.signatures)
    if not altered:
        parts += [row.reasons, row.uncovered_classes]
    for one in row.signatures:
        parts += [one.location, one.uid, one.integrity, one.digest, one.content]
        parts.append(one.sentence if one.integrity == ALTERED else "")
        parts.append("" if altered else one.trust)
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()[:32]


def _key(path: str, mark: str) -> bytes:
    return hashlib.sha256(f"{path}\0{mark}".encode("utf-8", "surrogatepass")).digest()[:16]


def entry_of(change: Change, kind: str) -> Entry:
    """Return the line that accepts the state of an object, told as of this kind."""
    row = change.row
    return Entry(
        path=escaped(row.path),
        mark=mark_of(change),
        kind=kind,
        reason=row.reason if change.after else "",
        sentence=harmless(row.sentence) if change.after else "",
    )


def write(file: IO[bytes], ledger: str, run: int, entries: Iterable[Entry]) -> int:
    """Write a baseline, and return how many objects are in it.

    Args:
        file: open for writing.
        ledger, run: where the states were seen; for people.
        entries: the accepted objects.
    """
    head = _Head(dicomseal_baseline=_VERSION, ledger=escaped(ledger), run=run)
    file.write(msgspec.json.encode(head) + b"\n")
    count = 0
    for entry in entries:
        file.write(msgspec.json.encode(entry) + b"\n")
        count += 1
    return count


def load(path: str, ledger: str = "") -> Baseline:
    """Return the baseline in a file or a ledger.

    Args:
        path: of the file or ledger.
        ledger: that is compared. It is not its own baseline: it would hold all that is in trouble
            in its last run.

    Raises:
        UsageError: the file cannot be read, or is neither; or it is the same ledger.
        LedgerError: the ledger cannot be used.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                if os.path.exists(ledger) and os.path.samefile(path, ledger):
                    raise UsageError(
                        f"{path}: a ledger is not its own baseline, which would know all its "
                        "trouble; `archive baseline` writes one"
                    )
                return Baseline(_of_ledger(path))
            file.seek(0)
            return Baseline(entries(file, path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def entries(file: IO[bytes], path: str) -> Iterator[Entry]:
    """Yield the lines of a baseline.

    Raises:
        UsageError: it is not one.
    """
    for number, line in enumerate(itertools.chain([file.readline()], file), 1):
        try:
            if number > 1:
                yield msgspec.json.decode(line, type=Entry)
            elif msgspec.json.decode(line, type=_Head).dicomseal_baseline != _VERSION:
                raise UsageError(f"{path}: it is a baseline of another version of dicomseal")
        except (msgspec.MsgspecError, UnicodeError):
            raise UsageError(
                f"{path}, line {number}: this is not a baseline: `archive baseline` writes one, "
                "and a ledger is one"
            ) from None


def _of_ledger(path: str) -> Iterator[Entry]:
    """Yield what was in trouble in the last completed run of a ledger."""
    with Ledger(path) as ledger:
        finished = [run for run in ledger.runs(VERIFY) if run.finished is not None]
        if not finished:
            raise LedgerError(f"{path}: no run came to its end", "no_run")
        span = ledger.span(finished[-1].number)
        ledger.check(span)
        with as_written(path):
            for row in ledger.rows(*span):
                if row.verdict in TROUBLE:
                    yield entry_of(Change("", None, row), row.verdict)

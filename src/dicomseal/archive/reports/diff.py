"""What changed between two runs: both are read in the order of their paths, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from ...errors import LedgerError
from ...report import ERROR, FAILED, INTACT, PASSED
from ..find.selection import RunRequest
from ..ledger.ledger import VERIFY, Ledger, Run
from ..ledger.rows import DIRECTORY, NOT_DICOM, Row, SignatureRow
from ..ledger.uncovered import shortened
from ..ledger.written import as_written, decoded

NEWLY_FAILING, NEWLY_PASSING = "newly_failing", "newly_passing"
NO_LONGER_PASSING = "no_longer_passing"
VANISHED, NEW, STRIPPED = "vanished", "new", "stripped"
CONTENT_CHANGED, UNSIGNED_CHANGED = "content_changed", "unsigned_changed"
REPLACED, RE_SIGNED, SIGNATURE_ADDED = "replaced", "re_signed", "signature_added"
MEANINGS = {
    NEWLY_FAILING: "fails and did not before, or cannot be read any more",
    NO_LONGER_PASSING: "passed, or had an intact signature, and cannot be decided now",
    VANISHED: "was there, and is not any more",
    STRIPPED: "was signed, and is not any more, or has fewer signatures",
    CONTENT_CHANGED: "its content was changed, and it has a new signature that is intact",
    REPLACED: "has other signatures, and whether its content changed cannot be told",
    UNSIGNED_CHANGED: "content that no signature protects was changed",
    RE_SIGNED: "has other signatures over the same content",
    SIGNATURE_ADDED: "has more signatures, and the old ones are still intact",
    NEWLY_PASSING: "passes, and did not before",
    NEW: "was not there",
}
KINDS = tuple(MEANINGS)
# what cron should wake somebody for
ALARMING = frozenset(KINDS[: KINDS.index(RE_SIGNED)])
# of a verdict that an object cannot be verified with, those that said so as well or worse before
_AS_BAD = {
    FAILED: {FAILED},  # of what could not be read before it was not known
    ERROR: {FAILED, ERROR},
    NOT_DICOM: {FAILED, ERROR, NOT_DICOM},
    DIRECTORY: {FAILED, ERROR, NOT_DICOM, DIRECTORY},
}
# content
SAME, CHANGED = "same", "changed"


class Change(NamedTuple):
    """One object that changed; ``before`` or ``after`` is None where it was not there.

    ``content`` is ``same``, ``changed``, or None where it cannot be told.
    """

    kind: str
    before: Row | None
    after: Row | None
    content: str | None = None

    @property
    def row(self) -> Row:
        row = self.after or self.before
        if row is None:
            raise LedgerError("a change of nothing")
        return row


def pair(ledger: Ledger, since: int | None = None) -> tuple[Run, Run]:
    """The last finished run, and the one to compare it with: a given one, or the one before it.

    Raises:
        LedgerError: there are no two finished runs.
    """
    finished = [run for run in ledger.runs(VERIFY) if run.finished is not None]
    if not finished:
        raise LedgerError(f"{ledger.path}: no run came to its end", "no_run")
    last = finished[-1]
    earlier = [run for run in finished[:-1] if since in (None, run.number)]
    if not earlier:
        what = "no earlier run" if since is None else f"run {since}"
        raise LedgerError(
            f"{ledger.path}: run {last.number} cannot be compared with {what}: it is not there, "
            "or did not come to its end",
            "no_run",
        )
    return earlier[-1], last


def same_files(before: Run, after: Run) -> bool:
    """Whether both runs were over the same files, so that what is missing has vanished."""
    one, two = (decoded("the ledger", run.asked, RunRequest).selection for run in (before, after))
    # of a folder with other files a stratified sample draws others, too
    return one == two and one.modified_before is None and not one.stratify


def changes(ledger: Ledger, before: Run, after: Run) -> Iterator[Change]:
    """What changed, in the order of the paths.

    Between runs that were not over the same files, nothing is `VANISHED` or `NEW`.

    Raises:
        LedgerError: a value is not what dicomseal writes there.
    """
    for run in (before, after):
        ledger.check(ledger.span(run.number))
    with as_written(ledger.path):
        yield from _changes(ledger, before, after)


def _changes(ledger: Ledger, before: Run, after: Run) -> Iterator[Change]:
    whole = same_files(before, after)
    olds = _each(ledger.rows(*ledger.span(before.number), order="path"))
    news = _each(ledger.rows(*ledger.span(after.number), order="path"))
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if new is None or (old is not None and _key(old) < _key(new)):
            if whole:
                yield Change(VANISHED, old, None)
            old = next(olds, None)
        elif old is None or _key(new) < _key(old):
            if whole:
                yield Change(NEW, None, new)
            new = next(news, None)
        else:
            kind = compare(old, new)
            if kind:
                yield Change(kind, old, new, content(old, new))
            old, new = next(olds, None), next(news, None)


def _each(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, sorted by their paths, without what a list named a second time."""
    for _, same in itertools.groupby(rows, key=_key):
        yield next(same)


def _key(row: Row) -> tuple[bool, bytes]:
    """As SQLite sorts: text before blobs, each by its bytes."""
    if isinstance(row.path, bytes):
        return True, row.path
    return False, row.path.encode()


def compare(old: Row, new: Row) -> str | None:
    """What happened to an object that is in both runs; None: nothing.

    What is alarming comes first: whoever changes content and adds a signature did change content.
    """
    if new.verdict in _AS_BAD:
        return None if _was_as_bad(old, new) else NEWLY_FAILING
    if old.signatures and not new.signatures:
        return STRIPPED
    if _gone(old, new):
        return _with_other_signatures(old, new)
    return _with_the_same_signatures(old, new)


def _was_as_bad(old: Row, new: Row) -> bool:
    if new.verdict == DIRECTORY and not (old.sop_class_uid or old.signatures):
        return True  # ledgers of before had it as an object without SOP Class, unsigned or failed
    return old.verdict in _AS_BAD[new.verdict]


def _with_other_signatures(old: Row, new: Row) -> str:
    """Of an object that has not all signatures that it had."""
    said = content(old, new)
    if said == CHANGED:
        return CONTENT_CHANGED
    if len(new.signatures) < len(old.signatures):
        return STRIPPED
    if said != SAME:
        return REPLACED
    if _doubtful(old, new) or _passes_no_longer(old, new):
        return NO_LONGER_PASSING
    return RE_SIGNED


def _with_the_same_signatures(old: Row, new: Row) -> str | None:
    """Of an object that has all signatures that it had, and perhaps more."""
    if _doubtful(old, new):
        return NO_LONGER_PASSING
    if content(old, new) == CHANGED:
        return UNSIGNED_CHANGED if old.signatures or not new.signatures else CONTENT_CHANGED
    if _passes_no_longer(old, new):
        return NO_LONGER_PASSING
    if _more_beside(old, new):
        return UNSIGNED_CHANGED
    if old.signatures and len(new.signatures) > len(old.signatures):
        return SIGNATURE_ADDED
    return NEWLY_PASSING if new.verdict == PASSED != old.verdict else None


def _passes_no_longer(old: Row, new: Row) -> bool:
    return old.verdict == PASSED != new.verdict


def _gone(old: Row, new: Row) -> list[SignatureRow]:
    """The signatures that are not there any more."""
    return [one for one in old.signatures if not _counterparts(one, new)]


def content(old: Row, new: Row) -> str | None:
    """Whether two rows are of the same content; None: it cannot be told.

    Digests of the whole content decide, where both runs took them. Otherwise it is the content that
    signatures cover: of each that is gone, one in the same place must cover the same. They compare
    only if they have the same MAC algorithm; and if they differ, only if they list the same
    elements.
    """
    if old.content and new.content:
        return SAME if old.content == new.content else CHANGED
    found = [_covered(one, new) for one in _gone(old, new)]
    if CHANGED in found:
        return CHANGED
    return SAME if found and None not in found else None


def _covered(old: SignatureRow, new: Row) -> str | None:
    said = None
    for one in new.signatures:
        if not (old.content and one.content):
            continue  # of one that is not intact nothing is known
        if (one.location, one.mac_algorithm) != (old.location, old.mac_algorithm):
            continue
        if one.content == old.content:
            return SAME
        if one.elements == old.elements:
            said = CHANGED
    return said


def _counterparts(old: SignatureRow, new: Row) -> list[SignatureRow]:
    """The same signature in the new row: by its digest, or where one of them is not intact, by its
    place and UID, which anybody can give to another."""
    place = old.location, old.uid
    return [
        one
        for one in new.signatures
        if (one.digest == old.digest if one.digest and old.digest
            else (one.location, one.uid) == place)
    ]  # fmt: skip


def _more_beside(old: Row, new: Row) -> bool:
    """Whether the same signatures, judged alike, leave out other elements than they did."""
    judged = [
        sorted((one.location, one.digest, one.integrity, one.trust) for one in row.signatures)
        for row in (old, new)
    ]
    return judged[0] == judged[1] and shortened(old.uncovered_classes) != shortened(
        new.uncovered_classes
    )


def _doubtful(old: Row, new: Row) -> bool:
    """Whether a signature that was intact is not any more."""
    return any(
        INTACT not in {one.integrity for one in _counterparts(was, new)}
        for was in old.signatures
        if was.integrity == INTACT and _counterparts(was, new)
    )

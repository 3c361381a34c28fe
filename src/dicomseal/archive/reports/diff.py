"""The differences between two runs: both are read in the order of their paths, in parallel."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...errors import LedgerError
from ...report import ERROR, FAILED, INDETERMINATE, INTACT, PASSED
from ...verification.other_files import DIRECTORY, NOT_DICOM
from ..find.selection import RunRequest
from ..ledger.ledger import VERIFY, Ledger, Run
from ..ledger.rows import NOT_READ, Row, SignatureRow
from ..ledger.uncovered import shortened
from ..ledger.written import as_written, decoded
from .groups import Item, item_of

NEWLY_FAILING, NEWLY_PASSING = "newly_failing", "newly_passing"
NO_LONGER_PASSING = "no_longer_passing"
VANISHED, NEW, STRIPPED = "vanished", "new", "stripped"
CONTENT_CHANGED, UNSIGNED_CHANGED = "content_changed", "unsigned_changed"
REPLACED, RE_SIGNED, SIGNATURE_ADDED = "replaced", "re_signed", "signature_added"
MEANINGS = {
    NEWLY_FAILING: "fails and did not before, or can no longer be read",
    NO_LONGER_PASSING: "passed, or had an intact signature, and cannot be decided now",
    VANISHED: "existed, and no longer exists",
    STRIPPED: "was signed, and no longer is, or has fewer signatures",
    CONTENT_CHANGED: "its content was changed, and it has a new signature that is intact",
    REPLACED: "has other signatures, and whether its content changed cannot be told",
    UNSIGNED_CHANGED: "content that no signature protects was changed",
    RE_SIGNED: "has other signatures over the same content",
    SIGNATURE_ADDED: "has more signatures, and the old ones are still intact",
    NEWLY_PASSING: "passes, and did not before",
    NEW: "did not exist before",
}
KINDS = tuple(MEANINGS)
# objects that were as bad before, or are new; told only if a caller asks for them
IN_TROUBLE = "in_trouble"
TROUBLE = frozenset({FAILED, ERROR, INDETERMINATE})  # their verdicts
# kinds for which cron should alert someone
ALARMING = frozenset(KINDS[: KINDS.index(RE_SIGNED)])
# for a verdict of an object that does not verify, the earlier verdicts that were as bad or worse
_AS_BAD = {
    FAILED: {FAILED},  # nothing was known about an object that could not be read before
    ERROR: {FAILED, ERROR},
    NOT_DICOM: {FAILED, ERROR, NOT_DICOM},
    DIRECTORY: {NOT_DICOM, DIRECTORY},
}
# content
SAME, CHANGED = "same", "changed"


class Change(NamedTuple):
    """One object that changed; ``before`` or ``after`` is None if it did not exist then.

    ``content`` is ``same``, ``changed``, or None if it is not known. ``number`` and
    ``number_after`` are the numbers of ``before`` and ``after`` in the ledger; 0 if there is none.
    """

    kind: str
    before: Row | None
    after: Row | None
    content: str | None = None
    number: int = 0
    number_after: int = 0

    @property
    def row(self) -> Row:
        row = self.after or self.before
        if row is None:
            raise LedgerError("a change of nothing")
        return row

    @property
    def alarms(self) -> bool:
        """Whether it is of a kind for which cron should alert someone."""
        return self.kind in ALARMING


def item_of_change(change: Change) -> Item:
    """Return a change as a member of a group: one in trouble is of the kind of its verdict."""
    kind = change.row.verdict if change.kind == IN_TROUBLE else change.kind
    item = item_of(change.row, kind)
    if kind == VANISHED or not item.sentence or kind in (RE_SIGNED, SIGNATURE_ADDED):
        item = item._replace(reason="", sentence=MEANINGS.get(kind, ""))
    if change.content and kind in (NEWLY_FAILING, STRIPPED):
        same = "is the same" if change.content == SAME else "changed"
        item = item._replace(sentence=f"{item.sentence}; the content {same}")
    return item


def pair(ledger: Ledger, since: int | None = None) -> tuple[Run, Run]:
    """Return the last finished run, and the one to compare it with: the given or previous one.

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
            f"{ledger.path}: run {last.number} cannot be compared with {what}: it does not exist, "
            "or was not completed",
            "no_run",
        )
    return earlier[-1], last


def same_files(before: Run, after: Run) -> bool:
    """Return whether both runs were over the same files, so that a missing file has vanished."""
    one, two = (decoded("the ledger", run.asked, RunRequest).selection for run in (before, after))
    # in a folder with other files, a stratified sample draws other ones, too
    return one == two and one.modified_before is None and not one.stratify


def changes(
    ledger: Ledger,
    before: Run | None,
    after: Run,
    references: Iterable[int] = (),
    in_trouble: bool = False,
) -> Iterator[Change]:
    """Yield the changes, in the order of the paths.

    Between runs that were not over the same files, nothing is `VANISHED` or `NEW`.

    Args:
        ledger: open for reading.
        before: the earlier run; None if there is none, so that nothing has changed.
        after: the later run.
        references: numbers of objects of still earlier runs, in the order of their paths. Each of
            them is compared with, instead of the object with the same path in ``before``.
        in_trouble: also yield a change of the kind `IN_TROUBLE` for each object in trouble that
            is not told with an alarming change.

    Raises:
        LedgerError: a value is not what dicomseal writes there.
    """
    for run in filter(None, (before, after)):
        ledger.check(ledger.span(run.number))
    with as_written(ledger.path):
        for change in _changes(ledger, before, after, references):
            if change.kind and (change.kind != NEW or before is not None):
                yield change
            now = change.after
            if in_trouble and not change.alarms and now is not None and now.verdict in TROUBLE:
                yield change._replace(kind=IN_TROUBLE)


def _changes(
    ledger: Ledger, before: Run | None, after: Run, references: Iterable[int]
) -> Iterator[Change]:
    """Yield a change for each object, also of the kind ``""`` for one that did not change."""
    whole = before is None or same_files(before, after)
    references = list(references)
    kept = frozenset(references)  # an alarm that was told stays, whatever the runs are over
    olds = _each(_olds(ledger, before, references))
    news = _each(_numbered(ledger, ledger.numbers(*ledger.span(after.number))))
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if new is None or (old is not None and _key(old.row) < _key(new.row)):
            if old is not None and (whole or old.number in kept) and _existed(old.row):
                yield Change(VANISHED, old.row, None, number=old.number)
            old = next(olds, None)
        elif old is None or _key(new.row) < _key(old.row):
            yield Change(NEW if whole else "", None, new.row, number_after=new.number)
            new = next(news, None)
        else:
            kind = compare(old.row, new.row)
            comparison = content(old.row, new.row) if kind else None
            numbers = old.number, new.number
            yield Change(kind or "", old.row, new.row, comparison, *numbers)
            old, new = next(olds, None), next(news, None)


def _existed(row: Row) -> bool:
    """Return whether a row is on a file: the others are on a folder or root, or a broken link."""
    return not (row.verdict == ERROR and row.reason in NOT_READ and not row.size and not row.mtime)


class _Numbered(NamedTuple):
    """A row and its number in the ledger."""

    row: Row
    number: int


def _numbered(ledger: Ledger, numbers: Iterable[int]) -> Iterator[_Numbered]:
    for number, row in ledger.rows_of(numbers):
        yield _Numbered(row, number)


def _olds(ledger: Ledger, before: Run | None, references: Iterable[int]) -> Iterator[_Numbered]:
    """Yield what is compared with, references first where a path is there twice."""
    rows = _numbered(ledger, references)
    if before is None:
        return rows
    run = _numbered(ledger, ledger.numbers(*ledger.span(before.number)))
    return heapq.merge(rows, run, key=lambda one: _key(one.row))


def _each(rows: Iterator[_Numbered]) -> Iterator[_Numbered]:
    """Yield the rows, sorted by their paths, each path once: a list may name a file twice."""
    for _, same in itertools.groupby(rows, key=lambda one: _key(one.row)):
        yield next(same)


def _key(row: Row) -> tuple[bool, bytes]:
    """Return the key by which SQLite sorts: text before blobs, each by its bytes."""
    if isinstance(row.path, bytes):
        return True, row.path
    return False, row.path.encode()


def compare(old: Row, new: Row) -> str | None:
    """Return what happened to an object that is in both runs; None: nothing.

    The alarming kinds come first: an attacker who changes content and adds a signature did change
    content.
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
        return True  # older ledgers have it as an object without SOP Class, unsigned or failed
    return old.verdict in _AS_BAD[new.verdict]


def _with_other_signatures(old: Row, new: Row) -> str:
    """Classify an object that lost some of its signatures."""
    comparison = content(old, new)
    if comparison == CHANGED:
        return CONTENT_CHANGED
    if len(new.signatures) < len(old.signatures):
        return STRIPPED
    if comparison != SAME:
        return REPLACED
    if _doubtful(old, new) or _passes_no_longer(old, new):
        return NO_LONGER_PASSING
    return RE_SIGNED


def _with_the_same_signatures(old: Row, new: Row) -> str | None:
    """Classify an object that has all signatures that it had, and perhaps more."""
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
    """Return the signatures that no longer exist."""
    return [one for one in old.signatures if not _counterparts(one, new)]


def content(old: Row, new: Row) -> str | None:
    """Compare the content of two rows; None: it is not known.

    Digests of the whole content decide, if both runs computed them. Otherwise the content under the
    signatures decides: for each signature that is gone, one in the same place must cover the same.
    They are comparable only if they have the same MAC algorithm; and a difference counts only if
    they list the same elements.
    """
    if old.content and new.content:
        return SAME if old.content == new.content else CHANGED
    found = [_covered(one, new) for one in _gone(old, new)]
    if CHANGED in found:
        return CHANGED
    return SAME if found and None not in found else None


def _covered(old: SignatureRow, new: Row) -> str | None:
    comparison = None
    for one in new.signatures:
        if not (old.content and one.content):
            continue  # nothing is known of a signature that is not intact
        if (one.location, one.mac_algorithm) != (old.location, old.mac_algorithm):
            continue
        if one.content == old.content:
            return SAME
        if one.elements == old.elements:
            comparison = CHANGED
    return comparison


def _counterparts(old: SignatureRow, new: Row) -> list[SignatureRow]:
    """Return the same signature in the new row.

    It is found by its digest; if one of the two is not intact, by its place and UID, which anyone
    can copy.
    """
    place = old.location, old.uid
    return [
        one
        for one in new.signatures
        if (one.digest == old.digest if one.digest and old.digest
            else (one.location, one.uid) == place)
    ]  # fmt: skip


def _more_beside(old: Row, new: Row) -> bool:
    """Return whether the same signatures, judged alike, leave out other elements than before."""
    judged = [
        sorted((one.location, one.digest, one.integrity, one.trust) for one in row.signatures)
        for row in (old, new)
    ]
    return judged[0] == judged[1] and shortened(old.uncovered_classes) != shortened(
        new.uncovered_classes
    )


def _doubtful(old: Row, new: Row) -> bool:
    """Return whether a signature that was intact no longer is."""
    return any(
        INTACT not in {one.integrity for one in _counterparts(was, new)}
        for was in old.signatures
        if was.integrity == INTACT and _counterparts(was, new)
    )

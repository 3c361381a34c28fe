"""The differences between two runs: both are read in the order of their paths, in parallel."""

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
# kinds for which cron should alert someone
ALARMING = frozenset(KINDS[: KINDS.index(RE_SIGNED)])
# for a verdict of an object that does not verify, the earlier verdicts that were as bad or worse
_AS_BAD = {
    FAILED: {FAILED},  # nothing was known about an object that could not be read before
    ERROR: {FAILED, ERROR},
    NOT_DICOM: {FAILED, ERROR, NOT_DICOM},
    DIRECTORY: {FAILED, ERROR, NOT_DICOM, DIRECTORY},
}
# content
SAME, CHANGED = "same", "changed"


class Change(NamedTuple):
    """One object that changed; ``before`` or ``after`` is None if it did not exist then.

    ``content`` is ``same``, ``changed``, or None if it is not known.
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


def changes(ledger: Ledger, before: Run, after: Run) -> Iterator[Change]:
    """Yield the changes, in the order of the paths.

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
    """Yield the rows, sorted by their paths, without files that a list named a second time."""
    for _, same in itertools.groupby(rows, key=_key):
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

"""The results of a run, added up by SQLite, so that memory stays flat: the data of every report."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import msgspec

from ...remedies.table import sentence
from ...report import ERROR, FAILED, INTACT, TRUSTED, UNSIGNED, escaped
from ...verification.best_signature_time import POE_LEDGER
from ...verification.other_files import DIRECTORY, NOT_DICOM
from ..find.passed_over import PassedOver
from ..find.sample import CONFIDENCE, no_less_than, upper_bound
from ..find.selection import RunRequest
from ..ledger.ledger import GATE, SIGN, VERIFY, WATCH, Ledger, Run
from ..ledger.rows import FAILURES, SIGN_VERDICTS, VERDICTS
from ..ledger.sqlite_file import explained
from ..ledger.uncovered import UncoveredSum, summed
from ..ledger.written import as_written, decoded
from ..run.estimate import as_before
from ..run.progress import Totals
from .expiry import Expiring, expiring
from .groups import Group
from .modalities import label
from .signers import SignerSum
from .since import Changes, changes_since, earlier
from .trouble import UNDECIDED, Failure, first, in_groups

MAX_FAILURES = 10_000
MAX_NAMES, REST = 500, "(others)"
_POINTS = 60


class Point(msgspec.Struct, frozen=True):
    """A point of throughput: files since the previous point, until a time in seconds since 1970."""

    time: float
    files: int
    bytes: int


class LedgerState(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger that a report is about.

    Attributes:
        path: of its file.
        runs: how many it has.
        head: of its chain, hexadecimal. To be noted elsewhere, as `archive audit` says.
        run_head: the same at the end of this run; empty if it has none yet.
    """

    path: str
    runs: int
    head: str
    run_head: str


class Summary(msgspec.Struct, kw_only=True):
    """A run in figures.

    Attributes:
        run: its number.
        started, finished: in seconds since 1970; the latter None for one that was not completed.
        complete: whether it was completed.
        files, bytes: verified.
        verdicts: files by verdict, all verdicts.
        reasons: files by the code of a reason; one file may have several.
        sop_classes: for each SOP Class (its name, or UID) the files by verdict. Of these, and of
            modalities and algorithms, the `MAX_NAMES` most frequent ones are named.
        modalities: for each Modality (0008,0060) the files by verdict; if it is absent, by the SOP
            Class, and then the name says so.
        algorithms: signatures by MAC Algorithm.
        times: judged signatures by the source of the time that counted.
        weak: signatures by the part of them that is no longer strong.
        signers: certificates, those that expire first first; at most `MAX_NAMES` of them, those
            with trusted signatures and those with most. ``signers_left_out``: how many more.
        expiring: for each month, e.g. ``2027-03``, how many trusted signatures without a Certified
            Timestamp were made with certificates that expire in it.
        unsigned_share: unsigned objects of all objects that could be read, 0 to 1; or None.
        throughput: at most 60 points.
        failures: the first of them; ``failures_left_out`` says how many more there are.
        undecided: the first ``indeterminate`` objects; ``undecided_left_out``: how many more.
        sample: what a drawn part proves, in a sentence; or None.
        uncovered: the elements that no passing signature covers, by class; in a run that signs,
            those that the new signatures leave out.
        uncovered_objects, uncovered_elements: how many objects have such elements, and how many
            there are.
        signed: whether the end of the run has a signature (`archive audit` verifies it).
        passed_over: entries that the walk left out by itself; of a run that was completed.
        kind: `ledger.VERIFY`, or `ledger.SIGN`; a run that signs verified nothing.
        remedies: what to do about each of the reasons, a sentence with a command.
        groups: failures, and then undecided objects, by reason and cause: all of them.
        changes: since the finished run before; None: there is none, this run has no end yet, or
            the changes were not asked for.
        expiry: certificates that have expired or expire within 90 days.
        ledger: its state when this was read.
        updated: when the last batch was finished, in seconds since 1970.
        expected: about how many files the run has in all, as an earlier run over the same
            selection had; None if that is not known, or the run came to its end.
    """

    run: int
    started: float
    finished: float | None
    complete: bool
    asked: RunRequest
    files: int = 0
    bytes: int = 0
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    sop_classes: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    modalities: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    algorithms: dict[str, int] = msgspec.field(default_factory=dict)
    times: dict[str, int] = msgspec.field(default_factory=dict)
    weak: dict[str, int] = msgspec.field(default_factory=dict)
    signers: list[SignerSum] = msgspec.field(default_factory=list)
    expiring: dict[str, int] = msgspec.field(default_factory=dict)
    unsigned_share: float | None = None
    throughput: list[Point] = msgspec.field(default_factory=list)
    failures: list[Failure] = msgspec.field(default_factory=list)
    failures_left_out: int = 0
    uncovered: list[UncoveredSum] = msgspec.field(default_factory=list)
    uncovered_objects: int = 0
    uncovered_elements: int = 0
    undecided: list[Failure] = msgspec.field(default_factory=list)
    undecided_left_out: int = 0
    sample: str | None = None
    signed: bool = False
    kind: str = VERIFY
    passed_over: PassedOver = msgspec.field(default_factory=PassedOver)
    remedies: dict[str, str] = msgspec.field(default_factory=dict)
    signers_left_out: int = 0
    groups: list[Group] = msgspec.field(default_factory=list)
    changes: Changes | None = None
    expiry: list[Expiring] = msgspec.field(default_factory=list)
    ledger: LedgerState | None = None
    updated: float = 0.0
    expected: int | None = None


def summarize(
    ledger: Ledger,
    number: int | None = None,
    most: int = MAX_FAILURES,
    *,
    now: float | None = None,
    compare: bool = True,
) -> Summary:
    """Add up a run, as the ledger has it at this moment: a run may be writing to it.

    Args:
        ledger: open for reading.
        number: of the run; None is the last one that verified.
        most: how many failures are listed, and how many undecided objects.
        now: the time from which expiry counts, in seconds since 1970; None is now.
        compare: whether to look for the changes since the run before, which takes longer than
            all the rest.

    Raises:
        LedgerError: there is no such run, the ledger cannot be read, or a value in it is not what
            dicomseal writes there.
    """
    with ledger.reading():
        run = run_shown(ledger, number)
        span = ledger.span(run.number)
        ledger.check(span)
        with as_written(ledger.path):
            summary = _summary(ledger, run, span, most)
            trusted = summary.asked.trusted
            summary.expiry = expiring(summary.signers, trusted, time.time() if now is None else now)
            before = earlier(ledger, run) if compare else None
            if before is not None:
                summary.changes = changes_since(ledger, before, run)
    return summary


def run_shown(ledger: Ledger, number: int | None = None) -> Run:
    """Return the run that a report is about: the one with the number, or the last that verified.

    Of a ledger in which all runs signed, it is the last of them.

    Raises:
        LedgerError: there is no such run.
    """
    return ledger.find(number, _kind(ledger) if number is None else None)


def _kind(ledger: Ledger) -> str:
    """Return the kind of run that is meant where none is named.

    What arrives may have its own ledger.
    """
    kinds = [run.kind for run in ledger.runs()]
    verified = [kind for kind in kinds if kind in (VERIFY, GATE, WATCH)]
    if VERIFY in verified or not kinds:
        return VERIFY
    return (verified or kinds)[-1]


def _summary(ledger: Ledger, run: Run, span: tuple[int, int], most: int) -> Summary:
    summary = Summary(
        run=run.number,
        started=run.started,
        finished=run.finished,
        complete=run.finished is not None,
        asked=decoded(ledger.path, run.asked, RunRequest),
        signed=run.signature is not None,
        kind=run.kind,
    )
    with explained(ledger.path):
        _objects(ledger, span, summary)
        _signatures(ledger, span, summary)
        summary.failures = first(ledger, span, FAILURES, most)
        summary.undecided = first(ledger, span, UNDECIDED, most)
    for verdicts, listed, name in (
        (FAILURES, summary.failures, "failures_left_out"),
        (UNDECIDED, summary.undecided, "undecided_left_out"),
    ):
        total = sum(summary.verdicts.get(one, 0) for one in verdicts)
        setattr(summary, name, total - len(listed))
    summary.groups = in_groups(ledger, span)
    summary.ledger = LedgerState(
        path=escaped(os.path.abspath(ledger.path)), runs=len(ledger.runs()),
        head=ledger.head().hex(),
        run_head=run.end_head.hex() if run.end_head else "",
    )  # fmt: skip
    if run.finished is None:
        known = as_before(ledger, summary.asked.selection)
        summary.expected = known.files if known else None
    if run.totals is not None:
        summary.passed_over = decoded(ledger.path, run.totals, Totals).passed_over
    _throughput(ledger, run, summary)
    _sample(run, summary)
    return summary


def _objects(ledger: Ledger, span: tuple[int, int], summary: Summary) -> None:
    query = "SELECT {}, count(*) FROM object WHERE id BETWEEN ? AND ? GROUP BY {} ORDER BY 2 DESC"
    summary.verdicts = dict.fromkeys(SIGN_VERDICTS if summary.kind == SIGN else VERDICTS, 0)
    for verdict, count, size in ledger.db.execute(
        "SELECT verdict, count(*), sum(size) FROM object WHERE id BETWEEN ? AND ? GROUP BY verdict",
        span,
    ):
        summary.verdicts[verdict] = count
        summary.files += count
        summary.bytes += size
    for codes, count in ledger.db.execute(query.format("reasons", "reasons"), span):
        for code in codes.split():
            summary.reasons[code] = summary.reasons.get(code, 0) + count
    for code in summary.reasons:
        what = sentence(code)
        if what is not None:
            summary.remedies[code] = what
    classes: dict[str, Counter[str]] = {}
    modalities: dict[str, Counter[str]] = {}
    for uid, modality, verdict, count in ledger.db.execute(
        "SELECT sop_class_uid, modality, verdict, count(*) FROM object WHERE id BETWEEN ? AND ?"
        " GROUP BY 1, 2, 3 ORDER BY 4 DESC",
        span,
    ):
        _of(classes, _class_name(uid))[verdict] += count
        _of(modalities, label(modality, uid))[verdict] += count
    summary.sop_classes, summary.modalities = _sorted(classes), _sorted(modalities)
    _uncovered(ledger, span, summary)
    readable = summary.files - sum(summary.verdicts[one] for one in (ERROR, NOT_DICOM, DIRECTORY))
    if readable and summary.kind == VERIFY:
        summary.unsigned_share = summary.verdicts[UNSIGNED] / readable


def _uncovered(ledger: Ledger, span: tuple[int, int], summary: Summary) -> None:
    where = " FROM object WHERE id BETWEEN ? AND ? AND uncovered"
    summary.uncovered_objects, summary.uncovered_elements = ledger.db.execute(
        f"SELECT count(*), ifnull(sum(uncovered), 0){where}", span
    ).fetchone()
    rows = ledger.db.execute(
        f"SELECT uncovered_classes, count(*){where} GROUP BY 1 ORDER BY 2 DESC", span
    )
    summary.uncovered = summed(rows, MAX_NAMES, REST)


def _of(counts: dict[str, Counter[str]], name: str) -> Counter[str]:
    """Return the figures of a name; strangers choose names, so there may be as many as objects."""
    return counts.setdefault(name if name in counts or len(counts) < MAX_NAMES else REST, Counter())


def _sorted(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return {name: dict(some) for name, some in ranked}


def _class_name(uid: str) -> str:
    if not uid:
        return "(not known)"
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    return UID(uid, validation_mode=IGNORE).name  # else a warning would show what it is


def _signatures(ledger: Ledger, span: tuple[int, int], summary: Summary) -> None:
    query = "SELECT {0}, count(*) FROM signature WHERE object BETWEEN ? AND ? GROUP BY {0}"
    for algorithm, count in ledger.db.execute(
        query.format("mac_algorithm") + " ORDER BY 2 DESC", span
    ):
        name = (algorithm or "(not known)") if len(summary.algorithms) < MAX_NAMES else REST
        summary.algorithms[name] = summary.algorithms.get(name, 0) + count
    for by, count in ledger.db.execute(query.format("judged_by"), span):
        if by:
            summary.times[by] = count
    for weak, count in ledger.db.execute(query.format("weak"), span):
        for one in filter(None, weak.split("; ")):
            summary.weak[one] = summary.weak.get(one, 0) + count
    # strangers choose certificates, so there may be as many as signatures
    for values in ledger.db.execute(
        "SELECT subject, issuer, serial, sha256, key, not_before, not_after, count(*) AS every,"
        " sum(integrity = ?), sum(trust = ?) AS good, sum(trust = ? AND timestamp = ''),"
        " sum(trust = ? AND judged_by = ?)"
        " FROM signature JOIN signer ON signer.id = signature.signer"
        " WHERE object BETWEEN ? AND ? GROUP BY signer.id"
        " ORDER BY good > 0 DESC, every DESC, signer.id",
        (INTACT, TRUSTED, TRUSTED, TRUSTED, POE_LEDGER, *span),
    ):
        one = SignerSum(**dict(zip(SignerSum.__struct_fields__, values, strict=True)))
        if len(summary.signers) < MAX_NAMES:
            summary.signers.append(one)
        else:
            summary.signers_left_out += 1
        if one.without_timestamp and one.not_after:  # a bare public key does not expire
            month = one.not_after[:7]
            summary.expiring[month] = summary.expiring.get(month, 0) + one.without_timestamp
    summary.signers.sort(key=lambda one: (one.not_after, one.subject))


def _throughput(ledger: Ledger, run: Run, summary: Summary) -> None:
    last = summary.started
    for batch in ledger.batches(run.number):
        last = batch.time
    summary.updated = last
    width = max((last - summary.started) / _POINTS, 1e-9)
    buckets: dict[int, list[Any]] = {}
    for batch in ledger.batches(run.number):
        number = min(int((batch.time - summary.started) / width), _POINTS - 1)
        bucket = buckets.setdefault(number, [0, 0])
        bucket[0] += batch.last - batch.first + 1
        bucket[1] += batch.size
    for number in range(_POINTS if buckets else 0):
        files, size = buckets.get(number, (0, 0))
        summary.throughput.append(Point(summary.started + (number + 1) * width, files, size))


def _sample(run: Run, summary: Summary) -> None:
    if summary.asked.selection.share is None:
        return
    if run.totals is None:
        summary.sample = "the run was not completed, so its sample proves nothing"
        return
    population = decoded("the ledger", run.totals, Totals).population
    drawn = summary.files
    # a file that cannot be read may have failed as well
    failed = summary.verdicts[FAILED] + summary.verdicts[ERROR]
    found = f"{failed:,} failed or could not be read" if failed else "none failed"
    sentence = f"of {population:,} files {drawn:,} were drawn, and {found}"
    if summary.asked.selection.stratify:
        sentence += "; small folders were drawn from more often, so no share of all is concluded"
    elif drawn:
        bound = no_less_than(upper_bound(drawn, failed))
        sentence += f": with {CONFIDENCE:.0%} confidence at most {bound} of all would fail"
    summary.sample = sentence

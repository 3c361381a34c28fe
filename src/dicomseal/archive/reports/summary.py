"""The results of a run, added up by SQLite, so that memory stays flat: the data of every report."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from ...remedies.table import sentence
from ...report import ERROR, FAILED, INDETERMINATE, INTACT, TRUSTED, UNSIGNED, escaped
from ...verification.best_signature_time import POE_LEDGER
from ..find.passed_over import PassedOver
from ..find.sample import CONFIDENCE, no_less_than, upper_bound
from ..find.selection import RunRequest
from ..ledger.ledger import GATE, SIGN, VERIFY, WATCH, Ledger, Run
from ..ledger.rows import DIRECTORY, FAILURES, NOT_DICOM, SIGN_VERDICTS, VERDICTS
from ..ledger.sqlite_file import explained
from ..ledger.uncovered import UncoveredSum, summed
from ..ledger.written import as_written, decoded
from ..run.progress import Totals
from .modalities import label

MAX_FAILURES = 10_000
MAX_NAMES, REST = 500, "(others)"
UNDECIDED = frozenset({INDETERMINATE})
_POINTS = 60


class Failure(msgspec.Struct, frozen=True):
    """An object that failed, could not be read, or was not decided."""

    path: str
    verdict: str
    reason: str
    sentence: str
    sop_instance_uid: str

    @property
    def why(self) -> str:
        """Code and sentence, for people."""
        return ": ".join(filter(None, (self.reason, self.sentence)))


class SignerSum(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of signers, and its signatures.

    Attributes:
        signatures, intact, trusted: how many.
        without_timestamp: how many of the trusted ones have no Certified Timestamp. Unless
            something else proves when they were made, they are no longer trusted after
            ``not_after``.
        by_ledger: how many of the trusted ones are trusted by the proof of an earlier ledger.
    """

    subject: str
    issuer: str
    serial: str
    sha256: str
    key: str
    not_before: str
    not_after: str
    signatures: int
    intact: int
    trusted: int
    without_timestamp: int
    by_ledger: int

    @property
    def name(self) -> str:
        """The subject, or the fingerprint of a bare public key, which has no name."""
        return self.subject or f"the public key with the SHA-256 {self.sha256}"


class Point(msgspec.Struct, frozen=True):
    """A point of throughput: files since the previous point, until a time in seconds since 1970."""

    time: float
    files: int
    bytes: int


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
        signers: certificates, those that expire first first.
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


def summarize(ledger: Ledger, number: int | None = None, most: int = MAX_FAILURES) -> Summary:
    """Add up a run.

    Args:
        ledger: open for reading.
        number: of the run; None is the last one that verified.
        most: how many failures are listed, and how many undecided objects.

    Raises:
        LedgerError: there is no such run, the ledger cannot be read, or a value in it is not what
            dicomseal writes there.
    """
    run = ledger.find(number, _kind(ledger) if number is None else None)
    span = ledger.span(run.number)
    ledger.check(span)
    with as_written(ledger.path):
        return _summary(ledger, run, span, most)


def _kind(ledger: Ledger) -> str:
    """Return the kind of run that is meant where none is named.

    What arrives may have its own ledger.
    """
    kinds = [run.kind for run in ledger.runs() if run.kind in (VERIFY, GATE, WATCH)]
    return VERIFY if VERIFY in kinds or not kinds else kinds[-1]


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
        summary.failures, summary.failures_left_out = _listed(ledger, span, summary, FAILURES, most)
        summary.undecided, summary.undecided_left_out = _listed(
            ledger, span, summary, UNDECIDED, most
        )
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
    from pydicom.uid import UID

    return UID(uid).name


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
    for values in ledger.db.execute(
        "SELECT subject, issuer, serial, sha256, key, not_before, not_after, count(*),"
        " sum(integrity = ?), sum(trust = ?), sum(trust = ? AND timestamp = ''),"
        " sum(trust = ? AND judged_by = ?)"
        " FROM signature JOIN signer ON signer.id = signature.signer"
        " WHERE object BETWEEN ? AND ? GROUP BY signer.id ORDER BY not_after, subject",
        (INTACT, TRUSTED, TRUSTED, TRUSTED, POE_LEDGER, *span),
    ):
        one = SignerSum(**dict(zip(SignerSum.__struct_fields__, values, strict=True)))
        summary.signers.append(one)
        if one.without_timestamp and one.not_after:  # a bare public key does not expire
            month = one.not_after[:7]
            summary.expiring[month] = summary.expiring.get(month, 0) + one.without_timestamp


def _listed(
    ledger: Ledger, span: tuple[int, int], summary: Summary, verdicts: frozenset[str], most: int
) -> tuple[list[Failure], int]:
    """Return the first objects with these verdicts, and how many more there are."""
    marks = ", ".join("?" * len(verdicts))
    found = [
        Failure(escaped(path), *values)
        for path, *values in ledger.db.execute(
            "SELECT path, verdict, reason, sentence, sop_instance_uid FROM object"  # noqa: S608
            f" WHERE id BETWEEN ? AND ? AND verdict IN ({marks}) ORDER BY id LIMIT ?",
            (*span, *verdicts, most),
        )
    ]
    return found, sum(summary.verdicts.get(one, 0) for one in verdicts) - len(found)


def _throughput(ledger: Ledger, run: Run, summary: Summary) -> None:
    last = summary.started
    for batch in ledger.batches(run.number):
        last = batch.time
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

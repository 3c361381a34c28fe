"""What a run found, added up by SQLite, so that memory stays flat: the data of every report."""

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
from ..ledger.ledger import GATE, SIGN, VERIFY, Ledger, Run
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
    """An object that failed or could not be read, or was not decided."""

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
    """A certificate of signers, and what it signed.

    Attributes:
        signatures, intact, trusted: how many.
        without_timestamp: how many of the trusted ones have no Certified Timestamp. Unless
            something else proves when they were made, they are no longer trusted after
            ``not_after``.
        by_ledger: how many of the trusted ones are so by what an earlier ledger proves.
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
        """The subject, or the fingerprint of a bare public key, which has none."""
        return self.subject or f"the public key with the SHA-256 {self.sha256}"


class Point(msgspec.Struct, frozen=True):
    """Throughput: what was finished until a moment, in seconds since 1970, since the last point."""

    time: float
    files: int
    bytes: int


class Summary(msgspec.Struct, kw_only=True):
    """A run in figures.

    Attributes:
        run: its number.
        started, finished: in seconds since 1970; the latter None for one that did not end.
        complete: whether it came to its end.
        files, bytes: verified.
        verdicts: files by verdict, all verdicts.
        reasons: files by the code of a reason; one file may have several.
        sop_classes: of each SOP Class (its name, or UID) the files by verdict. Of these, and of
            modalities and algorithms, `MAX_NAMES` are told apart, those that many have first.
        modalities: of each Modality (0008,0060) the files by verdict; where it is absent, of what
            the SOP Class says, and then the name says so.
        algorithms: signatures by MAC Algorithm.
        times: judged signatures by where the time that counted came from.
        weak: signatures by what in them is no longer strong.
        signers: certificates, those that expire first first.
        expiring: of each month, e.g. ``2027-03``, how many trusted signatures without a Certified
            Timestamp were made with certificates that expire in it.
        unsigned_share: unsigned objects of all objects that could be read, 0 to 1; or None.
        throughput: at most 60 points.
        failures: the first of them; ``failures_left_out`` says how many more there are.
        undecided: the first ``indeterminate`` objects; ``undecided_left_out``: how many more.
        sample: what a drawn part proves, in a sentence; or None.
        uncovered: what no passing signature covers, by class; in a run that signs, what the new
            signatures leave out.
        uncovered_objects, uncovered_elements: how many objects have such elements, and how many
            there are.
        signed: whether the end of the run carries a signature (`archive audit` verifies it).
        passed_over: what lay there and was not verified, unasked; of a run that came to its end.
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
    """The kind of run that is meant where none is named: the ledger of a gate has but its own."""
    kinds = {run.kind for run in ledger.runs()}
    return GATE if GATE in kinds and VERIFY not in kinds else VERIFY


def _summary(ledger: Ledger, run: Run, span: tuple[int, int], most: int) -> Summary:
    made = Summary(
        run=run.number,
        started=run.started,
        finished=run.finished,
        complete=run.finished is not None,
        asked=decoded(ledger.path, run.asked, RunRequest),
        signed=run.signature is not None,
        kind=run.kind,
    )
    with explained(ledger.path):
        _objects(ledger, span, made)
        _signatures(ledger, span, made)
        made.failures, made.failures_left_out = _listed(ledger, span, made, FAILURES, most)
        made.undecided, made.undecided_left_out = _listed(ledger, span, made, UNDECIDED, most)
    if run.totals is not None:
        made.passed_over = decoded(ledger.path, run.totals, Totals).passed_over
    _throughput(ledger, run, made)
    _sample(run, made)
    return made


def _objects(ledger: Ledger, span: tuple[int, int], made: Summary) -> None:
    query = "SELECT {}, count(*) FROM object WHERE id BETWEEN ? AND ? GROUP BY {} ORDER BY 2 DESC"
    made.verdicts = dict.fromkeys(SIGN_VERDICTS if made.kind == SIGN else VERDICTS, 0)
    for verdict, count, size in ledger.db.execute(
        "SELECT verdict, count(*), sum(size) FROM object WHERE id BETWEEN ? AND ? GROUP BY verdict",
        span,
    ):
        made.verdicts[verdict] = count
        made.files += count
        made.bytes += size
    for codes, count in ledger.db.execute(query.format("reasons", "reasons"), span):
        for code in codes.split():
            made.reasons[code] = made.reasons.get(code, 0) + count
    for code in made.reasons:
        what = sentence(code)
        if what is not None:
            made.remedies[code] = what
    classes: dict[str, Counter[str]] = {}
    modalities: dict[str, Counter[str]] = {}
    for uid, modality, verdict, count in ledger.db.execute(
        "SELECT sop_class_uid, modality, verdict, count(*) FROM object WHERE id BETWEEN ? AND ?"
        " GROUP BY 1, 2, 3 ORDER BY 4 DESC",
        span,
    ):
        _of(classes, _class_name(uid))[verdict] += count
        _of(modalities, label(modality, uid))[verdict] += count
    made.sop_classes, made.modalities = _sorted(classes), _sorted(modalities)
    _uncovered(ledger, span, made)
    readable = made.files - sum(made.verdicts[one] for one in (ERROR, NOT_DICOM, DIRECTORY))
    if readable and made.kind == VERIFY:
        made.unsigned_share = made.verdicts[UNSIGNED] / readable


def _uncovered(ledger: Ledger, span: tuple[int, int], made: Summary) -> None:
    where = " FROM object WHERE id BETWEEN ? AND ? AND uncovered"
    made.uncovered_objects, made.uncovered_elements = ledger.db.execute(
        f"SELECT count(*), ifnull(sum(uncovered), 0){where}", span
    ).fetchone()
    rows = ledger.db.execute(
        f"SELECT uncovered_classes, count(*){where} GROUP BY 1 ORDER BY 2 DESC", span
    )
    made.uncovered = summed(rows, MAX_NAMES, REST)


def _of(counts: dict[str, Counter[str]], name: str) -> Counter[str]:
    """The figures of a name, which strangers chose: as many as there are objects, if they like."""
    return counts.setdefault(name if name in counts or len(counts) < MAX_NAMES else REST, Counter())


def _sorted(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return {name: dict(some) for name, some in ranked}


def _class_name(uid: str) -> str:
    if not uid:
        return "(not known)"
    from pydicom.uid import UID

    return UID(uid).name


def _signatures(ledger: Ledger, span: tuple[int, int], made: Summary) -> None:
    query = "SELECT {0}, count(*) FROM signature WHERE object BETWEEN ? AND ? GROUP BY {0}"
    for algorithm, count in ledger.db.execute(
        query.format("mac_algorithm") + " ORDER BY 2 DESC", span
    ):
        name = (algorithm or "(not known)") if len(made.algorithms) < MAX_NAMES else REST
        made.algorithms[name] = made.algorithms.get(name, 0) + count
    for by, count in ledger.db.execute(query.format("judged_by"), span):
        if by:
            made.times[by] = count
    for weak, count in ledger.db.execute(query.format("weak"), span):
        for one in filter(None, weak.split("; ")):
            made.weak[one] = made.weak.get(one, 0) + count
    for values in ledger.db.execute(
        "SELECT subject, issuer, serial, sha256, key, not_before, not_after, count(*),"
        " sum(integrity = ?), sum(trust = ?), sum(trust = ? AND timestamp = ''),"
        " sum(trust = ? AND judged_by = ?)"
        " FROM signature JOIN signer ON signer.id = signature.signer"
        " WHERE object BETWEEN ? AND ? GROUP BY signer.id ORDER BY not_after, subject",
        (INTACT, TRUSTED, TRUSTED, TRUSTED, POE_LEDGER, *span),
    ):
        one = SignerSum(**dict(zip(SignerSum.__struct_fields__, values, strict=True)))
        made.signers.append(one)
        if one.without_timestamp and one.not_after:  # a bare public key has no end
            month = one.not_after[:7]
            made.expiring[month] = made.expiring.get(month, 0) + one.without_timestamp


def _listed(
    ledger: Ledger, span: tuple[int, int], made: Summary, verdicts: frozenset[str], most: int
) -> tuple[list[Failure], int]:
    """The first objects with these verdicts, and how many more there are."""
    marks = ", ".join("?" * len(verdicts))
    found = [
        Failure(escaped(path), *values)
        for path, *values in ledger.db.execute(
            "SELECT path, verdict, reason, sentence, sop_instance_uid FROM object"  # noqa: S608
            f" WHERE id BETWEEN ? AND ? AND verdict IN ({marks}) ORDER BY id LIMIT ?",
            (*span, *verdicts, most),
        )
    ]
    return found, sum(made.verdicts.get(one, 0) for one in verdicts) - len(found)


def _throughput(ledger: Ledger, run: Run, made: Summary) -> None:
    last = made.started
    for batch in ledger.batches(run.number):
        last = batch.time
    width = max((last - made.started) / _POINTS, 1e-9)
    buckets: dict[int, list[Any]] = {}
    for batch in ledger.batches(run.number):
        number = min(int((batch.time - made.started) / width), _POINTS - 1)
        bucket = buckets.setdefault(number, [0, 0])
        bucket[0] += batch.last - batch.first + 1
        bucket[1] += batch.size
    for number in range(_POINTS if buckets else 0):
        files, size = buckets.get(number, (0, 0))
        made.throughput.append(Point(made.started + (number + 1) * width, files, size))


def _sample(run: Run, made: Summary) -> None:
    if made.asked.selection.share is None:
        return
    if run.totals is None:
        made.sample = "the run did not come to its end, so what it drew proves nothing"
        return
    population = decoded("the ledger", run.totals, Totals).population
    drawn = made.files
    # one that cannot be read speaks for nobody
    failed = made.verdicts[FAILED] + made.verdicts[ERROR]
    found = f"{failed:,} failed or could not be read" if failed else "none failed"
    said = f"of {population:,} files {drawn:,} were drawn, and {found}"
    if made.asked.selection.stratify:
        said += "; small folders were drawn from more often, so no share of all is concluded"
    elif drawn:
        bound = no_less_than(upper_bound(drawn, failed))
        said += f": with {CONFIDENCE:.0%} confidence at most {bound} of all would fail"
    made.sample = said

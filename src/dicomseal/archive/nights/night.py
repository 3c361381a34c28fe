"""One night: verify or resume, audit, compare with the last completed run, report.

Whatever goes wrong on the way is a part of the result, so that somebody is told.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import msgspec

from ...errors import LedgerError, UsageError
from ...files.atomic import replacing
from ...signature.certificate import Certificate
from ..errors import LostError
from ..find.selection import Selection
from ..ledger.audit import audit
from ..ledger.ledger import VERIFY, Ledger, Run
from ..ledger.lock import locked
from ..ledger.rows import VERDICTS
from ..reports import baseline as baselines
from ..reports import html
from ..reports.diff import IN_TROUBLE, Change, same_files
from ..reports.expiry import SIGNER, Expiring, days_until, first_to_renew
from ..reports.files import write_page
from ..reports.summary import Summary, summarize
from ..run.progress import Outcome
from . import state as states
from .alarms import (
    BUSY,
    NEW_TROUBLE,
    NOT_READ,
    QUIET,
    STOPPED,
    USAGE,
    Alarms,
    find_alarms,
    run_before,
)
from .settings import Archive, Settings
from .state import State
from .storage import Away, away

_DAY = 86400.0
_HALF_A_DAY = _DAY / 2  # nights do not begin at the same second
MAX_EXPIRING, MAX_FINDINGS = 20, 20


class Night(msgspec.Struct, kw_only=True):
    """What became of a night.

    Attributes:
        name: of the archive.
        ledger: path of the ledger.
        code: the exit code.
        started, ended: in seconds since 1970.
        run: the number of its run; 0 if there is none.
        complete: whether that came to its end.
        resumed: whether the run of an earlier night was resumed.
        files, bytes, verdicts: of the whole run.
        away: the roots that were not there; then there is no run.
        failure: why the night could not be carried out, or empty.
        alarms: what it found; None if it could not look.
        audited: whether the ledger was audited; ``findings`` are the faults in it.
        head: of the chain, hexadecimal.
        expiring: certificates that expire soon or have expired: trust anchors, and those of trusted
            signatures that depend on them.
        written: the files that were written.
        quiet: when a night last began that found nothing new, in seconds since 1970; 0 for never.
        judged: the exit code of the last night whose run came to its end, which may be this one.
        judged_findings: how many faults that one found in the ledger.
        begun: whether it began; if not, another night is at work, and its files are left to it.
        notes: what else a person should know.
    """

    name: str
    ledger: str
    code: int = QUIET
    started: float = 0.0
    ended: float = 0.0
    run: int = 0
    complete: bool = False
    resumed: bool = False
    files: int = 0
    bytes: int = 0
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)
    away: list[Away] = msgspec.field(default_factory=list)
    failure: str = ""
    alarms: Alarms | None = None
    audited: bool = False
    findings: list[str] = msgspec.field(default_factory=list)
    head: str = ""
    expiring: list[Expiring] = msgspec.field(default_factory=list)
    written: list[str] = msgspec.field(default_factory=list)
    quiet: float = 0.0
    judged: int = QUIET
    judged_findings: int = 0
    begun: bool = False
    notes: list[str] = msgspec.field(default_factory=list)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a night needs besides its settings.

    Attributes:
        selection: the files of the run.
        verify: carries the run out; its argument says whether the last one is to be resumed.
        signers: the permitted signers of runs; None if any may be.
        at: the time of validation, in seconds since 1970; None is now.
    """

    selection: Selection
    verify: Callable[[bool], Outcome]
    signers: list[Certificate] | None = None
    at: float | None = None


def name_of(archive: Archive) -> str:
    """Return the name of an archive in mails."""
    return archive.name or os.path.splitext(os.path.basename(archive.ledger))[0]


def carry_out(settings: Settings, prepare: Callable[[], Task]) -> Night:
    """Carry a night out.

    Args:
        settings: of the night.
        prepare: makes the task; called in the night, so that its errors are told, too.

    Returns:
        What became of it. An error is a part of that, and not raised.
    """
    ledger = settings.archive.ledger
    night = Night(
        name=name_of(settings.archive),
        ledger=ledger,
        started=time.time(),
    )
    try:
        with _alone(ledger):
            night.begun = True
            _night(night, settings, prepare)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - somebody is told
        night.failure = str(error) or type(error).__name__
        if night.code != NEW_TROUBLE:  # which was found before, and is more than a failed report
            night.code = _code_of(error)
    night.ended = time.time()
    return night


@contextlib.contextmanager
def _alone(ledger: str) -> Iterator[None]:
    """Keep out another night over the same ledger, from its first step to its last."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(states.place(ledger)))
        except LedgerError as error:
            if error.code == "in_use":
                raise LedgerError(f"another night is at work: {error}", "in_use") from None
            raise
        yield


def _code_of(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    if isinstance(error, LostError):
        return NOT_READ
    if isinstance(error, LedgerError) and error.code == "in_use":
        return BUSY
    return USAGE if isinstance(error, (UsageError, LedgerError)) else NOT_READ


def _night(night: Night, settings: Settings, prepare: Callable[[], Task]) -> None:
    state = states.load(night.ledger)
    night.quiet = state.quiet
    night.judged, night.judged_findings = state.judged, state.findings
    task = prepare()
    night.away = away(task.selection)
    if night.away:
        night.code = NOT_READ
        _note_what_is_open(night, state)
        return
    try:
        outcome = _verified(night, task)
    except LostError as error:  # in the middle of the night
        night.away = [Away("", str(error))]
        night.code = NOT_READ
        _note_what_is_open(night, state)
        return
    night.run, night.complete = outcome.run, outcome.complete
    night.files, night.bytes = outcome.totals.files, outcome.totals.bytes
    counts = outcome.totals.verdicts
    night.verdicts = {name: counts[name] for name in VERDICTS if counts.get(name)}
    if not outcome.complete:
        night.code = STOPPED
        _note_what_is_open(night, state)
        return
    with Ledger(night.ledger) as ledger:
        run = ledger.find(outcome.run)
        night.head = "" if run.end_head is None else run.end_head.hex()
        same = _is_the_same_ledger(night, ledger, state)
        _audit(night, settings, task, ledger, state)
        night.alarms = _alarms(settings, ledger, run, state if same else State())
        before = run_before(ledger, run, state.run if same else 0)
        if before is not None and not same_files(before, run):
            night.notes.append(
                "this run is not over the same files as the one before (another selection, or one "
                "by age): files that have gone since are not noticed"
            )
        night.code = NEW_TROUBLE if night.findings else night.alarms.code
        night.judged, night.judged_findings = night.code, len(night.findings)
        _remember(night, state, run, same)
        now = time.time() if task.at is None else task.at
        summary = summarize(
            ledger, run.number, html.MOST_IN_HTML, now=now, compare=bool(settings.report.html)
        )
        night.expiring = _expiring(summary, now, settings.alarm.expiry_days)
        _report(night, settings, ledger, summary, now)


def _note_what_is_open(night: Night, state: State) -> None:
    """Note, on a night that did not look at all files, what earlier ones told of them."""
    still_open = len(state.references) - state.agreed + len(state.told)
    if still_open > 0:
        night.notes.append(
            f"what earlier nights told of files ({still_open:,}) is open: neither repaired nor "
            "accepted, as far as is known"
        )


def _verified(night: Night, task: Task) -> Outcome:
    """Verify, or resume the run that an earlier night left; only one with the same options is."""
    stopped = _stopped(night.ledger)
    if stopped:
        try:
            outcome = task.verify(True)
        except UsageError as error:
            night.notes.append(f"run {stopped} was not resumed, a new one was begun: {error}")
        else:
            night.resumed = True
            return outcome
    return task.verify(False)


def _stopped(path: str) -> int:
    """Return the number of the last run, if it verified and has no end; else 0."""
    if not os.path.exists(path):
        return 0
    with Ledger(path) as ledger:
        runs = ledger.runs()
    last = runs[-1] if runs else None
    return last.number if last and last.kind == VERIFY and last.finished is None else 0


def _is_the_same_ledger(night: Night, ledger: Ledger, state: State) -> bool:
    """Return whether the ledger holds the run that the last night saw the end of."""
    if not state.run:
        return True
    for run in ledger.runs():
        if run.number == state.run and run.end_head is not None:
            if run.end_head.hex() == state.head:
                return True
            break
    night.findings.append(
        f"this is not the ledger of the night before: its run {state.run} ended with the head "
        f"{state.head}; if you began a new one, move {states.place(night.ledger)} away"
    )
    return False


def _audit(night: Night, settings: Settings, task: Task, ledger: Ledger, state: State) -> None:
    age = night.started - state.audited
    if age < settings.audit.every_days * _DAY - _HALF_A_DAY:
        return
    result = audit(ledger, task.signers)
    night.audited = True
    found = [
        f"run {one.run}{f', batch {one.batch}' if one.batch else ''}: {one.message}"
        if one.run
        else one.message
        for one in result.findings
    ]
    night.findings += found[:MAX_FINDINGS]
    if len(found) > MAX_FINDINGS:
        night.findings.append(f"and {len(found) - MAX_FINDINGS:,} more")
    if not found:
        state.audited = night.started


def _alarms(settings: Settings, ledger: Ledger, run: Run, state: State) -> Alarms:
    known = baseline_of(settings)
    with contextlib.ExitStack() as stack:
        each = None
        if settings.report.new:
            file = stack.enter_context(replacing(settings.report.new))

            def each(change: Change) -> None:
                kind = change.row.verdict if change.kind == IN_TROUBLE else change.kind
                file.write(msgspec.json.encode(baselines.entry_of(change, kind)) + b"\n")

        return find_alarms(
            ledger,
            run_before(ledger, run, state.run),
            run,
            known,
            state.references,
            state.told,
            ignored=settings.alarm.ignore,
            most_missing=settings.alarm.most_missing / 100,
            paths=settings.alarm.paths,
            each=each,
        )


def baseline_of(settings: Settings) -> baselines.Baseline:
    """Return the baseline of the settings; an empty one if its file does not exist yet.

    Raises:
        UsageError: it is not one, or is the ledger of the nights.
        LedgerError: it is a ledger that cannot be used.
    """
    path = settings.alarm.baseline
    if not path or not os.path.exists(path):
        return baselines.Baseline()
    return baselines.load(path, settings.archive.ledger)


def _expiring(summary: Summary, now: float, days: int) -> list[Expiring]:
    """Return what expires within so many days, the first to expire first.

    Signatures that an earlier ledger keeps trusted do not depend on a certificate any more.
    """
    found = [one for one in summary.expiry if one.role != SIGNER and one.days < days]
    for one in summary.signers:
        left = days_until(one.not_after, now)
        depend = one.without_timestamp - one.by_ledger
        if depend > 0 and left is not None and left < days:
            found.append(
                Expiring(
                    role=SIGNER, name=one.name, sha256=one.sha256, not_after=one.not_after,
                    days=left, signatures=depend,
                )
            )  # fmt: skip
    return first_to_renew(found)[:MAX_EXPIRING]


def _report(night: Night, settings: Settings, ledger: Ledger, summary: Summary, now: float) -> None:
    if settings.report.html:
        night.written += write_page(settings.report.html, ledger, summary, now)
    if settings.report.new:
        night.written.append(settings.report.new)


def _remember(night: Night, state: State, run: Run, same: bool) -> None:
    state.judged, state.findings = night.judged, night.judged_findings
    if same:  # else this stays an alarm until the state is moved away
        state.run, state.head = run.number, night.head
        state.references = night.alarms.references if night.alarms else []
        state.agreed = night.alarms.agreed if night.alarms else 0
        state.told = night.alarms.told if night.alarms else []
    if night.code == QUIET:
        state.quiet = night.quiet = night.started
    states.save(night.ledger, state)

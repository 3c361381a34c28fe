"""One run over an archive: walk, verify (or sign), append; to its end, or until it is stopped."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import NamedTuple

import msgspec

from .. import __version__
from ..errors import LedgerError, UsageError
from ..verifier import Options
from . import chain, poe, sample, stores, walk, work
from .expected import Counting, Expected, as_before, countable
from .ledger import VERIFY, Ledger, Run
from .locked import locked
from .loop import Loop
from .rows import FAILURES, Row, path_of
from .walk import Found

WINDOW = 4  # batches for each worker that are under way


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which files a run is over.

    Attributes:
        roots: as `dicomseal.archive.walk.find` takes them; folders absolute.
        include: patterns of names; empty takes all.
        before: only files last modified before this time, in seconds since 1970; or None.
        share: of the files that is drawn, 0 to 1; None takes all.
        seed: of the draw.
        stratify: draw from every folder apart.
        follow: go into folders that are symbolic links.
    """

    roots: tuple[str, ...]
    include: tuple[str, ...] = ()
    before: float | None = None
    share: float | None = None
    seed: str = ""
    stratify: bool = False
    follow: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked to do, as the ledger keeps it.

    Attributes:
        selection: which files.
        trust: the options about trust, as they were given.
        version: of dicomseal.
        signing: how a run signs: key, profile, where to; empty for one that verifies.
    """

    selection: Selection
    trust: dict[str, str | int | bool | list[str] | None] = msgspec.field(default_factory=dict)
    version: str = __version__
    signing: dict[str, str | int | bool | list[str] | None] = msgspec.field(default_factory=dict)


class Totals(msgspec.Struct, kw_only=True):
    """What a run came to.

    Attributes:
        files, bytes: verified.
        verdicts: how many files of each.
        population: of how many files they were drawn, before `Selection.share`.
        head: of the hash chain before the end, hexadecimal.
    """

    files: int = 0
    bytes: int = 0
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)
    population: int = 0
    head: str = ""


class Progress(msgspec.Struct):
    """What is known while a run is under way; `verify` calls back with it after every batch.

    Attributes:
        run: its number.
        files, bytes, verdicts: done since this process began.
        before, bytes_before: done when it began, of a run that is resumed.
        skipped: of these, how many the walk has come by.
        found: files that the walk came by and that were not done.
        walked: whether the walk is at its end.
        started: on the monotonic clock.
        expected: approximately how much the whole run is over; None: not known.
    """

    run: int
    files: int = 0
    bytes: int = 0
    skipped: int = 0
    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    found: int = 0
    walked: bool = False
    started: float = 0.0
    before: int = 0
    bytes_before: int = 0
    expected: Expected | None = None
    kind: str = VERIFY

    @property
    def failures(self) -> int:
        return sum(self.verdicts[one] for one in FAILURES)

    def left(self, seconds: float) -> float | None:
        """In how many seconds it may be done, after so many; None: that cannot be told yet."""
        if not self.files:
            return None
        if self.walked:
            return (self.found - self.files) * seconds / self.files
        expected = self.expected
        if expected is None or not expected.whence:
            return None
        files = max(expected.files - self.before - self.files, 0) / self.files
        size = max(expected.bytes - self.bytes_before - self.bytes, 0) / max(self.bytes, 1)
        return max(files, size) * seconds  # the large files may come at the end


class Task(NamedTuple):
    """What is done with batches of files, and where.

    Attributes:
        executor: the executor, or what makes one.
        function: what its workers do with a batch; they return something packed.
        failed: the same for a file at which a worker died, or raised.
        unpack: the rows in it, and why the run cannot go on, or an empty string.
        workers: how many.
    """

    executor: Executor | Callable[[], Executor]
    function: Callable[[list[Found]], bytes]
    failed: Callable[[Found, BaseException], bytes]
    unpack: Callable[[bytes], tuple[list[Row], str]]
    workers: int


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended: ``complete``, or stopped before it was; the totals of the whole run."""

    run: int
    complete: bool
    totals: Totals


def verify(
    path: str,
    asked: Asked,
    options: Options,
    *,
    jobs: int = 1,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    resume: bool = False,
    max_rate: float | None = None,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None = None,
    proofs: poe.Wanted | None = None,
    watch: Callable[[Progress, Callable[[], None]], object] | None = None,
    count: bool = False,
    batch_files: int = walk.BATCH_FILES,
    batch_bytes: int = walk.BATCH_BYTES,
) -> Outcome:
    """Verify an archive into a ledger.

    Args:
        path: of the ledger; made if it is not there.
        asked: over what; ``resume`` takes up the selection that the ledger has.
        options: of the verification.
        jobs: processes on this machine; ignored with an executor.
        executor: another `concurrent.futures.Executor`, whose workers can import dicomseal; it
            stays open. Or what makes one, which is replaced when it breaks, and shut down in the
            end.
        workers: how many workers that one has, for the size of the window.
        resume: go on with the last run, which has not come to its end.
        max_rate: bytes in a second at most.
        sign: called with the end of the run; returns the signature over it and the certificate.
        proofs: earlier ledgers, which prove that signatures existed when they passed there.
        watch: called at the beginning and after every batch with the progress, and with what stops
            the run in good order.
        count: find out how many files there are, for the progress, if no earlier run tells.

    Raises:
        LedgerError: the ledger, or one that shall prove something, cannot be used, or there is
            nothing to resume. What was appended until then stays, and the run can be resumed.
        UsageError: the selection makes no sense, or is not the one of the run to resume.
        LostError: the executor, or an object store, does not work any more; the run can be resumed.
    """
    made = msgspec.structs.replace(options, digests=True)
    stored = any(map(stores.is_url, asked.selection.roots))

    def before(ledger: Ledger, stack: contextlib.ExitStack) -> Asked:
        nonlocal made
        if proofs is None:
            return asked
        last = ledger.find().number if resume else None
        proven, said = stack.enter_context(poe.proving(proofs, path, last))
        made = msgspec.structs.replace(made, proofs=proven)
        return msgspec.structs.replace(asked, trust=asked.trust | {"poe_ledger": said})

    def task(_: Run) -> Task:
        return Task(
            executor or (lambda: work.embedded(jobs, made, afresh=stored)),
            work.in_pool if executor is None else work.Elsewhere(made),
            work.crashed,
            lambda packed: (work.rows_of(packed), ""),
            jobs if executor is None else workers or jobs,
        )

    return carry_out(
        path, VERIFY, asked, task, before=before, resume=resume, max_rate=max_rate, sign=sign,
        watch=watch, count=count, batch_files=batch_files, batch_bytes=batch_bytes,
    )  # fmt: skip


def carry_out(
    path: str,
    kind: str,
    asked: Asked,
    task: Callable[[Run], Task],
    *,
    before: Callable[[Ledger, contextlib.ExitStack], Asked] | None = None,
    resume: bool,
    max_rate: float | None,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None,
    watch: Callable[[Progress, Callable[[], None]], object] | None,
    count: bool = False,
    batch_files: int = walk.BATCH_FILES,
    batch_bytes: int = walk.BATCH_BYTES,
) -> Outcome:
    """A run of a kind, `ledger.VERIFY` or `ledger.SIGN`; ``task`` is made when it has begun.

    ``before`` is called with the ledger when nobody else can write to it, and says what is asked;
    what it puts on the stack ends with the run. The other arguments are those of `verify`.

    Raises:
        StoppedError: a worker said that the run cannot go on; it can be resumed. And as `verify`.
    """
    walk.check_roots(asked.selection.roots)
    with locked(path), Ledger(path, create=True) as ledger, contextlib.ExitStack() as stack:
        if before:
            asked = before(ledger, stack)
        run = _resumed(ledger, kind, asked) if resume else ledger.begin(_json(asked), kind)
        asked = msgspec.json.decode(run.asked, type=Asked)
        todo = task(run)
        loop = Loop(todo.executor, todo.function, todo.failed, todo.workers * WINDOW)
        session = _Session(ledger, run, kind, loop.stop, watch)
        if count:
            stack.enter_context(session.expecting(asked.selection))
        session.tell()
        files = session.files(asked.selection, resume)
        if max_rate:
            files = _throttled(files, max_rate)
        trouble = ""
        for _, packed in loop.run(walk.batches(files, batch_files, batch_bytes)):
            rows, why = todo.unpack(packed)
            if why:  # those under way come to an end all the same
                trouble = trouble or why
                session.stop()
            if rows:
                session.append(rows)
        if trouble:
            raise work.StoppedError(trouble)
        return session.end(sign)


def _resumed(ledger: Ledger, kind: str, asked: Asked) -> Run:
    run = ledger.find()
    if run.kind != kind:
        raise LedgerError(
            f"{ledger.path}: there is nothing to resume: run {run.number} is one of another kind, "
            f"{run.kind!r}",
            "nothing_to_resume",
        )
    if run.finished is not None:
        raise LedgerError(
            f"{ledger.path}: there is nothing to resume: run {run.number} came to its end",
            "nothing_to_resume",
        )
    before = msgspec.json.decode(run.asked, type=Asked)
    for name in before.selection.__struct_fields__:
        was, now = getattr(before.selection, name), getattr(asked.selection, name)
        if name == "before":  # a moment that --older-than counted back from the start
            was, now = was is None, now is None
        if was != now:
            raise UsageError(
                f"run {run.number} was over another selection: {name} was {was!r}, not {now!r}"
            )
    for what, were, now in (
        ("trust", before.trust, asked.trust), ("signing", before.signing, asked.signing),
    ):  # fmt: skip
        names = sorted(
            name
            for name in were.keys() | now.keys()
            # an option that the version before did not have, and that is not given now, is no other
            if (were.get(name) or None) != (now.get(name) or None)
        )
        if names:
            raise UsageError(f"run {run.number} had other options about {what}: {', '.join(names)}")
    return run


def _json(made: Asked | Totals) -> str:
    try:
        return msgspec.json.encode(made).decode()
    except UnicodeEncodeError:
        raise UsageError("the name of a root is no UTF-8: name its parent folder") from None


def _selected(
    selection: Selection, counted: Callable[[Iterable[Found]], Iterator[Found]]
) -> Iterable[Found]:
    """The files of a selection; ``counted`` sees those among which a sample is drawn."""
    found: Iterable[Found] = walk.find(selection.roots, selection.follow)
    if selection.include:
        found = walk.included(found, selection.include)
    if selection.before is not None:
        limit = int(selection.before * 1e9)
        found = (file for file in found if file.mtime < limit)
    found = counted(found)
    if selection.share is not None:
        found = sample.drawn(
            found, selection.share, selection.seed, selection.stratify, selection.roots
        )
    return found


class _Session:
    """One process's part of a run."""

    def __init__(
        self, ledger: Ledger, run: Run, kind: str, stop: Callable[[], None],
        watch: Callable[[Progress, Callable[[], None]], object] | None,
    ) -> None:  # fmt: skip
        self._ledger, self._run, self._watch = ledger, run, watch
        self._stop_loop = stop
        self._stopped = False
        self._head = ledger.head()
        self._number = 0
        self._population = 0
        self._progress = Progress(run.number, started=time.monotonic(), kind=kind)
        self._totals = Totals()

    def files(self, selection: Selection, resume: bool) -> Iterator[Found]:
        """What is still to be verified."""
        found = _selected(selection, self._counted)
        if resume:
            for batch in self._ledger.batches(self._run.number):
                self._number = batch.number
            self._ledger.remember(self._run.number)
            self._count_again()
            found = self._without_done(found)
        ends = ("", "-wal", "-shm", ".lock", ".workers")
        names = os.path.abspath(self._ledger.path), os.path.realpath(self._ledger.path)
        own = {name + end for name in names for end in ends}
        own.add(poe.place(self._ledger.path))
        for file in found:
            if self._stopped:
                return
            if file.path not in own:
                self._progress.found += 1
                yield file
        self._progress.walked = True

    def expecting(self, selection: Selection) -> contextlib.AbstractContextManager[object]:
        """Find out how much there is, as long as this lasts."""
        known = as_before(self._ledger, selection)
        self._progress.expected = known
        if known is not None or not countable(selection.roots):
            return contextlib.nullcontext()
        made = self._progress.expected = Expected()
        return Counting(made, lambda: _selected(selection, iter))

    def _counted(self, found: Iterable[Found]) -> Iterator[Found]:
        for file in found:
            self._population += 1
            yield file

    def _without_done(self, found: Iterable[Found]) -> Iterator[Found]:
        for file in found:
            if self._ledger.done(path_of(file.path)):
                self._progress.skipped += 1
            else:
                yield file

    def _count_again(self) -> None:
        for row in self._ledger.rows(*self._ledger.span(self._run.number)):
            self._count(row)
        self._progress.before, self._progress.bytes_before = self._totals.files, self._totals.bytes

    def _count(self, row: Row) -> None:
        totals = self._totals
        totals.files += 1
        totals.bytes += row.size
        totals.verdicts[row.verdict] = totals.verdicts.get(row.verdict, 0) + 1

    def append(self, rows: list[Row]) -> None:
        """A finished batch to the ledger."""
        self._number += 1
        size = sum(row.size for row in rows)
        self._head = self._ledger.append(self._run.number, self._number, self._head, rows, size)
        progress = self._progress
        progress.files += len(rows)
        progress.bytes += size
        for row in rows:
            self._count(row)
            progress.verdicts[row.verdict] += 1
        self.tell()

    def tell(self) -> None:
        if self._watch:
            self._watch(self._progress, self.stop)

    def stop(self) -> None:
        self._stopped = True
        self._stop_loop()

    def end(self, sign: Callable[[bytes], tuple[bytes, bytes]] | None) -> Outcome:
        """The end of the run, if all was verified."""
        totals = self._totals
        totals.population = self._population
        totals.head = self._head.hex()
        if not self._progress.walked:
            return Outcome(self._run.number, False, totals)
        finished, text = time.time(), _json(totals)
        head = chain.of_end(self._head, finished, text)
        signature = certificate = None
        if sign:
            signature, certificate = sign(chain.to_be_signed(self._run.number, head))
        self._ledger.end(self._run.number, head, text, finished, signature, certificate)
        return Outcome(self._run.number, True, totals)


def _throttled(files: Iterable[Found], rate: float) -> Iterator[Found]:
    """The same files, no faster than so many bytes in a second."""
    start, size = time.monotonic(), 0
    for file in files:
        early = start + size / rate - time.monotonic()
        if early > 0:
            time.sleep(early)
        yield file
        size += file.size

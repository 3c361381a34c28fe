"""One run over an archive: walk, verify (or sign), append; to its end, or until it is stopped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

import msgspec

from ...errors import LedgerError
from ...verification.options import Options
from .. import errors
from ..find import walk
from ..find.ahead import Reading
from ..find.far_reads import TIMEOUT
from ..find.found import Found
from ..find.roots import check_roots, root_of
from ..find.selection import RunRequest, Selection, Walked, as_json, check_same, throttled
from ..find.trusted import trusted_by
from ..ledger import proof_of_existence
from ..ledger.ledger import VERIFY, Ledger, Run
from ..ledger.lock import locked
from ..ledger.seals import certificate_of, sealed_until
from ..ledger.written import decoded
from . import verify_worker
from .loop import Loop
from .progress import Outcome, Progress, Totals
from .session import Session

__all__ = [
    "Outcome",
    "Progress",
    "RunRequest",
    "Selection",
    "Task",
    "Totals",
    "carry_out",
    "verify",
]

BATCH_FILES = 1024
WINDOW = 2  # batches in progress for each worker: one that it works on, and one that waits


class Task(NamedTuple):
    """The work on batches of files, and its executor.

    Attributes:
        executor: the executor, or a function that makes one.
        function: the work of a worker on a batch; it returns packed rows.
        failed: the same for a file at which a worker died or raised.
        unpack: returns the packed rows in a result, and why the run cannot go on; either may be
            empty.
        workers: how many.
        window: how many batches are in progress for each of them.
        first_files: how many files the first batches have.
    """

    executor: Executor | Callable[[], Executor]
    function: Callable[[list[Found]], bytes]
    failed: Callable[[Found, BaseException], bytes]
    unpack: Callable[[bytes], tuple[bytes, str]]
    workers: int
    window: int = WINDOW
    first_files: int = walk.FIRST_FILES


def verify(
    path: str,
    asked: RunRequest,
    options: Options,
    *,
    jobs: int = 1,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    resume: bool = False,
    max_rate: float | None = None,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None = None,
    proofs: proof_of_existence.Wanted | None = None,
    watch: Callable[[Progress, Callable[[], None]], object] | None = None,
    count: bool = False,
    batch_files: int = BATCH_FILES,
    batch_bytes: int = walk.BATCH_BYTES,
    window: int = WINDOW,
    reading: Reading | None = None,
) -> Outcome:
    """Verify an archive into a ledger.

    Args:
        path: of the ledger; created if it does not exist.
        asked: the request; ``resume`` uses the selection that the ledger has.
        options: of the verification.
        jobs: processes on this machine; ignored with an executor.
        executor: another `concurrent.futures.Executor`, whose workers can import dicomseal; it
            stays open. Or a function that makes one, which is replaced when it breaks, and shut
            down at the end.
        workers: how many workers that one has, for the size of the window.
        resume: continue the last run, which was not completed.
        max_rate: bytes in a second at most.
        sign: called with the bytes that are to be signed: for the beginning of the run, each
            batch, and the end; returns the signature and the certificate. A run that is resumed
            keeps the rows that this key has signed, and verifies again from there on.
        proofs: earlier ledgers, which prove that signatures existed when they passed there.
        watch: called at the beginning and after every batch with the progress, and with a function
            that stops the run in good order.
        count: count the files for the progress, if no earlier run has the number.
        batch_files, batch_bytes: bounds of a batch, which is a task of a worker and a transaction
            of the ledger.
        window: how many batches are in progress for each worker.
        reading: how the workers read files.

    Raises:
        LedgerError: the ledger, or one that shall prove something, cannot be used, or there is
            nothing to resume. Rows that were appended until then stay, and the run can be resumed.
        UsageError: the selection makes no sense, or is not the one of the run to resume.
        LostError: the executor, or an object store, no longer works; the run can be resumed.
    """
    asked = msgspec.structs.replace(asked, trusted=trusted_by(options.trust))
    with_digests = msgspec.structs.replace(options, digests=True)
    afresh = not all(root_of(root).is_forkable for root in asked.selection.roots)

    def before(ledger: Ledger, stack: contextlib.ExitStack) -> RunRequest:
        nonlocal with_digests
        if proofs is None:
            return asked
        last = ledger.find().number if resume else None
        proven, used = stack.enter_context(proof_of_existence.proof_index(proofs, path, last))
        with_digests = msgspec.structs.replace(with_digests, proofs=proven)
        return msgspec.structs.replace(asked, trust=asked.trust | {"poe_ledger": used})

    def task(_: Run) -> Task:
        return Task(
            executor or verify_worker.Pools(jobs, with_digests, afresh, reading),
            verify_worker.verify_batch
            if executor is None
            else verify_worker.RemoteVerify(with_digests, reading),
            partial(verify_worker.crashed, seconds=options.limits.seconds),
            lambda packed: (packed, ""),
            jobs if executor is None else workers or jobs,
            window,
        )

    return carry_out(
        path, VERIFY, asked, task, before=before, resume=resume, max_rate=max_rate, sign=sign,
        watch=watch, count=count, batch_files=batch_files, batch_bytes=batch_bytes,
        read_timeout=TIMEOUT if reading is None else reading.timeout,
    )  # fmt: skip


def carry_out(
    path: str,
    kind: str,
    asked: RunRequest,
    task: Callable[[Run], Task],
    *,
    before: Callable[[Ledger, contextlib.ExitStack], RunRequest] | None = None,
    resume: bool,
    max_rate: float | None,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None,
    watch: Callable[[Progress, Callable[[], None]], object] | None,
    count: bool = False,
    batch_files: int = walk.BATCH_FILES,
    batch_bytes: int = walk.BATCH_BYTES,
    read_timeout: float = TIMEOUT,
) -> Outcome:
    """Carry out a run of a kind, `ledger.VERIFY` or `ledger.SIGN`; ``task`` is called in it.

    ``before`` is called with the ledger when no other process can write to it, and returns the
    request; contexts that it puts on the stack end with the run. A file system must answer within
    ``read_timeout`` seconds. The other arguments are those of
    `verify`.

    Raises:
        NothingSelectedError: the selection leaves no file at all; no run was begun.
        StoppedError: a worker said that the run cannot go on; it can be resumed. And as `verify`.
    """
    check_roots(asked.selection.roots, read_timeout)
    walked = Walked(asked.selection, read_timeout)
    with (
        locked(path), _gone_if_unused(path), Ledger(path, create=True) as ledger,
        contextlib.ExitStack() as stack,
    ):  # fmt: skip
        if not resume and (asked.selection.include or asked.selection.exclude):
            walked.require_some()
        if before:
            asked = before(ledger, stack)
        ledger.check()
        seal = None if sign is None else lambda data: sign(data)[0]
        run, again = _resumed(ledger, kind, asked, sign) if resume else (None, 0)
        if run is None:
            run = ledger.begin(as_json(asked), kind, seal)
        asked = decoded(path, run.asked, RunRequest)
        if resume:
            # as it was then: --older-than counts from then
            walked = Walked(asked.selection, read_timeout)
        todo = task(run)
        loop = Loop(todo.executor, todo.function, todo.failed, todo.workers * todo.window)
        session = Session(ledger, run, kind, loop.stop, watch, seal, again)
        if count:
            stack.enter_context(session.expecting(asked.selection))
        files = session.files(walked, resume)
        session.tell()
        if max_rate:
            files = throttled(files, max_rate)
            batch_bytes = min(batch_bytes, int(max_rate))  # a larger batch would run for minutes
        trouble = ""
        batches = walk.batches(
            files, batch_files, batch_bytes, todo.workers, todo.first_files,
            # files that are found count as read: not many may wait to be sent
            ahead=not max_rate, last=session.all_sent,
        )  # fmt: skip
        for _, sent in loop.run(batches):
            packed, why = todo.unpack(sent)
            if why:  # the batches in progress are completed all the same
                trouble = trouble or why
                session.stop()
            if packed:
                session.append(packed)
        if trouble:
            raise errors.StoppedError(trouble)
        return session.end(sign)


@contextlib.contextmanager
def _gone_if_unused(path: str) -> Iterator[None]:
    """Remove a ledger that was not there before, if no run was begun in it."""
    existed = os.path.lexists(path)
    try:
        yield
    except errors.NothingSelectedError:
        for end in ("", "-wal", "-shm") if not existed else ():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + end)
        raise


def _resumed(
    ledger: Ledger,
    kind: str,
    asked: RunRequest,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None,
) -> tuple[Run | None, int]:
    """Return the run to resume, and how many of its objects are done again.

    A run that is to be signed keeps the rows that its key has sealed. Anyone who can write to the
    ledger may have inserted the rows after these, so they are removed. If its beginning is not
    sealed, the run is begun again, and None is returned for it.
    """
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
    check_same(run.number, decoded(ledger.path, run.asked, RunRequest), asked)
    if sign is None:
        return run, 0
    last = sealed_until(ledger, run, certificate_of(sign, run))
    again = ledger.drop(run.number, last)
    return (run if last >= 0 else None), again

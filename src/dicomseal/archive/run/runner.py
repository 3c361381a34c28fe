"""One run over an archive: walk, verify (or sign), append; to its end, or until it is stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

import msgspec

from ...errors import LedgerError
from ...verification.options import Options
from .. import errors
from ..find import walk
from ..find.found import Found
from ..find.roots import check_roots, root_of
from ..find.selection import RunRequest, Selection, as_json, check_same, throttled
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

WINDOW = 2  # batches for each worker that are under way: one it works on, one that waits


class Task(NamedTuple):
    """What is done with batches of files, and where.

    Attributes:
        executor: the executor, or what makes one.
        function: what its workers do with a batch; they return something packed.
        failed: the same for a file at which a worker died, or raised.
        unpack: the packed rows in it, and why the run cannot go on; either may be empty.
        workers: how many.
    """

    executor: Executor | Callable[[], Executor]
    function: Callable[[list[Found]], bytes]
    failed: Callable[[Found, BaseException], bytes]
    unpack: Callable[[bytes], tuple[bytes, str]]
    workers: int


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
        sign: called with what is to be signed: the beginning of the run, each batch, and the end;
            returns the signature and the certificate. What a run to resume has recorded is kept as
            far as this key has signed it, and verified again from there on.
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
    afresh = not all(root_of(root).is_forkable for root in asked.selection.roots)

    def before(ledger: Ledger, stack: contextlib.ExitStack) -> RunRequest:
        nonlocal made
        if proofs is None:
            return asked
        last = ledger.find().number if resume else None
        proven, said = stack.enter_context(proof_of_existence.proof_index(proofs, path, last))
        made = msgspec.structs.replace(made, proofs=proven)
        return msgspec.structs.replace(asked, trust=asked.trust | {"poe_ledger": said})

    def task(_: Run) -> Task:
        return Task(
            executor or (lambda: verify_worker.embedded(jobs, made, afresh=afresh)),
            verify_worker.verify_batch if executor is None else verify_worker.RemoteVerify(made),
            partial(verify_worker.crashed, seconds=options.limits.seconds),
            lambda packed: (packed, ""),
            jobs if executor is None else workers or jobs,
        )

    return carry_out(
        path, VERIFY, asked, task, before=before, resume=resume, max_rate=max_rate, sign=sign,
        watch=watch, count=count, batch_files=batch_files, batch_bytes=batch_bytes,
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
) -> Outcome:
    """A run of a kind, `ledger.VERIFY` or `ledger.SIGN`; ``task`` is made when it has begun.

    ``before`` is called with the ledger when nobody else can write to it, and says what is asked;
    what it puts on the stack ends with the run. The other arguments are those of `verify`.

    Raises:
        StoppedError: a worker said that the run cannot go on; it can be resumed. And as `verify`.
    """
    check_roots(asked.selection.roots)
    with locked(path), Ledger(path, create=True) as ledger, contextlib.ExitStack() as stack:
        if before:
            asked = before(ledger, stack)
        ledger.check()
        seal = None if sign is None else lambda data: sign(data)[0]
        run, again = _resumed(ledger, kind, asked, sign) if resume else (None, 0)
        if run is None:
            run = ledger.begin(as_json(asked), kind, seal)
        asked = decoded(path, run.asked, RunRequest)
        todo = task(run)
        loop = Loop(todo.executor, todo.function, todo.failed, todo.workers * WINDOW)
        session = Session(ledger, run, kind, loop.stop, watch, seal, again)
        if count:
            stack.enter_context(session.expecting(asked.selection))
        session.tell()
        files = session.files(asked.selection, resume)
        if max_rate:
            files = throttled(files, max_rate)
            batch_bytes = min(batch_bytes, int(max_rate))  # or one would fill for minutes
        trouble = ""
        for _, sent in loop.run(walk.batches(files, batch_files, batch_bytes, todo.workers)):
            packed, why = todo.unpack(sent)
            if why:  # those under way come to an end all the same
                trouble = trouble or why
                session.stop()
            if packed:
                session.append(packed)
        if trouble:
            raise errors.StoppedError(trouble)
        return session.end(sign)


def _resumed(
    ledger: Ledger,
    kind: str,
    asked: RunRequest,
    sign: Callable[[bytes], tuple[bytes, bytes]] | None,
) -> tuple[Run | None, int]:
    """The run to go on with, and how many objects that it had are done again.

    A run that is to be signed keeps what its key has sealed. What is behind that, anybody who can
    write to the ledger may have put there: it is taken back. Where its beginning is not sealed the
    run is begun again, and None is returned for it.
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

"""The ledger of a gate: one run from start to stop, one row an object, on disk before the answer.

It is a ledger as ``archive verify`` keeps it, so its commands read it: report, audit, export. One
thread appends; what arrives meanwhile goes into one transaction, so many senders share its price.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import msgspec

from ..archive.find.selection import RunRequest, Selection, as_json
from ..archive.find.trusted import Trusted
from ..archive.ledger import hash_chain
from ..archive.ledger.ledger import GATE, Ledger
from ..archive.ledger.lock import locked
from ..archive.ledger.rows import Row, as_stored, pack, row_of
from ..archive.run.progress import Totals
from ..errors import DicomSealError, LedgerError, SourceError
from .admission import Outcome
from .origin import Origin
from .policy import ACCEPT, QUARANTINE

_MAX_ROWS = 512  # in a transaction
_PATIENCE = 60.0  # seconds
_WORDS = {ACCEPT: "accepted", QUARANTINE: "in quarantine"}


def row_for(outcome: Outcome, origin: Origin) -> Row:
    """Return the row of an object: verdict, place and sender."""
    decision = outcome.decision
    where = outcome.path or (
        f"{origin.via.lower()}://{origin.calling_aet or '-'}@{origin.peer or '-'}"
        f"/{decision.identity.names[2]}.dcm"
    )
    row = row_of(
        decision.report if outcome.stored is None else outcome.stored,
        where,
        outcome.size,
        time.time_ns(),
        time.time(),
    )
    said = [f"{_WORDS.get(decision.action, 'refused')}, by {origin.via}"]
    if origin.calling_aet or origin.peer:
        said[0] += f" from {origin.calling_aet or '-'} at {origin.peer or '-'}"
    if outcome.stored is not None:
        said.append(f"unsigned when it arrived, and signed here: {outcome.signed or 'before'}")
    if outcome.trouble:
        said.append(outcome.trouble)
    if row.sentence:
        said.append(row.sentence)
    return msgspec.structs.replace(row, sentence=as_stored("; ".join(said)))


def waited(done: Future[None]) -> None:
    """Wait until rows are on disk; errors as `Recorder.__call__`."""
    try:
        done.result(_PATIENCE)
    except DicomSealError as error:
        raise SourceError(str(error), "ledger") from None
    except TimeoutError:
        raise SourceError("the ledger does not answer", "ledger") from None


class Recorder:
    """An open ledger with a run of its own; as a context it ends that run.

    Args:
        path: of the ledger; it is made if it is not there.
        root: of the store.
        asked: the options of the gate, for the auditor.
        trusted: whom it trusts, and by which policy, for the same.

    Raises:
        LedgerError: it cannot be used.
    """

    def __init__(
        self, path: str, root: str, asked: dict[str, Any], trusted: Trusted | None = None
    ) -> None:
        self._path = path
        given = {name: str(one) if isinstance(one, float) else one for name, one in asked.items()}
        self._asked = as_json(
            RunRequest(selection=Selection(roots=(root,)), trust=given, trusted=trusted)
        )
        self._queue: queue.Queue[tuple[list[Row], Future[None]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="dicomseal-ledger", daemon=True)
        self._begun: Future[None] = Future()
        self._is_gone = False

    def __enter__(self) -> Recorder:
        self._thread.start()
        self._begun.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join(_PATIENCE)

    @property
    def is_writing(self) -> bool:
        """Whether rows can be appended; not after an error that no later row can mend."""
        return self._thread.is_alive() and not self._is_gone

    def submit(self, rows: list[Row]) -> Future[None]:
        """Append rows as soon as it can be; the future is done when they are on disk."""
        done: Future[None] = Future()
        self._queue.put((rows, done))
        return done

    def __call__(self, outcome: Outcome, origin: Origin) -> None:
        """Append the row of an object, and wait until it is on disk.

        Raises:
            SourceError: it is not (code ``ledger``).
        """
        waited(self.submit([row_for(outcome, origin)]))

    def _run(self) -> None:
        try:
            with locked(self._path), Ledger(self._path, create=True) as ledger:
                ledger.check()
                run = ledger.begin(self._asked, GATE)
                self._begun.set_result(None)
                self._serve(ledger, run.number, run.head)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            if not self._begun.done():
                self._begun.set_exception(error)
            else:
                self._refuse(error)

    def _serve(self, ledger: Ledger, run: int, head: bytes) -> None:
        number, totals = 0, Totals()
        while True:
            waiting = self._waiting()
            if not waiting:
                break
            rows = [row for some, _ in waiting for row in some]
            try:
                batch = ledger.append(run, number + 1, head, pack(rows))
            except DicomSealError as error:
                for _, done in waiting:
                    done.set_exception(error)
                continue
            number, head = number + 1, batch.head
            totals.files += batch.files
            totals.bytes += batch.size
            for verdict, count in batch.verdicts.items():
                totals.verdicts[verdict] = totals.verdicts.get(verdict, 0) + count
            for _, done in waiting:
                done.set_result(None)
        totals.population, totals.head = totals.files, head.hex()
        finished, text = time.time(), as_json(totals)
        ledger.end(run, hash_chain.of_end(head, finished, text), text, finished)

    def _waiting(self) -> list[tuple[list[Row], Future[None]]]:
        """Return what is to be appended now; nothing at the end."""
        first = self._queue.get()
        found = []
        while first is not None:
            found.append(first)
            if len(found) >= _MAX_ROWS:
                return found
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                return found
        if found:
            self._queue.put(None)  # the end comes after them
        return found

    def _refuse(self, error: BaseException) -> None:
        """Refuse all rows that wait, now and later, as the ledger is gone."""
        trouble = error if isinstance(error, DicomSealError) else LedgerError(str(error))
        while True:
            item = self._queue.get()
            if item is None:
                return
            item[1].set_exception(trouble)

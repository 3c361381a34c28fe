"""Between the first process of a gate and those that work for it: rows to be kept, and figures.

The first one keeps ledger, figures and spool; the others receive and verify. A worker's row is on
disk when it hears so, and only then does it answer the sender.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from ..archive.ledger.rows import Row, pack, unpack
from ..errors import DicomSealError, LedgerError
from .admission import Outcome
from .figures import Event, event_of
from .origin import Origin
from .record import row_for, waited

_events = msgspec.msgpack.Decoder(Event)
_ROW, _EVENT, _KEPT, _LOST = "row", "event", "kept", "lost"
_BEGUN, _STOP, _ENDED = "begun", "stop", "ended"


class Below:
    """A worker's end. It ends the process at once when the first process is gone.

    Args:
        connection: to the first process.
        stop: called when that one says so.
    """

    def __init__(self, connection: Connection, stop: Callable[[], None]) -> None:
        self._connection, self._stop = connection, stop
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[None]] = {}
        self._number = 0
        threading.Thread(target=self._listen, name="dicomseal-channel", daemon=True).start()

    def ledger(self, outcome: Outcome, origin: Origin) -> None:
        """Have the row of an object kept; errors as `record.waited`."""
        done: Future[None] = Future()
        packed = pack([row_for(outcome, origin)])
        with self._lock:
            self._number += 1
            self._waiting[self._number] = done
            self._connection.send((_ROW, self._number, packed))
        waited(done)

    def told(self, outcome: Outcome, origin: Origin) -> None:
        """Have an object counted."""
        self._send((_EVENT, 0, msgspec.msgpack.encode(event_of(outcome, origin))))

    def begun(self) -> None:
        """Say that this worker receives."""
        self._send((_BEGUN, 0, b""))

    def ended(self, finished: bool) -> None:
        """Say that this worker has stopped."""
        self._send((_ENDED, int(finished), b""))

    def _send(self, message: tuple[str, int, bytes]) -> None:
        with self._lock:
            self._connection.send(message)

    def _listen(self) -> None:
        while True:
            try:
                kind, number, words = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)  # nobody keeps what is received now
            if kind == _STOP:
                self._stop()
                continue
            done = self._waiting.pop(number)
            if kind == _KEPT:
                done.set_result(None)
            else:
                done.set_exception(LedgerError(words))


class Above:
    """The first process's end of the channel to a worker, served by a thread.

    Args:
        connection: to the worker.
        submit: keeps rows, see `record.Recorder.submit`; None: there is no ledger.
        count: counts an object.
        gone: called when the worker has ended; with True if it had been told to, and all that was
            on its way had come to its end.

    Attributes:
        begun: is set when the worker receives, or has ended.
    """

    def __init__(
        self,
        connection: Connection,
        submit: Callable[[list[Row]], Future[None]] | None,
        count: Callable[[Event], None],
        gone: Callable[[bool], None],
    ) -> None:
        self._connection, self._submit, self._count, self._gone = connection, submit, count, gone
        self._lock = threading.Lock()
        self.begun = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="dicomseal-worker", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the worker to stop."""
        self._send((_STOP, 0, ""))

    def _serve(self) -> None:
        finished = False
        while True:
            try:
                kind, number, packed = self._connection.recv()
            except (EOFError, OSError):
                break
            if kind == _EVENT:
                self._count(_events.decode(packed))
            elif kind == _BEGUN:
                self.begun.set()
            elif kind == _ENDED:
                finished = bool(number)
            elif self._submit is None:
                self._send((_LOST, number, "there is no ledger"))
            else:
                self._submit(unpack(packed)).add_done_callback(self._answer(number))
        self._gone(finished)
        self.begun.set()

    def _answer(self, number: int) -> Callable[[Future[None]], None]:
        def answer(done: Future[None]) -> None:
            error = done.exception()
            if error is None:
                self._send((_KEPT, number, ""))
            else:
                words = str(error) if isinstance(error, DicomSealError) else repr(error)
                self._send((_LOST, number, words))

        return answer

    def _send(self, message: tuple[str, int, Any]) -> None:
        with self._lock:
            try:
                self._connection.send(message)
            except OSError:  # it is gone, and `_serve` says so
                return

"""A gate from start to stop: its processes, what they share, and the end of them all.

With one process it does everything itself. With several, the first one keeps ledger, figures and
the way to the next node, and the others receive: they all listen on the same socket. If one of them
dies, the gate stops as a whole, having lost nothing: whoever started it starts it again.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import UsageError
from . import descriptors
from .admission import Admission, Outcome, Signer
from .figures import Figures, event_of
from .front import Counts, Front
from .health import Health
from .log import ObjectLog
from .monitor import Monitor
from .origin import Origin
from .policy import Policy
from .quarantine import Quarantine, check_apart
from .spool import Spool
from .store import Store

if TYPE_CHECKING:
    from .channel import Above
    from .forwarding import Node
    from .record import Recorder

_log = logging.getLogger("dicomseal.gate")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate is.

    Attributes:
        policy: what is asked of objects.
        store, quarantine: folders; no quarantine: None.
        fronts: the ways in.
        aet: what it calls itself towards the next node.
        jobs: how many processes receive.
        connections: how many there may be at a time, in all processes.
        forward: the next node; None: there is none.
        once: seconds in which it is not sent again what it has taken, see `forwarding.Forwarder`.
        ledger: the path; None: no ledger is kept.
        asked: the options as they were given, for the ledger.
        monitor: address and port of the pages for those who watch; None: there are none.
        signer: makes what signs at the door, once in each process; None: nothing is signed.
        sync: flush to disk before anything is answered.
        patients: whether the log may name patients.
        patience: seconds for what is on its way when the gate stops.
    """

    policy: Policy
    store: str
    quarantine: str | None = None
    fronts: tuple[Front, ...] = ()
    aet: str = "DICOMSEAL"
    jobs: int = 1
    connections: int = 64
    forward: Node | None = None
    once: float = 600.0
    ledger: str | None = None
    asked: dict[str, Any] = {}
    monitor: tuple[str, int] | None = None
    signer: Callable[[], Signer] | None = None
    sync: bool = True
    patients: bool = False
    patience: float = 30.0


class Service:
    """Runs a gate until it is told to stop.

    Args:
        settings: what it is.

    Raises:
        UsageError: it has no way in, quarantine and store lie in one another, or there are to be
            several processes where the system cannot fork.
        SourceError: a folder or a port cannot be had.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.fronts:
            raise UsageError("a gate needs a way in")
        if settings.quarantine is not None:
            check_apart(settings.store, settings.quarantine)
        if settings.jobs > 1 and "fork" not in multiprocessing.get_all_start_methods():
            raise UsageError("--jobs needs a system that can fork")
        self._settings = settings
        self._stop = threading.Event()
        self._figures = Figures()
        self._trouble: list[str] = []

    def stop(self) -> None:
        """Tell it to stop; to be called from any thread, or a signal handler."""
        self._stop.set()

    def run(self, ready: Callable[[], None] | None = None) -> bool:
        """Serve until `stop` is called, or a worker dies.

        Args:
            ready: called when everything is there.

        Returns:
            Whether it stopped as it should: nobody died, and what was on its way came to its end.

        Raises:
            DicomSealError: it could not begin.
        """
        settings = self._settings
        descriptors.allow(settings.connections)
        store = Store(settings.store, sync=settings.sync)
        with store.opened(), contextlib.ExitStack() as stack:
            for front in settings.fronts:
                front.bind()
            spool = self._spool(store)
            several = settings.jobs > 1
            slots: Any = multiprocessing.Array("i", settings.jobs) if several else [0]
            counts = Counts(slots, settings.connections)
            # before any thread is: a fork takes only the one that calls it
            workers = self._workers(store, spool, counts) if several else []
            recorder = self._recorder(stack)
            forwarder = self._forwarder(spool, stack)
            self._ledger = recorder
            self._monitor(spool, counts, store, stack)
            with self._signals():
                if several:
                    return self._supervise(workers, recorder, ready)
                return self._serve(store, spool, counts, recorder, forwarder, ready)

    # --- in one process --------------------------------------------------------------------------

    def _serve(
        self,
        store: Store,
        spool: Spool | None,
        counts: Counts,
        recorder: Recorder | None,
        forwarder: Any,
        ready: Callable[[], None] | None,
    ) -> bool:
        log = ObjectLog(self._settings.patients)

        def told(outcome: Outcome, origin: Origin) -> None:
            self._figures.count(event_of(outcome, origin))
            log(outcome, origin)

        if spool is not None and forwarder is not None:
            spool.ring = forwarder.ring
        admission = self._admission(store, spool, recorder, told)
        self._start(admission, counts, 0)
        self._ready(ready)
        self._stop.wait()
        return self._stop_fronts()

    def _admission(self, store: Store, spool: Spool | None, ledger: Any, told: Any) -> Admission:
        settings = self._settings
        quarantine = None
        if settings.quarantine is not None:
            quarantine = Quarantine(settings.quarantine, sync=settings.sync)
        return Admission(
            settings.policy,
            store,
            quarantine,
            signer=settings.signer() if settings.signer is not None else None,
            spool=None if spool is None else spool.add,
            ledger=ledger,
            told=told,
        )

    def _start(self, admission: Admission, counts: Counts, slot: int) -> None:
        for front in self._settings.fronts:
            front.start(admission, counts, slot)

    def _stop_fronts(self) -> bool:
        end = time.monotonic() + self._settings.patience
        good = [front.stop(max(end - time.monotonic(), 0.1)) for front in self._settings.fronts]
        return all(good)

    # --- in several ------------------------------------------------------------------------------

    def _workers(self, store: Store, spool: Spool | None, counts: Counts) -> list[tuple[Any, Any]]:
        context = multiprocessing.get_context("fork")
        workers: list[tuple[Any, Any]] = []
        for slot in range(self._settings.jobs):
            mine, theirs = context.Pipe()
            others = [mine, *(connection for _, connection in workers)]
            process = context.Process(
                target=self._work,
                args=(theirs, others, store, spool, counts, slot),
                name=f"dicomseal-gate-{slot}",
            )
            process.start()
            theirs.close()
            workers.append((process, mine))
        return workers

    def _work(
        self, connection: Any, others: list[Any], store: Store, spool: Spool | None,
        counts: Counts, slot: int,
    ) -> None:  # fmt: skip
        """Receive in a worker, until the first process says that it is enough."""
        from .channel import Below

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for other in others:  # or they would keep the pipes of their siblings open
            other.close()
        below = Below(connection, self._stop.set)
        log = ObjectLog(self._settings.patients)

        def told(outcome: Outcome, origin: Origin) -> None:
            below.told(outcome, origin)
            log(outcome, origin)

        ledger = below.ledger if self._settings.ledger is not None else None
        admission = self._admission(store, spool, ledger, told)
        self._start(admission, counts, slot)
        below.begun()
        self._stop.wait()
        finished = self._stop_fronts()
        below.ended(finished)
        os._exit(0)  # threads that a peer holds up do not keep it

    def _supervise(
        self,
        workers: list[tuple[Any, Any]],
        recorder: Recorder | None,
        ready: Callable[[], None] | None,
    ) -> bool:
        from .channel import Above

        ended: list[bool] = []

        def gone(finished: bool) -> None:
            if not self._stop.is_set():
                self._trouble.append("a worker died")
                _log.error("a worker died: the gate stops")
                self._stop.set()
            ended.append(finished)

        above: list[Above] = [
            Above(
                connection, None if recorder is None else recorder.submit, self._figures.count, gone
            )
            for _, connection in workers
        ]
        for one in above:
            one.start()
        for front in self._settings.fronts:  # the workers have them now
            front.release()
        for one in above:  # or the first one would take all that connects at once
            one.begun.wait(self._settings.patience)
        self._ready(ready)
        self._stop.wait()
        for one in above:
            one.stop()
        end = time.monotonic() + self._settings.patience + 10
        for process, _ in workers:
            process.join(max(end - time.monotonic(), 0.1))
            if process.is_alive():
                process.kill()
                process.join()
        while len(ended) < len(workers) and time.monotonic() < end:
            time.sleep(0.01)
        return len(ended) == len(workers) and all(ended) and not self._trouble

    # --- what both have --------------------------------------------------------------------------

    def _spool(self, store: Store) -> Spool | None:
        if self._settings.forward is None:
            return None
        return Spool(os.path.join(store.own, "spool"), sync=self._settings.sync)

    def _recorder(self, stack: contextlib.ExitStack) -> Recorder | None:
        settings = self._settings
        if settings.ledger is None:
            return None
        from ..archive.find.trusted import trusted_by
        from .record import Recorder

        recorder = Recorder(
            settings.ledger, os.path.abspath(settings.store), settings.asked,
            trusted_by(settings.policy.options.trust),
        )  # fmt: skip
        return stack.enter_context(recorder)

    def _forwarder(self, spool: Spool | None, stack: contextlib.ExitStack) -> Any:
        settings = self._settings
        if spool is None or settings.forward is None:
            return None
        from .forwarding import Forwarder

        forwarder = Forwarder(
            spool, settings.forward, settings.aet, told=self._figures.forwarded, once=settings.once
        )
        forwarder.start()
        stack.callback(forwarder.stop)
        return forwarder

    def _monitor(
        self, spool: Spool | None, counts: Counts, store: Store, stack: contextlib.ExitStack
    ) -> None:
        health = Health(
            store, spool, counts, self._trouble,
            is_writing=lambda: self._ledger is None or self._ledger.is_writing,
            is_stopping=self._stop.is_set,
        )  # fmt: skip
        health.gauges(self._figures)
        if self._settings.monitor is None:
            return
        monitor = Monitor(self._figures, health.page, *self._settings.monitor)
        monitor.start()
        stack.callback(monitor.stop)
        self._monitor_port = monitor.port

    _monitor_port = 0
    _ledger: Recorder | None = None

    def _ready(self, ready: Callable[[], None] | None) -> None:
        fields: dict[str, Any] = {front.name: front.port for front in self._settings.fronts}
        if self._monitor_port:
            fields["metrics"] = self._monitor_port
        _log.info("listening", extra={"fields": {"ports": fields, "jobs": self._settings.jobs}})
        _notify("READY=1")
        if ready is not None:
            ready()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Yield SIGTERM and SIGINT stop it gracefully; a second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, _: object) -> None:
            if self._stop.is_set():
                os._exit(128 + number)
            _notify("STOPPING=1")
            self._stop.set()

        before = {one: signal.signal(one, handle) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for one, old in before.items():
                signal.signal(one, old)


def _notify(state: str) -> None:
    """Tell systemd, if it has started the gate with ``Type=notify`` (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)

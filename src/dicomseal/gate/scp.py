"""The Storage SCP of a gate: every storage SOP Class, every transfer syntax, nothing changed.

Level 2 of the Storage Service Class, Digital Signature level 3 (bit preserving), no coercion
(PS3.4 Section B.3.1); of the transfer syntaxes that a sender proposes one with explicit VR is taken
where there is one (PS3.15 Annex A.3).
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
from pynetdicom import AE, build_context, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from ..errors import SourceError, UsageError
from ..standard import transfer_syntaxes
from .admission import Admission, Outcome
from .association import MAX_PDU, GateServer
from .commands import Answer
from .front import Counts
from .handlers import failed
from .judgement import OUT_OF_RESOURCES
from .origin import Origin
from .receiving import IMPLEMENTATION_CLASS, StoreRequest

if TYPE_CHECKING:
    from pynetdicom.events import Event

# level 2 (full), a reserved byte, Digital Signature level 3, a reserved byte, no coercion, reserved
BIT_PRESERVING = bytes([2, 0, 3, 0, 0, 0])
_STANDARD = "1.2.840.10008."
_VERIFICATION = "1.2.840.10008.1.1"
# newer than pynetdicom, or retired: all these are storage classes
_STORAGE = tuple(f"{_STANDARD}{root}" for root in ("5.1.4.1.1.", "5.1.1.29", "5.1.1.30"))
_MOST_SYNTAXES = 256  # of a SOP Class; PS3.6 Annex A has fewer, and each is looked for in all
_log = logging.getLogger("dicomseal.gate")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a Storage SCP listens.

    Attributes:
        aet: its AE title.
        associations: how many there may be at a time; others are rejected.
        timeout: seconds that a peer may be silent in an association, or need for one PDU.
        allowed: calling AE titles; empty: all.
        only_called: whether it must be called by its own AE title.
        size: how many bytes an object may have.
        tls: the context for TLS, or None.
    """

    aet: str = "DICOMSEAL"
    associations: int = 64
    timeout: float = 60.0
    allowed: tuple[str, ...] = ()
    only_called: bool = False
    size: int = 64 << 30
    tls: ssl.SSLContext | None = None


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any that is free.

    Raises:
        SourceError: it cannot be.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{address} port {port}: {reason}", "address") from None
    return listening


def tls_context(certificate: str, key: str, authorities: str | None) -> ssl.SSLContext:
    """Return a context for TLS; with authorities, peers need a certificate of theirs (PS3.15 B.12).

    Raises:
        UsageError: a file is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if authorities is not None:
            context.load_verify_locations(authorities)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise UsageError(f"TLS: {error}") from None
    return context


class StorageSCP:
    """Takes C-STORE and C-ECHO, in threads of this process; a `front.Front`.

    Args:
        settings: how it listens.
        address, port: where; port 0 is any that is free.

    Attributes:
        port: where it listens, once it is bound.
    """

    name = "dicom"

    def __init__(self, settings: Settings, address: str = "127.0.0.1", port: int = 0) -> None:
        self._settings, self._address, self.port = settings, address, port
        self._listening: socket.socket | None = None
        self._admission: Admission | None = None
        self._server: GateServer | None = None
        self._thread: threading.Thread | None = None

    def bind(self) -> None:
        """Take the port; nothing is accepted yet. Errors as `listen`.

        Raises:
            UsageError: the system cannot wait for a socket and a pipe at once (Windows).
        """
        if not hasattr(select, "poll"):
            raise UsageError("the gate needs a POSIX system; `watch` does not")
        self._listening = listen(self._address, self.port)
        self.port = int(self._listening.getsockname()[1])

    def start(self, admission: Admission, counts: Counts | None = None, slot: int = 0) -> None:
        """Begin to accept.

        Args:
            admission: what is done with each object.
            counts: of the connections of all processes that listen here; None: only this one does.
            slot: of this process in them.
        """
        settings = self._settings
        if self._listening is None:
            self.bind()
        listening = cast(socket.socket, self._listening)
        counts = counts or Counts([0], settings.associations)
        self._admission = admission
        ae = AE(settings.aet)
        ae.maximum_pdu_size = MAX_PDU
        ae.maximum_associations = counts.share
        ae.network_timeout = ae.acse_timeout = ae.dimse_timeout = settings.timeout
        ae.require_calling_aet = list(settings.allowed)
        ae.require_called_aet = settings.only_called
        ae.implementation_class_uid = IMPLEMENTATION_CLASS
        ae.implementation_version_name = "DICOMSEAL"
        handlers: list[tuple[Any, Callable[..., Any]]] = [
            (evt.EVT_REQUESTED, _propose),
            (evt.EVT_SOP_EXTENDED, _extended),
            (evt.EVT_C_ECHO, _echo),
            (evt.EVT_ESTABLISHED, _established),
            (evt.EVT_REJECTED, _rejected),
        ]
        self._server = GateServer(
            ae, listening, admission.store, settings.size, self._store, handlers, settings.tls,
            counts, slot,
        )  # fmt: skip
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.25,), name="dicomseal-scp", daemon=True
        )
        self._thread.start()

    def release(self) -> None:
        """Leave the port to the other processes that listen on it."""
        if self._listening is not None:
            self._listening.close()

    @property
    def associations(self) -> int:
        """How many there are in this process."""
        return len(self._server.associations) if self._server else 0

    def stop(self, seconds: float = 30.0) -> bool:
        """Accept nothing more, let what is on its way come to its end, and end all associations.

        Args:
            seconds: how long it may take until those are aborted that are still at work.

        Returns:
            Whether all came to its end.
        """
        server = self._server
        if server is None:
            return True
        server.shutdown_listening()
        end = time.monotonic() + seconds
        while any(one.is_busy for one in server.associations) and time.monotonic() < end:
            time.sleep(0.02)
        finished = not any(one.is_busy for one in server.associations)
        for assoc in server.associations:
            threading.Thread(target=assoc.abort, daemon=True).start()
        while server.associations and time.monotonic() < end + 5:
            time.sleep(0.02)
        return finished

    def _store(self, request: StoreRequest, origin: Origin) -> Answer:
        admission = self._admission
        if admission is None:
            return Answer(OUT_OF_RESOURCES, "the gate does not accept yet")
        try:
            decision = self._outcome(request, origin, admission).decision
        except Exception as error:  # noqa: BLE001 - not verified is not accepted
            return failed(error)
        return Answer(decision.status, decision.comment, decision.offending)

    @staticmethod
    def _outcome(request: StoreRequest, origin: Origin, admission: Admission) -> Outcome:
        sop_class, sop_instance = request.announced
        try:
            incoming = request.sink.received()
        except SourceError as error:
            return admission.not_received(
                error, origin, sop_class=sop_class, sop_instance=sop_instance
            )
        outcome = admission.admit(
            incoming.path, incoming.size, origin, sop_class=sop_class, sop_instance=sop_instance,
            finish=incoming.finish, content=request.sink.content,
        )  # fmt: skip
        if outcome.path and outcome.stored is None:  # what is signed is stored in another file
            incoming.kept()
        return outcome


def _echo(_: Event) -> int:
    return 0


def _propose(event: Event) -> None:
    """Support what this peer proposes, if it is storage: explicit VR first."""
    acceptor = event.assoc.acceptor
    proposed: dict[str, dict[str, None]] = {}  # in their order; a stranger may name thousands
    request: Any = event.assoc.requestor.primitive
    for context in request.presentation_context_definition_list:
        name = str(context.abstract_syntax)
        proposed.setdefault(name, {}).update(dict.fromkeys(map(str, context.transfer_syntax)))
    supported: list[PresentationContext] = []
    for name, syntaxes in proposed.items():
        if name == _VERIFICATION:
            supported.append(build_context(name))
        elif is_storage(name):
            supported.append(build_context(name, sorted(syntaxes, key=_rank)[:_MOST_SYNTAXES]))
    acceptor.supported_contexts = supported


def _rank(syntax: str) -> int:
    """Rank a syntax: implicit VR loses signed VRs and big endian is retired, so they are last."""
    return {
        transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN: 2,
        transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN: 1,
    }.get(syntax, 0)


def is_storage(sop_class: str) -> bool:
    """Return whether objects of a SOP Class are stored: of the standard's, and of private ones."""
    if not sop_class.startswith(_STANDARD):
        return True
    known = uid_to_service_class(sop_class) is StorageServiceClass
    return known or sop_class.startswith(_STORAGE)


def _extended(event: Event) -> dict[Any, bytes]:
    """Return what this SCP preserves (PS3.4 Section B.3.1)."""
    asked: Any = event.app_info  # type: ignore[attr-defined]
    return {name: BIT_PRESERVING for name in asked if is_storage(str(name))}


def _established(event: Event) -> None:
    _log.debug("association from %s", _who(event))


def _rejected(event: Event) -> None:
    _log.warning("association rejected: %s", _who(event))


def _who(event: Event) -> str:
    requestor = event.assoc.requestor
    return f"{requestor.ae_title.strip() or '-'} at {requestor.address}"

"""Associations that wait instead of looking a thousand times a second, and none waits for ever.

pynetdicom's two loops of an association sleep a millisecond between looks, which costs half of the
time of a transfer, and a hundredth of a core while nothing happens. Here both are woken by what
they wait for. And what a peer announces or withholds is bounded: the length of a PDU, the time in
which all of it has to come, the time of a TLS handshake, the number of connections.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.association import Association
from pynetdicom.transport import AssociationServer, RequestHandler

from ..errors import MalformedError
from .commands import P_DATA, Answer, pdus
from .connection import GateSocket
from .descriptors import is_scarcity
from .front import Counts
from .origin import Origin
from .receiving import ReceivingProvider, StoreRequest
from .store import Store
from .upper_layer import UpperLayer
from .waking import Bell, Checkpoint, TellingQueue

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity

_Socket = socket.socket  # a class below has an attribute that is called like the module
MAX_PDU = 1 << 18  # bytes that are announced to peers as the length of a PDU
_TO_BE_TOLD = 1.0  # seconds
_PAUSE = 0.1  # seconds until a connection is accepted that could not be
_MAX_EARLY = 2  # requests that come before the last one was answered; none should (PS3.7 D.3.3.3)
Serve = Callable[[StoreRequest, Origin], Answer]


class GateAssociation(Association):
    """An association whose storage requests go to files, whatever their SOP Class."""

    dimse: ReceivingProvider
    dul: UpperLayer

    def __init__(self, ae: ApplicationEntity, server: GateServer) -> None:
        super().__init__(ae, "acceptor")
        self.bell = Bell()
        checkpoint = Checkpoint()
        checkpoint.set()
        self._reactor_checkpoint = checkpoint
        self.dul = UpperLayer(self, self.bell, checkpoint, lambda: self.is_serving)
        self.dimse = ReceivingProvider(self, self.serve, server.store, server.limit)
        self.dimse.msg_queue = TellingQueue(checkpoint.ring)
        # the providers of the base class had them
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout
        self.dimse_timeout = ae.dimse_timeout
        self._server: GateServer = server
        self._early = 0
        self._origin: Origin | None = None
        self.is_serving = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way or under work."""
        return self.is_serving or self.dimse.is_receiving

    def run_reactor(self) -> None:
        """Run until the association has ended; nothing of it is left then."""
        try:
            super().run_reactor()
        finally:
            self.kill_quietly()
            self.dimse.close()
            self.bell.close()
            self._server.ended(self)

    def _abort_blocking(self, block: bool = True) -> None:
        """Send an A-ABORT, and close the connection when the peer has it, if that is soon.

        pynetdicom closes it meanwhile, perhaps while the upper layer reads from it.
        """
        if self._sent_abort or self.is_released:
            return
        super()._abort_blocking(block=False)
        if not block:
            return
        end = time.monotonic() + _TO_BE_TOLD
        while self.dul.is_telling and time.monotonic() < end:
            time.sleep(0.005)
        self.kill()

    def kill_quietly(self) -> None:
        """End the upper layer, whatever state it is in."""
        self.dul._kill_thread = True
        self.bell.ring()
        if self.dul.is_alive() and threading.current_thread() is not self.dul:
            self.dul.join()
        connection = cast("GateSocket | None", self.dul.socket)
        if connection is None:
            return
        if connection.socket is not None:
            self._server.shutdown_request(connection.socket)
        connection.release()

    def serve(self, request: StoreRequest) -> None:
        """Serve a request that was received, and answer it.

        Raises:
            MalformedError: the peer does not wait for its answers.
        """
        self.is_serving = True
        try:
            answer = self._server.serve(request, self.origin)
            connection = cast(GateSocket, self.dul.socket)
            self._early += connection.comes_next == P_DATA
            if self._early > _MAX_EARLY:
                raise MalformedError("it sends requests without waiting for the responses")
            response = request.command.response(answer)
            for pdu in pdus(request.context_id, response, self.dimse.maximum_pdu_size):
                connection.send(pdu)
        finally:
            request.sink.discard()
            self.dul.restart_idle_timer()
            self.is_serving = False

    @property
    def origin(self) -> Origin:
        """From whom requests come."""
        if self._origin is None:
            requestor: Any = self.requestor
            self._origin = Origin(
                via="C-STORE",
                peer=str(requestor.address or ""),
                calling_aet=requestor.ae_title.strip(),
                called_aet=str(requestor.primitive.called_ae_title or "").strip(),
            )
        return self._origin

    def _serve_request(self, msg: Any, context_id: int) -> None:
        self.is_serving = True
        try:
            super()._serve_request(msg, context_id)
        finally:
            self.is_serving = False


class _Handler(RequestHandler):
    """Makes the association of a new connection."""

    server: GateServer

    def handle(self) -> None:
        """Begin the association; nothing of one that cannot begin is left."""
        try:
            super().handle()
        except BaseException:
            self.server.failed(self.request)
            raise

    def _create_association(self) -> Association:
        assoc = GateAssociation(self.ae, self.server)
        assoc.name = f"AcceptorThread@{datetime.now():%Y%m%d%H%M%S}"
        assoc.set_socket(GateSocket(assoc, self.request, assoc.bell))
        acceptor = assoc.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        assoc.requestor.address_info = self.remote
        for event, handler in self.server.handlers:
            assoc.bind(event, handler)
        self.server.began(assoc)
        return assoc


class GateServer(ThreadingMixIn, AssociationServer):
    """Listens, and gives each connection an association in a thread of its own.

    Args:
        ae: the application entity.
        listening: the bound socket, which other processes may listen on, too.
        store: where objects are received.
        limit: how many bytes an object may have.
        serve: does what a request to store something asks for.
        handlers: pairs of a pynetdicom event and its handler.
        tls: the context for TLS, or None.
        counts: of the connections of all processes that listen on this socket.
        slot: of this one in them.
    """

    daemon_threads = True
    request_queue_size = 128
    socket: _Socket

    def __init__(
        self,
        ae: ApplicationEntity,
        listening: _Socket,
        store: Store,
        limit: int,
        serve: Serve,
        handlers: list[tuple[Any, Callable[..., Any]]],
        tls: ssl.SSLContext | None,
        counts: Counts,
        slot: int,
    ) -> None:
        self._listening = listening
        self.store, self.limit, self.handlers = store, limit, handlers
        self.serve = serve
        self._counts, self._slot = counts, slot
        self._tls = tls
        self._lock = threading.Lock()
        self._associations: set[GateAssociation] = set()
        self._connections = 0
        super().__init__(ae, listening.getsockname(), ae.ae_title, [], None, None, _Handler)

    def server_bind(self) -> None:
        """Take the socket that is bound already instead of the new one."""
        if self.socket is not None:
            self.socket.close()
        self.socket = self._listening
        self._listening.setblocking(False)  # another process may be faster
        self.server_address = self._listening.getsockname()

    def server_activate(self) -> None:
        """Do nothing: it listens already."""

    def get_request(self) -> tuple[_Socket, Any]:
        """Accept a connection; the handshake of TLS is for its own thread."""
        self._counts.give_way(self._slot)
        try:
            connection, address = self._listening.accept()
        except OSError as error:
            if is_scarcity(error) and not isinstance(error, BlockingIOError):
                time.sleep(_PAUSE)  # it waits still, and is asked for again at once
            raise
        connection.setblocking(True)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        with self._lock:
            # beyond the limit some are told that there is one; the rest is closed without a word
            if self._connections >= 2 * self._counts.share:
                return False
            self._connections += 1
            self._counts[self._slot] = self._connections
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Begin the association of a connection; errors end the connection."""
        try:
            request.settimeout(self.ae.acse_timeout)
            if self._tls is not None:
                request = self._tls.wrap_socket(request, server_side=True)
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - no message of a stranger ends it
            self._gone()
            self.shutdown_request(request)

    def _gone(self) -> None:
        with self._lock:
            self._connections -= 1
            self._counts[self._slot] = self._connections

    def shutdown_listening(self) -> None:
        """Accept no connections any more."""
        self.shutdown_loop()
        self._listening.close()

    def shutdown_loop(self) -> None:
        """End `serve_forever`, and nothing else: pynetdicom's own closes more."""
        super(AssociationServer, self).shutdown()

    def began(self, assoc: GateAssociation) -> None:
        with self._lock:
            self._associations.add(assoc)

    def failed(self, request: _Socket) -> None:
        """Forget the association of a connection that could not begin."""
        for assoc in self.associations:
            if assoc.dul.socket is not None and assoc.dul.socket.socket is request:
                assoc.bell.close()
                with self._lock:
                    self._associations.discard(assoc)

    def ended(self, assoc: GateAssociation) -> None:
        with self._lock:
            self._associations.discard(assoc)
        self._gone()

    @property
    def associations(self) -> list[GateAssociation]:
        """Those that have not ended."""
        with self._lock:
            return list(self._associations)

    @property
    def active_associations(self) -> list[Association]:
        """The same, as pynetdicom asks for them."""
        return [*self.associations]

    def service_actions(self) -> None:
        """Do nothing: an ended association leaves the set by itself."""

"""Associations that wait instead of looking a thousand times a second, and none waits for ever.

pynetdicom's two loops of an association sleep a millisecond between looks, which costs half of the
time of a transfer, and a hundredth of a core while nothing happens. Here both are woken by what
they wait for. And what a peer announces or withholds is bounded: the length of a PDU, the time in
which all of it has to come, the time of a TLS handshake, the number of connections.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AssociationServer, AssociationSocket, RequestHandler

from .front import Counts
from .receiving import ReceivingProvider, Sink
from .store import Store
from .waking import IDLE, Bell, Checkpoint, TellingQueue

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity

_log = logging.getLogger("dicomseal.gate")
_Socket = socket.socket  # a class below has an attribute that is called like the module
MAX_PDU = 1 << 18  # bytes that are announced to peers as the length of a PDU
_LARGEST_PDU = 1 << 20  # that is read; requests of an association may be longer than announced


class _Provider(DULServiceProvider):
    """The upper layer of an association; its loop waits in `GateSocket.ready`."""

    def __init__(self, assoc: Association, bell: Bell, checkpoint: Checkpoint) -> None:
        super().__init__(assoc)
        self._bell = bell
        self._run_loop_delay = 0.0
        self._is_requested = False
        self.event_queue = TellingQueue(self._noted)
        self.to_provider_queue = TellingQueue(bell.ring)
        self.to_user_queue = TellingQueue(checkpoint.ring)

    def _noted(self, event: str) -> None:
        """Wake the loop, and tell who waits for an association that there will be none."""
        self._is_requested |= event == "Evt6"  # an A-ASSOCIATE-RQ PDU (PS3.8 Section 9.2.1)
        if event == "Evt17" and not self._is_requested:  # the connection is closed
            self.to_user_queue.put(cast(Any, None))
        if threading.current_thread() is not self:  # who tells itself need not be woken
            self._bell.ring()

    def run_reactor(self) -> None:
        """Run until the connection is closed; what a peer sent may end it, and nothing else."""
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - garbage that pynetdicom does not foresee
            _log.warning("association ended: %s: %s", type(error).__name__, error)
            self.assoc.is_established = False
            self.assoc._kill = True

    def stop_dul(self) -> bool:
        """Stop the loop if the connection is closed; True when it has ended."""
        if self.state_machine.current_state != "Sta1":
            return False
        self._kill_thread = True
        self._bell.ring()
        self.join()
        return True


class GateSocket(AssociationSocket):
    """A connection that is read in large pieces and bounded time."""

    def __init__(self, assoc: GateAssociation, client_socket: socket.socket) -> None:
        super().__init__(assoc, client_socket)
        self._bell = assoc.bell
        with contextlib.suppress(OSError):
            client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def ready(self) -> bool:
        """Whether there is data to be read; waits for it, or for something to be sent."""
        connection = self.socket
        if connection is None or not self._is_connected:
            return False
        dul = self.assoc.dul
        if dul.state_machine.current_state == "Sta13":
            return False  # all is said: the connection is closed, whatever still comes
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        wait = dul.event_queue.empty()
        try:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            poll.register(self._bell.reading, select.POLLIN)
            found = {descriptor for descriptor, _ in poll.poll(IDLE * 1000 if wait else 0)}
            self._bell.clear()
            return connection.fileno() in found
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes.

        Raises:
            OSError: more were announced than a PDU has, or they did not come in time.
        """
        if nr_bytes > _LARGEST_PDU:
            raise ConnectionAbortedError(f"a PDU of {nr_bytes} bytes was announced")
        connection = self.socket
        if connection is None:
            raise ConnectionAbortedError("the connection is closed")
        out = bytearray(nr_bytes)
        view, done = memoryview(out), 0
        limit = self.assoc.network_timeout
        end = None if limit is None else time.monotonic() + limit
        while done < nr_bytes:
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the rest of a PDU did not come in time")
                connection.settimeout(left)
            count = connection.recv_into(view[done:])
            if not count:
                break
            done += count
        del view
        if done < nr_bytes:
            del out[done:]
        return out

    def send(self, bytestream: bytes) -> None:
        """Send all, in bounded time; a peer that does not read is given up."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.settimeout(self.assoc.network_timeout)
        super().send(bytestream)


class GateAssociation(Association):
    """An association whose storage requests go to files, whatever their SOP Class."""

    dimse: ReceivingProvider

    def __init__(self, ae: ApplicationEntity, server: GateServer) -> None:
        super().__init__(ae, "acceptor")
        self.bell = Bell()
        checkpoint = Checkpoint()
        checkpoint.set()
        self._reactor_checkpoint = checkpoint
        self.dul = _Provider(self, self.bell, checkpoint)
        self.dimse = ReceivingProvider(self, server.store, server.limit)
        self.dimse.msg_queue = TellingQueue(checkpoint.ring)
        # the providers of the base class had them
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout
        self.dimse_timeout = ae.dimse_timeout
        self._server: GateServer = server
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

    def kill_quietly(self) -> None:
        """End the upper layer, whatever state it is in."""
        self.dul._kill_thread = True
        self.bell.ring()
        if self.dul.is_alive() and threading.current_thread() is not self.dul:
            self.dul.join()
        connection = self.dul.socket
        if connection is not None and connection.socket is not None:
            self._server.shutdown_request(connection.socket)

    def _serve_request(self, msg: Any, context_id: int) -> None:
        self.is_serving = True
        try:
            if isinstance(msg, C_STORE) and context_id in self._accepted_cx:
                self._store_request(msg, context_id)
            else:
                super()._serve_request(msg, context_id)
        finally:
            self.is_serving = False

    def _store_request(self, msg: C_STORE, context_id: int) -> None:
        try:
            if msg.is_valid_request:
                StorageServiceClass(self).SCP(msg, self._accepted_cx[context_id])
            else:
                self.abort()
        finally:
            if isinstance(msg.DataSet, Sink):
                self.dimse.served(msg.DataSet)


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
        assoc.set_socket(GateSocket(assoc, self.request))
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
        handlers: list[tuple[Any, Callable[..., Any]]],
        tls: ssl.SSLContext | None,
        counts: Counts,
        slot: int,
    ) -> None:
        self._listening = listening
        self.store, self.limit, self.handlers = store, limit, handlers
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
        connection, address = self._listening.accept()
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

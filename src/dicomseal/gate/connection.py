"""A connection as a gate reads it: in large pieces, in bounded time, woken by what it waits for."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING, cast

from pynetdicom.transport import AssociationSocket

from ..errors import MalformedError
from .room import room
from .waking import IDLE

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from .receiving import ReceivingProvider
    from .waking import Bell

_LARGEST_PDU = 1 << 20  # that is read, of data: some peers ignore what was announced
_LARGEST_REQUEST = 1 << 17  # for an association: 128 contexts with 30 transfer syntaxes each
_BUFFER = 1 << 18  # bytes that are read at once
_PAUSE = 1.0  # seconds of silence in the middle of a PDU, after which buffers are given back
_SLOWEST = 4 << 10  # bytes that a peer has to send for each second that is waited for a message


class GateSocket(AssociationSocket):
    """A connection that is read through a buffer.

    Args:
        assoc: its association.
        client_socket: the connection.
        bell: wakes what waits for it.

    Attributes:
        patience: seconds in which the rest of a PDU has to come.
    """

    def __init__(self, assoc: Association, client_socket: socket.socket, bell: Bell) -> None:
        super().__init__(assoc, client_socket)
        self._bell = bell
        self.patience = cast("float", assoc.network_timeout)
        self._left = self.patience  # seconds that the rest of a PDU may be waited for
        self._waited = 0.0  # seconds since a message began that were waited for more of it
        self._view = memoryview(b"")
        self._start = self._end = 0  # of what is in the buffer and was not read
        with contextlib.suppress(OSError):
            client_socket.settimeout(min(_PAUSE, self.patience))
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
        if self._start < self._end:
            return True
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        wait = dul.event_queue.empty()
        begun = time.monotonic()
        try:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            poll.register(self._bell.reading, select.POLLIN)
            found = {descriptor for descriptor, _ in poll.poll(IDLE * 1000 if wait else 0)}
            if self._bell.reading in found:
                self._bell.clear()
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False
        self._waited += time.monotonic() - begun
        if wait and not found:
            self._give_back()
        return connection.fileno() in found

    def begin(self) -> int:
        """Begin to read a PDU, all of which has to come in time; return its type, -1 at the end.

        Raises:
            OSError: the connection is broken.
        """
        self._left = self.patience
        if self._start == self._end and not self._fill():
            return -1
        return self._view[self._start]

    @property
    def comes_next(self) -> int:
        """The type of a PDU that is here already; -1 if none is, or none can be seen."""
        if self._start < self._end:
            return self._view[self._start]
        connection = self.socket
        try:
            if isinstance(connection, ssl.SSLSocket):
                # of what is not decrypted only half may be here, which would be waited for
                is_here = connection.pending() > 0
            else:
                poll = select.poll()
                poll.register(cast("socket.socket", connection), select.POLLIN)
                is_here = bool(poll.poll(0))
            return self._view[0] if is_here and self._fill() else -1
        except (OSError, ValueError, TypeError):
            return -1

    def piece(self, most: int) -> memoryview:
        """Return some of what comes, at most so many bytes, for use before the next is read.

        Raises:
            OSError: nothing came in time, or the connection is broken or closed.
        """
        if self._start == self._end and not self._fill():
            raise ConnectionAbortedError("the connection was closed in the middle of a PDU")
        start = self._start
        self._start = min(self._end, start + most)
        return self._view[start : self._start]

    def exactly(self, size: int) -> bytes:
        """Return so many bytes; errors as `piece`."""
        if size <= self._end - self._start:
            return bytes(self.piece(size))
        out = bytearray()
        while len(out) < size:
            out += self.piece(size - len(out))
        return bytes(out)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, or what there is until the connection is closed.

        Raises:
            OSError: more were announced than a PDU has, or they did not come in time.
        """
        bounded(nr_bytes, _LARGEST_REQUEST)
        out = bytearray()
        while len(out) < nr_bytes and (self._start < self._end or self._fill()):
            out += self.piece(nr_bytes - len(out))
        return out

    def send(self, bytestream: bytes) -> None:
        """Send all, in bounded time; a peer that does not read is given up."""
        try:
            if self.socket is not None:
                self.socket.settimeout(self.patience)
                self.socket.sendall(bytestream)
                self.socket.settimeout(min(_PAUSE, self.patience))
        except OSError:
            self.event_queue.put("Evt17")

    def _shutdown_socket(self) -> None:
        """Close it, also where the peer has gone and there is nothing to shut down."""
        connection = self.socket
        super()._shutdown_socket()
        if connection is not None:
            connection.close()

    def release(self) -> None:
        """Give the buffer back: what is left of an association may stay in memory for a while."""
        self._view = memoryview(b"")
        self._start = self._end = 0

    def message_begins(self) -> None:
        """Take note that what is waited for from now on is the rest of a message."""
        self._waited = 0.0

    def check_pace(self, size: int) -> None:
        """Check that a message comes in bounded time.

        Args:
            size: how many bytes of it have come.

        Raises:
            MalformedError: it comes so slowly that it holds the association up.
        """
        if self._waited > self.patience + size / _SLOWEST:
            raise MalformedError(f"of a message {size} bytes came in {self._waited:.0f} seconds")

    def _give_back(self) -> None:
        """Give back the buffers of an association in which nothing comes."""
        if self._start == self._end:
            self.release()
        cast("ReceivingProvider", self.assoc.dimse).give_back()

    def _fill(self) -> int:
        """Read into the buffer, in which nothing is left; return how much, 0 at the end."""
        while True:
            connection = self.socket
            if connection is None:
                raise ConnectionAbortedError("the connection is closed")
            if not self._view:
                self._view = room(_BUFFER)
            self._start = self._end = 0
            begun = time.monotonic()
            came = True
            try:
                self._end = connection.recv_into(self._view)
            except TimeoutError:
                came = False
            # what is done with the pieces meanwhile is not the peer's time
            waited = time.monotonic() - begun
            self._left -= waited
            self._waited += waited
            if self._left < 0:
                raise TimeoutError("the rest of a PDU did not come in time")
            if came:
                return self._end
            self._give_back()


def bounded(length: int, most: int = _LARGEST_PDU) -> int:
    """Return the length of a PDU, if one may be so long.

    Raises:
        ConnectionAbortedError: it may not.
    """
    if length > most:
        raise ConnectionAbortedError(f"a PDU of {length} bytes was announced")
    return length

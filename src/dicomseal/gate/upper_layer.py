"""The upper layer of an association: objects go the short way, everything else pynetdicom's.

In pynetdicom each PDU becomes an object, an event, a primitive and a message, and goes through
three queues to another thread, which takes longer than to verify what is in it. Here the data of an
association go from the connection to where they belong, and a request to store is served by the
thread that received it. A peer that sends on meanwhile fills the buffers of its own connection.
"""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from pynetdicom.dul import DULServiceProvider

from ..errors import MalformedError
from .commands import LAST, P_DATA
from .connection import GateSocket, bounded
from .waking import Bell, Checkpoint, TellingQueue

if TYPE_CHECKING:
    from typing import Any

    from pynetdicom.association import Association

    from .receiving import ReceivingProvider

_log = logging.getLogger("dicomseal.gate")
_PDU = struct.Struct(">BxL")  # type, reserved, length (PS3.8 Section 9.3.1)
_ITEM = struct.Struct(">LBB")  # length, context ID, message control header (PS3.8 Annex E)
_IDLE, _ESTABLISHED, _ENDING = "Sta1", "Sta6", "Sta13"
# events of the state machine (PS3.8 Section 9.2.1)
_REQUESTED, _CLOSED, _INVALID = "Evt6", "Evt17", "Evt19"


class UpperLayer(DULServiceProvider):
    """The upper layer of an association; its loop waits in `GateSocket.ready`."""

    def __init__(
        self, assoc: Association, bell: Bell, checkpoint: Checkpoint, serves: Callable[[], bool]
    ) -> None:
        super().__init__(assoc)
        self._serves = serves
        self._reads = False  # while it does, the silence of the peer is bounded by the connection
        self._is_spoken_to = True  # not by PDUs without data: who sends them is idle all the same
        self._hollow_since = 0.0  # when the first of them came
        self._size = 0  # bytes of the message that is under way
        self._bell = bell
        self._run_loop_delay = 0.0
        self._is_requested = False
        self.event_queue = TellingQueue(self._noted)
        self.to_provider_queue = TellingQueue(bell.ring)
        self.to_user_queue = TellingQueue(checkpoint.ring)

    def _noted(self, event: str) -> None:
        """Wake the loop, and tell who waits for an association that there will be none."""
        self._is_requested |= event == _REQUESTED
        if event == _CLOSED and not self._is_requested:
            self.to_user_queue.put(cast("Any", None))
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
        if self.state_machine.current_state != _IDLE:
            return False
        self._kill_thread = True
        self._bell.ring()
        self.join()
        return True

    @property
    def is_telling(self) -> bool:
        """Whether the peer is still to be told that it is over, and can be."""
        return self.is_alive() and self.state_machine.current_state not in (_IDLE, _ENDING)

    def idle_timer_expired(self) -> bool:
        """Return whether the peer is silent for too long, and it is its turn to speak."""
        busy = self._reads or self._serves()
        return not busy and super().idle_timer_expired()

    def restart_idle_timer(self) -> None:
        """Take the peer for one that has just spoken."""
        self._idle_timer.restart()

    def _read_pdu_data(self) -> None:
        """Read a PDU; of an established association the data are taken in piece by piece."""
        connection = cast(GateSocket, self.socket)
        dimse = cast("ReceivingProvider", self.assoc.dimse)
        self._reads = True
        try:
            if connection.begin() != P_DATA or self.state_machine.current_state != _ESTABLISHED:
                self._is_spoken_to = True
                super()._read_pdu_data()
                return
            self._take_in_data(connection, dimse)
            while dimse.has_begun and self._goes_on() and connection.comes_next == P_DATA:
                connection.begin()
                self._take_in_data(connection, dimse)
        except OSError as error:
            _log.info("connection ended: %s", error)
            self.event_queue.put(_CLOSED)
        except MalformedError as error:
            _log.warning("association ended: %s", error)
            self.event_queue.put(_INVALID)
        finally:
            if self._is_spoken_to:
                self.restart_idle_timer()
            self._reads = False

    def _is_transport_event(self) -> bool:
        """Return whether the peer has spoken, which is when it counts as idle from."""
        return super()._is_transport_event() and self._is_spoken_to

    def _goes_on(self) -> bool:
        """Return whether nobody wants to end the association, or to send something else."""
        return not self._kill_thread and self.to_provider_queue.empty()

    def _take_in_data(self, connection: GateSocket, dimse: ReceivingProvider) -> None:
        """Take in a P-DATA-TF PDU (PS3.8 Section 9.3.5).

        Raises:
            MalformedError: it is none, or holds the association up.
        """
        if not dimse.is_under_way:
            self._size = 0
            connection.message_begins()
        before, ended = self._size, False
        left = bounded(_PDU.unpack(connection.exactly(_PDU.size))[1])
        while left:
            if left < _ITEM.size:
                raise MalformedError("a P-DATA-TF PDU ends in the middle of an item")
            length, context_id, control = _ITEM.unpack(connection.exactly(_ITEM.size))
            if not 2 <= length <= left - 4:
                raise MalformedError("an item of a P-DATA-TF PDU is longer than the PDU")
            left -= length + 4
            take_in = dimse.fragment(context_id, control)
            length -= 2
            self._size += length
            while length:
                piece = connection.piece(length)
                length -= len(piece)
                take_in(piece)
            if control & LAST:
                ended = True
                dimse.last_fragment(context_id, control)
        if ended or self._size > before:
            self._is_spoken_to = True
        elif self._is_spoken_to:
            self._is_spoken_to, self._hollow_since = False, time.monotonic()
        elif time.monotonic() > self._hollow_since + connection.patience:
            raise MalformedError("nothing but PDUs without data came")
        if dimse.is_under_way:
            connection.check_pace(self._size)

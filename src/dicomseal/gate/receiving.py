"""A C-STORE request goes to a file while it arrives: memory stays flat, whatever is sent.

pynetdicom gathers a data set in a `BytesIO` of the message. Here that is a `Sink`, which writes to
a file in the store's incoming folder, beside the place where the object will be.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.pdu_primitives import P_DATA

from .. import __version__
from ..errors import SourceError
from ..signature import items
from .store import Incoming, Store

if TYPE_CHECKING:
    from pynetdicom.association import Association

# the same as of files that dicomseal writes anew
IMPLEMENTATION_CLASS = "2.25.328957194170695688999850527630083745841"
_MAX_UID = 64
_MAX_LOOSE = 1 << 20  # bytes of a command set, and of what has no file
_MAX_WAITING = 2  # requests; more than one at a time was never negotiated (PS3.7 Annex D.3.3.3)


def file_meta(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Return preamble and File Meta Information (PS3.10 Section 7.1) for a data set as it came.

    Nothing of the sender is in it, so that the same object makes the same file whoever sends it.
    """
    meta = items.encode(
        [
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", _even(sop_class)),
            (0x00020003, "UI", _even(sop_instance)),
            (0x00020010, "UI", _even(transfer_syntax)),
            (0x00020012, "UI", _even(IMPLEMENTATION_CLASS)),
            (0x00020013, "SH", _even(f"DICOMSEAL {__version__}"[:16], b" ")),
        ]
    )
    length = items.encode([(0x00020000, "UL", len(meta).to_bytes(4, "little"))])
    return bytes(128) + b"DICM" + length + meta


def _even(text: str, padding: bytes = b"\0") -> bytes:
    value = text.encode("ascii", "replace")[:_MAX_UID]
    return value + padding * (len(value) % 2)


class Sink(BytesIO):
    """What the data set of a request is written to.

    Attributes:
        incoming: the file; None if it could not be made.
        trouble: why not all of it could be written; the rest of the request is read and dropped
            then, so that the sender gets an answer.
    """

    def __init__(self, store: Store, head: bytes, limit: int) -> None:
        super().__init__()
        self.incoming: Incoming | None = None
        self.trouble: SourceError | None = None
        self._limit = limit
        try:
            self.incoming = store.incoming()
            self.incoming.write(head)
        except SourceError as error:
            self._give_up(error)

    def write(self, data: Any) -> int:
        if self.incoming is not None and self.trouble is None:
            try:
                if self.incoming.size + len(data) > self._limit:
                    raise SourceError(f"it has more than {self._limit} bytes", "limit")
                self.incoming.write(data)
            except SourceError as error:
                self._give_up(error)
        return len(data)

    def received(self) -> Incoming:
        """Return the file when all is in it, and on its way to the disk.

        Raises:
            SourceError: it is not.
        """
        if self.incoming is not None and self.trouble is None:
            self.incoming.flush()
        if self.trouble is not None or self.incoming is None:
            raise self.trouble or SourceError("nothing was received")
        return self.incoming

    def _give_up(self, error: SourceError) -> None:
        """Keep nothing of it: where the disk is full, others need the room."""
        self.trouble = error
        self.discard()

    def discard(self) -> None:
        """Remove the file, unless it has found its place."""
        if self.incoming is not None:
            self.incoming.discard()

    def getvalue(self) -> bytes:
        """Return the data set cannot be had in one piece."""
        raise NotImplementedError("the data set is in a file")


class ReceivingProvider(DIMSEServiceProvider):
    """Makes DIMSE messages of what arrives, and gives each C-STORE request a `Sink`."""

    def __init__(self, assoc: Association, store: Store, limit: int) -> None:
        super().__init__(assoc)
        self._store, self._limit = store, limit
        self._sink: Sink | None = None
        self._sinks: set[Sink] = set()
        self._loose = 0

    @property
    def is_receiving(self) -> bool:
        """Whether a request has begun and not ended, or waits to be served."""
        return self.message is not None or not self.msg_queue.empty()

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take in fragments one by one, so that the first of a data set finds its sink."""
        for value in primitive.presentation_data_value_list:
            one = P_DATA()
            one.presentation_data_value_list.append(value)
            super().receive_primitive(one)
            message = self.message
            if message is None:
                self._sink, self._loose = None, 0
            elif self._sink is None and type(message) is C_STORE_RQ:
                self._sink = message.data_set = self._new_sink(message, value[0])
                self._sinks.add(self._sink)
            elif self._sink is None:
                self._loose += len(value[1])
        if self.msg_queue.qsize() > _MAX_WAITING or self._loose > _MAX_LOOSE:
            self.dul.event_queue.put("Evt19")

    def _new_sink(self, message: C_STORE_RQ, context_id: int) -> Sink:
        command = message.command_set
        context = self.assoc._accepted_cx.get(context_id)
        head = file_meta(
            str(command.get("AffectedSOPClassUID", "")),
            str(command.get("AffectedSOPInstanceUID", "")),
            str(context.transfer_syntax[0]) if context else "",
        )
        return Sink(self._store, head, self._limit)

    def served(self, sink: Sink) -> None:
        """Remove what is left of a request that was answered."""
        sink.discard()
        self._sinks.discard(sink)

    def close(self) -> None:
        """Remove what was not received to its end, and what nobody serves any more."""
        for sink in self._sinks:
            sink.discard()
        self._sinks.clear()

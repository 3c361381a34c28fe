"""A C-STORE request goes to a file while it arrives: memory stays flat, whatever is sent.

The file is in the store's incoming folder, beside the place where the object will be. What is not
large is in memory as well, so that it need not be read again to be verified.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from .. import __version__
from ..errors import MalformedError, SourceError
from ..signature import items
from . import judgement
from .commands import COMMAND, StoreCommand, text_of
from .room import room
from .store import Incoming, Store

if TYPE_CHECKING:
    from pynetdicom.association import Association

# the same as of files that dicomseal writes anew
IMPLEMENTATION_CLASS = "2.25.328957194170695688999850527630083745841"
_MAX_UID = 64
_MAX_GATHERED = 1 << 20  # bytes of a command set, and of a data set that has no file
_MAX_IN_MEMORY = 4 << 20  # bytes of an object; more is read from its file to be verified
_LEAST = 1 << 16  # bytes
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


class Memory:
    """A buffer for one object after the other, which grows with what comes."""

    def __init__(self) -> None:
        self._view = room(0)
        self._used = 0

    def clear(self) -> None:
        """Begin anew."""
        self._used = 0

    def append(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        end = self._used + len(data)
        if end > len(self._view):
            longer = room(max(end, min(2 * len(self._view), _MAX_IN_MEMORY), _LEAST))
            longer[: self._used] = self.content
            self._view = longer
        self._view[self._used : end] = data
        self._used = end

    def release(self) -> None:
        """Give the room back."""
        self._view, self._used = room(0), 0

    @property
    def content(self) -> memoryview:
        """What was appended, for use before the next object begins."""
        return self._view[: self._used]


class Sink:
    """What the data set of a request is written to.

    Args:
        store: has the folder for what arrives.
        head: what goes before the data set.
        limit: how many bytes there may be.
        memory: where it is kept as well, unless it is large.

    Attributes:
        incoming: the file; None if it could not be made.
        trouble: why not all of it could be written; the rest of the request is read and dropped
            then, so that the sender gets an answer.
    """

    def __init__(self, store: Store, head: bytes, limit: int, memory: Memory) -> None:
        self.incoming: Incoming | None = None
        self.trouble: SourceError | None = None
        self._limit = limit
        self._memory: Memory | None = memory
        memory.clear()
        try:
            self.incoming = store.incoming()
        except SourceError as error:
            self._give_up(error)
        self.write(head)

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        if self.incoming is None or self.trouble is not None:
            return
        try:
            if self.incoming.size + len(data) > self._limit:
                raise SourceError(f"it has more than {self._limit} bytes", "limit")
            self.incoming.write(data)
        except SourceError as error:
            self._give_up(error)
            return
        if self._memory is not None:
            if self.incoming.size <= _MAX_IN_MEMORY:
                self._memory.append(data)
            else:
                self.forget()

    def forget(self) -> None:
        """Keep it in the file alone, from which it is read to be verified."""
        if self._memory is not None:
            self._memory.release()
            self._memory = None

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

    @property
    def content(self) -> memoryview | None:
        """What is in the file, if it is in memory as well."""
        return None if self._memory is None else self._memory.content

    def _give_up(self, error: SourceError) -> None:
        """Keep nothing of it: where the disk is full, others need the room."""
        self.trouble = error
        self.discard()

    def discard(self) -> None:
        """Remove the file, unless it has found its place."""
        if self.incoming is not None:
            self.incoming.discard()


class StoreRequest(NamedTuple):
    """A C-STORE request.

    Attributes:
        context_id: of its presentation context.
        negotiated: the SOP Class of that.
        command: its command set.
        sink: where its data set is.
    """

    context_id: int
    negotiated: str
    command: StoreCommand
    sink: Sink

    @property
    def announced(self) -> tuple[str, str]:
        """The SOP Class and Instance UID by which the object was announced.

        An empty value is not an announcement: a request without them is not a valid one. Nor is a
        SOP Class that was not negotiated.
        """
        sop_class, sop_instance = map(text_of, (self.command.sop_class, self.command.sop_instance))
        return sop_class if sop_class == self.negotiated else "-", sop_instance or "-"


class ReceivingProvider(DIMSEServiceProvider):
    """Makes requests of the fragments that arrive.

    Those to store something get a `Sink`, and are served at once; all others go to pynetdicom.

    Args:
        assoc: the association.
        serve: serves a request to store something, and answers it.
        store: has the folder for what arrives.
        limit: how many bytes an object may have.
    """

    def __init__(
        self, assoc: Association, serve: Callable[[StoreRequest], None], store: Store, limit: int
    ) -> None:
        super().__init__(assoc)
        self._serve = serve
        self._store, self._limit = store, limit
        self._memory = Memory()
        self._request: StoreRequest | None = None
        self._gathered = bytearray()
        self._gathers = (0, 0)  # context ID, and whether it is a command set

    @property
    def is_receiving(self) -> bool:
        """Whether a request has begun and not ended, or waits to be served."""
        return self.is_under_way or not self.msg_queue.empty()

    @property
    def is_under_way(self) -> bool:
        """Whether a message has begun, and not all of it is there."""
        return self._request is not None or bool(self._gathered) or self.message is not None

    @property
    def has_begun(self) -> bool:
        """Whether a request to store something has begun, and its data set has not ended."""
        return self._request is not None

    def fragment(self, context_id: int, control: int) -> Callable[[memoryview], object]:
        """Return what takes in the bytes of a fragment that begins (PS3.8 Annex E).

        Raises:
            MalformedError: nothing of this kind can come now; also when bytes are taken in.
        """
        request = self._request
        if request is not None:
            if control & COMMAND or context_id != request.context_id:
                raise MalformedError("a data set is interrupted by something else")
            return request.sink.write
        kind = context_id, control & COMMAND
        if self._gathered and kind != self._gathers:
            raise MalformedError("a message is interrupted by something else")
        self._gathers = kind
        return self._gather

    def _gather(self, piece: memoryview) -> None:
        self._gathered += piece
        if len(self._gathered) > _MAX_GATHERED:
            raise MalformedError(f"a message has more than {_MAX_GATHERED} bytes")

    def last_fragment(self, context_id: int, control: int) -> None:
        """Do what a message asks for, or the first half of one, now that all of it is there.

        Raises:
            MalformedError: it is not a message, or has no context, or too many wait.
        """
        request = self._request
        if request is not None:
            try:
                self._serve(request)
            finally:
                self._request = None  # not before: who stops the gate sees that it is busy
            return
        data, self._gathered = self._gathered, bytearray()
        if control & COMMAND and self.message is None:
            command = StoreCommand.read(data)
            if command is not None:
                self._request = self._begun(command, context_id)
                return
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, bytes([control]) + data))
        self.receive_primitive(primitive)
        if self.msg_queue.qsize() > _MAX_WAITING:
            raise MalformedError("it sends requests without waiting for the responses")

    def _begun(self, command: StoreCommand, context_id: int) -> StoreRequest:
        context = self.assoc._accepted_cx.get(context_id)
        if context is None:
            raise MalformedError(f"the presentation context {context_id} was not accepted")
        head = file_meta(
            text_of(command.sop_class), text_of(command.sop_instance),
            str(context.transfer_syntax[0]),
        )  # fmt: skip
        sink = Sink(self._store, head, self._limit, self._memory)
        return StoreRequest(context_id, str(context.abstract_syntax), command, sink)

    def give_back(self) -> None:
        """Give back what memory is held for objects, while nothing comes.

        To be called in the thread that receives.
        """
        if self._request is not None:
            self._request.sink.forget()
        self._memory.release()
        judgement.release()

    def close(self) -> None:
        """Remove what was not received to its end."""
        if self._request is not None:
            self._request.sink.discard()
            self._request = None
        self._memory.release()

"""An SCU on a bare socket, which can stop anywhere: PDUs by pynetdicom's encoders, sent by hand."""

from __future__ import annotations

import io
import socket
import ssl
import struct
from functools import lru_cache
from typing import Any

import pki
from _gate import CT
from pynetdicom import build_context
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

RELEASE = b"\x05\0\0\0\0\x04\0\0\0\0"
ABORT = b"\x07\0\0\0\0\x04\0\0\0\0"
VERIFICATION = "1.2.840.10008.1.1"


@lru_cache
def request(sop_class: str = CT, syntax: str = pki.EXPLICIT) -> bytes:
    """An A-ASSOCIATE-RQ PDU with one presentation context."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "RAW", "GATE"
    longest, who = MaximumLengthNotification(), ImplementationClassUIDNotification()
    longest.maximum_length_received = 16384
    who.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [longest, who]
    context = build_context(sop_class, syntax)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    encoded: bytes = A_ASSOCIATE_RQ(primitive).encode()
    return encoded


def data_set(file: bytes) -> bytes:
    """What follows the File Meta Information of a file."""
    return file[132 + 12 + int.from_bytes(file[140:144], "little") :]


def _encoded(message: Any, primitive: Any, size: int) -> list[bytes]:
    message.primitive_to_message(primitive)
    return [P_DATA_TF(one).encode() for one in message.encode_msg(1, size)]


def store(data: bytes, instance: str, sop_class: str = CT, size: int = 16384) -> list[bytes]:
    """The P-DATA-TF PDUs of a C-STORE request for a data set."""
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 1, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class, instance
    primitive.DataSet = io.BytesIO(data)
    return _encoded(C_STORE_RQ(), primitive, size)


def pdu(control: int, data: bytes) -> bytes:
    """A P-DATA-TF PDU with one item."""
    return struct.pack(">BxLLBB", 4, len(data) + 6, len(data) + 2, 1, control) + data


def echo() -> list[bytes]:
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, VERIFICATION
    return _encoded(C_ECHO_RQ(), primitive, 16384)


class Peer:
    """A connection with an association on it, over TLS if there is a context for that."""

    def __init__(
        self, port: int, sop_class: str = CT, timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket)
            self.socket.sendall(request(sop_class))
            kind, _ = self.read()
            if kind != 2:
                raise ConnectionError(f"no association: PDU {kind}")
        except BaseException:
            self.socket.close()
            raise

    def read(self) -> tuple[int, bytes]:
        """A PDU: its type and its content."""
        head = self._exactly(6)
        kind, _, length = struct.unpack(">BBL", head)
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            more = self.socket.recv(size - len(out))
            if not more:
                raise ConnectionError("the gate has closed the connection")
            out += more
        return out

    def send(self, pdus: list[bytes]) -> None:
        for pdu in pdus:
            self.socket.sendall(pdu)

    def answer(self) -> Any:
        """The command set of a response."""
        kind, content = self.read()
        if kind != 4:
            raise ConnectionError(f"no answer: PDU {kind}")
        return decode(io.BytesIO(content[6:]), True, True)

    def status(self, pdus: list[bytes]) -> int:
        """Send a request and return the status of the response."""
        self.send(pdus)
        return int(self.answer().Status)

    def release(self) -> None:
        self.socket.sendall(RELEASE)
        self.read()
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

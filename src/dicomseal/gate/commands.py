"""The command sets of C-STORE: of a request that came, and of the response to it.

They are a few elements of fixed form (PS3.7 Section 9.3.1), read and written here at a fiftieth of
what general data sets cost; of every other command pynetdicom takes care.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import MalformedError

# of group 0000 (PS3.7 Annex E)
_GROUP_LENGTH, _SOP_CLASS, _COMMAND_FIELD = 0x0000, 0x0002, 0x0100
_MESSAGE_ID, _ANSWERED_ID, _DATA_SET_TYPE, _STATUS = 0x0110, 0x0120, 0x0800, 0x0900
_OFFENDING_ELEMENT, _ERROR_COMMENT, _SOP_INSTANCE = 0x0901, 0x0902, 0x1000
_STORE_RQ, _STORE_RSP = 0x0001, 0x8001
_NO_DATA_SET = 0x0101
_MAX_UID = 64
_HEADER = struct.Struct("<HHL")  # implicit VR little endian (PS3.7 Section 6.3.1)
# a P-DATA-TF PDU with one item (PS3.8 Section 9.3.5): type, reserved, length; and the item's
# length, context ID, and message control header
_PDU = struct.Struct(">BxLLBB")
P_DATA, COMMAND, LAST = 4, 1, 2


class Answer(NamedTuple):
    """What the sender of a request is told (PS3.7 Section 9.3.1.2).

    Attributes:
        status: Status (0000,0900).
        comment: Error Comment (0000,0902); empty: there is none.
        offending: tags for Offending Element (0000,0901).
    """

    status: int
    comment: str = ""
    offending: tuple[int, ...] = ()


class StoreCommand(NamedTuple):
    """The command set of a C-STORE request.

    Attributes:
        message_id: Message ID (0000,0110).
        sop_class, sop_instance: the Affected UIDs as they came, with their padding.
    """

    message_id: int
    sop_class: bytes
    sop_instance: bytes

    @classmethod
    def read(cls, data: bytes | bytearray) -> StoreCommand | None:
        """Read a command set; None if it is of another command.

        Raises:
            MalformedError: it is not a command set, or not one of a request to store something.
        """
        found = _elements(data)
        if _number(found, _COMMAND_FIELD) != _STORE_RQ:
            return None
        if _number(found, _DATA_SET_TYPE) == _NO_DATA_SET:
            raise MalformedError("a C-STORE request without a data set")
        try:
            uids = found[_SOP_CLASS], found[_SOP_INSTANCE]
        except KeyError as error:
            raise MalformedError(f"no (0000,{error.args[0]:04X}) in a C-STORE request") from None
        if max(map(len, uids)) > _MAX_UID:
            raise MalformedError("a UID of a C-STORE request is too long")
        return cls(_number(found, _MESSAGE_ID), *uids)

    def response(self, answer: Answer) -> bytes:
        """Return the command set of the response."""
        elements = [
            (_SOP_CLASS, self.sop_class),
            (_COMMAND_FIELD, _STORE_RSP.to_bytes(2, "little")),
            (_ANSWERED_ID, self.message_id.to_bytes(2, "little")),
            (_DATA_SET_TYPE, _NO_DATA_SET.to_bytes(2, "little")),
            (_STATUS, answer.status.to_bytes(2, "little")),
        ]
        if answer.offending:
            tags = [struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in answer.offending]
            elements.append((_OFFENDING_ELEMENT, b"".join(tags)))
        if answer.comment:
            comment = answer.comment.encode("ascii", "replace")
            elements.append((_ERROR_COMMENT, comment + b" " * (len(comment) % 2)))
        elements.append((_SOP_INSTANCE, self.sop_instance))
        # a UID may have come without its padding; values have even lengths (PS3.5 Section 6.2)
        even = [(tag, value + b"\0" * (len(value) % 2)) for tag, value in elements]
        content = b"".join(_HEADER.pack(0, tag, len(value)) + value for tag, value in even)
        return _HEADER.pack(0, _GROUP_LENGTH, 4) + len(content).to_bytes(4, "little") + content


def text_of(uid: bytes) -> str:
    """Return a UID of a command set as text, without its padding."""
    return uid.rstrip(b"\0 ").decode("ascii", "replace")


def pdus(context_id: int, command: bytes, longest: int) -> Iterator[bytes]:
    """Yield a command set as P-DATA-TF PDUs.

    Args:
        context_id: of the presentation context.
        command: the command set.
        longest: how long the receiver allows a PDU to be, without its first six bytes; 0: any.
    """
    most = max(longest - 6, 1) if longest else len(command)
    for start in range(0, len(command), most):
        part = command[start : start + most]
        control = COMMAND | (LAST if start + most >= len(command) else 0)
        yield _PDU.pack(P_DATA, len(part) + 6, len(part) + 2, context_id, control) + part


def _elements(data: bytes | bytearray) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise MalformedError("a command set ends in the middle of an element")
        group, element, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        if group or length > len(data) - at or element in found:
            raise MalformedError("this is not a command set")
        found[element] = bytes(data[at : at + length])
        at += length
    return found


def _number(found: dict[int, bytes], element: int) -> int:
    value = found.get(element, b"")
    if len(value) != 2:
        raise MalformedError(f"(0000,{element:04X}) of a command set has no value")
    return int.from_bytes(value, "little")

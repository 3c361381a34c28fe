"""A sender that costs its machine next to nothing, as one elsewhere would.

    python -m bench.gate_sender PORT LENGTH FOLDER...

One process, and an association for each folder, with PDUs of that length. All requests are in
memory as PDUs before the first byte is sent; what is timed is to send them and to wait for the
answers. DCMTK's dcmsend reads and encodes each file meanwhile, on the processors that the receiver
needs as well.
"""

from __future__ import annotations

import json
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dicomseal.files import file_meta

_HEAD = 12  # bytes of a PDU before its data; the length counts half of them
_CONTEXT = "1.2.840.10008.3.1.1.1"
_RELEASE = b"\5\0\0\0\0\4\0\0\0\0"


def main(port: int, length: int, folders: list[Path]) -> None:
    """Send all files of each folder; print seconds, and those of a processor."""
    requests = [_requests(sorted(folder.iterdir()), length - _HEAD // 2) for folder in folders]
    errors: list[BaseException] = []

    def send(associate: bytes, stores: list[bytes]) -> None:
        try:
            _send(port, associate, stores)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=send, args=one) for one in requests]
    before, begun = _used(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, used = time.perf_counter() - begun, _used() - before
    if errors:
        raise errors[0]
    print(json.dumps([seconds, used]))


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _send(port: int, associate: bytes, stores: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def exactly(size: int) -> bytes:
            out = bytearray()
            while len(out) < size:
                more = connection.recv(size - len(out))
                if not more:
                    raise ConnectionError("the receiver has closed the connection")
                out += more
            return bytes(out)

        def asked(request: bytes, kind: int) -> bytes:
            connection.sendall(request)
            head = exactly(6)
            if head[0] != kind:
                raise ConnectionError(f"PDU {head[0]} came, not {kind}")
            return exactly(int.from_bytes(head[2:], "big"))

        asked(associate, 2)
        for store in stores:
            # Status (0000,0900) of the response
            if b"\0\0\0\x09\2\0\0\0\0\0" not in asked(store, 4):
                raise RuntimeError("an object was refused")
        asked(_RELEASE, 6)


def _requests(paths: list[Path], most: int) -> tuple[bytes, list[bytes]]:
    """The association that objects of one class are sent in, and a request for each."""
    stores: list[bytes] = []
    classes, syntaxes = set(), set()
    for path in paths:
        content = path.read_bytes()
        meta = file_meta.read(content[: 1 << 16])
        classes.add(meta.sop_class.rstrip(b"\0 "))
        syntaxes.add(meta.transfer_syntax.encode())
        stores.append(_store(meta.sop_class, meta.sop_instance, content[meta.start :], most))
    (sop_class,), (syntax,) = classes, syntaxes
    return _associate(sop_class, syntax), stores


def _associate(sop_class: bytes, syntax: bytes) -> bytes:
    """An A-ASSOCIATE-RQ PDU (PS3.8 Section 9.3.2)."""
    item: Callable[[int, bytes], bytes] = lambda kind, data: (  # noqa: E731
        struct.pack(">BxH", kind, len(data)) + data
    )
    context = b"\1\0\0\0" + item(0x30, sop_class) + item(0x40, syntax)
    user = item(0x51, (1 << 14).to_bytes(4, "big")) + item(0x52, b"1.2.3.4")
    content = (
        b"\0\1\0\0" + b"GATE".ljust(16) + b"BENCH".ljust(16) + bytes(32)
        + item(0x10, _CONTEXT.encode()) + item(0x20, context) + item(0x50, user)
    )  # fmt: skip
    return struct.pack(">BxL", 1, len(content)) + content


def _store(sop_class: bytes, sop_instance: bytes, data: bytes, most: int) -> bytes:
    """The P-DATA-TF PDUs of a C-STORE request (PS3.7 Section 9.3.1.1)."""
    elements = [
        (0x0002, sop_class), (0x0100, b"\1\0"), (0x0110, b"\1\0"), (0x0700, b"\2\0"),
        (0x0800, b"\1\0"), (0x1000, sop_instance),
    ]  # fmt: skip
    command = b"".join(struct.pack("<HHL", 0, tag, len(one)) + one for tag, one in elements)
    command = struct.pack("<HHLL", 0, 0, 4, len(command)) + command
    pdus = [_pdu(3, command)]
    for start in range(0, len(data), most):
        part = data[start : start + most]
        pdus.append(_pdu(2 if start + most >= len(data) else 0, part))
    return b"".join(pdus)


def _pdu(control: int, data: bytes) -> bytes:
    return struct.pack(">BxLLBB", 4, len(data) + 6, len(data) + 2, 1, control) + data


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Path(one) for one in sys.argv[3:]])

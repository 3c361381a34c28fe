"""A next node, and a forwarder that sends to it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pki
from _gate import file_of, policy
from _raw_scu import data_set
from pynetdicom import AE, build_context, evt

from dicomseal.gate.admission import Admission
from dicomseal.gate.forwarding import Forwarder, Node
from dicomseal.gate.origin import Origin
from dicomseal.gate.spool import Spool
from dicomseal.gate.store import Store

CT = "1.2.840.10008.5.1.4.1.1.2"
ANY = [build_context(CT, [pki.EXPLICIT])]


class Next:
    """A node that answers as it is told, and keeps what it took."""

    def __init__(
        self, answers: Iterable[Any] = (), contexts: list[Any] = ANY, port: int = 0
    ) -> None:
        self.answers, self.asked = list(answers), list[str]()
        self.got: list[tuple[str, bytes]] = []
        ae = AE("NEXT")
        ae.supported_contexts = contexts
        self.server = ae.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._take)]
        )
        self.node = Node("127.0.0.1", self.server.server_address[1], "NEXT")

    def _take(self, event: Any) -> Any:
        name = str(event.request.AffectedSOPInstanceUID)
        self.asked.append(name)
        answer = self.answers.pop(0) if self.answers else 0
        if callable(answer):
            answer = answer(event)
        if answer == 0 or answer & 0xF000 == 0xB000:
            self.got.append((name, event.request.DataSet.getvalue()))
        return answer

    def __enter__(self) -> Next:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()


def spool_of(folder: Path) -> tuple[Spool, Callable[..., bytes]]:
    """A spool beside a store, and what puts objects into both."""
    store = Store(folder / "store", sync=False)
    spool = Spool(str(folder / "spool"), sync=False)
    admission = Admission(policy(), store, spool=spool.add)

    def put(number: int, data: bytes | None = None) -> bytes:
        data = file_of("good", number) if data is None else data
        with store.incoming() as incoming:
            incoming.write(data)
            incoming.finish()
            outcome = admission.admit(incoming.path, len(data), Origin(via="test"))
        assert outcome.decision.action == "accept"
        return data_set(data)

    return spool, put


class Sending:
    """A forwarder at work, which tells what it did."""

    def __init__(self, spool: Spool, node: Node, **options: Any) -> None:
        self.told: list[str] = []
        given = {"timeout": 10.0, "pauses": (0.02, 0.1), "told": self.told.append} | options
        self.forwarder = Forwarder(spool, node, "GATE", **given)
        spool.ring = self.forwarder.ring

    def __enter__(self) -> Sending:
        self.forwarder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.forwarder.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

"""A DICOMweb server on loopback, as PS3.18 has it, and one that does not do as it should.

`Server.objects` has the objects by their Study, Series and SOP Instance UID. What goes wrong is set
by the attributes; what was asked is in `Server.asked`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOUNDARY = "--=_of a part?"
TAGS = "0020000D", "0020000E", "00080018"
BASE = "/dicom-web"


def multipart(objects: list[bytes], kind: str = "application/dicom") -> bytes:
    """A body as a server sends it."""
    head = f"\r\n--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Location: /x\r\n\r\n".encode()
    return b"".join(head + one for one in objects) + f"\r\n--{BOUNDARY}--\r\n".encode()


RELATED = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'


class Server(ThreadingHTTPServer):
    """The server, in a thread."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[tuple[str, str, str], bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.searches = True
        self.page = 1 << 30  # instances that it lists at most at once
        self.heeds_offset = True
        # path -> answers, one after the other, the last again: (status, headers, body)
        self.instead: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self.cut: int | None = None  # bytes of a body, after which the connection breaks
        self.kind = "application/dicom"
        self.status = 200
        self.serves: int | None = None  # so many objects, and then nothing is answered
        self.hangs: Callable[[str], bool] = lambda _: False  # of which paths nothing ever comes
        self.over = threading.Event()
        self.slow = 0.0  # seconds for each megabyte of a body

    @property
    def url(self) -> str:
        return f"dicomweb+http://127.0.0.1:{self.server_port}{BASE}"

    def name(self, *uids: str) -> str:
        """The name of a study, a series or an instance."""
        words = ("studies", "series", "instances")
        return self.url + "".join(f"/{word}/{uid}" for word, uid in zip(words, uids, strict=False))

    def handle_error(self, *_: object) -> None:
        """Nothing: a client that goes is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        self.server.asked.append((self.path, dict(self.headers.items())))
        path = split.path.removeprefix(BASE)
        if self.server.hangs(path):
            self.server.over.wait(600)
            self.close_connection = True
            return
        answers = self.server.instead.get(path)
        if answers:
            self.answer(*(answers.pop(0) if len(answers) > 1 else answers[0]))
        elif path.endswith("/instances"):
            self.search(path.removesuffix("/instances"), parse_qs(split.query))
        else:
            self.retrieve(path)

    def below(self, path: str) -> dict[tuple[str, str, str], bytes]:
        uids = tuple(path.split("/")[2::2])
        return {one: data for one, data in self.server.objects.items() if one[: len(uids)] == uids}

    def search(self, path: str, query: dict[str, list[str]]) -> None:
        if not self.server.searches:
            return self.answer(404, {}, b"")
        first = int(query["offset"][0]) if self.server.heeds_offset else 0
        found = list(self.below(path))[first:][: min(int(query["limit"][0]), self.server.page)]
        listed = [
            {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(TAGS, uids, strict=True)}
            for uids in found
        ]
        kind = {"Content-Type": "application/dicom+json"}
        return self.answer(
            200 if listed else 204, kind, json.dumps(listed).encode() if listed else b""
        )

    def retrieve(self, path: str) -> None:
        assert "transfer-syntax=*" in self.headers["Accept"]
        found = self.below(path)
        if self.server.serves is not None:
            self.server.serves -= 1
            if self.server.serves < 0:
                self.close_connection = True
                return None
        if not found:
            return self.answer(404, {}, b"")
        body = multipart(list(found.values()), self.server.kind)
        return self.answer(self.server.status, {"Content-Type": RELATED}, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(body[: self.server.cut]), 1 << 20):
            self.server.over.wait(self.server.slow)
            self.wfile.write(body[: self.server.cut][start : start + (1 << 20)])
        self.close_connection = True


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def asked(folder: Any, monkeypatch: Any) -> Iterator[Server]:
    """The same, for a client that begins anew in a folder with the trust file, without a proxy."""
    import pki

    from dicomseal.dicomweb import client

    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("DICOMSEAL_DICOMWEB_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(client, "PAUSE", 0.01)
    pki.member("root").write(folder)
    client._clients.clear()
    with running() as server:
        yield server
    for one in client._clients.values():
        one.close()
    client._clients.clear()


def elements(study: str, series: str, instance: str, *more: Any) -> list[Any]:
    """Of a small object with these UIDs, in their order."""
    return [
        (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"), (0x00080018, "UI", uid(instance)),
        (0x00100010, "PN", b"Doe^John"), (0x00100020, "LO", b"1234"),
        (0x0020000D, "UI", uid(study)), (0x0020000E, "UI", uid(series)), *more,
    ]  # fmt: skip


def uid(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)

"""The Store transaction of DICOMweb (STOW-RS, PS3.18 Section 10.5) as a way into a gate.

The body is taken apart as it comes, and each part is written to a file of the store: an object may
be of any size, and costs no memory. What becomes of it is what becomes of every other object.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..dicomweb.multipart import DICOM, Data, Headers, Parts
from ..errors import DicomSealError, SourceError
from .admission import Admission
from .front import Counts
from .handlers import failed
from .identity import Identity
from .judgement import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, release
from .origin import Origin
from .policy import ACCEPT
from .scp import listen
from .store import Incoming
from .stow_answer import StowAnswer
from .upstream import Upstream

_log = logging.getLogger("dicomseal.gate")
_JSON = "application/dicom+json"
_ACCEPTED = ("application/dicom+json", "application/json", "application/*", "*/*")
_SLOWEST = 4 << 10  # bytes that a client has to send for each second that is waited for it
_MOST_PARTS = 50_000  # in a request: what becomes of each is remembered until the end
T = TypeVar("T")


class StowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the Store transaction is offered.

    Attributes:
        connections: how many there may be at a time, in each process; others are answered 503.
        timeout: seconds that a client may be silent, and after which it has to send 4 KiB and more
            for each second.
        size: how many bytes an object may have.
        tls: the context for TLS, or None.
        upstream: the server that gets what was accepted, or None.
    """

    connections: int = 64
    timeout: float = 60.0
    size: int = 64 << 30
    tls: ssl.SSLContext | None = None
    upstream: Upstream | None = None


class StowFront:
    """Takes Store transactions, in a thread of this process; a `front.Front`.

    Args:
        settings: how.
        address, port: where; port 0 is any that is free.
    """

    name = "stow"

    def __init__(self, settings: StowSettings, address: str = "127.0.0.1", port: int = 0) -> None:
        self._settings, self._address, self.port = settings, address, port
        self._listening: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def bind(self) -> None:
        """Take the port; errors as `scp.listen`."""
        self._listening = listen(self._address, self.port)
        self.port = int(self._listening.getsockname()[1])

    def start(self, admission: Admission, counts: Counts | None = None, slot: int = 0) -> None:  # noqa: ARG002 - each process counts for itself
        """Begin to accept."""
        if self._listening is None:
            self.bind()
        settings = self._settings
        config = uvicorn.Config(
            application(admission, settings),
            http=functools.partial(_Protocol, patience=settings.timeout),  # type: ignore[arg-type]
            ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
            loop="asyncio", limit_concurrency=settings.connections,
            h11_max_incomplete_event_size=1 << 15,
        )  # fmt: skip
        config.load()
        config.ssl = settings.tls
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listening]},
            name="dicomseal-stow", daemon=True,
        )  # fmt: skip
        self._thread.start()

    def release(self) -> None:
        """Leave the port to the other processes that listen on it."""
        if self._listening is not None:
            self._listening.close()

    def stop(self, seconds: float = 30.0) -> bool:
        """Accept nothing more, and let what is on its way come to its end."""
        if self._server is None or self._thread is None:
            return True
        self._server.should_exit = True
        self._thread.join(seconds)
        if not self._thread.is_alive():
            return True
        self._server.force_exit = True
        self._thread.join(1.0)
        return False


class _Protocol(H11Protocol):
    """Ends connections on which no request comes to the end of its headers."""

    def __init__(self, *args: Any, patience: float, **given: Any) -> None:
        super().__init__(*args, **given)
        self._patience = patience
        self._seen: Any = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(self._patience, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._seen:
            self.transport.abort()
            return
        self._seen = self.cycle if idle else self._seen
        self._timer = self.loop.call_later(self._patience, self._look)


def application(admission: Admission, settings: StowSettings) -> Starlette:
    """Return the application, for a server of one's own."""

    async def store(request: Request) -> Response:
        return await _Store(request, admission, settings).answer()

    paths = ("/studies", "/studies/{study}", "/dicom-web/studies", "/dicom-web/studies/{study}")
    return Starlette(routes=[Route(path, store, methods=["POST"]) for path in paths])


class _Part(NamedTuple):
    """A part that is being received."""

    media_type: str
    incoming: Incoming | None
    trouble: SourceError | None


class _Store:
    """One request."""

    def __init__(self, request: Request, admission: Admission, settings: StowSettings) -> None:
        self._request, self._admission, self._settings = request, admission, settings
        self._study: str = request.path_params.get("study", "")
        self._answer = StowAnswer()
        peer = request.client.host if request.client else ""
        self._origin = Origin(via="STOW-RS", peer=peer)
        self._part: _Part | None = None
        self._parts = 0

    async def answer(self) -> Response:
        if not _takes_json(self._request.headers.get("accept", "*/*")):
            return _plain(406, f"the answer is {_JSON}")
        try:
            parts = Parts(self._request.headers.get("content-type", ""))
            packed = self._request.headers.get("content-encoding", "identity")
            if packed.strip().lower() != "identity":
                raise SourceError(f"the body is packed ({packed}): send it as it is", "media_type")
        except SourceError as error:
            return _plain(415, str(error))
        status = 0
        try:
            async for piece in self._pieces():
                for event in parts.feed(piece):
                    await self._take(event)
            for event in parts.close():
                await self._take(event)
        except SourceError as error:
            self._answer.failed(Identity(), CANNOT_UNDERSTAND, str(error))
            status = 400
        except TimeoutError:
            return _plain(408, "the request does not come to its end", close=True)
        except ClientDisconnect:  # nobody is there to be answered
            return _plain(400, "the client has gone")
        finally:
            self._forget()
        return Response(self._answer.json(), status or self._answer.status, media_type=_JSON)

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            TimeoutError: the client is silent, or so slow that it holds the connection up.
        """
        stream, patience = self._request.stream(), self._settings.timeout
        waited, size = 0.0, 0
        while True:
            begun = time.monotonic()
            try:
                piece = await asyncio.wait_for(anext(stream), patience)
            except StopAsyncIteration:
                return
            # what is done with the pieces meanwhile is not the client's time
            waited, size = waited + time.monotonic() - begun, size + len(piece)
            if waited > patience + size / _SLOWEST:
                raise TimeoutError
            yield piece

    async def _take(self, event: object) -> None:
        if isinstance(event, Headers):
            self._begin(event)
        elif isinstance(event, Data):
            self._write(event.data)
        else:
            await self._end()

    def _begin(self, headers: Headers) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise SourceError(f"more than {_MOST_PARTS} parts in one request", "limit")
        if headers.media_type != DICOM:
            self._part = _Part(headers.media_type, None, None)
            return
        try:
            self._part = _Part(headers.media_type, self._admission.store.incoming(), None)
        except SourceError as error:
            self._part = _Part(headers.media_type, None, error)

    def _write(self, data: bytes) -> None:
        part = self._part
        if part is None or part.incoming is None or part.trouble is not None:
            return
        if part.incoming.size + len(data) > self._settings.size:
            said = f"it has more than {self._settings.size} bytes"
            self._give_up(part, SourceError(said, "limit"))
            return
        try:
            part.incoming.write(data)
        except SourceError as error:
            self._give_up(part, error)

    def _give_up(self, part: _Part, error: SourceError) -> None:
        """Keep nothing of it: where the disk is full, others need the room."""
        self._forget()
        self._part = part._replace(incoming=None, trouble=error)

    async def _end(self) -> None:
        part = self._part
        if part is None:
            return
        try:
            if part.trouble is not None:
                why = await _in_thread(self._not_received, part.trouble)
                self._answer.failed(Identity(), *why)
                return
            if part.incoming is None:
                said = f"a part is {part.media_type or 'of no media type'}, not {DICOM}"
                self._answer.failed(Identity(), CANNOT_UNDERSTAND, said)
                return
            identity, reason, comment = await _in_thread(self._admitted, part.incoming)
            if reason == SUCCESS:
                self._answer.stored(identity)
            else:
                self._answer.failed(identity, reason, comment)
        finally:
            self._forget()

    def _admitted(self, incoming: Incoming) -> tuple[Identity, int, str]:
        """Admit an object in a thread; return what became of it, and why."""
        identity = Identity()
        try:
            try:
                incoming.finish()
            except SourceError as error:
                return identity, *self._not_received(error)
            outcome = self._admission.admit(
                incoming.path, incoming.size, self._origin, study=self._study
            )
            decision = outcome.decision
            identity = decision.identity
            upstream = self._settings.upstream
            if decision.status == SUCCESS and decision.action == ACCEPT and upstream is not None:
                reason, said = upstream.send(outcome.path)
                if reason:
                    _log.warning("not passed on: 0x%04X %s", reason, said)
                return identity, reason, said
            return identity, decision.status, decision.comment
        except DicomSealError as error:
            _log.error("not accepted: %s", error)
            return identity, *_trouble(error)
        except Exception as error:  # noqa: BLE001 - not verified is not accepted
            refused = failed(error)
            return identity, refused.status, refused.comment
        finally:
            release()  # a thread that waits for its next object holds no memory

    def _not_received(self, error: SourceError) -> tuple[int, str]:
        decision = self._admission.not_received(error, self._origin).decision
        return decision.status, decision.comment

    def _forget(self) -> None:
        part, self._part = self._part, None
        if part is not None and part.incoming is not None:
            part.incoming.discard()


def _trouble(error: DicomSealError) -> tuple[int, str]:
    words = {"no_space": "no space is left on the disk"}
    return OUT_OF_RESOURCES, words.get(error.code, "it cannot be stored")


def _takes_json(accept: str) -> bool:
    return any(one.partition(";")[0].strip().lower() in _ACCEPTED for one in accept.split(","))


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    return await to_thread.run_sync(function, *args)


def _plain(status: int, text: str, close: bool = False) -> Response:
    headers = {"Connection": "close"} if close else None
    return Response(f"{text}\n", status, headers=headers, media_type="text/plain")

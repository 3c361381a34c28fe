"""The pages of a live report over HTTP: a page, the same as JSON, and a table; nothing else.

It is for people on the same machine. So that no page of another site can read it by way of their
browser (DNS rebinding), it answers only where it is called by a name that it was given. No part of
a request is ever a name of a file.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import LedgerError
from ...report import harmless
from .html import content_policy
from .live import TABLE, LiveReport

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(?::\d{1,5})?")
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PIECE = 1 << 16


def application(report: LiveReport, address: str, names: Iterable[str] = ()) -> ASGIApp:
    """Return the application.

    Args:
        report: what it shows.
        address: the address on which it listens.
        names: further names by which it may be called, e.g. that of a proxy in front of it.
    """

    async def page(_: Request) -> Response:
        shown = await to_thread.run_sync(report.shown)
        return _answer(shown.page, "text/html; charset=utf-8", shown.is_error, shown.seconds)

    async def as_json(_: Request) -> Response:
        shown = await to_thread.run_sync(report.shown)
        return _answer(shown.json, "application/json", shown.is_error, shown.seconds)

    async def table(_: Request) -> Response:
        try:
            found = await to_thread.run_sync(report.table)
        except LedgerError as error:
            return PlainTextResponse(f"{harmless(str(error))}\n", 503)

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, found.size, _PIECE):
                yield await to_thread.run_sync(found.part, start, _PIECE)

        return StreamingResponse(
            parts(), media_type="text/csv; charset=utf-8",
            headers={"Content-Length": str(found.size),
                     "Content-Disposition": f'attachment; filename="{TABLE}"'},
        )  # fmt: skip

    routes = [Route("/", page), Route("/report.json", as_json), Route(f"/{TABLE}", table)]
    return _Guard(Starlette(routes=routes), _called(address, names))


def _answer(body: bytes, kind: str, is_error: bool, seconds: int) -> Response:
    headers = {"Content-Type": kind}
    if is_error:
        headers["Retry-After"] = str(seconds)
    return Response(body, 503 if is_error else 200, headers)


def _called(address: str, names: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether this may be called by a name.

    A name that a stranger registered can be made to lead here; an address in numbers cannot.
    """
    known = {name.lower() for name in names}
    bound = ipaddress.ip_address(address)
    everywhere = bound.is_unspecified
    if bound.is_loopback or everywhere:
        known |= _LOCAL
    known.add(f"[{bound}]" if bound.version == 6 else str(bound))

    def may(host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower()
        if name in known:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return everywhere

    return may


class _Guard:
    """Refuses what is called by another name, and puts the headers on every answer."""

    def __init__(self, inside: ASGIApp, may: Callable[[str], bool]) -> None:
        self._inside, self._may = inside, may
        policy = f"{content_policy()}; frame-ancestors 'none'"
        self._headers = [
            (name.lower().encode(), value.encode())
            for name, value in {
                "Content-Security-Policy": policy,
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cache-Control": "no-store",
                "Connection": "close",  # a connection that waits for nothing is not kept
            }.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        inside: Callable[[Scope, Receive, Send], Awaitable[None]] = self._inside
        if len(hosts) != 1 or not self._may(hosts[0].decode("latin-1")):
            inside = PlainTextResponse("this is not what you called it: see --host\n", 421)
        await inside(scope, receive, sending)

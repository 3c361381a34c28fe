"""The server of `archive report --serve`: it listens, and ends in good order."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ...errors import SourceError, UsageError
from ...report import escaped, harmless

if TYPE_CHECKING:
    from ...archive.reports.live import LiveReport

_PATIENCE = 10.0  # seconds in which a request comes to the end of its headers
_CONNECTIONS = 64
_STOPPED = 130


def serve(report: LiveReport, ledger: str, address: str, port: int, names: tuple[str, ...]) -> None:
    """Show the report of a ledger until Ctrl-C or SIGTERM; the arguments are those of `listening`.

    Raises:
        UsageError: a package is missing, or the address is not one.
        SourceError: it cannot listen there.
    """
    # signals go to the main thread, and the server leaves them alone in another one
    with _until_asked() as asked, listening(report, address, port, names) as url:
        click.echo(harmless(f"{url} shows {escaped(ledger)}; Ctrl-C ends it"))
        asked.wait()


@contextlib.contextmanager
def listening(
    report: LiveReport, address: str, port: int, names: tuple[str, ...] = ()
) -> Iterator[str]:
    """Open a context in which a report is served, at the URL that it gives.

    At its end, what is being sent is sent to its end, for some seconds.

    Args:
        report: what is served.
        address, port: where; port 0 is any that is free.
        names: further names by which browsers may call it.

    Raises:
        UsageError: a package is missing, or the address is not one.
        SourceError: it cannot listen there.
    """
    try:
        import uvicorn
        from uvicorn.protocols.http.h11_impl import H11Protocol

        from ...archive.reports.application import application
    except ImportError:
        raise UsageError("--serve needs the extra: pip install dicomseal[archive]") from None
    from ...archive.reports.html import check

    check()

    class Protocol(H11Protocol):
        """Ends a connection on which no request comes; each connection is for one."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(_PATIENCE, self._look)

        def _look(self) -> None:
            cycle: Any = self.cycle
            if cycle is None:
                self.transport.abort()

    accepting = _listen(address, port)
    config = uvicorn.Config(
        application(report, address, names),
        http=Protocol, ws="none", lifespan="off", loop="asyncio", log_config=None,
        access_log=False, server_header=False, limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=1 << 14, timeout_graceful_shutdown=5,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [accepting]}, name="dicomseal-report", daemon=True
    )
    accepting.listen()
    thread.start()
    host = f"[{address}]" if ":" in address else address
    try:
        yield f"http://{host}:{accepting.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)
        server.force_exit = True
        thread.join(1)
        accepting.close()


def _listen(address: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    except ValueError:
        raise UsageError(f"--bind: {address!r} is not an IP address, e.g. 127.0.0.1") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise SourceError(f"{address} port {port}: {error.strerror or error}", "address") from None
    return listening


@contextlib.contextmanager
def _until_asked() -> Iterator[threading.Event]:
    """Open a context in which Ctrl-C or SIGTERM sets an event, and a second one ends at once."""
    asked = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            os._exit(_STOPPED)
        asked.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

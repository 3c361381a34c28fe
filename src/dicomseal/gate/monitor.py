"""Two pages for those who watch a gate: ``/metrics`` for Prometheus, ``/health`` for a balancer."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from ..errors import SourceError
from .figures import Figures

_MOST = 32  # that are answered at a time
_PATIENCE = 10.0  # seconds for a request, however it dribbles
_PAUSE = 0.1  # seconds
# what is wrong, each with a word; nothing is wrong with none
Health = Callable[[], dict[str, Any]]


class _Bounded(ThreadingHTTPServer):
    """Answers so many at a time, each in bounded time."""

    request_queue_size = 2 * _MOST

    def __init__(self, *args: Any) -> None:
        self._slots = threading.BoundedSemaphore(_MOST)
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:  # no descriptor is left: it waits still, and is asked for again at once
            time.sleep(_PAUSE)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = threading.Timer(_PATIENCE, _hung_up, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._slots.release()


def _hung_up(request: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        request.shutdown(socket.SHUT_RDWR)


class Monitor:
    """Serves the two pages.

    Args:
        figures: for ``/metrics``.
        health: gives the fields for ``/health``; its ``status`` is ``ok``, or the answer is 503.
        address, port: where; port 0 is any that is free.

    Raises:
        SourceError: it cannot listen there.
    """

    def __init__(self, figures: Figures, health: Health, address: str, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            server_version, sys_version = "dicomseal", ""

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, figures.text())
                elif self.path == "/health":
                    found = health()
                    code = 200 if found.get("status") == "ok" else 503
                    self._answer(code, "application/json", json.dumps(found).encode())
                else:
                    self._answer(404, "text/plain", b"/metrics or /health\n")

            def _answer(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Do nothing: the log is about objects."""

        class Server(_Bounded):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        try:
            self._server = Server((address, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(f"{address} port {port}: {reason}", "address") from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.25,), name="dicomseal-monitor", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

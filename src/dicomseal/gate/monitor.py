"""Two pages for those who watch a gate: ``/metrics`` for Prometheus, ``/health`` for a balancer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from ..errors import SourceError
from .figures import Figures

# what is wrong, each with a word; nothing is wrong with none
Health = Callable[[], dict[str, Any]]


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

        class Server(ThreadingHTTPServer):
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

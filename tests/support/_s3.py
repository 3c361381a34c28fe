"""An S3 server on loopback: moto's, in a process of its own, with faults on demand.

As a program it prints its port and serves. What goes wrong is set by `Server.faults`; what was
asked is told by `Server.log`.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

MISSING = any(importlib.util.find_spec(name) is None for name in ("moto", "flask", "obstore"))
# where CI is set it must be there: then nothing is skipped, and what is missing fails
SKIP = MISSING and not os.environ.get("CI")
CONTROL = "/_control"


class Server:
    """A running server; buckets and objects are made by plain HTTP."""

    def __init__(self, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the client needs to know."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "not a secret",
        }  # fmt: skip

    def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/octet-stream"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def put(self, bucket: str, key: str = "", data: bytes = b"") -> None:
        self.ask("PUT", f"/{bucket}/{quote(key)}".rstrip("/" if not key else ""), data)

    def faults(self, *faults: dict[str, Any]) -> None:
        """Set what goes wrong, see `Faults`; forget what was asked until now."""
        self.ask("PUT", CONTROL, json.dumps(faults).encode())

    def log(self) -> list[dict[str, Any]]:
        """The requests since then."""
        return json.loads(self.ask("GET", CONTROL))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[Server]:
    server = Server(port)
    try:
        yield server
    finally:
        server.kill()


class Faults:
    """A WSGI application around moto's.

    A fault is a dict: ``path``, of which requests (it ends so; "" takes all, "?" listings);
    ``at``, from which one of them on (1 is the first), and ``times``, for how many; and what:
    ``status`` and ``code`` answer so; ``put`` (base64) and ``delete`` replace and delete the object
    before it is answered for; ``drop`` removes a header of the request (as WSGI calls it), ``hide``
    one of the answer; ``cut`` ends the answer's body after so many bytes; ``wait`` answers so many
    seconds later, and has the log say how many requests are ``waiting`` with it.
    """

    def __init__(self, inner: Any, page: int) -> None:
        self.inner, self.page = inner, page
        self.lock = threading.Lock()
        self.waiting = 0
        self.set([])

    def set(self, faults: list[dict[str, Any]]) -> None:
        self.faults = faults
        self.log: list[dict[str, Any]] = []
        self.counts: collections.Counter[int] = collections.Counter()

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == CONTROL:
            answer = b""
            if method == "PUT":
                size = int(environ["CONTENT_LENGTH"])
                self.set(json.loads(environ["wsgi.input"].read(size)))
            else:
                answer = json.dumps(self.log).encode()
            start("200 OK", [("Content-Length", str(len(answer)))])
            return [answer]
        if method == "PUT":
            return self.inner(environ, start)
        listing = "list-type=2" in environ["QUERY_STRING"]
        if listing:
            environ["QUERY_STRING"] += f"&max-keys={self.page}"
        with self.lock:
            entry = {"path": "?" if listing else path, "method": method,
                     "range": environ.get("HTTP_RANGE"),
                     "if_match": environ.get("HTTP_IF_MATCH")}  # fmt: skip
            self.log.append(entry)
            now = [one for n, one in enumerate(self.faults) if self.due(n, one, path, listing)]
        for fault in now:
            self.wait(fault.get("wait", 0), entry)
            if "status" in fault:
                code = fault.get("code", "Broken")
                body = f"<Error><Code>{code}</Code><Message>as asked</Message></Error>".encode()
                start(f"{fault['status']} X", [("Content-Length", str(len(body)))])
                return [body]
            if "put" in fault:
                self.change("PUT", path, base64.b64decode(fault["put"]), environ)
            if "delete" in fault:
                self.change("DELETE", path, b"", environ)
            environ.pop(fault.get("drop"), None)
        hidden = {fault["hide"].lower() for fault in now if "hide" in fault}

        def begin(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            return start(status, [one for one in headers if one[0].lower() not in hidden], error)

        answer = self.inner(environ, begin)
        cuts = [fault["cut"] for fault in now if "cut" in fault]
        return [b"".join(answer)[: cuts[0]]] if cuts else answer

    def wait(self, seconds: float, entry: dict[str, Any]) -> None:
        """Wait, and note in the log how many requests do so."""
        with self.lock:
            self.waiting += 1
            entry["waiting"] = self.waiting
        time.sleep(seconds)
        with self.lock:
            self.waiting -= 1

    def due(self, number: int, fault: dict[str, Any], path: str, listing: bool) -> bool:
        wanted = fault["path"]
        if listing != (wanted == "?") or (not listing and not path.endswith(wanted)):
            return False
        self.counts[number] += 1
        first = fault.get("at", 1)
        return first <= self.counts[number] < first + fault.get("times", 1 << 30)

    def change(self, method: str, path: str, data: bytes, like: dict[str, Any]) -> None:
        """Do it in the name of who asks."""
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1", "CONTENT_LENGTH": str(len(data)), "wsgi.url_scheme": "http",
            "CONTENT_TYPE": "application/octet-stream", "wsgi.input": io.BytesIO(data),
            "wsgi.errors": sys.stderr, "HTTP_AUTHORIZATION": like["HTTP_AUTHORIZATION"],
        }  # fmt: skip
        status: list[str] = []
        b"".join(self.inner(environ, lambda said, *_: status.append(said)))
        assert status[0][0] == "2", status


def main() -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    # pages of 100: a few hundred objects are several of them
    application = Faults(DomainDispatcherApplication(create_backend_app), page=100)
    server = make_server("127.0.0.1", int(sys.argv[1]), application, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

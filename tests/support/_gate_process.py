"""A gate in a process of its own, and real clients for it. All on loopback, ports by the system."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# pynetdicom's programs have the same names as DCMTK's, and are found first in a virtual environment
_PATH = os.pathsep.join(
    one
    for one in os.environ.get("PATH", os.defpath).split(os.pathsep)
    if os.path.realpath(one) != os.path.realpath(os.path.dirname(sys.executable))
)
# without it Nagle's algorithm holds each message back for 40 ms
_ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
PATIENCE = 30.0


def dcmtk(name: str) -> str:
    """The path of a program of DCMTK."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"DCMTK's {name} is not installed")
    return found


def client(name: str, *arguments: Any, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one of DCMTK's programs."""
    return subprocess.run(
        [dcmtk(name), *map(os.fspath, map(str, arguments))],
        env=_ENVIRONMENT, capture_output=True, text=True, errors="replace", timeout=120,
        check=check,
    )  # fmt: skip


def start_client(name: str, *arguments: Any) -> subprocess.Popen[bytes]:
    """The same in the background."""
    return subprocess.Popen(
        [dcmtk(name), *map(str, arguments)],
        env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def send(port: int, *paths: Any, aet: str = "GATE", name: str = "storescu") -> int:
    """Send files with storescu or dcmsend, and return the exit code."""
    return client(name, "-aec", aet, "127.0.0.1", port, *paths).returncode


# it waits for a socket and a pipe at once, and DCMTK's programs are Debian's
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a gate needs a POSIX system")


class Gate:
    """A running ``dicomseal gate``."""

    def __init__(
        self, store: Any, *arguments: Any, prefix: tuple[str, ...] = (), port: int = 0
    ) -> None:
        """Start it, and wait until it listens, if it says so: with a port of its own it may not."""
        self.store = Path(store)
        # a file: what was said before an answer was sent is in it when the answer is there
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the gate has ended
        self._all_said: bytes | None = None
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "dicomseal", "gate", "--port", str(port),
             "--aet", "GATE", "--store", str(store), *map(str, arguments)],
            stderr=self._said, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._port = port
        if port:
            return
        end = time.monotonic() + PATIENCE
        while not self.ports and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        if not self.ports:
            self.kill()
            raise AssertionError(f"the gate did not begin: {self.other} {self.log}")

    def _lines(self) -> Iterator[tuple[str, Any]]:
        said = self._all_said
        if said is None:
            said = os.pread(self._said.fileno(), os.fstat(self._said.fileno()).st_size, 0)
        for line in said.decode(errors="replace").splitlines(keepends=True):
            try:
                yield line, json.loads(line)
            except ValueError:
                yield line, None

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [found for _, found in self._lines() if found is not None]

    @property
    def other(self) -> list[str]:
        """What else it said."""
        return [line for line, found in self._lines() if found is None]

    @property
    def ports(self) -> dict[str, int]:
        for line in self.log:
            if line["message"] == "listening":
                return line["ports"]
        return {}

    @property
    def port(self) -> int:
        return self._port or self.ports["dicom"]

    def objects(self) -> list[dict[str, Any]]:
        """The lines of the log about objects."""
        return [line for line in self.log if line["message"] == "object"]

    def files(self) -> dict[str, bytes]:
        """What is in the store, by SOP Instance UID."""
        return {path.name.removesuffix(".dcm"): path.read_bytes() for path in self.paths()}

    def paths(self) -> list[Path]:
        found = self.store.rglob("*.dcm")
        return sorted(path for path in found if ".dicomseal-gate" not in path.parts)

    def waiting(self, folder: str = "spool") -> list[str]:
        """What is in one of its own folders."""
        try:
            names = os.listdir(self.store / ".dicomseal-gate" / folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name != "aside")

    def get(self, page: str) -> tuple[int, str]:
        """Status and text of one of the pages for those who watch."""
        url = f"http://127.0.0.1:{self.ports['metrics']}/{page}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def figures(self) -> dict[str, float]:
        """The figures that are not 0, by name and labels."""
        lines = [line for line in self.get("metrics")[1].splitlines() if line[:1] != "#"]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it gracefully, and return its exit code."""
        self.process.send_signal(number)
        return self._ended()

    def kill(self) -> None:
        """End it as a power failure would end it, as far as a process can."""
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(PATIENCE + 15)
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return code
        with self.process.stdout as pipe:  # workers have it as well: this waits for them
            assert select.select([pipe], [], [], PATIENCE)[0]
            assert pipe.read() == b""
        self._said.seek(0)
        with self._said as said:
            self._all_said = said.read()
        return code


@contextlib.contextmanager
def gate(store: Any, *arguments: Any, **options: Any) -> Iterator[Gate]:
    """A gate that is stopped at the end, and says nothing but its log."""
    running = Gate(store, *arguments, **options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            code = running.stop()
            assert (code, running.other) == (0, [])
        else:
            running._ended()


def until(condition: Any, seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.02)

"""Who is compared: small named callables, each in a process of its own.

A Python contender runs in ``python -m bench.contenders NAME``, DCMTK in our C++ program; both read
lines ``passes<tab>path`` and answer each with one line of JSON: ``seconds`` and ``cpu`` of every
pass, and the ``verdict`` of the last. A path that is a folder means all its files, in one pass.
So no contender can warm or disturb the heap, the caches of Python objects or the collector of
another, and start-up counts only for the one whose start-up it is: the command ``dcmsign``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from . import ROOT, Unavailable, peers, public, signing


class Contender(NamedTuple):
    """What is known of one: how it is called, and the verdict it must give on an intact file.

    ``module`` is what runs in the process of a Python contender, with its name as the argument.
    """

    name: str
    label: str
    expected: str
    python: bool = True
    environment: tuple[tuple[str, str], ...] = ()
    module: str = "bench.contenders"


CONTENDERS = {
    c.name: c
    for c in (
        Contender("floor", "floor: read, hash, one RSA verification", "passed"),
        Contender("ours", "dicomseal.verify, integrity only", "passed"),
        Contender("stream", "dicomseal.canonical.digest, no signature work", "hashed"),
        Contender("dcmtk", "DCMTK in process", "passed", python=False),
        Contender("dcmsign", "dcmsign, the command", "passed", python=False),
        Contender(
            "pure",
            "dicomseal's pure twin",
            "passed",
            environment=(("DICOMSEAL_BACKEND", "python"),),
        ),
        Contender("pydicom", "pydicom.dcmread alone", "read"),
    )
}


class Runner(Protocol):
    """A contender that is ready to run."""

    def run(self, passes: int, path: str) -> dict[str, Any]:
        """Timings and verdict, as the module says."""

    def close(self) -> None:
        """End its process."""


def start(contender: Contender) -> Runner:
    """A runner for a contender.

    Raises:
        Unavailable: what it needs is not here.
    """
    if contender.name == "dcmsign":
        return _Command()
    if contender.name == "dcmtk":
        return _Worker([str(peers.build())], {})
    command = [sys.executable, "-m", contender.module, contender.name]
    return _Worker(command, dict(contender.environment))


def files(path: str) -> list[str]:
    """A file, or the files of a folder in order."""
    if os.path.isdir(path):
        return [os.path.join(path, name) for name in sorted(os.listdir(path))]
    return [path]


class _Worker:
    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | environment,
        )

    def run(self, passes: int, path: str) -> dict[str, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(f"{passes}\t{path}\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # the empty answer below tells
        line = stdout.readline()
        if not line:
            raise Unavailable(f"its process ended with exit code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "unavailable" in answer:
            raise Unavailable(answer["unavailable"])
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class _Command:
    def __init__(self) -> None:
        certificate = signing.key_and_certificate()[1]
        self._command = [peers.dcmsign(), "-q", "+cf", str(certificate)]

    def run(self, passes: int, path: str) -> dict[str, Any]:
        seconds, cpu, code = [], [], 0
        for _ in range(passes):
            start = time.perf_counter()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            code = 0
            for file in files(path):
                done = subprocess.run([*self._command, file], capture_output=True, check=False)
                code = code or done.returncode
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(time.perf_counter() - start)
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        verdict = "failed" if code else "passed"
        message = f"exit code {code}" if code else ""
        return {"seconds": seconds, "cpu": cpu, "verdict": verdict, "message": message}

    def close(self) -> None:
        pass


def _floor() -> tuple[Callable[[str], object], Callable[[str], str]]:
    from .floor import Floor

    floor = Floor()
    return floor.prepare, floor.verify


def _ours() -> tuple[Callable[[str], object], Callable[[str], str]]:
    verify = public("verify")
    return nothing, lambda path: verify(path, integrity_only=True).verdict


def _stream() -> tuple[Callable[[str], object], Callable[[str], str]]:
    digest = public("canonical").digest
    return nothing, lambda path: "hashed" if digest(path) else "failed"


def _pydicom() -> tuple[Callable[[str], object], Callable[[str], str]]:
    from pydicom import dcmread

    return nothing, lambda path: "read" if len(dcmread(path)) else "failed"


def nothing(path: str) -> None:
    """All the preparation that most need."""
    del path


_MAKERS = {"floor": _floor, "ours": _ours, "pure": _ours, "stream": _stream, "pydicom": _pydicom}


def serve(
    make: Callable[[], tuple[Callable[[str], object], Callable[[str], str]]],
    expected: str,
    split: Callable[[str], list[str]] = files,
) -> None:
    """Answer the lines on standard input until it ends.

    Args:
        make: gives what is done once for each file, and what is timed and gives the verdict.
        expected: the verdict on an intact file.
        split: what one line asks for.
    """
    try:
        prepare, call = make()
    except (Unavailable, ImportError) as error:
        print(json.dumps({"unavailable": str(error)}), flush=True)
        return
    prepared: set[str] = set()
    for line in sys.stdin:
        passes, path = line.rstrip("\n").split("\t", 1)
        paths = split(path)
        if path not in prepared:
            for file in paths:
                prepare(file)
            prepared.add(path)
        seconds, cpu, odd = [], [], ""
        for _ in range(int(passes)):
            start, cpu_start = time.perf_counter(), time.process_time()
            verdicts = [call(file) for file in paths]
            cpu_stop, stop = time.process_time(), time.perf_counter()
            seconds.append(stop - start)
            cpu.append(cpu_stop - cpu_start)
            odd = next((v for v in verdicts if v != expected), "")
        answer = {"seconds": seconds, "cpu": cpu, "verdict": odd or expected, "message": ""}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(_MAKERS[sys.argv[1]], CONTENDERS[sys.argv[1]].expected)

"""Whole transfers by DCMTK's dcmsend over loopback, and what they cost on either side."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import ROOT, Unavailable, cache, encode, signing, workloads
from .measure import say

COUNT = 300  # CT slices of 530 KB
PATIENCE = 60.0  # seconds
# else Nagle's algorithm is what is measured
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
_TICKS = os.sysconf("SC_CLK_TCK")


class Sample(NamedTuple):
    """One transfer.

    Attributes:
        seconds: from start to end.
        received: seconds of processor time that the receiver took, all its processes together.
        sent: the same of the senders.
    """

    seconds: float
    received: float
    sent: float


def copies() -> list[Path]:
    """A series of signed CT slices of 530 KB."""
    target = cache() / f"gate-series-{workloads.GENERATION}-{COUNT}"
    if not target.exists():
        say(f"making {COUNT} CT slices")
        partial = target.with_suffix(".part")
        partial.mkdir(exist_ok=True)
        for number in range(COUNT):
            plain = partial / "plain"
            workloads.ct(plain, number, study=0)
            label(plain)
            signing.sign(plain, partial / f"{number:05}.dcm")
            plain.unlink()
        os.replace(partial, target)
    return sorted(target.iterdir())


def label(path: Path) -> None:
    """Have the File Meta Information name the object: clients announce what stands there."""
    from dicomseal.gate.identity import identify

    identity = identify(path)
    with path.open("rb") as file:
        file.seek(140)
        start = 144 + int.from_bytes(file.read(4), "little")
        file.seek(start)
        head = encode.meta(identity.sop_class, identity.sop_instance, identity.transfer_syntax)
        labelled = path.with_suffix(".labelled")
        with labelled.open("wb") as target:
            target.write(head)
            shutil.copyfileobj(file, target, 1 << 20)
    os.replace(labelled, path)


def client(name: str) -> str:
    """DCMTK's program: in a virtual environment pynetdicom's have the same names."""
    here = os.path.dirname(sys.executable)
    path = os.pathsep.join(
        one for one in os.environ.get("PATH", "").split(os.pathsep) if one != here
    )
    found = shutil.which(name, path=path)
    if found is None:
        raise Unavailable(f"DCMTK's {name} is missing: apt-get install dcmtk")
    return found


def parts(files: list[Path], folder: Path, senders: int) -> list[Path]:
    """A folder of links for each sender."""
    found = []
    for sender in range(senders):
        part = folder / f"in{sender}"
        part.mkdir()
        for file in files[sender::senders]:
            (part / file.name).symlink_to(file)
        found.append(part)
    return found


def send(port: int, folders: list[Path]) -> tuple[float, float]:
    """Send all files of each folder on an association; seconds, and processor time of senders."""
    program = client("dcmsend")
    before, begun = _of_children(), time.perf_counter()
    clients = [
        subprocess.Popen(
            [program, "--decompress-never", "-aec", "GATE", "127.0.0.1", str(port), "+sd",
             str(folder)],
            env=ENVIRONMENT,
        )
        for folder in folders
    ]  # fmt: skip
    codes = [one.wait() for one in clients]
    seconds = time.perf_counter() - begun
    if any(codes):
        raise RuntimeError(f"dcmsend ended with {codes}")
    return seconds, _of_children() - before


def send_prepared(port: int, folders: list[Path], length: int = 1 << 17) -> tuple[float, float]:
    """Do the same with all requests in memory before the first one is sent (`gate_sender`)."""
    found = subprocess.run(
        [sys.executable, "-m", "bench.gate_sender", str(port), str(length), *map(str, folders)],
        cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    seconds, used = json.loads(found.stdout)
    return seconds, used


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor(pid: int) -> float:
    """Seconds of processor time of a process and all that it started, also of what has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = " ".join((task / "children").read_text("utf-8") for task in tasks).split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS + sum(processor(int(one)) for one in children)


@contextlib.contextmanager
def started(name: str, folder: str, sync: bool) -> Iterator[tuple[int, int]]:
    """A receiver of `gate.RECEIVERS` in a process of its own: its port and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.gate", name, folder, str(int(sync))],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Unavailable(f"{name}: it did not begin")
        yield int(line), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()


def until(condition: Any) -> None:
    """Wait for something."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("it did not become so")
        time.sleep(0.01)

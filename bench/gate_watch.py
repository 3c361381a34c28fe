"""``dicomseal watch`` behind DCMTK's ``storescp +B``, and what the receiver takes alone.

The senders are those that cost next to nothing (`bench.gate_sender`): receiver and watch share the
processors of this machine, and no sender has them.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import cache
from .gate_transfer import (
    ENVIRONMENT,
    PATIENCE,
    Sample,
    client,
    copies,
    parts,
    processor,
    send_prepared,
)
from .gate_transfer import until as _until
from .measure import say

SENDERS = 4
LENGTH = 16384  # bytes of a PDU, which storescp announces
TIMES = 4  # each file is sent, so that what is waited for at the end weighs little
SETTLE = 0.1  # seconds
CONTENDERS = {"storescp": 0, "watch": 1, "watch-2": 2}  # jobs


def run(rounds: int) -> dict[str, Any]:
    """Files a second of each, until the last file is in the ledger where there is one."""
    files = copies()
    samples: dict[str, list[tuple[Sample, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(dir=cache()) as links:
        folders = parts(files, Path(links), SENDERS)
        warm = parts(files[:8], _made(Path(links) / "warm"), 1)
        for number in range(rounds):
            say(f"gate: storescp and watch, round {number}")
            for name, jobs in CONTENDERS.items():
                samples[name].append(_pass(folders, warm, len(files), jobs))
    count = len(files) * TIMES
    return {
        "files": count,
        "settle": SETTLE,
        "files_per_second": {
            name: count / statistics.median(one.seconds for one, _ in some)
            for name, some in samples.items()
        },
        # seconds of a processor for each file: of storescp, of the senders, of watch
        "processor": {
            name: [
                statistics.median(values) / count
                for values in zip(
                    *((one.received, one.sent, watched) for one, watched in some), strict=True
                )
            ]
            for name, some in samples.items()
        },
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _pass(folders: list[Path], warm: list[Path], count: int, jobs: int) -> tuple[Sample, float]:
    with tempfile.TemporaryDirectory(dir=cache()) as folder, contextlib.ExitStack() as stack:
        incoming, ledger = _made(Path(folder) / "incoming"), Path(folder) / "ledger.db"
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        watcher = None
        if jobs:
            command = [sys.executable, "-m", "dicomseal", "watch", str(incoming), "--ledger",
                       str(ledger), "--integrity-only", "--settle", str(SETTLE), "--jobs",
                       str(jobs)]  # fmt: skip
            watcher = stack.enter_context(_process(command))
            _until(ledger.exists)
        receiver = stack.enter_context(
            _process([client("storescp"), "+B", "+uf", "--fork", "-od", str(incoming), "-aet",
                      "GATE", str(port)])
        )  # fmt: skip
        _until(lambda: _listens(port))
        send_prepared(port, warm, LENGTH)  # the workers have begun when these are verified
        first = sum(len(list(part.iterdir())) for part in warm)
        if watcher is not None:
            _until(lambda: _rows(ledger) >= first)
        before = processor(receiver), processor(watcher) if watcher else 0.0
        seconds = used = 0.0
        for _ in range(TIMES):
            took, sent = send_prepared(port, folders, LENGTH)
            seconds, used = seconds + took, used + sent
        if watcher is not None:
            seconds += _waited(lambda: _rows(ledger) >= first + count * TIMES)
        _until(lambda: not _at_work(receiver))
        took_here = processor(receiver) - before[0]
        watched = processor(watcher) - before[1] if watcher else 0.0
    return Sample(seconds, took_here, used), watched


def _waited(condition: Any) -> float:
    begun = time.perf_counter()
    _until(condition)
    return time.perf_counter() - begun


def _at_work(pid: int) -> bool:
    """Whether a process that it started has not ended, even if it has not been waited for."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    states = []
    for child in children:
        with contextlib.suppress(FileNotFoundError):
            status = Path(f"/proc/{child}/stat").read_text("utf-8")
            states.append(status.rpartition(")")[2].split()[0])
    return any(state != "Z" for state in states)


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _rows(ledger: Path) -> int:
    import sqlite3

    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        try:
            return int(db.execute("SELECT count(*) FROM object").fetchone()[0])
        except sqlite3.Error:
            return 0

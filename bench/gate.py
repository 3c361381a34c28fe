"""The gate beside receivers that do not verify: whole transfers by DCMTK's dcmsend, over loopback.

Each pass starts a receiver with an empty folder, sends all files to it, and ends it; only the
sending is timed. All receivers take turns, round after round, and flush or do not flush alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import ROOT, Unavailable, cache, encode, signing, workloads
from .measure import say

COUNT = 300  # CT slices of 530 KB
SENDERS = (1, 4)
ENHANCED, FRAMES = 8, 570  # objects at once, each of so many slices: 300 MB
_PATIENCE = 60.0


class Receiver(NamedTuple):
    """Who receives.

    Attributes:
        label: for the table.
        jobs: processes.
    """

    label: str
    jobs: int = 1


RECEIVERS = {
    "bare": Receiver("pynetdicom alone: encoded_dataset() into a file"),
    "unverified": Receiver("the gate, with a judge that accepts unseen"),
    "gate": Receiver("the gate"),
    "gate-2": Receiver("the gate, --jobs 2", 2),
}


def run(rounds: int) -> dict[str, Any]:
    """Files a second of each receiver, for each number of senders, flushed and not."""
    send = _client("dcmsend")
    files = copies()
    cases: dict[str, Any] = {}
    for sync in (False, True):
        for senders in SENDERS:
            samples: dict[str, list[float]] = {name: [] for name in RECEIVERS}
            with tempfile.TemporaryDirectory(dir=cache()) as folder:
                parts = _parts(files, Path(folder), senders)
                for number in range(rounds):
                    how = "flushed" if sync else "not flushed"
                    say(f"gate: {senders} senders, {how}, round {number}")
                    for name in RECEIVERS:
                        samples[name].append(_pass(send, name, sync, parts))
            rates = {name: COUNT / statistics.median(times) for name, times in samples.items()}
            cases[f"{senders}{' flushed' if sync else ''}"] = {
                "senders": senders,
                "sync": sync,
                "files_per_second": rates,
                "samples": rounds,
                # how much longer the same receiver takes because it verifies
                "verification": rates["unverified"] / rates["gate"],
                "over_bare": rates["gate"] / rates["bare"],
                "two_jobs": rates["gate-2"] / rates["gate"],
            }
    found = {"files": COUNT, "bytes": sum(one.stat().st_size for one in files), "cases": cases}
    return {**found, "memory": memory(send), "watch": watch(send, files, rounds)}


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
            _label(plain)
            signing.sign(plain, partial / f"{number:05}.dcm")
            plain.unlink()
        os.replace(partial, target)
    return sorted(target.iterdir())


def _label(path: Path) -> None:
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


def _large(path: Path) -> None:
    workloads.multiframe(path, FRAMES)
    _label(path)


def _client(name: str) -> str:
    """DCMTK's program: in a virtual environment pynetdicom's have the same names."""
    here = os.path.dirname(sys.executable)
    path = os.pathsep.join(
        one for one in os.environ.get("PATH", "").split(os.pathsep) if one != here
    )
    found = shutil.which(name, path=path)
    if found is None:
        raise Unavailable(f"DCMTK's {name} is missing: apt-get install dcmtk")
    return found


def _parts(files: list[Path], folder: Path, senders: int) -> list[Path]:
    """A folder of links for each sender."""
    parts = []
    for sender in range(senders):
        part = folder / f"in{sender}"
        part.mkdir()
        for file in files[sender::senders]:
            (part / file.name).symlink_to(file)
        parts.append(part)
    return parts


def _pass(send: str, name: str, sync: bool, parts: list[Path]) -> float:
    """The seconds that it takes to send all."""
    expected = sum(len(list(part.iterdir())) for part in parts)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        with _started(name, folder, sync) as (port, _):
            seconds = _sent(send, port, parts)
        stored = [path for path in Path(folder).rglob("*.dcm") if path.is_file()]
        if len(stored) != expected:
            raise RuntimeError(f"{name}: {len(stored)} of {expected} files are there")
    return seconds


def _sent(send: str, port: int, parts: list[Path]) -> float:
    environment = {**os.environ, "TCP_NODELAY": "1"}  # else Nagle's algorithm is what is measured
    begun = time.perf_counter()
    clients = [
        subprocess.Popen(
            [send, "--decompress-never", "-aec", "GATE", "127.0.0.1", str(port), "+sd", str(part)],
            env=environment,
        )
        for part in parts
    ]
    codes = [client.wait() for client in clients]
    seconds = time.perf_counter() - begun
    if any(codes):
        raise RuntimeError(f"dcmsend ended with {codes}")
    return seconds


@contextlib.contextmanager
def _started(name: str, folder: str, sync: bool) -> Iterator[tuple[int, int]]:
    """A receiver in a process of its own: its port and its process id."""
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
        process.wait(_PATIENCE)
        if process.stdout is not None:
            process.stdout.close()


# --- memory and watch -----------------------------------------------------------------------------


def memory(send: str) -> dict[str, Any]:
    """The most that the gate took with large objects, all at once."""
    say(f"gate: {ENHANCED} objects of {FRAMES} slices at once")
    large = workloads.signed(f"gate-multiframe-{FRAMES}", _large)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        parts = []
        for number in range(ENHANCED):
            part = Path(folder) / f"in{number}"
            part.mkdir()
            (part / "large.dcm").symlink_to(large)
            parts.append(part)
        with _started("gate", os.path.join(folder, "store"), False) as (port, pid):
            seconds = _sent(send, port, parts)
            most = _peak(pid)
    return {"objects": ENHANCED, "bytes": large.stat().st_size, "most": most, "seconds": seconds}


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise Unavailable("/proc has no VmHWM")


def watch(send: str, files: list[Path], rounds: int) -> dict[str, Any]:
    """Files a second of ``storescp +B`` alone, and with ``dicomseal watch`` behind it.

    The latter until the last file is in the ledger.
    """
    receive = _client("storescp")
    rates: dict[str, list[float]] = {"storescp": [], "watch": []}
    with tempfile.TemporaryDirectory(dir=cache()) as links:
        parts = _parts(files, Path(links), SENDERS[-1])
        for number in range(rounds):
            say(f"gate: storescp and watch, round {number}")
            for name, seconds in rates.items():
                seconds.append(_behind(receive, send, parts, len(files), name == "watch"))
    medians = {name: len(files) / statistics.median(times) for name, times in rates.items()}
    return {"files_per_second": medians, "over_storescp": medians["watch"] / medians["storescp"]}


def _behind(receive: str, send: str, parts: list[Path], count: int, watched: bool) -> float:
    with tempfile.TemporaryDirectory(dir=cache()) as folder, contextlib.ExitStack() as stack:
        incoming, ledger = Path(folder) / "incoming", Path(folder) / "ledger.db"
        incoming.mkdir()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        environment = {**os.environ, "TCP_NODELAY": "1"}
        _process(
            stack, [receive, "+B", "--fork", "-od", str(incoming), "-aet", "GATE", str(port)],
            environment,
        )  # fmt: skip
        if watched:
            command = [sys.executable, "-m", "dicomseal", "watch", str(incoming), "--ledger",
                       str(ledger), "--integrity-only", "--settle", "0.1"]  # fmt: skip
            _process(stack, command, environment)
        _until(lambda: _listens(port))
        if watched:
            _until(ledger.exists)
            time.sleep(1)  # it watches by then
        begun = time.perf_counter()
        seconds = _sent(send, port, parts)
        if watched:
            _until(lambda: _rows(ledger) >= count)
            seconds = time.perf_counter() - begun
        return seconds


def _process(stack: contextlib.ExitStack, command: list[str], environment: dict[str, str]) -> None:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def end() -> None:
        process.terminate()
        process.wait(_PATIENCE)

    stack.callback(end)


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


def _until(condition: Any) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("it did not become so")
        time.sleep(0.01)


# --- receivers ------------------------------------------------------------------------------------


def _bare(folder: str, sync: bool) -> None:
    """What anybody writes with pynetdicom, the file under its name in one step."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    def handle(event: Any) -> int:
        path = os.path.join(folder, f"{event.request.AffectedSOPInstanceUID}.dcm")
        with open(f"{path}.part", "wb") as file:
            file.write(event.encoded_dataset())
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.rename(f"{path}.part", path)
        if sync:
            descriptor = os.open(folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        return 0

    ae = AE("GATE")
    ae.supported_contexts = AllStoragePresentationContexts
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handle)]
    )
    print(server.server_address[1], flush=True)
    signal.sigwait({signal.SIGTERM})
    os._exit(0)


def _gate(folder: str, sync: bool, jobs: int, verified: bool) -> None:
    from dicomseal.gate import Policy, admission, judgement
    from dicomseal.gate.identity import identify
    from dicomseal.gate.scp import Settings as Network
    from dicomseal.gate.scp import StorageSCP
    from dicomseal.gate.service import Service, Settings
    from dicomseal.report import ObjectReport

    if not verified:

        def unseen(path: str, *_: Any, **__: Any) -> judgement.Decision:
            # where it is stored is read from it all the same
            return judgement.Decision(
                verdict="passed", action="accept", status=0, identity=identify(path),
                report=ObjectReport(path="", verdict="passed"),
            )  # fmt: skip

        admission.judge = unseen  # type: ignore[assignment]
    front = StorageSCP(Network(aet="GATE"))
    settings = Settings(
        policy=Policy.of(integrity_only=True, require="signature"),
        store=folder, fronts=(front,), jobs=jobs, sync=sync,
    )  # fmt: skip
    Service(settings).run(lambda: print(front.port, flush=True))


def _serve(name: str, folder: str, sync: bool) -> None:
    if name == "bare":
        _bare(folder, sync)
    else:
        _gate(folder, sync, RECEIVERS[name].jobs, name != "unverified")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _serve(sys.argv[1], sys.argv[2], sys.argv[3] == "1")
    else:  # by hand
        print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 3), indent=1))

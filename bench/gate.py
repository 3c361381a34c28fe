"""The gate beside receivers that do not verify: whole transfers over loopback.

Each pass starts a receiver with an empty folder, sends all files to it, and ends it; only the
sending is timed. All receivers take turns, round after round, and flush or do not flush alike.
Senders and receivers share the processors of one machine, so that the time of a pass says little of
a machine that only receives: what a receiver costs there, its processor time for an object says.
What several processes receive is measured with senders that cost next to nothing
(`bench.gate_sender`), all else with DCMTK's dcmsend.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from . import Unavailable, cache, gate_watch, workloads
from .gate_transfer import (
    COUNT,
    Sample,
    copies,
    label,
    parts,
    processor,
    send,
    send_prepared,
    started,
)
from .measure import say

ENHANCED, FRAMES = 8, 570  # objects at once, each of so many slices: 300 MB


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
RATIOS = {"over_bare": ("gate", "bare"), "two_jobs": ("gate-2", "gate")}


class Case(NamedTuple):
    """How is sent and received.

    Attributes:
        senders: how many there are.
        sync: whether each object is flushed.
        prepared: whether the senders have all requests in memory, and cost next to nothing.
        receivers: who takes turns.
    """

    senders: int
    sync: bool = False
    prepared: bool = False
    receivers: tuple[str, ...] = ("bare", "unverified", "gate")


CASES = {
    "1": Case(1),
    "4": Case(4),
    "4 prepared": Case(4, prepared=True, receivers=("unverified", "gate", "gate-2")),
    "1 flushed": Case(1, sync=True),
    "4 flushed": Case(4, sync=True),
}


def run(rounds: int) -> dict[str, Any]:
    """Files a second of each receiver in each case."""
    files = copies()
    cases: dict[str, Any] = {}
    for what, case in CASES.items():
        samples: dict[str, list[Sample]] = {name: [] for name in case.receivers}
        with tempfile.TemporaryDirectory(dir=cache()) as folder:
            folders = parts(files, Path(folder), case.senders)
            for number in range(rounds):
                say(f"gate: senders: {what}, round {number}")
                for name in case.receivers:
                    samples[name].append(_pass(name, case, folders))
        cases[what] = {**case._asdict(), "samples": rounds, **_compared(samples)}
    found = {"files": COUNT, "bytes": sum(one.stat().st_size for one in files), "cases": cases}
    return {**found, "hash": _hash(files), "memory": memory(), "watch": gate_watch.run(rounds)}


def _compared(samples: dict[str, list[Sample]]) -> dict[str, Any]:
    rates = {
        name: COUNT / statistics.median(one.seconds for one in some)
        for name, some in samples.items()
    }
    used = {
        name: statistics.median(one.received for one in some) / COUNT
        for name, some in samples.items()
    }
    sent = statistics.median(one.sent for some in samples.values() for one in some) / COUNT
    found = {
        "files_per_second": rates,
        "processor": used,  # seconds for each object
        "sender": sent,
        # how many processors the receiver keeps busy while objects arrive
        "busy": {
            name: statistics.median(one.received / one.seconds for one in some)
            for name, some in samples.items()
        },
        # how much longer the same receiver takes because it verifies
        "verification": rates["unverified"] / rates["gate"],
        # what no number of processes can exceed while the senders need the same processors
        "most": (os.cpu_count() or 1) / (used["gate"] + sent),
    }
    for ratio, (one, other) in RATIOS.items():
        if one in rates and other in rates:
            found[ratio] = rates[one] / rates[other]
    return found


def _hash(files: list[Path]) -> float:
    """Seconds of a processor that SHA-256 alone takes for an object."""
    content = [one.read_bytes() for one in files[:50]]
    times = []
    for _ in range(5):
        begun = time.process_time()
        for one in content:
            hashlib.sha256(one).digest()
        times.append((time.process_time() - begun) / len(content))
    return statistics.median(times)


def _pass(name: str, case: Case, folders: list[Path]) -> Sample:
    """Send all files once."""
    expected = sum(len(list(folder.iterdir())) for folder in folders)
    with tempfile.TemporaryDirectory(dir=cache()) as store:
        with started(name, store, case.sync) as (port, pid):
            before = processor(pid)
            seconds, sent = (send_prepared if case.prepared else send)(port, folders)
            received = processor(pid) - before
        stored = [path for path in Path(store).rglob("*.dcm") if path.is_file()]
        if len(stored) != expected:
            raise RuntimeError(f"{name}: {len(stored)} of {expected} files are there")
    return Sample(seconds, received, sent)


def memory() -> dict[str, Any]:
    """The most that the gate took with large objects, all at once."""
    say(f"gate: {ENHANCED} objects of {FRAMES} slices at once")
    large = workloads.signed(f"gate-multiframe-{FRAMES}", _large)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        folders = []
        for number in range(ENHANCED):
            part = Path(folder) / f"in{number}"
            part.mkdir()
            (part / "large.dcm").symlink_to(large)
            folders.append(part)
        with started("gate", os.path.join(folder, "store"), False) as (port, pid):
            seconds, _ = send(port, folders)
            most = _peak(pid)
    return {"objects": ENHANCED, "bytes": large.stat().st_size, "most": most, "seconds": seconds}


def _large(path: Path) -> None:
    workloads.multiframe(path, FRAMES)
    label(path)


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise Unavailable("/proc has no VmHWM")


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

"""`archive sign` beside its floor: a bare loop that signs files and flushes them in groups.

The floor is two processes. Each reads a file, hashes every byte of it, signs the digest with
`cryptography` and writes the bytes with the signature behind them to a temporary file; after 256
of them it flushes all with one syncfs, renames them, and flushes the folder once. It looks for no
element, lists none, and keeps no ledger. Both sides write new files to a folder of their own, on
the same disk, in turns; before each pass what the one before left in memory is written to the disk,
and no file is removed before the last one.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, workloads
from .archive_sign import JOBS, pair
from .measure import say, spread

GROUP = 256
KEYS = {"RSA-2048": "rsa", "P-256": "ec"}
FILES = {"41 KB": (138, 6_000), "530 KB": (512, 1_200)}  # rows of a slice, and how many of them
FOLDER = 500  # files in a folder
RATE, CPU = 0.85, 1.25  # what is aimed at: of the floor's rate, and times its processor time


def run(rounds: int) -> dict[str, Any]:
    """For each size and key the rates and processor times of both sides, and their ratios."""
    cases: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=cache()) as written:
        for size in FILES:
            source = str(files(size))
            for key, kind in KEYS.items():
                say(f"signing: {size}, {key}, floor and ours in turns")
                samples: dict[str, list[dict[str, float]]] = {"floor": [], "ours": []}
                for _ in range(rounds):
                    for side, passes in samples.items():
                        target = f"{written}/{len(os.listdir(written))}"
                        passes.append(_child(side, kind, source, target))
                cases[f"{size}, {key}"] = _case(samples, _child("alone", kind, source))
    return {"cases": cases, "jobs": JOBS, "group": GROUP, "rounds": rounds,
            "files": {size: count for size, (_, count) in FILES.items()}}  # fmt: skip


def _case(samples: dict[str, list[dict[str, float]]], alone: dict[str, float]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for side, passes in samples.items():
        found[side] = {
            **spread([one["seconds"] for one in passes]),
            "rate": statistics.median(one["files"] / one["seconds"] for one in passes),
            **{
                what: statistics.median(one[what] / one["files"] for one in passes)
                for what in ("user", "system", "cpu", "main", "ledger")
            },
        }
        one = found[side]
        one["waiting"] = JOBS / one["rate"] - one["cpu"]
        # what is left: in a worker, and in the main process beside the ledger
        one["python"] = one["user"] - alone["key"] - alone["hash"] - one["ledger"]
    ours, floor = found["ours"], found["floor"]
    return {**found, "alone": alone, "over": {
        "rate": ours["rate"] / floor["rate"], "cpu": ours["cpu"] / floor["cpu"],
    }}  # fmt: skip


def files(size: str) -> Path:
    """Unsigned slices of a size, in the cache."""
    rows, count = FILES[size]
    target = cache() / f"slices-{workloads.GENERATION}-{rows}-{count}"
    if not target.exists():
        say(f"making {count:,} slices of {size}")
        partial = target.with_suffix(".part")
        for number in range(count):
            folder = partial / f"{number // FOLDER:03}"
            folder.mkdir(parents=True, exist_ok=True)
            workloads.ct(folder / f"{number:06}.dcm", number + 1, rows)
        os.replace(partial, target)
    return target


def _child(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.group_commit", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(arguments)}: exit code {done.returncode}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


# --- what runs in a process of its own ------------------------------------------------------------


def used() -> tuple[float, float]:
    """User and system seconds of this process, and of its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime for one in both), sum(one.ru_stime for one in both)


def timed(work: Callable[[str], int], folder: str) -> dict[str, float]:
    """Seconds of wall clock and processor of a pass that writes to a new folder.

    What it wrote is emptied afterwards, and removed when all passes are over: ext4 does not use the
    inode of a file again that was removed in the last minute, and passes over each of them whenever
    a file is created. So files that one pass removes would slow down the next.
    """
    os.mkdir(folder)
    os.sync()
    user, system = used()
    start = time.perf_counter()
    own = time.process_time()
    count = work(folder)
    seconds = time.perf_counter() - start
    main = time.process_time() - own
    after = used()
    for path in Path(folder).rglob("*.dcm"):
        os.truncate(path, 0)
    user, system = after[0] - user, after[1] - system
    return {"files": count, "seconds": seconds, "user": user, "system": system,
            "cpu": user + system, "main": main, "ledger": 0.0}  # fmt: skip


def alone(kind: str, source: str) -> dict[str, float]:
    """Processor seconds that the key alone takes for a file, and the hash alone."""
    key, _ = pair(kind)
    how = _how(kind)
    data = min(Path(source).rglob("*.dcm")).read_bytes()
    digest = hashlib.sha256(data).digest()

    def each(work: Callable[[], object]) -> float:
        begun, count = time.process_time(), 0
        while time.process_time() < begun + 0.5:
            work()
            count += 1
        return (time.process_time() - begun) / count

    return {"key": each(lambda: key.sign(digest, *how)),
            "hash": each(lambda: hashlib.sha256(data).digest())}  # fmt: skip


def ours(kind: str, source: str, target: str) -> dict[str, float]:
    """A whole run of `archive sign`: walk, pool, signing, flushing, ledger."""
    from dicomseal.archive.ledger.ledger import Ledger
    from dicomseal.archive.run import sign_archive
    from dicomseal.archive.run.runner import Selection

    key, certificate = pair(kind)
    append, seconds = Ledger.append, [0.0]

    def timed_append(*arguments: Any) -> Any:
        begun = time.thread_time()
        try:
            return append(*arguments)
        finally:
            seconds[0] += time.thread_time() - begun

    Ledger.append = timed_append  # type: ignore[method-assign]

    def work(folder: str) -> int:
        outcome = sign_archive.sign(
            f"{folder}/ledger.db", Selection(roots=(source,)), key, certificate,
            target=f"{folder}/signed", jobs=JOBS,
        )  # fmt: skip
        if set(outcome.totals.verdicts) != {"signed"}:
            raise SystemExit(f"not all were signed: {outcome.totals.verdicts}")
        return outcome.totals.files

    return {**timed(work, target), "ledger": seconds[0]}


def floor(kind: str, source: str, target: str) -> dict[str, float]:
    """The bare loop, in as many processes."""
    key, _ = pair(kind)
    paths = sorted(str(path) for path in Path(source).rglob("*.dcm"))

    def work(folder: str) -> int:
        children = []
        for number in range(JOBS):
            child = os.fork()
            if not child:
                status = 1
                try:
                    _loop(paths[number::JOBS], key, kind, os.path.join(folder, str(number)))
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        if any(os.waitpid(child, 0)[1] for child in children):
            raise SystemExit("a process of the floor failed")
        return len(paths)

    return timed(work, target)


def _how(kind: str) -> tuple[Any, ...]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    if kind == "ec":
        return (ec.ECDSA(utils.Prehashed(hashes.SHA256())),)
    return padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())


def _loop(paths: list[str], key: Any, kind: str, folder: str) -> None:
    how = _how(kind)
    libc = ctypes.CDLL(None, use_errno=True)
    os.mkdir(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    for start in range(0, len(paths), GROUP):
        renames = []
        for number, path in enumerate(paths[start : start + GROUP], start):
            source = os.open(path, os.O_RDONLY)
            size = os.readv(source, [buffer])
            os.close(source)
            data = view[:size]
            value = key.sign(hashlib.sha256(data).digest(), *how)
            temporary = f"{folder}/{number}.tmp"
            target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            if os.writev(target, [data, value]) != size + len(value):
                raise OSError("not all was written")
            os.close(target)
            renames.append((temporary, f"{folder}/{number}.dcm"))
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), "syncfs")
        for temporary, name in renames:
            os.rename(temporary, name)
        os.fsync(descriptor)


if __name__ == "__main__":
    print(json.dumps({"ours": ours, "floor": floor, "alone": alone}[sys.argv[1]](*sys.argv[2:])))

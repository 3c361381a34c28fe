"""How fast an archive is signed, beside bare signing by the same key in as many processes.

Each pass signs all files of a folder to a new one, on disk, every file flushed. Bare is
`cryptography` alone, one digest after the other, in two processes at once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, parallel, workloads
from .measure import say

JOBS = 2
SECONDS = 2.0  # of bare signing
KEYS = {"RSA-2048": "rsa", "P-256": "ec"}
FOLDERS = {"archive": 2_000, "sr_small": 4_000}


def run(passes: int) -> dict[str, Any]:
    """For each key its ``bare`` signatures in a second, and for each folder files in a second."""
    folders = {name: unsigned(name) for name in FOLDERS}
    found: dict[str, Any] = {}
    for key, kind in KEYS.items():
        say(f"archive-sign: bare {key}")
        bare = statistics.median(_child("bare", kind)["rate"] for _ in range(passes))
        rates = {}
        for name, folder in folders.items():
            say(f"archive-sign: {name} by {key}")
            samples = [_child("sign", kind, str(folder)) for _ in range(passes)]
            rates[name] = {
                "rate": statistics.median(one["rate"] for one in samples),
                "cpu": statistics.median(one["cpu"] for one in samples),
                "verdicts": samples[-1]["verdicts"],
            }
        found[key] = {"bare": bare, "folders": rates}
    sizes = {
        name: sum(file.stat().st_size for file in folder.iterdir())
        for name, folder in folders.items()
    }
    return {"keys": found, "files": FOLDERS, "bytes": sizes, "jobs": JOBS}


def unsigned(name: str) -> Path:
    """The files of a workload without their signatures, in the cache."""
    from dicomseal import remove_file

    target = cache() / f"unsigned-{workloads.GENERATION}-{name}"
    if not target.exists():
        source = workloads.archive() if name == "archive" else parallel.copies(name, FOLDERS[name])
        say(f"taking the signatures out of {name}")
        partial = target.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for file in sorted(source.iterdir()):
            remove_file(file, partial / file.name)
        os.replace(partial, target)
    return target


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.archive_sign", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(arguments)}: exit code {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# --- what runs in a process of its own ------------------------------------------------------------


def pair(kind: str) -> tuple[Any, Any]:
    """A new key of a kind, and a certificate of it."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key: Any = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dicomseal benchmark")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now.replace(year=2049))
    return key, builder.sign(key, hashes.SHA256())


def bare(kind: str) -> dict[str, Any]:
    """Signatures in a second, by all processes."""
    key, _ = pair(kind)
    context = multiprocessing.get_context("fork")
    counts = context.Queue()
    workers = [context.Process(target=_sign_on, args=(key, kind, counts)) for _ in range(JOBS)]
    for worker in workers:
        worker.start()
    rate = sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()
    return {"rate": rate}


def _sign_on(key: Any, kind: str, counts: Any) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    how: tuple[Any, ...] = (padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    if kind == "ec":
        how = (ec.ECDSA(utils.Prehashed(hashes.SHA256())),)
    digest, count, start = bytes(32), 0, time.perf_counter()
    while time.perf_counter() < start + SECONDS:
        key.sign(digest, *how)
        count += 1
    counts.put(count / (time.perf_counter() - start))


def sign(kind: str, source: str) -> dict[str, Any]:
    """Files in a second of one whole run: ledger, pool, walk, signing, writing, flushing."""
    from dicomseal.archive.run import sign_archive
    from dicomseal.archive.run.runner import Selection

    from .archive import children

    key, certificate = pair(kind)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        start, own, before = time.perf_counter(), time.process_time(), children()
        outcome = sign_archive.sign(
            f"{folder}/ledger.db", Selection(roots=(source,)), key, certificate,
            target=f"{folder}/signed", jobs=JOBS,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        cpu = time.process_time() - own + children() - before
    totals = outcome.totals
    return {
        "rate": totals.files / seconds,
        "cpu": cpu / totals.files,
        "verdicts": totals.verdicts,
    }


if __name__ == "__main__":
    print(json.dumps({"bare": bare, "sign": sign}[sys.argv[1]](*sys.argv[2:])))

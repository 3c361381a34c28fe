"""What trust costs: 10,000 verifications by 10 signers, with a CRL of 100,000 entries.

Each side runs in a process of its own, in turns, and everything counts: imports, reading anchors
and CRL, the decisions, the verifications. Ten files, one of each signer, are verified in rotation,
so they come from the page cache: the worst case for a ratio.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, public, workloads
from .measure import say

SIGNERS = 10
ENTRIES = 100_000
FILES = ("ct", "sr_small")
SIDES = ("integrity", "trust")


def run(rounds: int, verifications: int = 10_000) -> dict[str, Any]:
    """For each kind of file: seconds of either side, their ratio, and how trust's are spent."""
    results = {}
    for kind in FILES:
        folder = make(kind)
        say(f"trust: {verifications:,} verifications of {kind}")
        took: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for number in range(rounds):
            for side in SIDES if number % 2 else SIDES[::-1]:
                took[side].append(_spawn(side, folder, verifications))
        medians = {
            side: {part: statistics.median(one[part] for one in some) for part in some[0]}
            for side, some in took.items()
        }
        pairs = list(zip(took["integrity"], took["trust"], strict=True))
        ratios = {
            part: statistics.median(trust[part] / integrity[part] for integrity, trust in pairs)
            for part in ("seconds", "cpu")
        }
        results[kind] = {
            "verifications": verifications,
            "rounds": rounds,
            "bytes": (folder / "0.dcm").stat().st_size,
            "sides": medians,
            "ratios": ratios,
        }
    return {"signers": SIGNERS, "entries": ENTRIES, "files": results}


def make(kind: str) -> Path:
    """The folder with anchor, CRL, and a file of each signer; made if it is not cached."""
    target = cache() / f"trust-{workloads.GENERATION}-{kind}"
    if target.exists():
        return target
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    say(f"making a CRL of {ENTRIES:,} entries and {SIGNERS} signers")
    partial = target.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    now = datetime.datetime.now(datetime.UTC)
    years = datetime.timedelta(days=3650)
    pem = serialization.Encoding.PEM

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def certify(key: Any, subject: str, issuer_key: Any, ca: bool) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Bench CA"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - years)
            .not_valid_after(now + years)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        return builder.sign(issuer_key, hashes.SHA256())

    ca_key = rsa.generate_private_key(65537, 2048)
    ca = certify(ca_key, "Bench CA", ca_key, True)
    (partial / "ca.pem").write_bytes(ca.public_bytes(pem))
    rng = random.Random(workloads.SEED)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(now - datetime.timedelta(days=1))
        .next_update(now + years)
    )
    # added one by one, each would copy all before it
    builder._revoked_certificates = [  # type: ignore[attr-defined]
        x509.RevokedCertificateBuilder()
        .serial_number(rng.getrandbits(150))
        .revocation_date(now - datetime.timedelta(days=30))
        .build()
        for _ in range(ENTRIES)
    ]
    crl = builder.sign(ca_key, hashes.SHA256())
    (partial / "ca.crl").write_bytes(crl.public_bytes(serialization.Encoding.DER))
    plain = partial / "plain.dcm"
    if kind == "ct":
        workloads.ct(plain)
    else:
        workloads.WORKLOADS[kind](plain)
    for number in range(SIGNERS):
        key = rsa.generate_private_key(65537, 2048)
        signer = certify(key, f"Bench signer {number}", ca_key, False)
        public("sign_file")(plain, partial / f"{number}.dcm", key, signer, mac="SHA256")
    plain.unlink()
    os.replace(partial, target)
    return target


def _spawn(side: str, folder: Path, verifications: int) -> dict[str, float]:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.trust", side, str(folder), str(verifications)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(done.stderr.strip().splitlines()[-1] if done.stderr else "it failed")
    answer: dict[str, float] = json.loads(done.stdout)
    return {**answer, "process": time.perf_counter() - begin}


def _side(side: str, folder: Path, verifications: int) -> dict[str, float]:
    """One side, in this process: all seconds, of the CPU, until ten files are done, the rest."""
    begin, used = time.perf_counter(), time.process_time()
    from dicomseal.verification.options import Options
    from dicomseal.verification.verifier import verify_with

    if side == "trust":
        from dicomseal.policy import DEFAULT
        from dicomseal.trust.store import TrustStore

        store = TrustStore.from_files(
            folder / "ca.pem", crls=[folder / "ca.crl"], policy=DEFAULT.but(revocation="require")
        )
        options = Options(trust=store)
    else:
        options = Options(integrity_only=True)
    paths = [str(folder / f"{number}.dcm") for number in range(SIGNERS)]
    first = 0.0
    for number in range(verifications):
        report = verify_with(paths[number % SIGNERS], options)
        if report.verdict != "passed":
            raise SystemExit(f"{report.verdict}: {report.sentence()}")
        if number == SIGNERS - 1:
            first = time.perf_counter() - begin
    seconds = time.perf_counter() - begin
    cpu = time.process_time() - used
    return {"seconds": seconds, "cpu": cpu, "first": first, "rest": seconds - first}


if __name__ == "__main__":
    print(json.dumps(_side(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))

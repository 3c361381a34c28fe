"""What `archive verify --poe-ledger` costs: reading a large ledger, its memory, and a look-up.

    python -m bench.poe 1000000

A ledger of so many made-up objects is written, then audited and made ready as a proof of existence.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta

from dicomseal.archive.ledger import proof_of_existence
from dicomseal.archive.ledger.hash_chain import of_end
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.rows import Row, SignatureRow, pack
from dicomseal.report import CertificateInfo

BATCH = 64
NOW = datetime.now(UTC)
SIGNER = CertificateInfo(
    "CN=Made up", "CN=Made up", "1", "0" * 64, "RSA 2048",
    (NOW - timedelta(days=1)).isoformat(), (NOW + timedelta(days=1)).isoformat(),
)  # fmt: skip


def digest(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def row(number: int) -> Row:
    one = digest(number)
    signature = SignatureRow(
        "", f"2.25.{number}", NOW.isoformat(), "intact", "trusted", "SHA256", "", "",
        NOW.isoformat(), "validation", "", "", "", one, one, one[:16], SIGNER,
    )  # fmt: skip
    return Row(f"/archive/{number // 500}/{number}.dcm", 526_000, 0, "1.2.840.10008.5.1.4.1.1.2",
               f"2.25.{number}", "CT", b"", "passed", "", "", "", 0.0, (signature,))  # fmt: skip


def memory() -> float:
    """The most this process has used so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, own = os.path.join(folder, "old.db"), os.path.join(folder, "new.db")
        with Ledger(path, create=True) as ledger:
            ledger.db.execute("PRAGMA synchronous=OFF")
            run = ledger.begin('{"version": "0"}')
            head = run.head
            for batch, first in enumerate(range(0, count, BATCH), 1):
                rows = [row(n) for n in range(first, min(first + BATCH, count))]
                head = ledger.append(run.number, batch, head, pack(rows)).head
            ledger.end(run.number, of_end(head, 0.0, "{}"), "{}", 0.0)
        print(f"{count:,} objects, {os.path.getsize(path) / count:,.0f} bytes each in the ledger")
        Ledger(own, create=True).close()
        before, start = memory(), time.perf_counter()
        wanted = proof_of_existence.Wanted((path,))
        with proof_of_existence.proof_index(wanted, own, None) as (proven, said):
            seconds = time.perf_counter() - start
            print(f"audited and sorted in {seconds:,.1f} s, {count / seconds:,.0f} a second")
            print(f"memory {before:,.0f} MB before, {memory():,.0f} MB at most; {said[0][-20:]}")
            size = os.path.getsize(proof_of_existence.place(own))
            print(f"{size / count:,.0f} bytes each in the file of proofs")
            chance = random.Random(7)
            some = [digest(chance.randrange(2 * count)) for _ in range(10_000)]
            start = time.perf_counter()
            found = sum(proven.of(one) is not None for one in some)
            each = (time.perf_counter() - start) / len(some)
            print(f"a look-up takes {each * 1e6:,.1f} microseconds; {found:,} of 10,000 found")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

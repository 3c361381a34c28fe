"""What `archive report` costs on a large ledger in which everything fails: seconds and memory.

    python -m bench.ledger_report 1000000 [LEDGER]

A ledger of two runs over so many made-up objects is written (or the named one is taken, if it is
there): in the first all pass, in the second all fail, each for another hash, by a tenth as many
signers as there are folders. Each report is written by a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta

from dicomseal.archive.find.selection import RunRequest, Selection, as_json
from dicomseal.archive.ledger.hash_chain import of_end
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.rows import Row, SignatureRow, pack
from dicomseal.archive.run.progress import Totals
from dicomseal.report import CertificateInfo

BATCH = 256
NOW = datetime.now(UTC)


def signer(number: int) -> CertificateInfo:
    return CertificateInfo(
        f"CN=Scanner {number}", "CN=Made up", "1", hashlib.sha256(b"%d" % number).hexdigest(),
        "RSA 2048", (NOW - timedelta(days=1)).isoformat(),
        (NOW + timedelta(days=1 + number)).isoformat(),
    )  # fmt: skip


def row(number: int, passes: bool) -> Row:
    one = hashlib.sha256(number.to_bytes(8, "big")).digest()
    folder = number // 500
    sentence = (
        f"the signed content is not the present one: its SHA256 was {one.hex()} and is "
        f"{one[::-1].hex()}; `dicomseal explain FILE` shows how the content was changed"
    )
    why = ("", "") if passes else ("HASH_FAILURE", sentence)
    signature = SignatureRow(
        "", f"2.25.{number}", NOW.isoformat(), "intact" if passes else "altered", "trusted",
        "SHA256", *why, NOW.isoformat(), "validation", "", "", "", one, one, one[:16],
        signer(folder // 10),
    )  # fmt: skip
    return Row(f"/archive/{folder}/{number}.dcm", 526_000, 0, "1.2.840.10008.5.1.4.1.1.2",
               f"2.25.{number}", "CT", b"", "passed" if passes else "failed", *why, why[0], 0, "",
               0.0, (signature,))  # fmt: skip


def make(path: str, count: int) -> None:
    """Write the ledger."""
    with Ledger(path, create=True) as ledger:
        ledger.db.execute("PRAGMA synchronous=OFF")
        head = ledger.head()
        for passes in (True, False):
            run = ledger.begin(as_json(RunRequest(selection=Selection(roots=("/archive",)))))
            head = run.head
            for batch, first in enumerate(range(0, count, BATCH), 1):
                rows = [row(n, passes) for n in range(first, min(first + BATCH, count))]
                head = ledger.append(run.number, batch, head, pack(rows)).head
            totals = as_json(Totals(files=count, bytes=count * 526_000))
            finished = time.time()
            ledger.end(run.number, of_end(head, finished, totals), totals, finished)


def measured(*arguments: str) -> None:
    """Run a report, and print its seconds, its processor time and the most memory that it had."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "dicomseal", "archive", *arguments],
                               stdout=subprocess.DEVNULL)  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    print(
        f"{' '.join(arguments[:1] + arguments[2:3]):<22} {seconds:>7,.1f} s, "
        f"{used.ru_utime + used.ru_stime:>7,.1f} s of a processor, {used.ru_maxrss / 1024:,.0f} MB"
    )


def main(count: int, path: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = path or os.path.join(folder, "ledger.db")
        if not os.path.exists(path):
            make(path, count)
        print(f"{count:,} objects, {os.path.getsize(path) / 1e6:,.0f} MB of ledger")
        page = os.path.join(folder, "report.html")
        measured("report", path, "--no-changes")
        measured("report", path)
        measured("report", path, "--html", page)
        for name in sorted(os.listdir(folder)):
            if name.startswith("report"):
                print(f"{name}: {os.path.getsize(os.path.join(folder, name)) / 1e6:,.1f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000,
         sys.argv[2] if len(sys.argv) > 2 else None)  # fmt: skip

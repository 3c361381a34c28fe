"""What a verification adds to the memory of its process, at the peak.

The kernel's own mark is used: VmHWM is set back (proc(5), clear_refs), the file is verified, and
the mark is read. It counts all resident pages, so anonymous memory is at most what it says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, public, workloads
from .measure import say

LIMIT = 64 << 20


def run() -> dict[str, Any]:
    """Added bytes for the 4 GiB file and for a million elements; each must stay below `LIMIT`."""
    small = workloads.make("sr_small")
    cases = {
        "sparse 4 GiB": workloads.sparse,
        "1,000,000 elements": workloads.family("elements")[-1][1],
        "multiframe": lambda: workloads.make("multiframe"),
    }
    results = {}
    for name, make in cases.items():
        say(f"memory: {name}")
        path = make()
        command = [sys.executable, "-m", "bench.memory", str(small), str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            results[name] = {"error": reason}
            continue
        answer = json.loads(done.stdout)
        results[name] = {**answer, "bytes": path.stat().st_size, "limit": LIMIT}
    return results


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise Unavailable(f"/proc/self/status has no {field}")


def _child(small: str, path: str) -> None:
    verify = public("verify")
    verify(small, integrity_only=True)  # everything is imported and every buffer is made
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", "utf-8")
    verdict = verify(path, integrity_only=True).verdict
    added = _status("VmHWM") - before
    print(json.dumps({"verdict": verdict, "before": before, "added": added}))


if __name__ == "__main__":
    _child(*sys.argv[1:])

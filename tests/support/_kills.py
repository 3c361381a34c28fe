"""Runs over an archive that are killed at any moment: what they go over, and how each ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pki
import pytest

SUPPORT = Path(__file__).parent
only_posix = pytest.mark.skipif(os.name != "posix", reason="forks, and kills with a signal")


def small_objects(folder, count, folders):
    """Many small objects in some folders."""
    data = pki.small()
    for number in range(count):
        path = folder / f"{number % folders}" / f"{number:03}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def told(program, job):
    """What a program of this folder tells of each try, how it ended in the second place.

    As many as the job wants were killed, and every other came to its end.
    """
    done = subprocess.run(
        [sys.executable, SUPPORT / program, json.dumps(job)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [ended for _, ended, _, _ in tries]
    assert set(ends) == {-signal.SIGKILL, 0}, done.stderr
    assert ends.count(-signal.SIGKILL) >= job["kills"]
    return tries

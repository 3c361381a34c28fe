"""How many processors this process may use: ``--jobs auto``."""

from __future__ import annotations

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def processors() -> int:
    """Return the number: those of the machine, or those that a container or a scheduler allows."""
    if hasattr(os, "sched_getaffinity"):  # a scheduler such as SLURM, or taskset
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _quota()
    return count if quota is None else max(min(count, math.ceil(quota)), 1)


def _quota() -> float | None:
    """Return the processors that the control group allows (Linux, version 2 or 1), if it does."""
    try:
        quota, period = (_GROUPS / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        try:
            quota = (_GROUPS / "cpu/cpu.cfs_quota_us").read_text("ascii")
            period = (_GROUPS / "cpu/cpu.cfs_period_us").read_text("ascii")
        except (OSError, ValueError):
            return None
    try:
        allowed = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return None
    return allowed if allowed > 0 else None

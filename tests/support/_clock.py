"""Tests under a faked clock (Debian's faketime): CI runs the fast ones four years ahead.

faketime moves the clock of a process and, through its environment, of those that it starts. It does
not move the times of files, which the kernel writes; nor waits for a moment of the clock.
"""

from __future__ import annotations

import os

import pytest

FAKED = {name: os.environ[name] for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED")
         if name in os.environ and "FAKETIME" in os.environ}  # fmt: skip


def preloading(library: object) -> dict[str, str]:
    """The environment of a process that loads a library first, under the same clock."""
    rest = [FAKED["LD_PRELOAD"]] if "LD_PRELOAD" in FAKED else []
    return {**os.environ, "LD_PRELOAD": " ".join([str(library), *rest])}


times_of_files = pytest.mark.skipif(
    bool(FAKED), reason="faketime moves the clock, and not the times of files"
)
waits = pytest.mark.skipif(bool(FAKED), reason="faketime moves the clock that a wait goes by")

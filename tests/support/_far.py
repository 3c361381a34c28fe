"""Files that are far away: the shim of `_slow_opens.c`, built, and its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from _clock import preloading

SOURCE = Path(__file__).with_name("_slow_opens.c")


def built(folder):
    """Return the library; None if there is no compiler, which CI has."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None and not os.environ.get("CI"):
        return None
    library = folder / "slow_opens.so"
    subprocess.run([compiler or "cc", "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"],
                   check=True)  # fmt: skip
    return library


def away(library, root, milliseconds=0):
    """Return the environment in which the files below a folder are far away."""
    return preloading(library) | {
        "SLOW_OPENS_MS": str(milliseconds), "SLOW_OPENS_UNDER": str(root),
    }  # fmt: skip

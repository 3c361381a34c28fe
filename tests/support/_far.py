"""Files that are far away: the shim of `_slow_opens.c`, built, and its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
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


def away(library, root, milliseconds=0, count=None):
    """Return the environment in which the files below a folder are far away.

    ``count`` is a file for how many of them are waited for at once; see `most_at_once`.
    """
    environment = preloading(library) | {
        "SLOW_OPENS_MS": str(milliseconds), "SLOW_OPENS_UNDER": str(root),
    }  # fmt: skip
    if count is not None:
        count.write_bytes(bytes(8))
        environment["SLOW_OPENS_COUNT"] = str(count)
    return environment


def most_at_once(count):
    """Return how many opens waited at once at most."""
    return int.from_bytes(count.read_bytes()[4:], sys.byteorder)


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library that `away` loads; a test without a C compiler is skipped."""
    library = built(tmp_path_factory.mktemp("shim"))
    if library is None:
        pytest.skip("there is no C compiler")
    return library

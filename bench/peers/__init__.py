"""DCMTK as a peer: the program of ours that uses its library, and its own command ``dcmsign``."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from .. import Unavailable, cache

SOURCE = Path(__file__).with_name("dcmtk_verify.cc")
_HEADERS = ("/usr/include", "/usr/local/include")
# What the program names itself; dcmdsig's own needs (OpenSSL, zlib, ICU) come with the shared
# libraries. `pkg-config dcmtk` would link all of DCMTK, which costs start-up time.
_LIBRARIES = ("-ldcmdsig", "-ldcmdata", "-loflog", "-lofstd", "-lcrypto")
_FLAGS = ("-std=c++17", "-O2", "-DNDEBUG", "-pthread")

# Seen with `dcmsign +d`, which writes down what DCMTK hashes: 1.6 MB of sr_large's 3.3 MB. A change
# to what is left out goes unnoticed, and a signature over all of it looks broken.
KNOWN_LIMIT = (
    "DCMTK 3.6.7 leaves out parts of nested sequences when its 16 KiB buffer fills in the middle "
    "of them, so it rejects a correct signature there, and its time is for less than the whole work"
)


def dcmtk_version() -> str:
    """The version of the headers, such as 3.6.7.

    Raises:
        Unavailable: they are not installed.
    """
    for folder in _HEADERS:
        config = Path(folder) / "dcmtk" / "config" / "osconfig.h"
        if (Path(folder) / "dcmtk" / "dcmsign" / "dcsignat.h").exists() and config.exists():
            found = re.search(r'PACKAGE_VERSION "([^"]+)"', config.read_text("utf-8", "replace"))
            return found[1] if found else "unknown"
    raise Unavailable("DCMTK in process needs its headers (apt-get install libdcmtk-dev)")


@functools.cache
def build() -> Path:
    """Compile the program into the cache, if it is missing or older than its source.

    Raises:
        Unavailable: no headers, no compiler, or it does not compile; the message says which.
    """
    version = dcmtk_version()
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        raise Unavailable("DCMTK in process needs a C++ compiler (apt-get install g++)")
    program = cache() / f"dcmtk_verify-{version}"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    command = [compiler, *_FLAGS, str(SOURCE), "-o", str(program), *_LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = "\n".join(done.stderr.splitlines()[:20])
        raise Unavailable(f"dcmtk_verify.cc does not compile:\n{lines}")
    return program


def dcmsign() -> str:
    """The path of the ``dcmsign`` command.

    Raises:
        Unavailable: it is not installed.
    """
    found = shutil.which("dcmsign")
    if not found:
        raise Unavailable("the dcmsign command is missing (apt-get install dcmtk)")
    return found


def dcmsign_version() -> str:
    """Such as ``v3.6.7``.

    Raises:
        Unavailable: it is not installed.
    """
    text = subprocess.run([dcmsign(), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"dcmsign (v\S+)", text.stdout)
    return found[1] if found else "unknown"

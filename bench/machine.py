"""What the figures were taken on: the machine and the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import ROOT, Unavailable, cache, peers

_PACKAGES = ("dicomseal", "cryptography", "pydicom", "Cython", "msgspec", "pyhanko-certvalidator")
_FLAGS = ("sha_ni", "avx2", "avx512f", "pclmulqdq")


def facts() -> dict[str, Any]:
    """Names and values, ready for JSON; what cannot be found out is None."""
    from cryptography.hazmat.backends.openssl import backend

    cpu, flags = _cpu()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": cpu,
        "cpu_flags": flags,
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": os.getloadavg()[0],
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "hashlib_openssl": ssl.OPENSSL_VERSION,
        "cryptography_openssl": backend.openssl_version_text(),
        "packages": {name: _package(name) for name in _PACKAGES},
        "dcmtk": _or_none(peers.dcmtk_version),
        "dcmsign": _or_none(peers.dcmsign_version),
        "commit": _commit(),
    }


def nameless(text: str) -> str:
    """The same without the folders of this machine, which messages of errors may name."""
    folders = {
        str(cache()): "CACHE",
        str(ROOT): ".",
        sys.prefix: "PREFIX",
        sys.base_prefix: "PREFIX",
        tempfile.gettempdir(): "TMP",
        str(Path.home()): "~",
    }
    for folder in sorted(folders, key=len, reverse=True):  # what lies in another goes first
        if folder not in ("/", "/usr", "/usr/local"):  # those name nobody
            text = text.replace(folder, folders[folder])
    return text


def _cpu() -> tuple[str | None, list[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor() or None, []
    lines = dict(
        (part.strip() for part in line.split(":", 1)) for line in text.splitlines() if ":" in line
    )
    known = lines.get("flags", "").split()
    return lines.get("model name"), [flag for flag in _FLAGS if flag in known]


def _package(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _or_none(question: Any) -> str | None:
    try:
        answer: str = question()
    except Unavailable:
        return None
    return answer


def _commit() -> str | None:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None

"""The start: what one call of the command takes, against Python and the imports it cannot avoid."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import Unavailable, workloads
from .measure import say, spread

IMPORTS = "import cryptography.x509, hashlib"
LABELS = {
    "verify": "`dicomseal verify --integrity-only ct.dcm`",
    "imports": f'`python -c "{IMPORTS}"`',
    "python": "`python -c pass`",
}


def run(rounds: int) -> dict[str, Any]:
    """Wall-clock seconds of each command, in turn, and the ratios to ``verify``.

    Raises:
        Unavailable: the command is not installed, or does not accept the file.
    """
    commands = {
        "verify": [_command(), "verify", "--integrity-only", workloads.make("ct").name],
        "imports": [sys.executable, "-c", IMPORTS],
        "python": [sys.executable, "-c", "pass"],
    }
    folder = workloads.make("ct").parent
    say("cold: the command and its imports")
    for command in commands.values():  # the bytecode is written, the files are in the page cache
        _seconds(command, folder)
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            samples[name].append(_seconds(command, folder))
    found = {name: spread(seconds) for name, seconds in samples.items()}
    whole = found["verify"]["median"]
    over = {name: whole / found[name]["median"] for name in commands if name != "verify"}
    return {"commands": found, "verify_over": over}


def _command() -> str:
    beside = Path(sys.executable).with_name("dicomseal")
    command = str(beside) if beside.exists() else shutil.which("dicomseal")
    if not command:
        raise Unavailable("the dicomseal command is missing (pip install -e .)")
    return command


def _seconds(command: list[str], folder: Path) -> float:
    # a development setting that would make Python compile what is not installed at every start
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        reason = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        name = " ".join([Path(command[0]).name, *command[1:]])
        raise Unavailable(f"{name}: exit code {done.returncode}: {reason}")
    return seconds

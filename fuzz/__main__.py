"""Fuzz a target for some time: ``python -m fuzz TARGET --seconds N``; docs/fuzzing.md.

The target runs in a process of its own, on a core that `build` compiled for it: with sanitizers,
with coverage (for atheris), or plain. Ends with 1 if there were finds, which lie in fuzz/finds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import CACHE, ROOT, build
from .registry import TARGETS

SANITIZER_OPTIONS = {
    # the interpreter never frees all it has, so leaks say nothing
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:abort_on_error=1",
    "PYTHONMALLOC": "malloc",  # so that the ends of Python's own buffers are guarded too
}
GRACE = 60  # seconds more than asked for, to start and to end


def environment(core: str, folder: Path) -> dict[str, str]:
    """What a process needs to run on a core."""
    variables = os.environ | {
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "DICOMSEAL_BACKEND": "cython",
    }
    if core.startswith("sanitize"):
        library = subprocess.run(
            ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        )
        variables |= SANITIZER_OPTIONS | {"LD_PRELOAD": library.stdout.strip()}
    return variables


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("input", nargs="*", type=Path, help="run only these inputs, e.g. finds")
    parser.add_argument("--core", choices=build.KINDS, default="plain")
    parser.add_argument("--folder", type=Path, help="a core that is built already")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--first", action="store_true", help="stop at the first find")
    parser.add_argument("--minimise", action="store_true", help="make the input smaller")
    options = parser.parse_intermixed_args()
    folder = options.folder or build.build(options.core, CACHE / "core" / options.core)
    name = f"{options.target}-{options.core}"
    (CACHE / f"{name}.stats").unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "fuzz.worker", options.target, "--seconds", str(options.seconds),
        "--seed", str(options.seed), "--name", name, *map(str, options.input),
    ]  # fmt: skip
    command += ["--guided"] if options.core == "coverage" else []
    command += ["--first"] if options.first else []
    command += ["--minimise"] if options.minimise else []
    began = time.monotonic()
    env = environment(options.core, folder.resolve())
    try:  # a loop in C never comes back to where its time is looked at
        code = subprocess.run(
            command, env=env, check=False, timeout=options.seconds + GRACE
        ).returncode
    except subprocess.TimeoutExpired:
        code = -signal.SIGKILL
    return code if options.input else summary(name, code, time.monotonic() - began)


def summary(name: str, code: int, seconds: float) -> int:
    """Print what a run has seen; 1 if there was anything."""
    from .engine import crashed

    path = CACHE / f"{name}.stats"
    stats = json.loads(path.read_text("utf-8")) if path.exists() else {"executions": 0, "finds": 0}
    if code and not (code == 1 and stats["finds"]):  # the latter: stopped at the first find
        stats["finds"] += 1
        print(f"the process ended with {code}; its input: {crashed(name)}")
    rate = stats["executions"] / seconds
    print(f"{name}: {stats['executions']} executions, {rate:.0f} a second, {json.dumps(stats)}")
    return 1 if stats["finds"] or not stats["executions"] else 0


if __name__ == "__main__":
    raise SystemExit(main())

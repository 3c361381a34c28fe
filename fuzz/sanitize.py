"""The tests and a short fuzz with sanitizers: ``python -m fuzz.sanitize --seconds N``.

The tests run on the core as it is, the targets on one with small buffers (see `build`). The first
error of AddressSanitizer or UndefinedBehaviorSanitizer ends the process, and so the run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from . import CACHE, ROOT
from .__main__ import environment
from .build import build

TESTS = (
    "test_canonical.py", "encoding/test_encodings.py", "encoding/test_index.py",
    "encoding/test_index_malformed.py",
    "encoding/test_index_limits.py", "encoding/test_from_pydicom.py",
    "encoding/test_dataset_properties.py", "encoding/test_dataset_hostile.py",
    "encoding/test_fuzz_finds.py", "encoding/test_properties.py",
    "verification/test_verifier_broken.py", "verification/test_attacks.py",
    "files/test_opener.py", "archive/test_openings.py",
)  # fmt: skip
TARGETS = ("twins", "index", "encoder", "verify", "remove")
# so that a run with another core in use is not mistaken for one with sanitizers
PROOF = """
import sys, dicomseal.encoding._index_c as c, dicomseal.encoding._encoder_c as e
assert c.__file__.startswith(sys.argv[1]) and e.__file__.startswith(sys.argv[1]), c.__file__
assert "libasan" in open("/proc/self/maps").read()
"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.sanitize", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    options = parser.parse_args()
    full = build("sanitize-full", CACHE / "core" / "sanitize-full")
    env = environment("sanitize-full", full)
    tests = [f"tests/{name}" for name in TESTS]
    for command in (
        [sys.executable, "-c", PROOF, str(full)],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *tests],
    ):
        if subprocess.run(command, env=env, cwd=ROOT, check=False).returncode:
            return 1
    small = build("sanitize", CACHE / "core" / "sanitize")
    failed = 0
    for target in TARGETS:
        failed |= subprocess.run(
            [sys.executable, "-m", "fuzz", target, "--core", "sanitize", "--folder", str(small),
             "--seconds", str(options.seconds / len(TARGETS))],
            cwd=ROOT, check=False,
        ).returncode  # fmt: skip
    return failed


if __name__ == "__main__":
    raise SystemExit(main())

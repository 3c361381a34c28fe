"""Break the compiled core on purpose and see whether fuzzing notices: ``python -m fuzz.mutants``.

Each mutant is one change to a copy of the Cython sources. It is built, and the targets run on it
with plain Python (no coverage) until one of them has a find. What is not found says where the
targets are blind.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from . import CACHE, ROOT
from .build import build
from .registry import TARGETS


class Mutant(NamedTuple):
    """One change: text that stands once in ext/dicomseal, and its replacement."""

    old: str
    new: str


MUTANTS = (
    # the stride
    Mutant("if length & 1 or end > stop:  #", "if end > stop:  #"),
    Mutant("if length & 1 or end > stop:  #", "if length & 1 or end > stop + 1:  #"),
    Mutant("if <int64_t> tag <= top.last or not", "if <int64_t> tag < top.last or not"),
    Mutant("if stop - position < 12 or p[6] | p[7]:\n", "if stop - position < 12:\n"),
    Mutant("or p[6] | p[7] or tag == TAG_SIGNATURES", "or p[6] | p[7]"),
    Mutant("if stop - position < 8 or position + 12 > ready or", "if position + 12 > ready or"),
    Mutant("if end > stop or opened // 2 >= self._depth:", "if end > stop:"),
    Mutant("not known & VR_KNOWN or vr == VR_UN:\n", "not known & VR_KNOWN:\n"),
    # the walk
    Mutant("if stop > top.stop:\n                return",
           "if stop > top.stop + 8:\n                return"),
    Mutant("or end > top.stop:\n            return self._fail(OVERRUN",
           "or end > top.stop + 2:\n            return self._fail(OVERRUN"),
    Mutant("if end > top.stop:\n            return self._fail(CUT_VALUE",
           "if end > top.stop + 1:\n            return self._fail(CUT_VALUE"),
    Mutant("if top.stop - start < 12:\n", "if top.stop - start < 10:\n"),
    Mutant("bits |= UNKNOWN_VR  #", "bits |= REWRITE  #"),
    Mutant("return self._enter(position, length, True, False)",
           "return self._enter(position, length, True, swapped)"),
    Mutant("self._note(ODD_ORDER if tag < top.last else ODD_DUPLICATE, tag)",
           "self._note(ODD_DUPLICATE if tag < top.last else ODD_ORDER, tag)"),
    Mutant("if rec.bits & UNKNOWN_VR:\n                    return\n", ""),
    Mutant("self._not_zero = position + i + 1", "self._not_zero = position + i + 2"),
    Mutant("FRAGMENT | (REWRITE if length & 1 else 0)", "FRAGMENT"),
    # windows
    Mutant("or position + length > self._window_at + self._window_used):",
           "or position + length > self._window_at + self._window_used + 1):"),
    Mutant("if position > self._window_at + self._window_used and length < GLANCE:",
           "if position > self._window_at + self._window_used:"),
    Mutant("piece = min(<uint64_t> piece, ready - start)",
           "piece = min(<uint64_t> piece, ready - start + 1)"),
    Mutant("if self.index._window_at <= start < ready:", "if start < ready:"),
    # implicit VR
    Mutant("self._hints.get((rec.parent, TAG_LUT_DESCRIPTOR)) == 1:",
           "self._hints.get((rec.parent, TAG_LUT_DESCRIPTOR)) == 2:"),
    Mutant('if kind == "lt" and rec.end - content(rec) > 0xFFFE:',
           'if kind == "lt" and False:'),
    Mutant("0x10 <= rec.tag & 0xFFFF <= 0xFF:", "0x11 <= rec.tag & 0xFFFF <= 0xFF:"),
    Mutant("if vrs[2 * i] == 111:  #", "if vrs[2 * i] == 110:  #"),
    # the stream
    Mutant("if self.native and not rec.bits & REWRITE:", "if self.native:"),
    Mutant("if self.index._inside_unknown(scope):", "if False:"),
    Mutant("if self.swapped and width > 1:", "if self.swapped and width > 2:"),
    Mutant("and self.encoder.used <= BLOCK - SHORT_RUN:", "and self.encoder.used <= BLOCK:"),
    Mutant("if self.used > BLOCK - 12:", "if self.used > BLOCK:"),
    Mutant("if not (low < n and wanted[low] == tag):  #", "if low == 0:  #"),
    Mutant("start + SHORT_RUN <= self.index._length", "start <= self.index._length"),
    Mutant("elif not signable(rec.tag):\n                number",
           "elif False:\n                number"),
    Mutant("if listed and not recs[number].bits & UNKNOWN_VR:", "if listed:"),
    Mutant("if (rec.end - content(rec)) & 1:", "if False:"),
    Mutant("or position + 12 > ready or", "or position + 8 > ready or"),
    # the encoder
    Mutant("if length > BLOCK - self.used:", "if length > BLOCK - self.used + 1:"),
    Mutant("if BLOCK - self.used < width:", "if BLOCK - self.used < 1:"),
    Mutant("elif length <= 0xFFFF:", "elif length <= 0x1FFFF:"),
    Mutant("and tag != 0x7FE00010U and", "and"),
    Mutant("if self.used > BLOCK - 8:", "if self.used > BLOCK - 7:"),
    Mutant("or tag == 0x00080001U", ""),
)  # fmt: skip
ORDER = ("twins", "encoder", "index")


def apply(mutant: Mutant, folder: Path) -> Path:
    """A copy of the sources with the change made; the old text must be there exactly once."""
    shutil.copytree(ROOT / "ext", folder, dirs_exist_ok=True)
    texts = {path: path.read_text("utf-8") for path in sorted(folder.glob("dicomseal/*/*.p*"))}
    found = [path for path, text in texts.items() for _ in range(text.count(mutant.old))]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} times {mutant.old!r}")
    found[0].write_text(texts[found[0]].replace(mutant.old, mutant.new), "utf-8")
    return folder


def hunt(core: Path, kind: str, seconds: float) -> str:
    """Which target finds a mutant within so many seconds for all targets, and when; or ""."""
    began = time.monotonic()
    for target in ORDER:
        share = seconds * (0.6 if target == ORDER[0] else 0.2)
        command = [
            sys.executable, "-m", "fuzz", target, "--core", kind, "--folder", str(core),
            "--seconds", str(share), "--first",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode == 1:
            how = "crash or hang" if "the process ended" in done.stdout else "difference"
            return f"{target}: {how} after {time.monotonic() - began:.0f} s"
        if done.returncode:
            raise SystemExit(done.stderr)
    return ""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.mutants", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each mutant")
    parser.add_argument("--core", choices=("plain", "sanitize"), default="plain")
    parser.add_argument("--only", type=int, action="append", help="these numbers (repeat)")
    options = parser.parse_args()
    assert set(ORDER) <= set(TARGETS)
    found = {}
    for number, mutant in enumerate(MUTANTS):
        if options.only and number not in options.only:
            continue
        with tempfile.TemporaryDirectory(prefix="dicomseal-mutant-") as folder:
            core = build(options.core, Path(folder, "core"), apply(mutant, Path(folder, "ext")))
            found[number] = hunt(core, options.core, options.seconds)
        said = found[number] or "NOT FOUND"
        print(f"{number:2} {mutant.old!r} -> {mutant.new!r}: {said}", flush=True)
    caught = sum(map(bool, found.values()))
    print(f"{caught} of {len(found)} mutants found")
    (CACHE / "mutants.json").write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

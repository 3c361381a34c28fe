"""Compile the core for fuzzing: ``python -m fuzz.build KIND FOLDER``.

The folder gets a copy of the package with its own extension modules; put it on PYTHONPATH. Nothing
of the normal build is touched. Kinds:

* ``plain``: as installed, but with small buffers;
* ``sanitize``: gcc with AddressSanitizer and UndefinedBehaviorSanitizer, which end the process;
* ``coverage``: clang with the counters that libFuzzer reads, for atheris.

Small buffers: windows and blocks of some dozen bytes in place of 64 KiB. The bugs are where an
element crosses the end of one, and inputs of 200 bytes only get there if they are small.
``sanitize-full`` keeps the real sizes, for the test suite.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from . import ROOT

SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
KINDS = {
    "plain": ("cc", "-O1"),
    "sanitize": ("gcc", f"-O1 -g {SANITIZERS}"),
    "sanitize-full": ("gcc", f"-O1 -g {SANITIZERS}"),
    "coverage": ("clang", "-O1 -g -fsanitize=fuzzer-no-link"),
}
# what is read at once (a creator's 64 bytes) must fit a window; a run of 64 bytes must fit a block
SMALL = {
    "encoding/_records.pxi": {"WINDOW": 96, "GLANCE": 16},
    "encoding/_encoder_c.pxd": {"BLOCK": 128},
    "encoding/_encoder_c.pyx": {"DIRECT": 48},
    "encoding/_dataset_c.pyx": {"DIRECT": 48, "STAYS": 64, "ENOUGH": 64, "CHUNK": 16},
}
MODULES = (
    "encoding._encoder_c", "encoding._index_c", "encoding._dataset_c", "files._file_c",
    "files._opener_c",
)  # fmt: skip


def shrink(source: Path) -> None:
    """Make the buffers small; each constant must be found exactly once."""
    for name, sizes in SMALL.items():
        path = source / "dicomseal" / name
        text = path.read_text("utf-8")
        for constant, size in sizes.items():
            text, found = re.subn(rf"(?m)^(    {constant} = )\d+", rf"\g<1>{size}", text)
            if found != 1:
                raise SystemExit(f"{name}: {constant} is there {found} times; adapt fuzz/build.py")
        path.write_text(text, "utf-8")


def compiler(kind: str) -> str:
    """The compiler of a kind; Debian's clang has its version in its name."""
    wanted = KINDS[kind][0]
    candidates = [wanted, *(f"{wanted}-{n}" for n in range(22, 13, -1))]
    found = next((path for name in candidates if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit(f"{wanted} is not here; on Debian: apt-get install {wanted}")
    return found


def runtime(kind: str) -> list[str]:
    """What to link with: atheris brings libFuzzer, and keeps its symbols to itself."""
    if kind != "coverage":
        return []
    found = importlib.util.find_spec("atheris")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("atheris is not here: pip install --group fuzz")
    (core,) = Path(found.submodule_search_locations[0]).glob("core_with_libfuzzer*.so")
    return [str(core)]


def build(kind: str, folder: Path, sources: Path = ROOT / "ext") -> Path:
    """Build into a folder and return it.

    Args:
        kind: a key of `KINDS`.
        folder: is emptied first.
        sources: where the folder ``dicomseal`` with the Cython sources is.
    """
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "ext"
    shutil.copytree(sources, source)
    shutil.copytree(
        ROOT / "src" / "dicomseal", folder / "dicomseal",
        ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"),
    )  # fmt: skip
    if not kind.endswith("-full"):
        shrink(source)
    flags = shlex.split(KINDS[kind][1])
    for module in MODULES:
        place = Path("dicomseal", *module.split("."))
        pyx = (source / place).with_suffix(".pyx")
        run(sys.executable, "-m", "cython", "-3", "--module-name", f"dicomseal.{module}",
            "-I", source, pyx)  # fmt: skip
        target = folder / f"{place}{sysconfig.get_config_var('EXT_SUFFIX')}"
        include = f"-I{sysconfig.get_path('include')}"
        run(compiler(kind), "-shared", "-fPIC", "-w", *flags, include,
            pyx.with_suffix(".c"), *runtime(kind), "-o", target)  # fmt: skip
    return folder


def run(*command: object) -> None:
    """Run a step of the build; what it says is shown if it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{shlex.join(map(str, command))}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        raise SystemExit(f"usage: python -m fuzz.build {'|'.join(KINDS)} FOLDER")
    build(sys.argv[1], Path(sys.argv[2]))

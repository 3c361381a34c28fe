"""Build the compiled twins. DICOMSEAL_PURE=1 builds without them; else a failing compiler fails."""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

MODULES = (
    "encoding._encoder_c",
    "encoding._index_c",
    "encoding._dataset_c",
    "files._file_c",
)
LINUX = ("files._opener_c",)
PURE = os.environ.get("DICOMSEAL_PURE", "") not in ("", "0")


class BuildPy(build_py):
    """Leaves a mark in a pure build, so that a missing extension is an error everywhere else."""

    def run(self):
        super().run()
        root = Path("src" if self.editable_mode else self.build_lib)
        mark = root / "dicomseal" / "_pure_build"
        if PURE:
            mark.write_text("built with DICOMSEAL_PURE=1\n")
        else:
            mark.unlink(missing_ok=True)


def extensions():
    if PURE:
        return []
    from Cython.Build import cythonize

    compile_args = [] if sys.platform == "win32" else ["-O3"]
    return cythonize(
        [
            Extension(
                f"dicomseal.{name}",
                [f"ext/dicomseal/{name.replace('.', '/')}.pyx"],
                extra_compile_args=compile_args,
            )
            for name in MODULES + (LINUX if sys.platform == "linux" else ())
        ],
        include_path=["ext"],
        build_dir="build/cython",
        compiler_directives={"language_level": 3},
    )


setup(ext_modules=extensions(), cmdclass={"build_py": BuildPy})

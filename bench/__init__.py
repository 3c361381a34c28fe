"""Benchmarks of dicomseal against a floor and against its peers; run them with ``python -m bench``.

What is compared, and on what, stands in `contenders` and `workloads`; how time is taken, in
`measure`. Nothing here is part of the installed package.
"""

from __future__ import annotations

import compileall
import os
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"


def cache() -> Path:
    """The folder for generated files and compiled peers: $DICOMSEAL_BENCH_DIR or bench/.cache."""
    folder = Path(os.environ.get("DICOMSEAL_BENCH_DIR") or HERE / ".cache")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_modules() -> None:
    """Compile the modules of the package, as pip does when it installs them.

    A checkout has no bytecode until it was used, and never any where $PYTHONDONTWRITEBYTECODE is
    set: then each command compiles all that it imports, which is a third of its start.
    """
    compileall.compile_dir(ROOT / "src", quiet=1)


class Unavailable(Exception):  # noqa: N818
    """A contender or tool is not here; the message says which, and how to get it."""


def public(name: str) -> Any:
    """A public name of dicomseal, imported when it is asked for.

    Raises:
        Unavailable: this checkout does not have it, or cannot import it.
    """
    try:
        import dicomseal

        return getattr(dicomseal, name)
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"dicomseal.{name} is missing: {error}") from error

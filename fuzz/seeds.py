"""The seed corpus, made from what is there: ``python -m fuzz.seeds`` (the runs make it as well).

Raw data sets come from the bytes that the tests write by hand, and from the data sets of small
files. Files come from pydicom's test files and from those that dcmsign signed (tests/data); the
former are signed here, with keys that are made once for a cache. So are the originals of the
differential test, and what its builders make of them: objects that hold a second data set.
"""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dicomseal import sign_file
from dicomseal.errors import DicomSealError

from . import CACHE, ROOT
from .forms import file_form

LARGEST = 9_000  # bytes of a seed; the runs are slower with larger ones
LARGEST_BUILT = 48_000  # a second data set mostly stands behind a length that says a VR as well
OF_EACH_BUILDER = 3
PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"


class Pair(NamedTuple):
    """A private key and a certificate for it that it signed itself."""

    key: Any
    certificate: x509.Certificate


def pair(kind: str) -> Pair:
    """A key of the cache: ``ec`` or ``rsa``; its certificate is also in KIND.pem there."""
    path = CACHE / f"{kind}.key"
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else None
        _write(path, key or rsa.generate_private_key(65537, 2048))
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(path.with_suffix(".pem").read_bytes())
    return Pair(key, certificate)


def _write(path: Path, key: Any) -> None:
    CACHE.mkdir(exist_ok=True)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Fuzz {path.stem}")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.with_suffix(".pem").write_bytes(certificate.public_bytes(pem))
    path.write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip


def plain_files() -> list[Path]:
    """Small files of pydicom's, unsigned."""
    found = sorted(p for p in PYDICOM.rglob("*") if p.suffix in (".dcm", "") and p.is_file())
    return [p for p in found if p.stat().st_size <= LARGEST and "README" not in p.name]


def vectors() -> list[Path]:
    """The files that dcmsign signed."""
    return sorted((ROOT / "tests" / "data" / "dcmsign").glob("*.dcm"))


def signed(folder: Path) -> None:
    """Our own signatures over small files: one, two, of an item, of some elements."""
    keys = [pair("ec"), pair("rsa")]
    for number, path in enumerate(plain_files()):
        target = folder / f"signed-{number:03}.dcm"
        tags = ["PatientName", "StudyDate", "PixelData"] if number % 3 == 0 else None
        try:
            sign_file(path, target, *keys[number % 2], tags=tags)
            if number % 4 == 0:
                sign_file(target, target, *keys[1 - number % 2])
        except DicomSealError:  # nothing to sign in it, or not readable
            target.unlink(missing_ok=True)


def written() -> list[bytes]:
    """Raw inputs from the tests' own bytes."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    try:
        import _write_stds as std  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    explicit = [
        value for name, value in vars(std).items()
        if isinstance(value, bytes) and name.isupper() and len(value) > 8
    ] + list(std.NEVER_HASHED.values())  # fmt: skip
    pixels = std.PIXEL_DATA_OB + std.UNDEFINED + std.OFFSET_TABLE + std.FRAGMENT + std.SEQUENCE_END
    nested = std.sequence(std.item(std.PATIENT_ID + std.sequence(std.item(std.PATIENT_NAME, True))))
    explicit += [std.MODALITY + nested + std.TEXT_VALUE + pixels, b"".join(explicit)]
    implicit = [std.H(value[0]) for value in std.IMPLICIT.values()]
    implicit += [
        std.H(std.CREATOR_GEMS_IDEN + std.PRIVATE_SL + std.PIXEL_REPRESENTATION[1])
        + std.H(std.SMALLEST_VALUE),
        std.sequence(std.item(std.FILE_IMPLICIT), std.H(std.REFERENCED_IMAGES_IMPLICIT)),
        # LUT Descriptor with one entry: then LUT Data are US
        std.H("2800 0230  06000000  010000001000" + std.IMPLICIT["LUT data"][0]),
        b"".join(implicit),
    ]
    big = [std.H(value[0]) for value in std.BIG_ENDIAN.values()]
    big += [std.FILE_BIG_ENDIAN, b"".join(big)]
    found = []
    for encoding, bodies in enumerate((explicit, implicit, big)):
        found += [bytes((encoding, 0, 0, 0)) + body for body in bodies]
        found += [bytes((encoding | 64, 7, 0, 0)) + body for body in bodies]
    return found


def built(folder: Path) -> None:
    """Mutants of the differential test: the first small ones of each of its builders."""
    from differential.run import Mutants

    mutants, found = Mutants(), Counter[str]()
    for number in range(40 * len(mutants.names)):
        mutant = mutants.make(number)
        if mutant and len(mutant.data) <= LARGEST_BUILT and found[mutant.builder] < OF_EACH_BUILDER:
            found[mutant.builder] += 1
            (folder / f"{mutant.builder}-{number}").write_bytes(mutant.data)


def make() -> None:
    """Write the corpora ``raw``, ``file`` and ``built`` into the cache, if they are not there."""
    raw, file, mutants = (CACHE / "seeds" / name for name in ("raw", "file", "built"))
    if (mutants / "done").exists():
        return
    from differential import originals

    for folder in (raw, file, mutants):
        folder.mkdir(parents=True, exist_ok=True)
    signed(file)
    for original in originals.load():
        (file / original.name).write_bytes(original.data)
    built(mutants)
    for path in [*plain_files(), *vectors()]:
        (file / f"{path.parent.name}-{path.stem}").write_bytes(path.read_bytes())
    for number, data in enumerate(written()):
        (raw / f"written-{number:03}").write_bytes(data)
    for path in sorted(file.iterdir()):
        form = file_form(path.read_bytes())
        (raw / path.name).write_bytes(bytes((form.encoding, 0, 0, 0)) + form.body[:3000])
    (mutants / "done").touch()


def load(kind: str) -> list[bytes]:
    """The inputs of a corpus, small ones first.

    Args:
        kind: ``raw``; ``file``; ``built``; ``object``, the two together; ``signed``, the files that
            are signed.
    """
    make()
    if kind == "signed":
        return [data for data in load("file") if b"\xfa\xff\xfa\xff" in data]
    if kind == "object":
        return sorted(load("file") + load("built"), key=len)
    folder = CACHE / "seeds" / kind
    return sorted((p.read_bytes() for p in folder.iterdir() if p.name != "done"), key=len)


if __name__ == "__main__":
    make()
    for kind in ("raw", "file", "built"):
        found = load(kind)
        print(f"{kind}: {len(found)} seeds, {sum(map(len, found))} bytes")

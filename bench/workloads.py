"""The files that are verified (DESIGN, section 6), from a seeded generator, signed and cached.

    ct          one CT slice, 512x512x16 bit, 530 KB, some 120 elements
    sr_small    pydicom's test-SR.dcm, 7 KB
    sr_large    a structured report with 20,000 content items: 240,000 elements, 4 MB
    multiframe  200 such slices in one file, 105 MB
    jpeg        1,000 fragments of about 10 KB, encapsulated
    archive     2,000 files: slices of two sizes (a third implicit VR), reports, encapsulated images

and families for how cost grows (elements, depth, bytes; signatures, MAC Parameters items and listed
tags, see `crowds`), and a 4 GiB file with a hole.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from . import cache, crowds, encode, signing
from .ct_header import header, image
from .encode import Writer

SEED = 20261122
GENERATION = 2  # a new number makes all files anew

ELEMENTS = tuple(10**n for n in range(3, 7))
DEPTHS = (1, 3, 10, 30, 100, 300, 1000)
BYTES = tuple(10**n for n in range(4, 10))
PER_LEVEL = 8  # content items beside the nested one at each depth


def ct(
    path: Path,
    instance: int = 1,
    rows: int = 512,
    implicit: bool = False,
    study: int | None = None,
) -> None:
    """One CT slice; the pixels are random, for they are hashed and never decoded.

    Without the number of a study each instance is of a study of its own.
    """
    w = Writer(implicit)
    rng = random.Random(SEED + instance)
    uid = _uid(rng if study is None else random.Random(SEED + study))
    elements = sorted(header(w, instance, uid, encode.CT_IMAGE) + image(w, rows, 16))
    pixels = w.element(0x7FE00010, "OW", rng.randbytes(2 * rows * rows))
    pieces = [*(data for _, data in elements), pixels]
    _write(path, encode.CT_IMAGE, f"{uid}.{instance}", pieces, implicit=implicit)


def multiframe(path: Path, frames: int = 200) -> None:
    """``frames`` CT slices in one native Pixel Data."""
    w = Writer()
    rng = random.Random(SEED)
    kind = encode.SECONDARY_CAPTURE_WORD
    uid = _uid(rng)
    elements = sorted(header(w, 1, uid, kind) + image(w, 512, 16, frames))
    pixels = [rng.randbytes(1 << 19) for _ in range(frames)]
    pieces = [*(data for _, data in elements), w.header(0x7FE00010, "OW", frames << 19), *pixels]
    _write(path, kind, f"{uid}.1", pieces)


def jpeg(path: Path, fragments: int = 1000, instance: int = 1) -> None:
    """Encapsulated frames, one fragment each, of 9 to 11 KB; they begin and end as JPEG images."""
    w = Writer()
    rng = random.Random(SEED + instance)
    kind = encode.SECONDARY_CAPTURE_BYTE
    uid = _uid(rng)
    elements = sorted(header(w, instance, uid, kind) + image(w, 512, 8, fragments))
    frames = [rng.randbytes(2 * rng.randint(4500, 5500)) for _ in range(fragments)]
    pixels = w.encapsulated([b"\xff\xd8\xff\xdb" + frame + b"\xff\xd9" for frame in frames])
    pieces = [*(data for _, data in elements), *pixels]
    _write(path, kind, f"{uid}.{instance}", pieces, syntax=encode.JPEG_BASELINE)


def report(path: Path, items: int, instance: int = 1, per_container: int = 199) -> None:
    """A structured report: containers of measurements, 12 elements for each measurement."""
    w = Writer()
    rng = random.Random(SEED + instance)
    full, rest = divmod(items, per_container + 1)
    sizes = [per_container] * full + ([rest - 1] if rest else [])
    content = [_container(w, [_measurement(w, rng) for _ in range(n)]) for n in sizes]
    _write_report(path, w, rng, content)


def elements(path: Path, count: int) -> None:
    """A structured report with ``count`` elements (up to the few of its head)."""
    w = Writer()
    rng = random.Random(SEED)
    _write_report(path, w, rng, [_measurement(w, rng) for _ in range(max(1, count // 12))])


def depth(path: Path, levels: int) -> None:
    """Containers in containers, each with `PER_LEVEL` measurements besides."""
    w = Writer()
    rng = random.Random(SEED)
    content: list[bytes] = []
    for _ in range(levels):
        content = [_container(w, [_measurement(w, rng) for _ in range(PER_LEVEL)] + content)]
    _write_report(path, w, rng, content)


def hollow(path: Path, size: int) -> None:
    """A signed multi-frame image with ``size`` bytes of zeros as its pixels, left as a hole."""
    w = Writer()
    kind = encode.SECONDARY_CAPTURE_WORD
    size &= ~1
    head = [
        (0x00080016, w.element(0x00080016, "UI", kind)),
        (0x00080018, w.element(0x00080018, "UI", f"2.25.{size}")),
        (0x00100010, w.element(0x00100010, "PN", "Example^Erika")),
        *image(w, 512, 16, max(1, size >> 19)),
    ]
    signing.write_signed(
        path,
        encode.meta(kind, f"2.25.{size}", encode.EXPLICIT),
        [data for _, data in head],
        [w.header(0x7FE00010, "OW", size), size],
        [*(tag for tag, _ in head), 0x7FE00010],
    )


def _uid(rng: random.Random) -> str:
    return f"2.25.{rng.getrandbits(96)}"


def _code(w: Writer, value: str, scheme: str, meaning: str) -> bytes:
    return (
        w.element(0x00080100, "SH", value)
        + w.element(0x00080102, "SH", scheme)
        + w.element(0x00080104, "LO", meaning)
    )


def _measurement(w: Writer, rng: random.Random) -> bytes:
    """A NUM content item: 12 elements (PS3.3 C.18.1)."""
    units = w.sequence(0x004008EA, [_code(w, "mm", "UCUM", "mm")])
    number = w.element(0x0040A30A, "DS", f"{rng.randrange(10**5) / 100:.2f}")
    return (
        w.element(0x0040A010, "CS", "CONTAINS")
        + w.element(0x0040A040, "CS", "NUM")
        + w.sequence(0x0040A043, [_code(w, "G-D705", "SRT", "Length")])
        + w.sequence(0x0040A300, [units + number])
    )


def _container(w: Writer, items: list[bytes]) -> bytes:
    return (
        w.element(0x0040A010, "CS", "CONTAINS")
        + w.element(0x0040A040, "CS", "CONTAINER")
        + w.sequence(0x0040A043, [_code(w, "121070", "DCM", "Findings")])
        + w.element(0x0040A050, "CS", "SEPARATE")
        + w.sequence(0x0040A730, items)
    )


def _write_report(path: Path, w: Writer, rng: random.Random, content: list[bytes]) -> None:
    uid = _uid(rng)
    head = [
        w.element(0x00080005, "CS", "ISO_IR 100"),
        w.element(0x00080016, "UI", encode.COMPREHENSIVE_SR),
        w.element(0x00080018, "UI", uid),
        w.element(0x00080020, "DA", "20260114"),
        w.element(0x00080023, "DA", "20260114"),
        w.element(0x00080060, "CS", "SR"),
        w.element(0x00100010, "PN", "Example^Erika^M"),
        w.element(0x00100020, "LO", "PID-004711"),
        w.element(0x0020000D, "UI", f"{uid}.1"),
        w.element(0x0020000E, "UI", f"{uid}.2"),
        w.element(0x0040A040, "CS", "CONTAINER"),
        w.sequence(0x0040A043, [_code(w, "126000", "DCM", "Imaging Measurement Report")]),
        w.element(0x0040A050, "CS", "SEPARATE"),
        w.element(0x0040A491, "CS", "COMPLETE"),
        w.element(0x0040A493, "CS", "UNVERIFIED"),
        w.sequence(0x0040A730, content),
    ]
    _write(path, encode.COMPREHENSIVE_SR, uid, head)


def _write(
    path: Path,
    kind: str,
    instance: str,
    pieces: list[bytes],
    *,
    implicit: bool = False,
    syntax: str = "",
) -> None:
    syntax = syntax or (encode.IMPLICIT if implicit else encode.EXPLICIT)
    with path.open("wb") as file:
        encode.write(file, [encode.meta(kind, instance, syntax), *pieces])


def _sr_small(path: Path) -> None:
    from pydicom.data import get_testdata_file

    shutil.copyfile(str(get_testdata_file("test-SR.dcm")), path)


WORKLOADS: dict[str, Callable[[Path], None]] = {
    "ct": ct,
    "sr_small": _sr_small,
    "sr_large": lambda path: report(path, 20_000),
    "jpeg": jpeg,
    "multiframe": multiframe,
}


def make(name: str) -> Path:
    """The signed file of a workload (for ``archive`` the folder), made if it is not cached."""
    if name == "archive":
        return archive()
    return signed(name, WORKLOADS[name])


def signed(name: str, build: Callable[[Path], None]) -> Path:
    """What ``build`` writes, signed, in the cache under ``name``."""
    target = cached(name)
    if not target.exists():
        plain, partial = target.with_suffix(".plain"), target.with_suffix(".part")
        build(plain)
        signing.sign(plain, partial)
        plain.unlink()
        os.replace(partial, target)
    return target


def archive(count: int = 2000) -> Path:
    """A folder with ``count`` signed files of mixed kinds, some 480 MB for 2,000."""
    target = _folder() / f"archive-{count}"
    partial = target.with_suffix(".part")
    if target.exists():
        return target
    partial.mkdir(exist_ok=True)
    for number in range(count):
        path = partial / f"{number:05}.dcm"
        if path.exists():
            continue
        plain, unfinished = _folder() / "archive.plain", _folder() / "archive.signed"
        _member(plain, number)
        signing.sign(plain, unfinished)
        os.replace(unfinished, path)
    (_folder() / "archive.plain").unlink(missing_ok=True)
    os.replace(partial, target)
    return target


def _member(path: Path, number: int) -> None:
    """Of 20 files 6 are large slices, 8 small ones, 4 reports, 2 encapsulated."""
    kind = number % 20
    if kind < 14:
        ct(path, number, rows=512 if kind < 6 else 256, implicit=kind in (0, 1, 6, 7, 8))
    elif kind < 18:
        report(path, 200, number)
    else:
        jpeg(path, 20, number)


def sparse(size: int = (4 << 30) - 4096) -> Path:
    """The file of just under 4 GiB that takes no room on disk: the most one Pixel Data can hold."""
    return hollow_file("sparse-4GiB", size)


def hollow_file(name: str, size: int) -> Path:
    """A cached file of `hollow`."""
    target = cached(name)
    if not target.exists():
        hollow(target, size)
    return target


CROWDS = {"signatures": crowds.SIGNATURES, "macs": crowds.MACS, "tags": crowds.TAGS}


def family(name: str) -> list[tuple[int, Callable[[], Path]]]:
    """(size, maker) of each member of a growth family; see `growth.FAMILIES`."""
    if name in CROWDS:
        return [(n, lambda n=n: _crowd(name, n)) for n in CROWDS[name]]
    if name == "bytes":
        return [(n, lambda n=n: hollow_file(f"bytes-{n}", n)) for n in BYTES]
    build, sizes = {"elements": (elements, ELEMENTS), "depth": (depth, DEPTHS)}[name]
    return [(n, lambda n=n: signed(f"{name}-{n}", lambda path: build(path, n))) for n in sizes]


def _crowd(name: str, count: int) -> Path:
    target = cached(f"{name}-{count}")
    if not target.exists():
        partial = target.with_suffix(".part")
        crowds.crowd(partial, **{name: count})
        os.replace(partial, target)
    return target


def cached(name: str) -> Path:
    """Where a file of that name is, or would be."""
    return _folder() / f"{name}.dcm"


def _folder() -> Path:
    folder = cache() / f"generation-{GENERATION}"
    folder.mkdir(exist_ok=True)
    return folder


def describe(path: Path) -> dict[str, int]:
    """How many files, bytes, and records (elements, items and fragments, at any depth)."""
    from dicomseal.files.reader import Reader

    files = sorted(path.iterdir()) if path.is_dir() else [path]
    reader = Reader()
    return {
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "records": sum(len(reader.open(file).index()) for file in files),
    }


if __name__ == "__main__":
    for _name in sys.argv[1:] or WORKLOADS:
        make(_name)

"""Deflated data sets: what comes out is right, and takes no more memory than is stated."""

from __future__ import annotations

import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from dicomseal import Limits, verify
from dicomseal.errors import MalformedError
from dicomseal.files import inflate as module
from dicomseal.files.inflate import inflate

MIB = 1 << 20


def packed(data: bytes, level: int = 9) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 4 * MIB, 4 * MIB + 1, 9 * MIB])
@pytest.mark.parametrize("behind", [b"", b"\0", b"12345678"], ids=len)
def test_what_comes_out(size, behind):
    """Also where a piece ends with the last bit that zlib had to read for it."""
    for data in (bytes(size), random.Random(size).randbytes(size)):
        stream = packed(data)
        assert inflate(stream + behind, size) == (data, behind)
        for cut in (stream[:-1], stream[: len(stream) // 2]):
            with pytest.raises(MalformedError, match="cut short"):
                inflate(cut, size)
        if size:
            with pytest.raises(MalformedError, match=f"more than {size - 1} bytes") as info:
                inflate(stream, size - 1)
            assert info.value.code == "limit"


def test_in_pieces_of_every_size(monkeypatch):
    data = random.Random(1).randbytes(300) + bytes(3000) + b"abc" * 500
    stream = packed(data)
    for taken in (*range(1, 40), len(stream) - 1, len(stream)):
        for given in (1, 7, 258, 4096):
            for at_once in (0, 1 << 20):
                monkeypatch.setattr(module, "_IN", taken)
                monkeypatch.setattr(module, "_OUT", given)
                monkeypatch.setattr(module, "_AT_ONCE", at_once)
                assert inflate(stream + b"x", len(data)) == (data, b"x")


def test_no_stream_hides_behind_padding():
    for behind in (bytes(70_000), bytes(70_000) + b"more"):
        with pytest.raises(MalformedError, match="not padding"):
            inflate(packed(b"data") + behind, 1 << 30)


def test_what_is_packed_is_limited_too(test_files):
    """Empty blocks inflate to nothing, as many as one likes."""
    path = Path(test_files, "image_dfl.dcm")
    report = verify(path, limits=Limits(inflated=1000))
    assert (report.verdict, report.error.code) == ("error", "limit")
    assert report.error.message == "the deflated data set has more than 1000 bytes"


_CHILD = """
import resource, struct, sys, zlib
import dicomseal

def peak():
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used << 10

count, limit = int(sys.argv[1]), int(sys.argv[2])
deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
parts = [deflater.compress(struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, count << 20))]
parts += [deflater.compress(bytes(1 << 20)) for _ in range(count)]
meta = b"\\x02\\0\\x10\\0UI\\x16\\x001.2.840.10008.1.2.1.99"
meta = b"\\x02\\0\\0\\0UL\\4\\0" + struct.pack("<L", len(meta)) + meta
data = bytes(128) + b"DICM" + meta + b"".join(parts) + deflater.flush()
before = peak()
made = dicomseal.verify(data, limits=dicomseal.Limits(inflated=limit))
print(len(data), made.verdict, made.error and made.error.code, peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX")
@pytest.mark.parametrize(
    ("mebibytes", "limit", "verdict", "most"),
    [(512, 600 * MIB, "unsigned", 600 * MIB), (512, 500 * MIB, "error", 64 * MIB)],
    ids=["below", "beyond"],
)
def test_memory(mebibytes, limit, verdict, most):
    """Half a megabyte inflates to 512 MiB: it was taken twice, also where it was refused."""
    arguments = [str(mebibytes), str(limit)]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, check=True
    )
    size, said, code, used = done.stdout.split()
    assert int(size) < MIB
    assert (said, code) == (verdict, "limit" if verdict == "error" else "None")
    assert int(used) < most

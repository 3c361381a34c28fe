"""The public calls of dicomseal.canonical: sources, hashers, tags, and which backend is in use."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zlib

import _write_stds as std
import pydicom
import pytest
import xxhash
from blake3 import blake3
from cryptography.hazmat.primitives import hashes
from pydicom import Dataset
from pydicom.data import get_testdata_file

from dicomseal import canonical
from dicomseal.encoding.limits import Limits
from dicomseal.errors import MalformedError, SourceError, UsageError
from dicomseal.files.part10 import Part10, gzip_trailer


class Recorder:
    """A hasher of one's own: it takes buffers that live during the call only."""

    def __init__(self) -> None:
        self.data = b""

    def update(self, piece):
        self.data += bytes(piece)


def hashed(source, tags=None):
    recorder = Recorder()
    canonical.update(recorder, source, tags)
    return recorder.data


def deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", std.FILES)
@pytest.mark.parametrize("prefix", ["preamble", "no preamble", "no transfer syntax", "nothing"])
def test_file(backend, tmp_path, name, prefix):
    meta, content = std.FILES[name]
    data = {
        "preamble": std.PREAMBLE + meta + content,
        "no preamble": meta + content,
        "no transfer syntax": std.PREAMBLE + std.META_WITHOUT_UID + content,
        "nothing": content,
    }[prefix]
    path = tmp_path / "file.dcm"
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data)):
        assert hashed(source) == std.FILE_EXPLICIT
    part10 = Part10.from_bytes(data)
    assert part10.stated == prefix.endswith("preamble")
    assert (part10.implicit, part10.big_endian) == (name == "implicit", name == "big endian")


@pytest.mark.parametrize("name", std.FILES)
@pytest.mark.parametrize("zeros", [1, 2, 7, 8, 9, 512, 100_001])
def test_trailing_zeros(backend, name, zeros):
    meta, content = std.FILES[name]
    data = std.PREAMBLE + meta + content + bytes(zeros)
    assert hashed(data) == std.FILE_EXPLICIT
    assert Part10.from_bytes(data).index().trailing == zeros


def test_bytes_that_are_not_zero_behind_the_zeros(backend):
    with pytest.raises(MalformedError):
        hashed(std.PREAMBLE + std.META_EXPLICIT + std.FILE_EXPLICIT + bytes(20) + b"\1")


@pytest.mark.parametrize(
    "trailer", [b"", b"\0", bytes(9), gzip_trailer(std.FILE_EXPLICIT)], ids=repr
)
def test_deflated(backend, trailer):
    """PS3.5 Annex A.5: perhaps a NUL behind it; some writers leave a checksum there."""
    data = std.PREAMBLE + std.META_DEFLATED + deflate(std.FILE_EXPLICIT) + trailer
    assert hashed(data) == std.FILE_EXPLICIT
    part10 = Part10.from_bytes(data)
    assert (part10.trailer, part10.start) == (trailer, 0)
    assert part10.head + part10.deflated == data


@pytest.mark.parametrize(
    ("tail", "code"),
    [(slice(None, -1), "truncated"), (slice(0, 0), "truncated"), (slice(2, None), "malformed")],
)
def test_deflated_and_damaged(backend, tail, code):
    data = std.PREAMBLE + std.META_DEFLATED + deflate(std.FILE_EXPLICIT)[tail]
    with pytest.raises(MalformedError) as info:
        hashed(data)
    assert info.value.code == code


def test_deflated_with_something_behind(backend):
    data = std.PREAMBLE + std.META_DEFLATED + deflate(std.FILE_EXPLICIT) + b"more"
    with pytest.raises(MalformedError, match="not padding"):
        hashed(data)


def test_inflation_is_limited():
    data = std.PREAMBLE + std.META_DEFLATED + deflate(std.FILE_EXPLICIT + bytes(1000))
    size = len(std.FILE_EXPLICIT) + 1000
    assert len(Part10.from_bytes(data, Limits(inflated=size)).source) == size
    with pytest.raises(MalformedError, match=f"more than {size - 1} bytes") as info:
        Part10.from_bytes(data, Limits(inflated=size - 1))
    assert info.value.code == "limit"


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"not DICOM at all", b"%PDF-1.4" * 30, bytes(200), std.PREAMBLE + b"\x02\x00\x10"],
)
def test_not_dicom(backend, data):
    with pytest.raises(MalformedError):
        hashed(data)


@pytest.mark.parametrize("source", [None, 3, 1.5, [1], io.StringIO("text")])
def test_not_a_source(backend, source):
    with pytest.raises(SourceError):
        hashed(source)


def test_file_that_is_not_there(backend, tmp_path):
    with pytest.raises(SourceError) as info:
        hashed(tmp_path / "missing.dcm")
    assert info.value.code == "not_found"
    with pytest.raises(SourceError, match="not a regular file"):
        hashed(tmp_path)


# --- hashers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RIPEMD160", "MD5", "SHA1", "SHA256", "SHA384", "SHA512"])
def test_digest(backend, algorithm):
    expected = hashlib.new(algorithm.lower(), std.FILE_EXPLICIT).digest()
    assert canonical.digest(std.FILE_IMPLICIT, algorithm=algorithm) == expected


@pytest.mark.parametrize("algorithm", ["sha256", "SHA-256", "SHA3", ""])
def test_digest_by_an_unknown_name(backend, algorithm):
    with pytest.raises(UsageError, match="the standard has RIPEMD160, MD5"):
        canonical.digest(std.FILE_EXPLICIT, algorithm=algorithm)


def test_any_hasher(backend):
    expected = hashlib.sha256(std.FILE_EXPLICIT).digest()
    ours, theirs = hashlib.sha256(), hashes.Hash(hashes.SHA256())
    canonical.update(ours, std.FILE_BIG_ENDIAN)
    canonical.update(theirs, std.FILE_BIG_ENDIAN)
    assert ours.digest() == theirs.finalize() == canonical.digest(std.FILE_EXPLICIT) == expected


@pytest.mark.parametrize(
    "new",
    [blake3, lambda: blake3(max_threads=blake3.AUTO), xxhash.xxh32, xxhash.xxh64,
     xxhash.xxh3_128],
    ids=["blake3", "blake3 in threads", "xxh32", "xxh64", "xxh3"],
)  # fmt: skip
def test_hashers_of_other_packages(backend, new):
    """Small pieces, large ones that are not copied, words that are swapped, items."""
    data_set = Dataset()
    data_set.PatientID, data_set.PixelData = "1234", bytes(range(250)) * 4000
    data_set["PixelData"].VR = "OW"
    data_set.ReferencedImageSequence = [Dataset(), Dataset()]
    for item in data_set.ReferencedImageSequence:
        item.ReferencedSOPInstanceUID = "1.2.3"
    big_endian = pydicom.dcmread(get_testdata_file("liver_expb_1frame.dcm"))
    for source in (data_set, big_endian, std.FILE_BIG_ENDIAN, get_testdata_file("CT_small.dcm")):
        ours, theirs = new(), new()
        canonical.update(ours, source)
        theirs.update(hashed(source))
        assert ours.digest() == theirs.digest() != new().digest()


def test_any_hasher_takes_large_values(backend):
    value = bytes(range(256)) * 1024
    content = std.FILE_EXPLICIT + std.PIXEL_DATA_OW + len(value).to_bytes(4, "little") + value
    theirs = hashes.Hash(hashes.SHA256())
    canonical.update(theirs, content)
    assert theirs.finalize() == hashlib.sha256(content).digest()


# --- tags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    ["PatientID", "0010,0020", "(0010,0020)", "00100020", " (0010,0020) ", 0x00100020],
)
def test_tags_in_every_form(backend, tag):
    assert hashed(std.FILE_IMPLICIT, [tag]) == std.PATIENT_ID
    assert hashed(std.FILE_IMPLICIT, iter([tag, tag])) == std.PATIENT_ID
    assert hashed(std.FILE_IMPLICIT, [tag, "Modality", "StudyID"]) == std.FILE_EXPLICIT
    data_set = Dataset()
    data_set.Modality, data_set.PatientID = "CT", "1234"
    assert hashed(data_set, [tag, "StudyID"]) == std.PATIENT_ID
    assert hashed(data_set) == std.FILE_EXPLICIT


@pytest.mark.parametrize("tag", ["PatientIdentity", "0010,00", "", -1, 1 << 32])
def test_tags_that_are_none(backend, tag):
    with pytest.raises(UsageError, match="not a tag"):
        hashed(std.FILE_EXPLICIT, [tag])


@pytest.mark.parametrize(
    "tag",
    ["0010,0000", "0008,0001", "0002,0010", "0006,0001", "FFFA,FFFA", "FFFA,0001", "4FFE,0001",
     "FFFC,FFFC", "FFFE,E00D", "0009,0000"],
)  # fmt: skip
def test_tag_that_can_never_be_signed(backend, tag):
    for source in (std.FILE_EXPLICIT, Dataset()):
        with pytest.raises(UsageError, match="can never be signed"):
            hashed(source, [tag, "PatientID"])


def test_listed_un(backend):
    with pytest.raises(UsageError, match=r"\(0009,1001\) is UN or cannot be known"):
        hashed(std.MODALITY + std.PRIVATE_UNKNOWN, ["0009,1001"])
    data_set = Dataset()
    data_set.add_new(0x00091001, "UN", b"\1\2\3\4")
    with pytest.raises(UsageError, match=r"\(0009,1001\) is UN or cannot be known"):
        hashed(data_set, ["0009,1001"])
    assert hashed(data_set) == b""


# --- the backend ---------------------------------------------------------------------------------


def run(backend_name):
    code = "from dicomseal import canonical as c; print(c.BACKEND, c.Index.__module__)"
    environment = {**os.environ, "DICOMSEAL_BACKEND": backend_name}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("name", "module"), [("python", "_index_py"), ("cython", "_index_c")])
def test_backend_by_environment(name, module, twins):
    assert run(name).stdout.split() == [name, f"dicomseal.encoding.{module}"]


def test_backend_by_default_is_the_compiled_one(twins):
    assert run("").stdout.split() == ["cython", "dicomseal.encoding._index_c"]


def test_backend_that_does_not_exist():
    process = run("rust")
    assert process.returncode == 1
    assert "BackendError: DICOMSEAL_BACKEND is 'rust'; it takes python or cython" in process.stderr

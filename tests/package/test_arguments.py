"""Whatever a public call is given, only `DicomSealError` leaves it, and names what was wrong."""

from __future__ import annotations

import array
import hashlib
import io
import os

import pki
import pydicom.data
import pytest

import dicomseal
from dicomseal import Limits, canonical
from dicomseal.errors import DicomSealError, UsageError

FILE = str(pydicom.data.get_testdata_file("CT_small.dcm"))
SOURCES = {
    "None": None,
    "int": 5,
    "list": [1],
    "type": int,
    "object": object(),
    "text file": io.StringIO("x"),
    "surrogate": "\udcff",
    "lone surrogate": "\ud800.dcm",
    "NUL": "a\0b",
    "empty path": "",
    "empty": b"",
    "strided": memoryview(b"123456")[::2],
    "doubles": array.array("d", [1.0]),
}
LIMITS = [5, Limits(records=-1), Limits(depth="x"), Limits(value=None), Limits(passes=1 << 80)]
TAGS = [5.0, object(), [None], ["x"], [object()], [1 << 40], [-1], [b"x"], [True]]
ITEMS = [[5], "x", "BeamSequence[x]", object()]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_sources(source):
    assert dicomseal.verify(source).verdict == "error"
    for read in (canonical.digest, dicomseal.dcmread):
        with pytest.raises(DicomSealError):
            read(source)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_limits(limits):
    for read in (dicomseal.verify, dicomseal.dcmread):
        with pytest.raises(UsageError, match="limit"):
            read(FILE, limits=limits)


@pytest.mark.parametrize(
    "options", [{"at": 5}, {"at": "now"}, {"trust": 5}, {"require": 5}, {"require": ["x"]}], ids=str
)
def test_options(options):
    for read in (dicomseal.verify, dicomseal.dcmread):
        with pytest.raises(UsageError):
            read(FILE, **options)


@pytest.mark.parametrize("tags", TAGS, ids=lambda tags: repr(tags)[:20])
def test_tags(tags, tmp_path):
    with pytest.raises(UsageError):
        canonical.digest(FILE, tags)
    with pytest.raises(UsageError):
        dicomseal.sign_file(FILE, tmp_path / "x", *pki.member("rsa").pair, tags=tags)


@pytest.mark.parametrize("hasher", [None, 5, "sha256", hashlib.sha256])
def test_hashers(hasher):
    with pytest.raises(UsageError, match="hasher"):
        canonical.update(hasher, FILE)


def test_errors_of_the_callers_hasher_are_the_callers():
    class Refuses:
        def update(self, data):
            raise ArithmeticError("mine")

    with pytest.raises(ArithmeticError, match="mine"):
        canonical.update(Refuses(), FILE)


@pytest.mark.parametrize("algorithm", [None, 5, ["SHA256"], "sha256", ""], ids=repr)
def test_algorithms(algorithm, tmp_path):
    with pytest.raises(UsageError, match="MAC algorithm"):
        canonical.digest(FILE, algorithm=algorithm)
    with pytest.raises(UsageError, match="MAC algorithm"):
        dicomseal.sign_file(FILE, tmp_path / "x", *pki.member("rsa").pair, mac=algorithm)


@pytest.mark.parametrize("items", ITEMS, ids=lambda items: repr(items)[:12])
def test_items(items, tmp_path):
    with pytest.raises(UsageError):
        dicomseal.sign_file(FILE, tmp_path / "x", *pki.member("rsa").pair, items=items)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: dicomseal.sign_file(None, t, *pki.member("rsa").pair),
        lambda t: dicomseal.sign_file(FILE, None, *pki.member("rsa").pair),
        lambda t: dicomseal.sign_file(FILE, t, 5, pki.member("rsa").certificate),
        lambda t: dicomseal.sign_file(FILE, t, pki.member("rsa").key, 5),
        lambda t: dicomseal.sign_file(FILE, t, *pki.member("rsa").pair, uid=5),
        lambda t: dicomseal.sign_file(FILE, t, *pki.member("rsa").pair, when=5),
        lambda t: dicomseal.sign(None, None, None),
        lambda t: dicomseal.remove(None),
        lambda t: dicomseal.remove_file(None, t),
        lambda t: dicomseal.remove_file(FILE, t, uid=5),
    ],
)
def test_signing_and_removing(call, tmp_path):
    with pytest.raises(DicomSealError):
        call(os.fspath(tmp_path / "x"))
    assert os.listdir(tmp_path) == []

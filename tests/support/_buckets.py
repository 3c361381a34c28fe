"""An object store on this machine, with buckets to verify."""

from __future__ import annotations

import os

import _s3
import pki
import pytest

from dicomseal import sign_file
from dicomseal.archive.find import object_stores, walk
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger


@pytest.fixture(scope="module")
def running():
    with _s3.running() as server:
        yield server


@pytest.fixture
def server(running, tmp_path, monkeypatch):
    """The server, and the environment and folder to use it."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    pki.member("root").write(tmp_path)
    running.faults()
    object_stores._made.cache_clear()
    object_stores._anybody_there.cache_clear()
    object_stores._lost.clear()
    return running


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return make(tmp_path_factory.mktemp("signed"), pki.small())


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """9 MB, signed; and the same with one byte of the first megabyte changed."""
    pixels = (0x7FE00010, "OW", os.urandom(9 << 20))
    good = make(tmp_path_factory.mktemp("large"), pki.small(elements=[*pki.SMALL[:-1], pixels]))
    bad = bytearray(good)
    bad[1 << 20] ^= 1
    return good, bytes(bad)


def make(folder, data):
    path = folder / "object.dcm"
    path.write_bytes(data)
    sign_file(path, path, *pki.member("rsa").pair)
    return path.read_bytes()


_names = iter(range(1000))


@pytest.fixture
def bucket(server):
    name = f"bucket{next(_names)}"
    server.put(name)
    return name


def rows(path="ledger.db"):
    with Ledger(path) as ledger:
        assert audit(ledger).intact
        return {row.path: row for row in ledger.rows(*ledger.span(ledger.find().number))}


def command(*roots):
    return "archive", "verify", *roots, "--ledger", "ledger.db", "--trust", "root.cert.pem"


def found(url):
    return [file.path for file in walk.find_files([url]) if file.trouble is None]


def fill(server, bucket, data, count=500):
    for number in range(count):
        server.put(bucket, f"p/{number % 7}/{number:03}.dcm", data)
    return sorted(f"s3://{bucket}/p/{n % 7}/{n:03}.dcm" for n in range(count))

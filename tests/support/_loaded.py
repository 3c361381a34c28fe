"""Objects to be read and verified at once, in every form that a caller may hand over."""

from __future__ import annotations

import io

import pki
import pytest

from dicomseal import TrustStore, sign_file
from dicomseal.files import held_bytes

PIXELS = bytes(range(256)) * 256
KINDS = ("path", "bytes", "bytearray", "file", "buffer")


def root(name="root"):
    return TrustStore([pki.member(name).certificate])


def an_object(who="rsa", form="explicit", elements=None, pixels=PIXELS, **options):
    """A signed object as bytes."""
    elements = [*pki.SMALL[:-1], (0x7FE00010, "OW", pixels)] if elements is None else elements
    out = io.BytesIO()
    sign_file(pki.small(form, elements), out, *pki.member(who).pair, **options)
    return out.getvalue()


# of one length, also where a UID of chance would be a digit shorter
SIGNED, OTHER = an_object(uid="1.2.3.4"), an_object(pixels=bytes(len(PIXELS)), uid="1.2.3.5")
UNSIGNED = pki.small()
FORGED = SIGNED.replace(b"Doe^John", b"Doe^Jane")


@pytest.fixture(params=["small", "large"])
def way_to_hold(request, monkeypatch):
    """Both ways to hold bytes; for the one of large files every file is large."""
    if request.param == "large":
        monkeypatch.setattr(held_bytes, "SNAPSHOT", 0)
        monkeypatch.setattr(held_bytes, "_PIECE", 8192)
        monkeypatch.setattr(held_bytes, "_BLOCK", 4096)
    return request.param


@pytest.fixture
def given(tmp_path):
    """Bytes as what a caller may hand over."""
    files = []

    def inner(data, kind):
        if kind in ("bytes", "bytearray"):
            return data if kind == "bytes" else bytearray(data)
        if kind == "buffer":
            return io.BytesIO(data)
        path = tmp_path / "given.dcm"
        path.write_bytes(data)
        if kind == "file":
            files.append(path.open("rb"))
        return path if kind == "path" else files[-1]

    yield inner
    for file in files:
        file.close()

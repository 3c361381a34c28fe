"""Bodies of the media type multipart/related, in pieces of every size, and what is none."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from _dicomweb import BOUNDARY, RELATED, multipart

from dicomseal.dicomweb.multipart import Data, End, Headers, Parts
from dicomseal.dicomweb.spool import Spool
from dicomseal.errors import SourceError
from dicomseal.files.window import Window

pytest.importorskip("python_multipart")


def parts(body, size=1 << 16, content_type=RELATED):
    """The media types and the contents of the parts of a body."""
    parser, found = Parts(content_type), []
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    for events in (*map(parser.feed, pieces), parser.close()):
        for event in events:
            if isinstance(event, Headers):
                found.append([event.media_type, b"", False])
            elif isinstance(event, Data):
                found[-1][1] += event.data
            else:
                assert isinstance(event, End)
                found[-1][2] = True
    assert all(complete for _, _, complete in found)
    return [(kind, data) for kind, data, _ in found]


def test_pieces_of_every_size():
    """A part may hold whatever looks like a boundary, and nearly is one."""
    odd = b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n--\r\n\r\r\n--"
    objects = [b"", b"\r", odd, odd * 3, os.urandom(300) + b"\r\n"]
    body = multipart(objects)
    for size in (*range(1, 90), len(body)):
        assert parts(body, size) == [("application/dicom", one) for one in objects]


def test_one_part_without_a_boundary():
    assert parts(b"abc", 2, "application/dicom; transfer-syntax=1.2") == [
        ("application/dicom", b"abc")
    ]


def test_what_follows_the_last_boundary_is_ignored():
    assert parts(multipart([b"a"]) + b"--" + b"epilogue" * 99, 7) == [("application/dicom", b"a")]


@pytest.mark.parametrize(
    "preamble",
    [b"", b"\r\n", b"ignore this\r\n", b"a--" + BOUNDARY.encode() + b"\r\n\r\nb\r\n",
     b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n" * 500],
    ids=["none", "empty", "text", "inside a line", "nearly one"],
)  # fmt: skip
def test_what_stands_before_the_first_boundary_is_ignored(preamble):
    body = preamble + multipart([b"a", b"b"]).removeprefix(b"\r\n")
    for size in (1, 7, len(body)):
        assert parts(body, size) == [("application/dicom", one) for one in (b"a", b"b")]


@pytest.mark.parametrize(
    "said",
    ["Multipart/Related; type=application/dicom", 'multipart/related;type="Application/DICOM"',
     'multipart/related; type="application/dicom; transfer-syntax=1.2"', "multipart/related"],
)  # fmt: skip
def test_ways_to_say_the_same(said):
    content_type = f'{said}; boundary="{BOUNDARY}"'
    assert parts(multipart([b"a"]), content_type=content_type) == [("application/dicom", b"a")]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/html", "multipart/related", "multipart/form-data; boundary=x",
     'multipart/related; type="application/dicom+json"; boundary=x',
     f"multipart/related; boundary={'x' * 300}", "\u20ac", "a/\u20ac; boundary=\u20ac"],
)  # fmt: skip
def test_another_media_type(content_type):
    with pytest.raises(SourceError) as caught:
        Parts(content_type)
    assert caught.value.code == "media_type"


def test_a_body_that_breaks_off():
    """Wherever it does: what has no last boundary may lack an object, or the end of one."""
    body = multipart([b"abc", b"def"]).removesuffix(b"\r\n")
    for end in range(len(body)):
        with pytest.raises(SourceError) as caught:
            parts(body[:end], 5)
        assert caught.value.code == "truncated"


@pytest.mark.parametrize(
    "body",
    [b"no boundary at all", b"--" + BOUNDARY.encode() + b"?\r\n\r\n",
     b"--" + BOUNDARY.encode() + b"\r\n" + b"A: b\r\n" * 99,
     b"--" + BOUNDARY.encode() + b"\r\nA: " + b"b" * 99_999, b"a" * 99_999],
    ids=["none", "longer", "headers", "header", "endless preamble"],
)  # fmt: skip
def test_a_malformed_body(body):
    with pytest.raises(SourceError) as caught:
        parts(body)
    assert caught.value.code == "malformed"


def test_memory_is_bounded():
    """A part of 64 MB, through the parser and a spool, costs neither of them."""
    parser, spool, piece = Parts(RELATED), Spool(1 << 20), os.urandom(1 << 16)
    head, tail = multipart([b"|"]).split(b"|")
    tracemalloc.start()
    try:
        for data in (head, *[piece] * 1024, tail):
            for event in parser.feed(data):
                if isinstance(event, Data):
                    spool.write(event.data)
        parser.close()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert spool.size == 64 << 20
    window = spool.source()
    assert isinstance(window, Window)
    assert (len(window), window.read((64 << 20) - (1 << 16), 1 << 16)) == (64 << 20, piece)


def test_a_spool_is_bounded():
    spool = Spool(10, 100)
    spool.write(b"0123456789")
    assert bytes(spool.source()) == b"0123456789"
    spool = Spool(10, 100)
    spool.write(b"x" * 100)
    with pytest.raises(SourceError) as caught:
        spool.write(b"x")
    assert caught.value.code == "limit"


def test_a_full_disk(monkeypatch):
    spool, full = Spool(10), Path("/dev/full")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full.open("wb", buffering=0))
    with pytest.raises(SourceError) as caught:
        spool.write(b"x" * 11)
    assert caught.value.code == "no_space"

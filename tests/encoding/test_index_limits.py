"""Hostile, cut and changing sources: the index ends in a `MalformedError`, and both twins agree."""

from __future__ import annotations

import os

import _write_stds as std
import pytest
from _write_stds import item, sequence
from tests.encoding.test_index import SMALL, SMALL_BIG_ENDIAN, SMALL_IMPLICIT, outcome

from dicomseal.encoding import record as r
from dicomseal.encoding.limits import Limits
from dicomseal.errors import MalformedError, SourceError
from dicomseal.files import reader
from dicomseal.files.window import Window

ENCODED = {
    "explicit": (SMALL, {}),
    "implicit": (SMALL_IMPLICIT, {"implicit": True}),
    "big endian": (SMALL_BIG_ENDIAN, {"big_endian": True}),
}


def nested(depth: int) -> bytes:
    head = (std.REFERENCED_IMAGES + std.UNDEFINED + std.ITEM_UNDEFINED) * depth
    return head + (std.ITEM_END + std.SEQUENCE_END) * depth


# --- limits -------------------------------------------------------------------------------------


def test_depth(backend):
    data = nested(2000)
    hashed = (std.REFERENCED_IMAGES + std.ITEM) * 2000 + std.END * 2000
    assert backend.stream(data) == hashed
    assert len(backend.Index(data)) == 4001
    unknown = data[: 20 * 2000] + std.PRIVATE_UNKNOWN + data[20 * 2000 :]
    assert backend.stream(unknown) == b""


def test_depth_is_limited(backend):
    assert len(backend.Index(nested(3), limits=Limits(depth=3))) == 7
    with pytest.raises(MalformedError) as info:
        backend.Index(nested(4), limits=Limits(depth=3))
    assert info.value.code == "limit"
    assert str(info.value) == (
        "item 0 of (0008,1140) holds sequences nested deeper than 3 (offset 60)"
    )
    with pytest.raises(MalformedError, match="deeper than 2048"):
        backend.Index(nested(2049))


@pytest.mark.parametrize(
    "data",
    [std.PATIENT_ID * 5, sequence(std.ITEM_EMPTY * 4), std.PATIENT_ID * 4 + sequence(b"")],
    ids=["elements", "items", "sequence"],
)
def test_records_are_limited(backend, data):
    assert len(backend.Index(data, limits=Limits(records=6))) == 6
    with pytest.raises(MalformedError, match="holds more than 5 elements and items") as info:
        backend.Index(data, limits=Limits(records=5))
    assert info.value.code == "limit"


@pytest.mark.parametrize("limit", range(1, 12))
@pytest.mark.parametrize("cut", [None, -1, -9])
def test_limits_are_met_at_the_same_place(twins, limit, cut):
    for limits in (Limits(records=limit), Limits(depth=limit // 2)):
        first, second = (outcome(twin, SMALL[:cut], limits=limits) for twin in twins)
        assert first == second


def test_limits_of_a_file(backend, tmp_path):
    path = tmp_path / "file.dcm"
    path.write_bytes(SMALL)
    with pytest.raises(MalformedError, match="more than 3"):
        reader.Reader().open(path, Limits(records=3)).index()


# --- truncation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENCODED)
def test_truncation_at_every_byte(twins, name):
    """A cut data set is one that is shorter and whole, or an error, and never anything else.

    But for one that ends with the pixels, and lacks their delimiter alone: it is noted.
    """
    data, encoding = ENCODED[name]
    full = twins[0].Index(data, **encoding)
    elements = [full.record(n) for n in range(1, len(full))]
    borders = {0} | {full.record(n).end for n in full.children(0)}
    for length in range(len(data) + 1):
        first, second = (outcome(twin, data[:length], **encoding) for twin in twins)
        assert first == second
        if first[0] is MalformedError:
            assert first[2] == "truncated"
            assert length not in borders
        else:  # what is left are whole elements, and perhaps the zeros that the next begins with
            seen = [(e.tag, e.kind, e.start, e.end) for e in first[0][1:]]
            number = next((note.record for note in first[2] if note.kind == "open"), 0)
            if number:
                assert length + 8 in borders
                tag, kind, start, end = seen[number - 1]
                assert (tag, kind, end) == (0x7FE00010, r.ENCAPSULATED, length)
                seen[number - 1] = (tag, kind, start, length + 8)
            else:
                assert length - first[3] in borders
            assert seen == [(e.tag, e.kind, e.start, e.end) for e in elements[: len(seen)]]


@pytest.mark.parametrize("name", ENCODED)
def test_every_byte_changed(twins, name):
    data, encoding = ENCODED[name]
    for position in range(len(data)):
        for value in (0x00, 0x01, 0x7F, 0xE0, 0xFF, data[position] ^ 0x20):
            changed = data[:position] + bytes([value]) + data[position + 1 :]
            first, second = (outcome(twin, changed, **encoding) for twin in twins)
            assert first == second


# --- a window on a file -------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path):
    """More than a window, and many jumps: long values, long runs of short elements."""
    value = bytes(range(251)) * 400
    pixels = std.PIXEL_DATA_OB + len(value).to_bytes(4, "little") + value
    runs = sequence(item(std.PATIENT_ID + std.TEXT_VALUE) * 4000)
    fragments = std.ITEM + len(value).to_bytes(4, "little") + value
    encapsulated = std.PIXEL_DATA_OB + std.UNDEFINED + fragments * 3 + std.SEQUENCE_END
    data = std.MODALITY + runs + pixels + std.TEXT_VALUE_RESERVED + encapsulated + bytes(70_000)
    path = tmp_path / "large.dcm"
    path.write_bytes(data)
    return path


def window(path):
    return Window(os.open(path, os.O_RDONLY), str(path))


def test_window_gives_the_same_as_memory(twins, large):
    data = large.read_bytes()
    results = [outcome(twin, source) for twin in twins for source in (data, window(large))]
    assert results[0][3] == 70_000
    for result in results[1:]:
        assert result == results[0]


@pytest.mark.parametrize("name", ENCODED)
def test_window_on_a_small_file(backend, tmp_path, name):
    data, encoding = ENCODED[name]
    path = tmp_path / "small.dcm"
    for length in range(0, len(data) + 1, 7):
        path.write_bytes(data[:length])
        assert outcome(backend, window(path), **encoding) == outcome(
            backend, data[:length], **encoding
        )


def test_window_on_big_endian_and_implicit_values(twins, tmp_path):
    value = bytes(range(251)) * 400
    path = tmp_path / "large.dcm"
    for head, encoding in (
        (b"\x7f\xe0\0\x10OW\0\0" + len(value).to_bytes(4, "big"), {"big_endian": True}),
        (b"\xe0\x7f\x10\0" + len(value).to_bytes(4, "little"), {"implicit": True}),
    ):
        path.write_bytes(head + value)
        results = [outcome(t, s, **encoding) for t in twins for s in (window(path), head + value)]
        assert all(result == results[0] for result in results)


def test_window_value(backend, large):
    index = backend.Index(window(large))
    assert index.value(1) == b"CT"
    assert len(index.value(index.find(0, 0x7FE00010))) == 251 * 400


def test_large_file_is_read_through_a_window(backend, large, monkeypatch):
    monkeypatch.setattr(reader, "SNAPSHOT", 1000)
    opened = reader.Reader().open(large)
    assert isinstance(opened.source, Window)
    out = bytearray()
    opened.index().stream(out.extend)
    opened.check()
    assert bytes(out) == backend.stream(large.read_bytes())


def test_file_that_changes_meanwhile(backend, large):
    source = window(large)
    backend.Index(source)
    source.check()
    os.utime(large, (1, 1))
    with pytest.raises(SourceError, match=r"large\.dcm: changed while it was read") as info:
        source.check()
    assert info.value.code == "changed"


def test_file_that_shrinks_before_it_is_indexed(backend, large):
    source = window(large)
    os.truncate(large, 5000)
    with pytest.raises(SourceError, match="became shorter") as info:
        backend.Index(source)
    assert info.value.code == "changed"


def test_file_that_shrinks_before_it_is_hashed(backend, large):
    source = window(large)
    index = backend.Index(source)
    os.truncate(large, 5000)
    nowhere = bytearray().extend
    for call, to in (index.stream, nowhere), (index.stream_items, backend.Encoder(nowhere)):
        with pytest.raises(SourceError, match="became shorter") as info:
            call(to)
        assert info.value.code == "changed"
    with pytest.raises(SourceError):
        index.value(index.find(0, 0x7FE00010))
    with pytest.raises(SourceError):
        source.check()


def test_window_that_is_closed(large):
    source = window(large)
    source.close()
    source.close()
    with pytest.raises(SourceError):
        source.read(0, 1)

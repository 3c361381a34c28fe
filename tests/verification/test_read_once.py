"""What `dicomseal.dcmread` verified is what it gives: read once, and changed by nobody."""

from __future__ import annotations

import copy
import io
import os
import pickle
from pathlib import Path

import pki
import pydicom
import pytest
from _loaded import OTHER, PIXELS, SIGNED, an_object, root

import dicomseal
from dicomseal import verify
from dicomseal.errors import SourceError
from dicomseal.files import held_bytes
from dicomseal.verification import read_dataset

# --- the same bytes -------------------------------------------------------------------------------


def swapping(monkeypatch, swap, when):
    """Have ``swap`` called right before or right after the verification."""

    def inner(*arguments, **options):
        if when == "before":
            swap()
        report = verify(*arguments, **options)
        if when == "after":
            swap()
        return report

    monkeypatch.setattr(read_dataset, "verify", inner)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["replaced", "written over", "cut", "deleted"])
@pytest.mark.parametrize("kind", ["path", "file"])
@pytest.mark.parametrize("options", [{}, {"defer_size": 64}, {"stop_before_pixels": True}], ids=str)
def test_a_file_that_is_swapped_meanwhile(
    way_to_hold, monkeypatch, tmp_path, given, when, how, kind, options
):
    """What was verified is what is read: during the call, and of what was deferred afterwards."""
    assert len(OTHER) == len(SIGNED)
    source = given(SIGNED, kind)
    path = tmp_path / "given.dcm"

    def swap():
        if how == "replaced":
            (tmp_path / "forged").write_bytes(OTHER)
            os.replace(tmp_path / "forged", path)
        elif how == "deleted":
            path.unlink()
        else:
            with path.open("r+b") as file:
                if how == "cut":
                    file.truncate(200)
                else:
                    file.write(OTHER)

    swapping(monkeypatch, swap, when)
    dataset = dicomseal.dcmread(source, trust=root(), **options)
    assert dataset.seal.passed
    if "stop_before_pixels" in options:
        assert "PixelData" not in dataset
        del dataset.seal
        expected = pydicom.dcmread(io.BytesIO(SIGNED), **options)
    else:
        assert dataset.PixelData == PIXELS
        expected = pydicom.dcmread(io.BytesIO(SIGNED))
    assert dataset == expected


def test_a_buffer_that_is_changed_meanwhile(way_to_hold, monkeypatch):
    data = bytearray(SIGNED)
    swapping(monkeypatch, lambda: data.__setitem__(slice(None), OTHER), "after")
    dataset = dicomseal.dcmread(data, trust=root())
    assert bytes(data) == OTHER
    assert (dataset.seal.verdict, dataset.PixelData) == ("passed", PIXELS)


@pytest.mark.parametrize("how", ["written over", "cut"])
def test_a_file_that_changes_while_it_is_read(monkeypatch, tmp_path, how):
    """Half the old and half the new is an error, with the code that `verify` gives it."""
    path = tmp_path / "in.dcm"
    path.write_bytes(SIGNED)
    monkeypatch.setattr(held_bytes, "SNAPSHOT", 0)
    read_into = held_bytes.read_into

    def slowly(descriptor, target, offset):
        n = read_into(descriptor, target[:1000], offset)
        with path.open("r+b") as file:
            file.truncate(500) if how == "cut" else file.write(b"x")
        os.utime(path, ns=(1, 1))
        return n

    monkeypatch.setattr(held_bytes, "read_into", slowly)
    with pytest.raises(SourceError) as caught:
        dicomseal.dcmread(path, trust=root())
    assert caught.value.code == "changed"


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="counts what Linux counts")
@pytest.mark.parametrize("options", [{}, {"defer_size": 64}, {"stop_before_pixels": True}], ids=str)
def test_every_byte_is_read_once(way_to_hold, monkeypatch, tmp_path, options):
    path = tmp_path / "in.dcm"
    path.write_bytes(SIGNED)
    dicomseal.dcmread(path, trust=root(), **options)  # what is imported is imported
    opened = []
    monkeypatch.setattr(os, "open", counted(os.open, opened))
    monkeypatch.setattr("builtins.open", counted(open, opened))
    before = characters_read()
    none = characters_read() - before
    before = characters_read()
    dataset = dicomseal.dcmread(path, trust=root(), **options)
    read = characters_read() - before - none
    monkeypatch.undo()
    assert len([name for name in opened if str(name) == str(path)]) == 1
    assert len(SIGNED) <= read < len(SIGNED) + 128
    if "stop_before_pixels" not in options:
        assert dataset.PixelData == PIXELS


def counted(function, names):
    def inner(name, *arguments, **options):
        names.append(name)
        return function(name, *arguments, **options)

    return inner


def characters_read():
    descriptor = os.open("/proc/self/io", os.O_RDONLY)
    try:
        return int(os.read(descriptor, 4096).split()[1])
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="asks Linux for the peak")
@pytest.mark.parametrize("kind", ["path", "file"])
def test_a_large_file_is_held_once(tmp_path, kind):
    length = 48 << 20
    path = tmp_path / "large.dcm"
    path.write_bytes(an_object(pixels=bytes(length)))
    dicomseal.dcmread(SIGNED, trust=root())
    with path.open("rb") as file:
        start = peak(reset=True)
        dataset = dicomseal.dcmread(path if kind == "path" else file, trust=root())
        highest = peak() - start
    assert dataset.seal.passed
    assert len(dataset.get_item("PixelData").value) == length
    assert length * 0.9 < highest < length * 1.25  # pages of before may have been given back


def peak(reset=False):
    """The most memory that this process has had; from now on, if asked for."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one]
    return int(line.split()[1]) << 10


# --- what was deferred ----------------------------------------------------------------------------


def test_what_was_deferred_is_read_later_from_the_bytes_that_were_verified(way_to_hold, tmp_path):
    path = tmp_path / "in.dcm"
    path.write_bytes(SIGNED)
    dataset = dicomseal.dcmread(path, trust=root(), defer_size="1 KB")
    assert dataset._dict[0x7FE00010].value is None
    path.write_bytes(OTHER)
    for other in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset)), dataset):
        assert other.PixelData == PIXELS
        assert other.seal.passed


@pytest.mark.parametrize("lost", ["closed", "taken away"])
def test_and_never_from_the_file(tmp_path, lost):
    path = tmp_path / "in.dcm"
    path.write_bytes(SIGNED)
    dataset = dicomseal.dcmread(path, trust=root(), defer_size=1024)
    if lost == "closed":
        dataset.buffer.close()
    else:
        dataset.buffer = None
    with pytest.raises(SourceError, match="were verified"):
        _ = dataset.PixelData


def test_deferred_of_what_is_deflated(tmp_path):
    data = pki.part10(pki.body_of("deflated"), pki.LABELS["deflated"])
    path = tmp_path / "in.dcm"
    path.write_bytes(data)
    dataset = dicomseal.dcmread(path, defer_size=8)
    path.unlink()
    assert dataset.PixelData == bytes(range(16))


def test_bytes_that_were_given_back_are_never_read_as_zeros(monkeypatch):
    """Memory that went back to the system would be read as zeros; it is an error."""
    monkeypatch.setattr(held_bytes, "SNAPSHOT", 0)
    monkeypatch.setattr(held_bytes, "_PIECE", 8192)
    monkeypatch.setattr(held_bytes, "_BLOCK", 4096)
    held = held_bytes.hold(bytearray(SIGNED), stays=False)
    with held.open() as file:
        file.seek(40000)
        assert file.read(16384) == SIGNED[40000 : 40000 + 16384]
        file.seek(0)
        assert file.read(4096) == SIGNED[:4096]
        file.seek(45000)
        if os.name == "posix":
            with pytest.raises(SourceError, match="once more"):
                file.read(10)
    for use in (held.open, lambda: held.view):
        with pytest.raises(SourceError, match="given away"):
            use()

"""Files that change, or vanish, between being read and being replaced."""

from __future__ import annotations

import os
import random
import threading
import time
from types import SimpleNamespace

import pki
import pytest
from _clock import times_of_files

from dicomseal import remove_file, sign_file, verify
from dicomseal.errors import MalformedError, SourceError
from dicomseal.files import atomic, reader, window
from dicomseal.files.source import open_source
from dicomseal.keys.signing_key import SigningKey

PAIR = pki.member("rsa").pair


def sized(size: int, filler: bytes = b"\0\1") -> bytes:
    return pki.small(elements=[*pki.SMALL[:-1], (0x7FE00010, "OW", filler * (size // 2))])


def refused(call, match, code="changed"):
    with pytest.raises(SourceError, match=match) as caught:
        call()
    assert caught.value.code == code


SIZES = {"small": 5_000, "large": reader.SNAPSHOT + 100_000}


def append(path):
    with open(path, "ab") as file:
        file.write(b"\0\0")


def overwrite(path):
    """Same length, and the same time of modification."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path):
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.replace(copy, path)


CHANGES = {
    "append": append,
    "overwrite": overwrite,
    "truncate": lambda path: os.truncate(path, 4_000),
    "replace": replace,
    "vanish": os.unlink,
    "rename": lambda path: os.rename(path, path.with_name("moved")),
}


class Meanwhile:
    """A key that somebody's change of the file comes in between of."""

    def __init__(self, change):
        self.change = change

    def sign(self, digest, algorithm):
        value = SigningKey(*PAIR).sign(digest, algorithm)
        self.change()
        return value


@pytest.fixture(params=SIZES)
def victim(tmp_path, request):
    path = tmp_path / "in" / "object.dcm"
    path.parent.mkdir()
    path.write_bytes(sized(SIZES[request.param]))
    os.utime(path, (1, 1))  # long ago: a change in the same tick of a coarse clock shows as well
    return path


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changes_while_it_is_signed(tmp_path, victim, how, in_place):
    target = victim if in_place else tmp_path / "out.dcm"
    after = []

    def change():
        CHANGES[how](victim)
        after.append(victim.read_bytes() if victim.exists() else None)

    refused(
        lambda: sign_file(victim, target, Meanwhile(change), PAIR[1]),
        "object.dcm: (changed|became shorter) while it was read",
    )
    assert after == [victim.read_bytes() if victim.exists() else None]
    assert not (tmp_path / "out.dcm").exists()
    assert not [name for name in os.listdir(victim.parent) if name.startswith(atomic.PREFIX)]


@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changes_before_it_is_replaced(tmp_path, victim, how, monkeypatch):
    """Late: when all is written, and on disk."""
    sign_file(victim, victim, *PAIR)
    os.utime(victim, (1, 1))
    real = os.fsync

    def change(descriptor):
        real(descriptor)
        monkeypatch.undo()
        CHANGES[how](victim)

    monkeypatch.setattr(os, "fsync", change)
    refused(lambda: remove_file(victim, victim), "changed while it was read")
    assert not [name for name in os.listdir(victim.parent) if name.startswith(atomic.PREFIX)]
    if victim.exists():  # with whatever the other one wrote
        assert b"2.25." in victim.read_bytes()


@pytest.mark.parametrize("victim", ["small"], indirect=True)  # a large one is not copied
@pytest.mark.parametrize("how", ["append", "overwrite", "truncate"])
@pytest.mark.parametrize("call", [sign_file, remove_file, verify], ids=lambda f: f.__name__)
def test_a_file_that_changes_while_it_is_copied_into_memory(victim, how, call, monkeypatch):
    real = reader.read_into

    def read(descriptor, target, offset):
        done = real(descriptor, target[:2_500], offset)  # a part of what was asked for
        if not offset:
            CHANGES[how](victim)
        return done

    monkeypatch.setattr(reader, "read_into", read)
    monkeypatch.setattr(reader, "quick_file", None)
    if call is verify:
        report = verify(victim)
        assert (report.verdict, report.error.code) == ("error", "changed")
    else:
        more = PAIR if call is sign_file else ()
        refused(lambda: call(victim, victim, *more), "changed while it was read")


@pytest.mark.skipif(not reader.quick_file, reason="the compiled backend is not in use")
def test_a_file_that_changes_under_the_compiled_reader(tmp_path):
    """It says -1, and `reader` looks itself."""
    path = tmp_path / "object.dcm"
    size = path.write_bytes(bytes(reader.SNAPSHOT))
    buffer = bytearray(size)

    def snapshots():
        return {reader.quick_file.snapshot(str(path), buffer, size) for _ in range(50)}

    assert snapshots() == {size}
    stop = threading.Event()

    def write():
        with open(path, "r+b", buffering=0) as file:
            while not stop.is_set():
                os.pwrite(file.fileno(), b"\0", 0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert -1 in snapshots()
    finally:
        stop.set()
        writer.join()
    assert snapshots() == {size}


@times_of_files
def test_somebody_who_never_stops_writing(victim):
    """Whatever is written is a signature over one of the two contents, never over a mixture."""
    contents = [sized(victim.stat().st_size, filler) for filler in (b"\0\1", b"\2\3")]
    target = victim.parent.parent / "out.dcm"
    stop, pause = threading.Event(), random.Random(7)
    start = time.monotonic()
    sign_file(victim, target, *PAIR)
    whole = time.monotonic() - start  # on a busy machine the other one must be slow as well

    def write():
        turn = 0
        while not stop.is_set():
            turn ^= 1
            with open(victim, "r+b") as file:
                file.write(contents[turn])
            stop.wait(pause.uniform(0, max(0.1, 4 * whole)))

    writer = threading.Thread(target=write)
    writer.start()
    replacements = refusals = 0
    end = time.monotonic() + 60
    try:
        while (replacements < 2 or refusals < 2) and time.monotonic() < end:
            try:
                sign_file(victim, target, *PAIR)
            except SourceError as error:
                assert error.code == "changed"
                refusals += 1
                continue
            replacements += 1
            assert verify(target, integrity_only=True).verdict == "passed"
            remove_file(target, target)
            assert target.read_bytes() in contents
    finally:
        stop.set()
        writer.join()
    assert min(replacements, refusals) == 2, "the test did not show both"


@times_of_files
@pytest.mark.parametrize("call", [sign_file, remove_file], ids=lambda f: f.__name__)
def test_a_file_written_just_now(tmp_path, monkeypatch, call):
    """The times of files are coarse: a second change in the same tick would not show."""
    path = tmp_path / "object.dcm"
    path.write_bytes(sized(100))
    sign_file(path, path, *PAIR)
    more = PAIR if call is sign_file else ()
    time.sleep(0.02)
    slept = []
    monkeypatch.setattr(window.time, "sleep", slept.append)
    call(path, tmp_path / "out", *more)
    assert slept == []
    os.chmod(path, 0o600)
    call(path, tmp_path / "out", *more)
    assert len(slept) == 1
    assert 0 < slept[0] <= 0.012
    future = time.time() + 1000
    os.utime(path, (future, future))
    call(path, tmp_path / "out", *more)
    assert slept[1:] == [0.012]
    monkeypatch.setattr(window.time, "sleep", lambda _: append(path))
    refused(lambda: call(path, path, *more), "changed while it was read")


@pytest.mark.parametrize("name", ["st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"])
def test_what_tells_a_file_from_another(name):
    """Each alone: two files of one size can have the same times on a coarse clock."""
    names = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev")
    status = SimpleNamespace(**dict.fromkeys(names, 1))
    before = window.state_of(status)
    assert window.state_of(status) == before
    setattr(status, name, 2)
    assert window.state_of(status) != before


def test_a_file_that_looks_cut_because_it_was_changed(tmp_path, monkeypatch):
    """It is an error of the file at that moment, not of the data set."""
    monkeypatch.setattr(reader, "SNAPSHOT", 64)  # read in pieces
    path = tmp_path / "object.dcm"
    cut = sized(2000)[:900]
    path.write_bytes(sized(1000))
    part10 = open_source(path, settled=True)
    assert len(part10.index()) > 1
    path.write_bytes(cut)
    refused(part10.index, "changed while it was read|became shorter while it was read")
    with pytest.raises(MalformedError, match="cut short"):
        open_source(path, settled=True).index()

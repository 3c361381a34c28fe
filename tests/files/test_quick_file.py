"""The compiled way into a file says what the general one says, or nothing."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomseal.errors import MalformedError, SourceError
from dicomseal.files import file_meta
from dicomseal.files.file_meta import FileMeta
from dicomseal.files.part10 import Part10
from dicomseal.files.reader import SNAPSHOT, Reader
from dicomseal.files.window import Window
from dicomseal.standard import transfer_syntaxes

quick = pytest.importorskip("dicomseal.files._file_c", reason="there is no compiled backend")

EXPLICIT = b"1.2.840.10008.1.2.1\0"
ELEMENT = b"\x08\x00\x16\x00UI\x04\x001.2\0"


def meta_element(number: int, vr: bytes, value: bytes) -> bytes:
    length = len(value).to_bytes(4, "little")
    if vr in (b"OB", b"UN"):
        return b"\x02\x00" + number.to_bytes(2, "little") + vr + b"\0\0" + length + value
    return b"\x02\x00" + number.to_bytes(2, "little") + vr + length[:2] + value


VERSION = meta_element(1, b"OB", b"\0\1")
SYNTAX = meta_element(0x10, b"UI", EXPLICIT)


SOP_CLASS, SOP_INSTANCE = meta_element(2, b"UI", b"1.2\0"), meta_element(3, b"UI", b"1.3\0")


def file(*meta: bytes, data: bytes = ELEMENT * 2) -> bytes:
    """With the group length in front, unless there is one."""
    content = b"".join(meta)
    if content[:4] != b"\2\0\0\0":
        content = meta_element(0, b"UL", len(content).to_bytes(4, "little")) + content
    return bytes(128) + b"DICM" + content + data


values = st.sampled_from([b"", b"1.2", b"1.2\0", b"1.2 ", b"1.2\0\0", b"x1", EXPLICIT, b"\xff\xff"])
elements = st.builds(
    meta_element,
    st.sampled_from([0, 1, 2, 3, 0x10, 0x12, 0x0100, 0x0102, 0x0110]),
    st.sampled_from([b"OB", b"UI", b"UL", b"SH", b"AE", b"UN", b"ob", b"U\0"]),
    values,
)


def slowly(data: bytes):
    try:
        return file_meta.read(memoryview(data))
    except MalformedError as error:
        return error


@given(st.lists(elements | st.just(VERSION) | st.just(SYNTAX)), st.integers(0, 40))
@example([VERSION, SYNTAX], 0)
@example([VERSION, SYNTAX], 30)
def test_it_agrees_or_says_nothing(meta, cut):
    data = file(*meta)
    data = data[: len(data) - cut]
    found = quick.meta(data)
    if found is not None:
        expected = slowly(data)
        known = expected.transfer_syntax in transfer_syntaxes.TRANSFER_SYNTAXES
        assert found == (expected if known else expected._replace(doubt=""))


def test_usual_meta_information_is_read():
    found = FileMeta(*quick.meta(file(VERSION, SOP_CLASS, SOP_INSTANCE, SYNTAX)))
    assert found.transfer_syntax == EXPLICIT.decode().rstrip("\0")
    assert found.start == 144 + len(VERSION + SOP_CLASS + SOP_INSTANCE + SYNTAX)
    assert (found.sop_class, found.sop_instance, found.doubt) == (b"1.2\0", b"1.3\0", "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"DICM",
        file(VERSION),
        file(SYNTAX, SYNTAX),
        file(SYNTAX, data=b""),
        file(SYNTAX, meta_element(0x100, b"UI", b"1.2\0")),
        file(SYNTAX, meta_element(0x102, b"OB", b"ab")),
        file(meta_element(0x10, b"OB", EXPLICIT)),
        file(meta_element(0x10, b"UI", b"\0\0")),
        file(meta_element(0x10, b"UI", b"1.2\0\0\0")),
        file(SYNTAX)[4:],
    ],
)
def test_what_is_not_usual_is_left_to_the_general_way(data):
    assert quick.meta(data) is None


def test_snapshot(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"0123456789")
    buffer = bytearray(16)
    assert quick.snapshot(str(path), buffer, 100) == 10
    assert buffer == b"0123456789" + bytes(6)


def test_snapshot_of_what_is_not_usual(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"0123456789")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").write_bytes(b"")
    buffer = bytearray(16)
    assert quick.snapshot(str(path), buffer, 9) == -1
    assert quick.snapshot(str(path), bytearray(9), 100) == -1
    for name in ("missing", "fifo", "empty", "", "a.dcm\0.dcm"):
        assert quick.snapshot(str(tmp_path / name), buffer, 100) == -1
    assert bytes(buffer) == bytes(16)


def test_names_that_are_not_ascii(tmp_path):
    for name in ("größe.dcm", os.fsdecode(b"\xff.dcm")):
        path = os.path.join(tmp_path, name)
        with open(path, "wb") as out:
            out.write(file(SYNTAX))
        assert Reader().open(path).size == len(file(SYNTAX))


def test_reader_uses_the_general_way_for_the_rest(tmp_path, monkeypatch):
    """Errors, larger files than the buffer, and path objects: the same answers without it."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(file(SYNTAX))
    large.write_bytes(
        file(
            SYNTAX,
            data=ELEMENT
            + b"\x10\x00\x10\x00UN\0\0"
            + (3 << 20).to_bytes(4, "little")
            + bytes(3 << 20),
        )
    )
    answers = []
    for module in (quick, None):
        for user in ("part10", "reader"):
            monkeypatch.setattr(f"dicomseal.files.{user}.quick_file", module)
        reader = Reader()
        seen = []
        for path in (str(small), small, str(large), large, tmp_path / "none", str(tmp_path)):
            try:
                opened = reader.open(path)
                seen.append((opened.start, opened.transfer_syntax, opened.size, opened.head))
            except SourceError as error:
                seen.append((error.code, str(error)))
        answers.append(seen)
    assert answers[0] == answers[1]


def test_more_than_a_snapshot_is_a_window(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(file(SYNTAX))
    os.truncate(path, SNAPSHOT + 1)
    reader = Reader()
    reader._buffer = bytearray(SNAPSHOT + 100)
    assert isinstance(reader.open(str(path)).source, Window)
    assert isinstance(reader.open(str(path)), Part10)

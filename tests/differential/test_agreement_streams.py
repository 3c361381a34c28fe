"""Streams side by side, and the files of packages: what docs/agreement.md is made with."""

from __future__ import annotations

import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
try:
    from differential import agreement_tables, both, packages, streams
finally:
    sys.path.pop(0)

NAME = b"\x10\0\x10\0PN\x04\0Doe "
COUNT = b"\x28\0\x02\0US\x02\0\x01\0"
NOTE = b"\x09\0\x01\x10LO\x02\0ab"
OPEN = b"\x08\0\x40\x11SQ\0\0" + streams.ITEM
PIXELS = b"\xe0\x7f\x10\0OB\0\0" + streams.ITEM * 2 + b"1234" + streams.SEQUENCE_END
OWN = b"\0\x04\x05\0US\x02\0\0\0" + b"\0\x04\0\x01UI\x04\x001.2\0"


def nested(*elements: bytes) -> bytes:
    return OPEN + b"".join(elements) + streams.SEQUENCE_END


def kinds(signed: bytes, found: bytes) -> list[tuple[object, ...]]:
    return [tuple(d)[:4] for d in streams.differences(signed, found)]


def test_elements() -> None:
    stream = nested(COUNT, NOTE, streams.ITEM, NAME) + NAME + PIXELS + OWN
    assert [(e.name, e.vr) for e in streams.elements(stream)] == [
        ("(0008,1140)", "SQ"),
        ("(0008,1140)[0].(0028,0002)", "US"),
        ("(0008,1140)[0].(0009,1001)", "LO"),
        ("(0008,1140)[1].(0010,0010)", "PN"),
        ("(0010,0010)", "PN"),
        ("(7FE0,0010)", "OB"),
    ]
    *_, pixels = streams.elements(stream)
    assert pixels.value == PIXELS[8:]


def test_fragments_may_hold_a_delimiter() -> None:
    pixels = PIXELS[:-4] + streams.SEQUENCE_END + b"5678" + streams.SEQUENCE_END
    (found,) = streams.elements(pixels + OWN)
    assert found.value == pixels[8:]


@pytest.mark.parametrize(
    "stream", [NAME[:-1], NAME[:7], OPEN, OPEN + NAME, b"\x10\0\x10\0\1\2\0\0"]
)
def test_what_is_no_stream(stream: bytes) -> None:
    with pytest.raises(streams.UnreadableStreamError):
        [*streams.elements(stream)]


def test_differences() -> None:
    whole = nested(COUNT, NOTE) + NAME + PIXELS
    assert kinds(whole + OWN, whole) == []
    with pytest.raises(streams.UnreadableStreamError, match="twice"):
        kinds(whole, whole + NAME)
    inner = "(0008,1140)[0].(0028,0002)"
    assert kinds(whole, whole.replace(b"US", b"SS")) == [("VR", "US as SS", inner, False)]
    assert kinds(whole, whole.replace(b"US\x02\0\x01", b"US\x02\0\x02")) == [
        ("value", "", inner, False)
    ]
    assert kinds(whole, whole.replace(NAME, b"\x10\0\x10\0PN\x03\0Doe")) == [
        ("padding", "", "(0010,0010)", False)
    ]
    note = ("(0008,1140)[0].(0009,1001)", True)
    assert kinds(whole, nested(COUNT) + NAME + PIXELS) == [("left out", "", *note)]
    assert kinds(nested(COUNT) + NAME + PIXELS, whole) == [("added", "", *note)]
    assert [d.nested for d in streams.differences(whole, nested(COUNT) + PIXELS)] == [True, False]
    # of a sequence that is not there at all, what it held is not told as well
    assert kinds(whole, NAME + PIXELS) == [("left out", "", "(0008,1140)", False)]


def test_pieces_left_out() -> None:
    whole = bytes(range(256)) * 2 + b"the end of it, which is long enough to be found again"
    assert streams.pieces_left_out(whole, whole) == []
    assert streams.pieces_left_out(whole, whole[:40] + whole[90:]) == [(40, 50)]
    assert streams.pieces_left_out(whole, whole[:-3]) == [(len(whole) - 3, 3)]
    twice = whole[:40] + whole[90:300] + whole[420:]
    assert streams.pieces_left_out(whole, twice) == [(40, 50), (300, 120)]
    assert streams.pieces_left_out(whole, whole.replace(b"long", b"LONG")) is None
    assert streams.pieces_left_out(whole[:-3], whole) is None


def test_a_stream_without_pieces_is_not_called_unreadable() -> None:
    values = (b"\x10\0" + bytes([n, 0]) + b"LO\x10\0" + b"%016d" % n for n in range(200))
    long = nested(*values) + NAME + OWN
    block = long[:2000] + long[2017:].replace(b"1.2\0", b"3.4\0")  # of another signature
    assert both.compared(long, block)[0] == (both.BLOCK,)
    assert both.compared(block, long)[0] == (both.BLOCK,)
    # whole elements may be missing: then the stream can be read, and its sequence is there
    assert both.compared(long, long[: len(OPEN) + 50 * 24] + long[len(OPEN) + 53 * 24 :]) == (
        (both.BLOCK,),
        tuple(f"(0008,1140)[0].(0010,{n:04X})" for n in (50, 51, 52)),
    )
    assert both.compared(long, NAME + OWN)[0] == ("no longer hashed",)
    other = block.replace(b"%016d" % 150, b"%016d" % 999)
    assert both.compared(long, other)[0][0].startswith("unreadable: ")


def test_what_was_said_without_what_is_of_one_file() -> None:
    said = {
        "PatientName (0010,0010) occurs twice": "ELEMENT occurs twice",
        "the VR of (0043,1014), (7FD9,1050) and 3 more is": "the VR of ELEMENTS is",
        "Data Elements Signed (0400,0020) lists nothing": "Data Elements Signed lists nothing",
        "signature verification failed: gone (offset 12)": "gone (offset N)",
        "is not as PS3.10 has it": "is not as PS3.10 has it",
        "Item missing: reading file: /a/b (1).dcm": "Item missing: reading file: FILE",
    }
    assert {words: both.template(words) for words in said} == said


def test_the_files_of_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with DICM at its place, from wheels and source distributions; the same one once."""
    one, two = bytes(128) + b"DICM1", bytes(128) + b"DICM2"

    def download(command: list[object], check: bool) -> None:
        assert "--require-hashes" in command and check
        archives = Path(str(command[-1]))
        archives.mkdir()
        with zipfile.ZipFile(archives / "a-1.whl", "w") as zipped:
            zipped.writestr("a/one.dcm", one)
            zipped.writestr("a/__init__.py", "")
        with tarfile.open(archives / "b-1.tar.gz", "w:gz") as tar:
            for name, data in (("b/again", one), ("../../two.dcm", two), ("b/x.dcm", b"no")):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))

    monkeypatch.setattr(packages.subprocess, "run", download)
    folder = packages.fetched(tmp_path)
    found = packages.part10_files([folder])
    assert [p.relative_to(folder).as_posix() for p in found.values()] == [
        "a-1.whl/a__one.dcm", "b-1.tar.gz/two.dcm",
    ]  # fmt: skip
    assert not (tmp_path.parent / "two.dcm").exists()
    monkeypatch.setattr(packages.subprocess, "run", None)
    assert packages.fetched(tmp_path) == folder


def test_every_package_has_a_version_and_a_hash() -> None:
    lines = [x for x in packages.LIST.read_text().splitlines() if x and x[0] not in "#-"]
    assert len(lines) == 8
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", x) for x in lines)


def test_the_document_has_the_tables() -> None:
    """What it says in words is what its tables count."""
    text = (ROOT / "docs" / "agreement.md").read_text("utf-8")
    inner = text.partition(agreement_tables.BEGIN)[2].partition(agreement_tables.END)[0]
    rows = dict(re.findall(r"^\| (packages|pydicom) \| (.*) \|$", inner, re.MULTILINE))
    assert set(rows) == {"packages", "pydicom"}
    for row in rows.values():
        files, accepted, agreed, differ = (int(cell) for cell in row.split(" | "))
        assert files == accepted + agreed + differ
    count, accepted = (int(x) for x in rows["packages"].split(" | ")[:2])
    assert f"{accepted} of the {count} files" in text

"""Encapsulated Pixel Data that end with the file, without their delimiter (PS3.5 Annex A.4)."""

from __future__ import annotations

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import _write_stds as std
import pki
import pydicom
import pytest

from dicomseal import canonical, remove_file, sign_file, verify
from dicomseal.encoding import record as r
from dicomseal.errors import MalformedError, SigningError
from dicomseal.standard import terms

END = std.SEQUENCE_END
TABLE = bytes.fromhex("FEFF00E000000000")
FRAGMENTS = (TABLE, b"".join((bytes.fromhex("FEFF00E006000000"), b"\xff\xd8\1\2\xff\xd9")))
HEAD = std.PIXEL_DATA_OB + std.UNDEFINED
ELEMENTS = [one for one in pki.SMALL if one[0] != terms.PIXEL_DATA]
WHOLE = pki.part10(pki.undefined(ELEMENTS) + HEAD + b"".join(FRAGMENTS) + END, pki.JPEG)
OPEN = WHOLE[: -len(END)]
SAID = "Pixel Data (7FE0,0010) end with the file and without their delimiter"
FAILS = "(7FE0,0010) ends with the file and without its delimiter"


@pytest.mark.parametrize("in_pieces", [False, True])
def test_it_is_read_and_said(backend, tmp_path, in_pieces, monkeypatch):
    if in_pieces:
        monkeypatch.setattr("dicomseal.files.reader.SNAPSHOT", 16)
    (tmp_path / "x").write_bytes(OPEN)
    report = verify(tmp_path / "x")
    assert (report.verdict, report.error, report.reasons) == ("unsigned", None, ())
    assert [said for said in report.messages if said.startswith(SAID)] == list(report.messages)
    assert verify(WHOLE).messages == ()
    assert verify(OPEN, require="signature").verdict == "failed"


def test_the_stream_is_that_of_the_whole_one(backend):
    for algorithm in ("SHA256", "MD5"):
        assert canonical.digest(OPEN, algorithm=algorithm) == canonical.digest(
            WHOLE, algorithm=algorithm
        )


def test_its_record(backend):
    data = std.MODALITY + HEAD + b"".join(FRAGMENTS)
    index = backend.Index(data)
    pixels = index.record(2)
    assert (pixels.kind, pixels.end, pixels.next) == (r.ENCAPSULATED, len(data), 5)
    assert index.record(4).end == len(data)
    assert [(note.kind, note.tag, note.record) for note in index.ambiguities] == [
        ("open", terms.PIXEL_DATA, 2)
    ]
    assert index.noted == {"open"}


IN_ITEM = std.REFERENCED_IMAGES + std.UNDEFINED + std.ITEM_UNDEFINED
CUT = {
    "no item": HEAD,
    "an offset table alone": HEAD + TABLE,
    "half a fragment": HEAD + b"".join(FRAGMENTS)[:-1],
    "half a header": HEAD + b"".join(FRAGMENTS) + TABLE[:4],
    "half a delimiter": HEAD + b"".join(FRAGMENTS) + END[:4],
    "another element": HEAD + b"".join(FRAGMENTS) + bytes.fromhex("FCFFFCFF4F42000000000000"),
    "zeros": HEAD + b"".join(FRAGMENTS) + bytes(8),
    "in an open item": IN_ITEM + HEAD + b"".join(FRAGMENTS),
    "in an item that has a length": std.REFERENCED_IMAGES
    + (len(HEAD + b"".join(FRAGMENTS)) + 8).to_bytes(4, "little")
    + std.ITEM
    + len(HEAD + b"".join(FRAGMENTS)).to_bytes(4, "little")
    + HEAD
    + b"".join(FRAGMENTS),
    "not Pixel Data": bytes.fromhex("E17F1000") + HEAD[4:] + b"".join(FRAGMENTS),
    "a sequence": std.REFERENCED_IMAGES + std.UNDEFINED + std.ITEM + bytes(4) + std.ITEM + bytes(4),
}


@pytest.mark.parametrize("data", CUT.values(), ids=CUT)
def test_what_else_is_cut_stays_an_error(backend, data):
    with pytest.raises(MalformedError):
        backend.Index(data)
    assert verify(pki.part10(data, pki.JPEG)).verdict == "error"


@pytest.fixture
def signed(tmp_path):
    """With a signature over an item that passes, and what is left without the delimiter."""
    sign_file(WHOLE, tmp_path / "whole", *pki.member("rsa").pair, items="BeamSequence[0]")
    whole = (tmp_path / "whole").read_bytes()
    assert whole.endswith(END)
    (tmp_path / "open").write_bytes(whole[: -len(END)])
    return tmp_path


def test_a_signed_one_fails(backend, signed):
    """Two readers see two contents."""
    whole = verify(signed / "whole", integrity_only=True, unsigned="accept")
    assert (whole.verdict, whole.reasons) == ("passed", ())
    report = verify(signed / "open", integrity_only=True, unsigned="accept")
    assert report.verdict == "failed"
    assert [s.integrity for s in report.signatures] == ["intact"]
    assert [(one.code, one.message.startswith(FAILS)) for one in report.reasons] == [
        ("FORMAT_FAILURE", True)
    ]


def test_a_main_signature_that_was_cut_off_is_missed(backend, tmp_path):
    """It stands behind the pixels; its MAC Parameters stand before them."""
    sign_file(WHOLE, tmp_path / "x", *pki.member("rsa").pair)
    data = (tmp_path / "x").read_bytes()
    cut = data[: data.rindex(END + bytes.fromhex("FAFFFAFF"))]
    report = verify(cut)
    assert report.verdict == "indeterminate"
    assert [one.code for one in report.reasons] == ["SIGNED_DATA_NOT_FOUND"]
    assert any(said.startswith(SAID) for said in report.messages)
    # what follows without a delimiter can be read in many ways, and is not read at all
    for at in (len(cut), len(cut) + len(END)):
        assert verify(cut + data[at + len(END) :]).verdict == "error"


def test_it_is_not_signed(backend, tmp_path):
    """A signature stands behind the pixels; a file that was cut there would look whole."""
    for items in ("", "BeamSequence[0]"):
        with pytest.raises(
            SigningError, match=r"ends with the file .* repair the object"
        ) as caught:
            sign_file(OPEN, tmp_path / "x", *pki.member("rsa").pair, items=items)
        assert caught.value.code == "ambiguous"
    assert not (tmp_path / "x").exists()


def test_removing_keeps_it_as_it_is(backend, signed):
    assert remove_file(signed / "open", signed / "plain") == (1, 0)
    assert (signed / "plain").read_bytes() == OPEN
    remove_file(signed / "whole", signed / "plain")
    assert (signed / "plain").read_bytes() == WHOLE


def test_what_readers_see(backend, tmp_path):
    """Why a signed one fails: pydicom sees no pixels, GDCM the last fragment twice."""
    gdcm = pytest.importorskip("gdcm")
    (tmp_path / "open").write_bytes(OPEN)
    with pytest.warns(UserWarning, match="End of file reached before delimiter"):
        assert "PixelData" not in pydicom.dcmread(tmp_path / "open")
    reader = gdcm.Reader()
    reader.SetFileName(str(tmp_path / "open"))
    assert reader.Read()
    writer = gdcm.Writer()
    writer.SetFile(reader.GetFile())
    writer.SetFileName(str(tmp_path / "made"))
    assert writer.Write()
    assert (tmp_path / "made").read_bytes().endswith(b"".join((*FRAGMENTS, FRAGMENTS[1], END)))


def test_what_repairs_it(backend, tmp_path):
    """The bytes that the sentence names."""
    (note,) = [one for one in verify(OPEN).messages if one.startswith(SAID)]
    repaired = OPEN + bytes.fromhex(re.search(r"the bytes ([0-9A-F]{16})", note)[1])
    assert repaired == WHOLE
    sign_file(repaired, tmp_path / "x", *pki.member("rsa").pair)
    assert verify(tmp_path / "x", integrity_only=True).verdict == "passed"


@pytest.mark.parametrize("line", [("verify", "open"), ("dump", "open"), ("dump", "--raw", "open")])
def test_on_the_command_line(run, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    Path("open").write_bytes(OPEN)
    Path("whole").write_bytes(WHOLE)
    code, out, err = run(*line)
    assert (code, err) == (0, "")
    if line[0] == "verify":
        assert SAID in out
    else:
        assert out == run(*line[:-1], "whole")[1]


def test_the_drop_in_refuses_it_as_dcmsign_does(tmp_path):
    """It reads such a file no further than to this sentence."""
    (tmp_path / "open").write_bytes(OPEN)
    code = "from dicomseal.dcmsign import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--verify", tmp_path / "open"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (20, "")
    assert "Sequence Delimitation Item missing" in done.stderr


def test_a_delimiter_with_a_length_fails_where_somebody_signed(backend, tmp_path):
    """What follows it is not skipped here; another reader takes other bytes for the fragments."""
    out = BytesIO()
    sign_file(BytesIO(WHOLE), out, *pki.member("rsa").write(tmp_path))
    data = out.getvalue()
    assert verify(data, integrity_only=True).verdict == "passed"
    at = data.index(b"".join(FRAGMENTS) + END) + len(b"".join(FRAGMENTS))
    changed = data[: at + 4] + b"\2\0\0\0" + data[at + 8 :]
    report = verify(changed, integrity_only=True)
    assert report.verdict == "failed"
    assert "ends with a delimiter that has a length" in report.reasons[0].message

"""`dump` shows the stream over which a signature verifies, or refuses; never another in silence."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import struct
import sys

import pki
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import dicomseal
from dicomseal.editing.reencode import reencode
from dicomseal.encoding.values import items_of
from dicomseal.errors import EncodingError, SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature import digital_signature
from dicomseal.signature.certificate import signed_digest
from dicomseal.signature.dump import Dump, raw
from dicomseal.signature.items import encode
from dicomseal.standard import terms, transfer_syntaxes

RSA = pki.member("rsa")
PIXELS = 0x7FE00010
NAME = (0x00100010, "PN", b"A^B ")
BITS = (0x00280100, "US", b"\x10\0")
LOST = [(0x00510010, "LO", b"NOBODY KNOWS"), *((0x00511000 + n, "LO", b"ab") for n in range(4))]
OBJECTS = {
    "words": [NAME, BITS, (PIXELS, "OW", b"\1\0\2\0")],
    "bytes beside 16 bits": [NAME, BITS, (PIXELS, "OB", b"\1\0\2\0")],
    "negative": [NAME, (0x00280106, "SS", b"\1\0"), BITS, (0x00280103, "US", b"\0\0")],
    "nested": [NAME, (0x00283010, "SQ", [[(0x00283002, "SS", b"\2\0\0\0\x10\0"),
                                          (0x00283006, "OW", b"\1\0\2\0")]])],
}  # fmt: skip


def signed(elements):
    out = io.BytesIO()
    dicomseal.sign_file(pki.part10(encode(sorted(elements))), out, *RSA.pair)
    return out.getvalue()


def implicit(data):
    part10 = Part10.from_bytes(data)
    return reencode(part10, part10.index(), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)[0]


def stored(data):
    index = Part10.from_bytes(data).index()
    (item,) = items_of(index, 0, terms.DIGITAL_SIGNATURES_SEQUENCE)
    return digital_signature.read(index, item, dicomseal.Limits()).signature


def dumped(data, **options):
    out = bytearray()
    Dump(data, **options).raw(out.extend)
    return bytes(out)


def counted(dump):
    """What the lines of a dump show, as bytes: the length, and the hexadecimal of short values."""
    lines = list(dump.lines())
    size = int(re.fullmatch(r"-- (\d+) bytes", lines[-1])[1])
    shown = "\n".join(lines)
    return size, bytes.fromhex(
        "".join(re.findall(r"^ +((?:[0-9a-f]{2} )+) \|", shown, re.MULTILINE))
    )


@pytest.mark.parametrize("name", OBJECTS)
def test_it_is_what_was_signed_in_either_encoding(backend, name):
    data = signed(OBJECTS[name])
    expected = signed_digest(RSA.key.public_key(), "SHA256", stored(data))
    for form in (data, implicit(data)):
        stream = dumped(form)
        assert hashlib.sha256(stream).digest() == expected
        size, shown = counted(Dump(form))
        assert size == len(stream)
        assert shown[:40] == stream[:40]
    assert dumped(data) == dumped(implicit(data))


def test_lines_show_the_vr_that_was_signed(backend):
    lines = list(Dump(implicit(signed(OBJECTS["bytes beside 16 bits"]))).lines())
    assert any("(7FE0,0010) OB 4 PixelData" in line for line in lines)


@pytest.mark.parametrize("way", ["raw", "lines"])
def test_what_cannot_be_rebuilt_is_refused(backend, tmp_path, way):
    """Too many private elements have lost their VR: nothing of the stream is shown."""
    whole = signed([NAME, *LOST])
    assert dumped(whole)
    path = tmp_path / "lost.dcm"
    path.write_bytes(implicit(whole))
    out = bytearray()
    with pytest.raises(EncodingError, match=r"lost\.dcm: the stream .* cannot be shown") as caught:
        getattr(Dump(path), way)(out.extend)
    assert (caught.value.code, out) == ("stream", b"")
    assert "dicomseal explain FILE" in caught.value.remedy
    with pytest.raises(EncodingError):
        raw(path, out.extend)


def test_a_changed_object_is_shown_and_said(backend):
    data = signed(OBJECTS["words"])
    assert (Dump(data).notes, Dump(data).reason) == ([], None)
    dump = Dump(data.replace(b"A^B ", b"A^C "))
    assert dump.reason.code == "HASH_FAILURE"
    assert dump.notes[0].startswith("the signature is not intact, and this is the stream of the ")
    assert b"A^C " in dumped(data.replace(b"A^B ", b"A^C "))


def test_an_unsigned_object_says_what_is_left_out(backend):
    data = pki.part10(encode(sorted([NAME, *LOST])))
    assert Dump(data).notes == []
    (note,) = Dump(implicit(data)).notes
    assert note.startswith("not in the stream, as it cannot be signed: ")
    assert "(0051,1000)" in note
    assert b"ab" not in dumped(implicit(data))


def test_a_signature_that_was_taken_out_is_said_to_be_missing(backend):
    data = signed(OBJECTS["words"])
    index = Part10.from_bytes(data).index()
    record = index.record(index.find(0, 0xFFFAFFFA))
    dump = Dump(data[: record.start] + data[record.end :])
    (note,) = dump.notes
    assert note.startswith("MAC Parameters are present and no signature is")
    assert dump.uid is None


def test_words_without_padding(backend):
    """The form of dcmsign, in a signature that is made here without it."""
    data = signed([NAME, BITS, (PIXELS, "OW", bytes(range(1, 8)))])
    head = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OW", 8)
    whole = head + bytes(range(1, 8)) + b"\0"
    short = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OW", 7) + bytes(range(1, 8))
    stream = dumped(data)
    assert stream.count(whole) == 1
    stream = stream.replace(whole, short)
    value = RSA.key.sign(stream, padding.PKCS1v15(), hashes.SHA256())
    odd = data.replace(stored(data), value)
    assert dumped(odd) == stream
    size, _ = counted(Dump(odd))
    assert size == len(stream)


def test_a_broken_one_says_so_and_names_the_file(tmp_path):
    path = tmp_path / "x.dcm"
    path.write_bytes(pki.small())
    with pytest.raises(SigningError, match=r"x\.dcm: no signature has the UID 1\.2\.3") as caught:
        Dump(path, "1.2.3")
    assert caught.value.code == "not_found"


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = signed([NAME, *LOST])
    (tmp_path / "whole.dcm").write_bytes(whole)
    (tmp_path / "lost.dcm").write_bytes(implicit(whole))
    (tmp_path / "changed.dcm").write_bytes(whole.replace(b"A^B ", b"A^C "))
    return tmp_path


@pytest.mark.parametrize(
    "options", [(), ("--raw",), ("--output", "out"), ("--raw", "--output", "out")]
)
def test_the_command_refuses_too(run, folder, options):
    code, out, err = run("dump", *options, "lost.dcm")
    assert (code, out) == (1, "")
    assert err.startswith("dicomseal: lost.dcm: the stream of the signature 2.25.")
    assert not (folder / "out").exists()


def test_the_command_says_that_it_is_not_what_was_signed(run, folder):
    for options in ((), ("--raw",)):
        code, out, err = run("dump", *options, "changed.dcm")
        assert code == 0
        assert "A^C" in out
        assert err.startswith("dicomseal: changed.dcm: the signature is not intact")
        assert run("dump", *options, "whole.dcm")[2] == ""


def test_into_a_file(run, folder):
    code, out, err = run("dump", "--raw", "whole.dcm", "--output", "stream")
    assert (code, out, err) == (0, "", "")
    assert (folder / "stream").read_bytes() == dumped((folder / "whole.dcm").read_bytes())
    assert run("dump", "whole.dcm", "--output", "text")[0] == 0
    assert (folder / "text").read_text() == run("dump", "whole.dcm")[1]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals on Windows")
def test_no_bytes_to_a_terminal_unless_asked(folder):
    import pty
    import subprocess

    def on_a_terminal(*options):
        leader, follower = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "dicomseal", "dump", "whole.dcm", *options],
            stdout=follower, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(follower)
        try:
            shown = os.read(leader, 4096)
        except OSError:  # nothing was written, and the other side is closed
            shown = b""
        os.close(leader)
        return done.returncode, shown, done.stderr

    code, shown, err = on_a_terminal("--raw")
    assert (code, shown) == (2, b"")
    assert b"bytes are not written to a terminal" in err
    code, shown, _ = on_a_terminal("--raw", "--output", "-")
    assert (code, shown[:8]) == (0, b"\x10\x00\x10\x00PN\4\0")
    code, shown, _ = on_a_terminal()
    assert code == 0
    assert shown.startswith(b"00000000 (0010,0010) PN 4 PatientName")


@pytest.mark.parametrize(
    "line",
    [
        "dump {}", "dump --raw {}", "remove {} out --all", "sign {} out --key k.pem --cert c.pem",
        "sign --profile sr --purpose 1 {} out --key k.pem --cert c.pem",
        'sign --item "DoseReferenceSequence[0]" {} out --key k.pem --cert c.pem',
    ],
)  # fmt: skip
@pytest.mark.parametrize("content", ["garbage", "cut", "unsigned", "absent"])
def test_errors_name_the_file(run, tmp_path, monkeypatch, line, content):
    monkeypatch.chdir(tmp_path)
    whole = pki.small()
    if content != "absent":
        data = {"garbage": b"no DICOM at all", "cut": whole[:-3], "unsigned": whole}[content]
        (tmp_path / "in.dcm").write_bytes(data)
    key, cert = RSA.write(tmp_path)
    os.rename(key, "k.pem")
    os.rename(cert, "c.pem")
    code, _, err = run(*shlex.split(line.format("in.dcm")))
    if content == "unsigned" and line.startswith(("dump", "sign {}")):
        assert code == 0
        return
    assert code == 1
    assert err.splitlines()[-1].startswith("dicomseal: in.dcm: "), err
    assert err.count("in.dcm") == 1
    assert not (tmp_path / "out").exists()


def test_errors_of_standard_input_and_of_the_target_name_these(run, folder):
    assert run("remove", "whole.dcm", "no/folder", "--all")[2].startswith("dicomseal: no/folder: ")
    assert run("dump", "whole.dcm", "--output", "no/folder")[2].startswith("dicomseal: no/folder: ")

"""Another transfer syntax, the same content: VRs, byte order, lengths, and the signatures in it."""

from __future__ import annotations

import os
import struct

import pki
import pydicom
import pytest
from tests.signing.test_sign_file import FOLDER, READABLE, RSA, WHEN, read

from dicomseal import sign_file, verify
from dicomseal.editing.convert import convert
from dicomseal.editing.reencode import EXPLICIT, KEEP, SYNTAXES, UNDEFINED, reencode
from dicomseal.encoding._encoder_py import swap
from dicomseal.errors import SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import transfer_syntaxes

NATIVE = [
    n for n in READABLE if verify(os.path.join(FOLDER, n)).transfer_syntax in SYNTAXES.values()
]
PACKED = [n for n in READABLE if n not in NATIVE]
# not explicit little endian, or with UN in them: what they become is not what they were, byte for
# byte, but the same elements
BACK = {"explicit": 30, "implicit": 20, "big-endian": 20, "deflated": 30}


def opened(data):
    part10 = Part10.from_bytes(data)
    return part10, part10.index()


def stream(index):
    out = bytearray()
    index.stream(out.extend)
    return bytes(out)


def body(part10):
    return bytes(part10.source[part10.start :])


def signed(data, tmp_path, **options):
    source, target = tmp_path / "s.in", tmp_path / "s.out"
    source.write_bytes(data)
    sign_file(source, target, *RSA, when=WHEN, **options)
    return target.read_bytes()


def intact(data):
    bare = data[128:132] != b"DICM"
    named = Part10.from_bytes(data).transfer_syntax if bare else ""
    report = verify(data, integrity_only=True, transfer_syntax=named)
    assert report.verdict == "passed", report.sentence()
    return report


# --- real files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NATIVE)
def test_there_and_back(name):
    """Through every transfer syntax that loses nothing, and back: the same bytes."""
    part10, index = opened(read(name))
    start, _ = reencode(part10, index, lengths=KEEP)
    assert body(Part10.from_bytes(start)) == body(part10)
    through = 0
    for uid in SYNTAXES.values():
        there, losses = reencode(part10, index, uid)
        if losses:
            continue
        through += 1
        other, other_index = opened(there)
        assert other.transfer_syntax == uid
        assert not other_index.ambiguities or index.ambiguities
        if not index.guessed and not other_index.guessed:
            assert stream(other_index) == stream(index)
        back, losses = reencode(other, other_index, part10.transfer_syntax)
        assert not losses
        again = body(Part10.from_bytes(back))
        if again != body(part10):  # implicit VR has no UN, explicit VR no ambiguous VR
            assert {part10.implicit, other.implicit} != {False}
            assert len(again) == len(body(part10)) or part10.implicit != other.implicit
    assert through >= 1


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_signature_survives_or_the_file_stays(name, syntax, tmp_path):
    data = signed(read(name), tmp_path)
    intact(data)
    (tmp_path / "in.dcm").write_bytes(data)
    try:
        sign_file(
            tmp_path / "in.dcm", tmp_path / "out.dcm", *RSA, when=WHEN, transfer_syntax=syntax
        )
    except SigningError as error:
        assert error.code == "transfer_syntax"
        assert "would break" in str(error) or "would be read as" in str(error)
        assert not (tmp_path / "out.dcm").exists()
        return
    report = intact((tmp_path / "out.dcm").read_bytes())
    assert len(report.signatures) == 2
    assert report.transfer_syntax == SYNTAXES[syntax]
    # not because another VR was tried: any reader finds it intact
    assert not [m for s in report.signatures for m in s.messages if "open" in m and s.uid]


def test_most_of_them_can_be_converted(tmp_path):
    """The two tests above would hold too if everything were refused."""
    done = dict.fromkeys(SYNTAXES, 0)
    for name in NATIVE:
        part10, index = opened(signed(read(name), tmp_path))
        for syntax, uid in SYNTAXES.items():
            try:
                convert(part10, index, uid)
            except SigningError:
                continue
            done[syntax] += 1
    assert {syntax: done[syntax] >= least for syntax, least in BACK.items()} == dict.fromkeys(
        BACK, True
    ), done


@pytest.mark.parametrize("name", PACKED)
def test_pixels_are_not_decoded(name):
    part10, index = opened(read(name))
    same, losses = reencode(part10, index)
    assert losses == []
    again = Part10.from_bytes(same)
    # but for group lengths that were wrong, and encapsulated Pixel Data labelled OW, which is OB
    assert sum(a != b for a, b in zip(body(again), body(part10), strict=True)) <= 16
    assert stream(again.index()) == stream(index)
    with pytest.raises(SigningError, match="have to be decoded"):
        reencode(part10, index, transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.parametrize("name", NATIVE[::4])
@pytest.mark.parametrize("lengths", [EXPLICIT, UNDEFINED])
def test_lengths(name, lengths, tmp_path):
    part10, index = opened(signed(read(name), tmp_path))
    opened_file = Part10.from_bytes(convert(part10, index, lengths=lengths))
    flags = {
        bool(opened_file.index().record(n).flags & 1)
        for n in range(1, len(index))
        if opened_file.index().record(n).kind in (1, 3) and opened_file.index().record(n).vr != "UN"
    }
    assert flags <= {lengths == UNDEFINED}
    assert len(flags) == 1
    assert stream(opened_file.index()) == stream(index)
    pydicom.dcmread(pydicom.filebase.DicomBytesIO(opened_file.head + body(opened_file))) if not (
        opened_file.deflated
    ) else None


# --- made ones -----------------------------------------------------------------------------------

MANY = [
    (0x00080000, "UL", b"\0" * 4),
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    (0x00080018, "UI", b"2.25.1234\0"),
    (0x00100010, "PN", b"Doe^John"),
    (0x00186060, "FL", struct.pack("<f", 1.5)),
    (0x00189073, "FD", struct.pack("<2d", 1.5, -2.5)),
    (0x00280009, "AT", struct.pack("<HH", 0x0018, 0x1063)),
    (0x00280010, "US", struct.pack("<H", 513)),
    (0x300A00B0, "SQ", [
        [(0x300A0000, "UL", b"\0" * 4), (0x300A00C0, "IS", b"1 "),
         (0x300A0111, "SQ", [[(0x300A0112, "IS", b"0 ")], []])],
    ]),
    (0x7FE00010, "OW", bytes(range(16))),
]  # fmt: skip


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("lengths", [KEEP, EXPLICIT, UNDEFINED])
def test_as_pydicom_reads_it(form, syntax, lengths, backend):
    """Every value, and group lengths that count right."""
    part10, index = opened(pki.small(form, MANY))
    data, losses = reencode(part10, index, SYNTAXES[syntax], lengths)
    assert losses == []
    before = pydicom.dcmread(pydicom.filebase.DicomBytesIO(pki.small(form, MANY)))
    after = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    assert after.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
    for dataset in (before, after):
        for scope in (dataset, dataset.BeamSequence[0]):
            for element in [e for e in scope if e.tag.element == 0]:
                assert element.value > 0 or dataset is before
                del scope[element.tag]
    # pydicom gives words as they are stored
    if (form == "big endian") != (syntax == "big-endian"):
        after.PixelData = swap(after.PixelData, "OW")
    assert after == before
    part10, index = opened(data)
    group = index.find(0, 0x00080000)
    (length,) = struct.unpack(">L" if part10.big_endian else "<L", index.value(group))
    first = index.record(group).end
    assert first + length == index.record(index.find(0, 0x00100010)).start


@pytest.mark.parametrize("undefined", [False, True])
def test_un_keeps_its_bytes(undefined):
    """A private element of unknown VR; with undefined length it is implicit VR inside."""
    inside = struct.pack("<HHL", 0x0008, 0x0018, 2) + b"1\0"
    if undefined:
        value = struct.pack("<HHL", 0xFFFE, 0xE000, len(inside)) + inside
        value += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
        header = struct.pack("<HH2s2xL", 0x0009, 0x1001, b"UN", 0xFFFFFFFF)
    else:
        value, header = inside, struct.pack("<HH2s2xL", 0x0009, 0x1001, b"UN", len(inside))
    data = pki.part10(encode([(0x00080018, "UI", b"2.25.1234\0")]) + header + value)
    part10, index = opened(data)
    for lengths in (KEEP, EXPLICIT, UNDEFINED):
        same, losses = reencode(part10, index, lengths=lengths)
        assert losses == []
        if lengths == KEEP or not undefined:
            assert same == data
        else:
            assert inside in same
    other, losses = reencode(part10, index, transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN)
    assert bool(losses) != undefined  # whose bytes are to change places nobody knows
    assert inside in other
    back, _ = reencode(*opened(other), transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)
    assert body(Part10.from_bytes(back)) == body(part10)


def test_too_long_for_explicit_vr():
    """PS3.5 Section 6.2.2: it becomes UN, and is told as a loss."""
    value = b"1\\" * 0x8001
    data = pki.small("implicit", [(0x00080018, "UI", b"2.25.1234\0"), (0x00200032, "DS", value)])
    part10, index = opened(data)
    reencoded, losses = reencode(part10, index, transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)
    assert [(loss.tag, loss.after) for loss in losses] == [(0x00200032, "UN")]
    assert value in reencoded
    back, losses = reencode(*opened(reencoded), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)
    assert losses == []
    assert body(Part10.from_bytes(back)) == body(part10)


def test_deep(tmp_path):
    """No recursion: as deep as the limit."""
    data = b""
    for _ in range(1500):
        data = (
            encode([(0x300A00B0, "SQ", b"")])[:-4]
            + struct.pack("<L", len(data) + 8)
            + (struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data)
        )
    part10, index = opened(pki.part10(data))
    for uid in SYNTAXES.values():
        reencoded, _ = reencode(part10, index, uid)
        back, _ = reencode(*opened(reencoded), transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)
        assert body(Part10.from_bytes(back)) == data

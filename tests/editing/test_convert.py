"""Conversions that would break a signature or lose a VR are refused; others are written."""

from __future__ import annotations

import pki
import pydicom
import pytest
from tests.editing.test_reencode import MANY, body, intact, opened, signed
from tests.signing.test_sign_file import RSA, WHEN

from dicomseal import sign_file, verify
from dicomseal.editing.convert import convert
from dicomseal.editing.reencode import SYNTAXES, reencode, resolve
from dicomseal.errors import SigningError, SourceError, UsageError
from dicomseal.files.part10 import Part10
from dicomseal.signature.certificate import sign_mac
from dicomseal.signature.items import encode
from dicomseal.standard import transfer_syntaxes

PRIVATE = [(0x00080018, "UI", b"2.25.1234\0"), (0x00091001, "LO", b"unknown ")]
BYTES = [(0x00080018, "UI", b"2.25.1234\0"), (0x7FE00010, "OB", bytes(range(16)))]


@pytest.mark.parametrize(
    ("elements", "what"),
    [
        (PRIVATE, r"would break: the VR LO of \(0009,1001\) would be read as UN"),
        (BYTES, r"would break: the VR OB of PixelData \(7FE0,0010\) would be read as OW"),
        (
            [PRIVATE[0], (0x300A00B0, "SQ", [[PRIVATE[1]]])],
            r"would break: the VR SQ of BeamSequence|would break: the VR LO of \(0009,1001\)",
        ),
    ],
)
def test_what_would_break_a_signature(elements, what, tmp_path):
    data = signed(pki.small(elements=elements), tmp_path)
    (tmp_path / "in.dcm").write_bytes(data)
    with pytest.raises(SigningError, match=what):
        sign_file(tmp_path / "in.dcm", tmp_path / "out", *RSA, transfer_syntax="implicit")
    assert not (tmp_path / "out").exists()
    sign_file(tmp_path / "in.dcm", tmp_path / "out", *RSA, transfer_syntax="big-endian")
    assert len(intact((tmp_path / "out").read_bytes()).signatures) == 2


def test_a_signature_over_others_does_not_mind(tmp_path):
    data = signed(pki.small(elements=BYTES), tmp_path, tags=["SOPInstanceUID"])
    (tmp_path / "in.dcm").write_bytes(data)
    sign_file(tmp_path / "in.dcm", tmp_path / "out", *RSA, transfer_syntax="implicit")
    assert len(intact((tmp_path / "out").read_bytes()).signatures) == 2


def test_a_lost_vr_is_refused_without_signatures_too(tmp_path):
    (tmp_path / "in.dcm").write_bytes(pki.small(elements=PRIVATE))
    with pytest.raises(SigningError, match=r"LO of \(0009,1001\) would be read as UN"):
        sign_file(tmp_path / "in.dcm", tmp_path / "out", *RSA, transfer_syntax="implicit")
    part10, index = opened(pki.small(elements=PRIVATE))
    converted = convert(
        part10, index, transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN, accept_loss=True
    )
    assert Part10.from_bytes(converted).implicit


def test_a_signature_that_only_another_vr_explains(tmp_path):
    """Signed as OB, read from implicit VR: intact here by trying; explicit VR would settle OW."""
    data = signed(pki.small(elements=BYTES), tmp_path)
    reencoded, _ = reencode(*opened(data), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)
    assert "PixelData (7FE0,0010) as OB" in intact(reencoded).signatures[0].messages[0]
    with pytest.raises(SigningError, match="would break"):
        convert(*opened(reencoded), transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_broken_signature_is_no_obstacle(tmp_path):
    data = signed(pki.small(elements=PRIVATE), tmp_path).replace(b"unknown ", b"changed ")
    part10, index = opened(data)
    assert Part10.from_bytes(
        convert(part10, index, transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN)
    ).big_endian


def test_a_vr_that_is_found_again_is_no_obstacle(tmp_path):
    """Signed as PN, then made UN: in implicit VR it has the dictionary's VR, and is intact."""
    data = signed(pki.small(elements=MANY[1:4]), tmp_path)
    header = bytes.fromhex("10001000")
    assert data.count(header + b"PN\10\0") == 1
    lost = data.replace(header + b"PN\10\0", header + b"UN\0\0\10\0\0\0")
    assert verify(lost).signatures[0].integrity == "unverifiable"
    intact(convert(*opened(lost), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN))


STRANGE = {
    "algorithm": (b"SHA256", b"SHA3_6"),
    "certificate type": (b"X509_1993_SIG", b"X509_2099_SIG"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_cannot_be_verified_here_may_be_elsewhere(tmp_path, what):
    """Another reader may know the algorithm: its bytes are kept as those of an intact one."""
    known, strange = STRANGE[what]
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    intact_one = signed(pki.small(elements=BYTES), tmp_path)
    source.write_bytes(intact_one.replace(known, strange))
    assert verify(source).signatures[0].integrity == "unverifiable"
    with pytest.raises(SigningError, match=r"would break: the VR OB of PixelData"):
        sign_file(source, target, *RSA, transfer_syntax="implicit")
    assert not target.exists()
    sign_file(source, target, *RSA, transfer_syntax="big-endian")
    intact(target.read_bytes().replace(strange, known))
    # implicit VR leaves open what explicit VR would settle, and nobody here can try
    reencoded, _ = reencode(*opened(intact_one), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)
    intact(reencoded)
    source.write_bytes(reencoded.replace(known, strange))
    for syntax in ("explicit", "big-endian", "deflated"):
        with pytest.raises(SigningError, match="would break"):
            sign_file(source, tmp_path / "none", *RSA, transfer_syntax=syntax)
    # what is open and not signed is no obstacle
    others = signed(pki.small(elements=BYTES), tmp_path, tags=["SOPInstanceUID"])
    source.write_bytes(others.replace(known, strange))
    sign_file(source, target, *RSA, transfer_syntax="implicit")
    intact(target.read_bytes().replace(strange, known))


def test_a_vr_that_is_lost_already_is_no_obstacle(tmp_path):
    """Signed as LO, then in implicit VR: unverifiable. As UN it is that as well, no more."""
    several = PRIVATE + [(0x00091002 + n, "LO", b"unknown ") for n in range(3)]
    lost, losses = reencode(
        *opened(signed(pki.small(elements=several), tmp_path)),
        transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
    )
    assert losses
    assert verify(lost).signatures[0].integrity == "unverifiable"
    converted = convert(*opened(lost), transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)
    assert verify(converted).signatures[0].integrity == "unverifiable"
    back = convert(*opened(converted), transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN)
    assert body(Part10.from_bytes(back)) == body(Part10.from_bytes(lost))


@pytest.mark.parametrize("name", ["jpeg", "1.2.840.10008.1.2.4.50", "", "Implicit"])
def test_names(name, tmp_path):
    with pytest.raises(SigningError, match="re-encoded as implicit, explicit"):
        resolve(name)
    with pytest.raises(UsageError, match="re-encoded as implicit, explicit"):
        sign_file(tmp_path / "none", tmp_path / "out", *RSA, transfer_syntax=name)


def test_meta_information_is_made_where_there_is_none(tmp_path):
    (tmp_path / "in.dcm").write_bytes(encode(MANY[1:]))
    sign_file(tmp_path / "in.dcm", tmp_path / "out.dcm", *RSA, transfer_syntax="big-endian")
    dataset = pydicom.dcmread(tmp_path / "out.dcm")
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID == "2.25.1234"
    assert dataset.file_meta.TransferSyntaxUID == transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN
    assert dataset.file_meta.FileMetaInformationGroupLength > 100
    intact((tmp_path / "out.dcm").read_bytes())


def test_the_same_syntax_is_spliced(tmp_path):
    (tmp_path / "in.dcm").write_bytes(pki.small())
    sign_file(tmp_path / "in.dcm", tmp_path / "a", *RSA, uid="2.25.1", when=WHEN)
    sign_file(
        tmp_path / "in.dcm", tmp_path / "b", *RSA, uid="2.25.1", when=WHEN,
        transfer_syntax="explicit",
    )  # fmt: skip
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("syntax", [None, *SYNTAXES])
def test_a_file_that_changes_meanwhile(tmp_path, syntax):
    """Re-encoded or not: what is replaced is what was read."""
    path = tmp_path / "in.dcm"
    path.write_bytes(pki.small())

    class Meddler:
        def sign(self, digest, algorithm):
            path.write_bytes(pki.small(elements=MANY[1:]))
            return sign_mac(RSA[0], digest, algorithm)

    with pytest.raises(SourceError) as caught:
        sign_file(path, path, Meddler(), RSA[1], transfer_syntax=syntax)
    assert caught.value.code == "changed"
    assert path.read_bytes() == pki.small(elements=MANY[1:])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_compressed_transfer_syntax_without_pixel_data(tmp_path, syntax):
    """Nothing is to be decoded, and the signature, which names it, stays intact."""
    (tmp_path / "in").write_bytes(pki.part10(encode(pki.SMALL[:-1]), pki.JPEG))
    sign_file(tmp_path / "in", tmp_path / "one", *RSA)
    sign_file(tmp_path / "one", tmp_path / "two", *RSA, transfer_syntax=syntax)
    report = intact((tmp_path / "two").read_bytes())
    assert report.transfer_syntax == SYNTAXES[syntax]
    assert [s.mac_transfer_syntax for s in report.signatures] == [pki.JPEG, pki.EXPLICIT]
    assert [s.messages for s in report.signatures] == [(), ()]  # nothing about Pixel Data

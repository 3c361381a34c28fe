"""What is signed lasts with dcmsign too: data sets in memory, private elements of implicit VR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _dcmtk import Dcmtk
from _in_memory import ENCODINGS, data_set, saved

from dicomseal import sign, sign_file, verify
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode

pytestmark = pytest.mark.peer

IMPLICIT = [
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    (0x00080018, "UI", b"2.25.1234\0"),
    (0x00100010, "PN", b"A^B "),
    (0x00190010, "LO", b"SIEMENS MR HEADER "),
    (0x00191008, "CS", b"IMAGE NUM 4 "),
    (0x00191009, "LO", b"1.0 "),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_data_set_in_memory(encoding: str, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """dcmsign verifies what is saved, and after a conversion, wherever it keeps the values."""
    for seed in range(25):
        dataset = data_set(seed, encoding)
        sign(dataset, *pki.pair("rsa"))
        (work / "s").write_bytes(saved(dataset))
        if encoding == "implicit" and is_signed_for_us_alone(dataset):
            continue
        assert dcmtk.verify(work / "s") == 0, seed


def is_signed_for_us_alone(scope: Any) -> bool:
    """Whether it has signed pixels and what dcmsign takes for unsigned in implicit VR all the same.

    It does so of descriptors, and of what stands before the Pixel Representation.
    """
    if any(is_signed_for_us_alone(item) for item in scope.get("ReferencedImageSequence") or ()):
        return True
    return any(tag in scope for tag in (0x00281101, 0x00189810))


def test_private_elements_of_implicit_vr(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """Left out, the signature lasts: fresh and in explicit VR, here and there."""
    from pki import part10

    (work / "p").write_bytes(part10(encode(IMPLICIT, True), "1.2.840.10008.1.2"))
    (uid,) = sign_file(work / "p", work / "s", *pki.pair("rsa"))
    assert uid.left_out == ("(0019,1008)", "(0019,1009)")
    assert dcmtk.verify(work / "s") == 0
    dcmtk.convert(work / "s", work / "c", "+te")
    assert dcmtk.verify(work / "c") == 0
    assert verify(work / "c", integrity_only=True).signatures[0].integrity == "intact"


@pytest.mark.parametrize("tag", [0x00143050, 0x00143070, 0x5000200C, 0x50023000, 0x7F020010])
def test_bytes_of_implicit_vr(tag: int, dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """Curves and the like: OB or OW, and DCMTK takes them for bytes."""
    from pki import part10

    elements = [*IMPLICIT[:3], (tag, "OB", b"\1\2")]
    (work / "p").write_bytes(part10(encode(elements, True), "1.2.840.10008.1.2"))
    (uid,) = sign_file(work / "p", work / "s", *pki.pair("rsa"))
    assert not uid.left_out
    assert dcmtk.verify(work / "s") == 0
    dcmtk.convert(work / "s", work / "c", "+te")
    assert verify(work / "c", integrity_only=True).signatures[0].integrity == "intact"


def test_dcmsign_signs_long_values_as_un(dcmtk: Dcmtk, pki: Any, work: Path) -> None:
    """It verifies that itself until explicit VR makes UN of the element; here it is explained."""
    from pki import part10

    inner = [(0x00104000, "LT", b"x" * 70000), (0x00204000, "LT", b"xx")]
    for elements, whole in (
        ([*IMPLICIT[:3], (0x00104000, "LT", b"x" * 70000)], True),
        ([*IMPLICIT[:3], (0x00081140, "SQ", [[(0x00081199, "SQ", [inner])]])], False),
    ):
        data = part10(encode(sorted(elements), True), "1.2.840.10008.1.2")
        (work / "p").write_bytes(data)
        dcmtk.sign(work / "p", work / "s", pki.pair("rsa"), "+m2")
        assert dcmtk.verify(work / "s") == 0
        assert Part10.from_bytes((work / "s").read_bytes()).implicit
        (signature,) = verify(work / "s", integrity_only=True).signatures
        assert signature.integrity == "unverifiable"
        said = signature.integrity_reason.message
        assert "the value has 70000 bytes, more than the VR LT can have" in said
        assert ("in its form nothing was changed" in said) is whole
        dcmtk.convert(work / "s", work / "c", "+te")
        assert dcmtk.verify(work / "c") == 101

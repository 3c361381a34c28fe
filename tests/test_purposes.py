"""Purposes: CID 7007, in and out."""

from __future__ import annotations

import pki
import pydicom
import pytest

from dicomseal import purposes, sign, sign_file, verify
from dicomseal.errors import UsageError

RSA = pki.member("rsa").pair


@pytest.mark.parametrize(("code", "meaning"), purposes.MEANINGS.items())
def test_there_and_back(tmp_path, code, meaning):
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small())
    sign_file(source, target, *RSA, purpose=code)
    (signature,) = verify(target, integrity_only=True).signatures
    assert (signature.integrity, signature.purpose, signature.purpose_code) == (
        "intact", meaning, code,
    )  # fmt: skip
    dataset = pydicom.dcmread(target)
    (item,) = dataset.DigitalSignaturesSequence[0].DigitalSignaturePurposeCodeSequence
    assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == (
        code, "ASTM-sigpurpose", meaning,
    )  # fmt: skip
    plain = pydicom.dcmread(source)
    sign(plain, *RSA, purpose=int(code))
    assert verify(plain, integrity_only=True).signatures[0].purpose_code == code


def test_there_are_18():
    assert list(purposes.MEANINGS) == [str(n) for n in range(1, 19)]


@pytest.mark.parametrize("name", [5, "5", " 5 ", "Verification Signature", "verification",
                                  "VERIFICATION-signature"])  # fmt: skip
def test_names(name):
    assert purposes.parse(name) == ("5", "ASTM-sigpurpose", "Verification Signature")


def test_every_name_is_its_own():
    for code, meaning in purposes.MEANINGS.items():
        assert purposes.parse(meaning)[0] == purposes.parse(meaning.upper())[0] == code
    assert purposes.parse("author")[0] == purposes.parse("Author's")[0] == "1"


@pytest.mark.parametrize("wrong", [0, 19, "19", "", "signature", "05", "verif", True, None, 5.0])
def test_no_purpose(wrong):
    with pytest.raises(UsageError, match="CID 7007"):
        purposes.parse(wrong)


def test_the_mac_protects_it(tmp_path):
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small())
    sign_file(source, target, *RSA, purpose=6)
    data = target.read_bytes()
    assert data.count(b"Validation Signature") == 1
    data = data.replace(b"Validation Signature", b"Validation signature")
    assert verify(data, integrity_only=True).signatures[0].integrity == "altered"


def test_other_codes_are_no_purposes_of_the_standard():
    assert purposes.code_of(None) is None
    assert purposes.code_of(("5", "99LOCAL", "Verification Signature")) is None
    assert purposes.code_of(("19", "ASTM-sigpurpose", "?")) is None
    assert purposes.code_of(("5", "ASTM-sigpurpose", "")) == "5"


def test_a_meaning_of_another_code(tmp_path):
    assert purposes.contradiction(None) == ""
    assert purposes.contradiction(("5", "ASTM-sigpurpose", "Überprüfung")) == ""
    assert purposes.contradiction(("5", "ASTM-sigpurpose", "verification signature ")) == ""
    assert purposes.contradiction(("5", "99X", "Author's Signature")) == ""
    assert "the code counts" in purposes.contradiction(
        ("5", "ASTM-sigpurpose", "Author's Signature")
    )
    source = pydicom.dcmread(pydicom.data.get_testdata_file("MR_small.dcm"))
    key = pki.member("rsa")
    import unittest.mock

    lie = {**purposes.MEANINGS, "5": "Author's Signature"}
    with unittest.mock.patch.object(purposes, "MEANINGS", lie):
        sign(source, *key.pair, purpose=5)
    (signature,) = verify(source, integrity_only=True).signatures
    assert (signature.purpose, signature.purpose_code) == ("Author's Signature", "5")
    assert any("the code counts" in message for message in signature.messages)

"""What is signed lasts: as the object is written, and as others read and re-encode it."""

from __future__ import annotations

import copy
import io
import warnings
from datetime import UTC, datetime
from typing import Any

import pki
import pytest
from _in_memory import ENCODINGS, data_set, saved
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from dicomseal import sign, sign_file, verify
from dicomseal.editing.reencode import reencode
from dicomseal.encoding.obstacles import GUESSED
from dicomseal.errors import SigningError
from dicomseal.files.part10 import Part10
from dicomseal.signature.items import encode
from dicomseal.standard import terms, transfer_syntaxes

RSA = pki.member("rsa").pair
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
NAME = (0x00100010, "PN", b"A^B ")
SIEMENS = (0x00190010, "LO", b"SIEMENS MR HEADER ")
GUESS = (0x00191008, "CS", b"IMAGE NUM 4 ")
ACME = (0x00190010, "LO", b"ACME")
KNOWN_TO_NONE = (0x00191008, "LO", b"lost")
LONG = (0x30060050, "DS", b"-123.45\\" * 9000)


def signed(elements: Any, syntax: str = pki.IMPLICIT, **options: Any) -> tuple[bytes, Any]:
    out = io.BytesIO()
    implicit = syntax == pki.IMPLICIT
    (uid,) = sign_file(pki.part10(encode(sorted(elements), implicit), syntax), out, *RSA, **options)
    return out.getvalue(), uid


def only(data: Any) -> Any:
    (signature,) = verify(data, integrity_only=True).signatures
    return signature


# --- a data set in memory -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_a_data_set_is_signed_as_it_is_written(encoding, seed):
    """The signature is the one that `sign_file` makes of the file, and is intact ever after."""
    dataset = data_set(seed, encoding)
    plain, by_file = saved(dataset), io.BytesIO()
    dataset = data_set(seed, encoding)  # as it was: saving may settle VRs
    same = {"uid": "2.25.1", "when": NOW}
    sign_file(plain, by_file, *RSA, **same)
    uid = sign(dataset, *RSA, **same)
    assert uid.left_out == sign_file(plain, io.BytesIO(), *RSA)[0].left_out
    assert only(dataset).integrity == "intact"
    data = saved(dataset)
    signature = only(data)
    assert signature.integrity == "intact"
    assert not any("implicit VR" in message for message in signature.messages)
    assert value(data) == value(by_file.getvalue())
    again = dcmread(io.BytesIO(data))
    assert only(again).integrity == "intact"
    assert only(saved(again)).integrity == "intact"


def value(data: bytes) -> bytes:
    return bytes(dcmread(io.BytesIO(data)).DigitalSignaturesSequence[0].Signature)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_signing_in_memory_changes_nothing_else(encoding):
    for seed in range(20):
        dataset = data_set(seed, encoding)
        before = copy.deepcopy(dataset)
        verify(dataset)
        sign(dataset, *RSA)
        del dataset.MACParametersSequence, dataset.DigitalSignaturesSequence
        assert dataset == before
        assert [e.VR for e in dataset] == [e.VR for e in before]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_item_in_memory(encoding):
    for seed in range(40):
        dataset = data_set(seed, encoding)
        if not dataset.get("ReferencedImageSequence"):
            continue
        plain, by_file = saved(data_set(seed, encoding)), io.BytesIO()
        same = {"uid": "2.25.1", "when": NOW}
        place = "ReferencedImageSequence[0]"
        sign_file(plain, by_file, *RSA, items=place, **same)
        sign(dataset, *RSA, item=place, **same)
        data = saved(dataset)
        assert only(data).integrity == "intact"
        one, other = (
            dcmread(io.BytesIO(file)).ReferencedImageSequence[0].DigitalSignaturesSequence[0]
            for file in (data, by_file.getvalue())
        )
        assert one.Signature == other.Signature


# --- private elements of implicit VR --------------------------------------------------------------


def test_guessed_vrs_are_left_out(backend):
    """They are not in the file; what is left out, and why, is told."""
    data, uid = signed([NAME, SIEMENS, GUESS])
    assert uid.left_out == ("(0019,1008)",)
    assert uid.obstacles == (f"(0019,1008): {GUESSED}",)
    signature = only(data)
    assert (signature.integrity, signature.signed_elements) == ("intact", 2)
    assert signature.unsigned_elements == 1


@pytest.mark.parametrize("lost", ["UN", "CS", "LO"])
def test_it_lasts_whatever_another_program_guesses(backend, lost):
    """In explicit VR it may be UN (PS3.5 Section 6.2.2), or what another dictionary has."""
    data, _ = signed([NAME, SIEMENS, GUESS])
    dataset = dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
    dataset.add_new(GUESS[0], lost, GUESS[2] if lost == "UN" else GUESS[2].decode().strip())
    out = io.BytesIO()
    dataset.save_as(out, implicit_vr=False)
    assert only(out.getvalue()).integrity == "intact"


def test_guessed_vrs_are_signed_when_asked(backend):
    data, uid = signed([NAME, SIEMENS, GUESS], include_guessed=True)
    assert (uid.left_out, uid.obstacles) == ((), ())
    assert (only(data).integrity, only(data).signed_elements) == ("intact", 3)


def test_in_explicit_vr_nothing_is_guessed(backend):
    _, uid = signed([NAME, SIEMENS, GUESS, (0x00191009, "FD", bytes(8))], pki.EXPLICIT)
    assert (uid.left_out, uid.obstacles) == ((), ())


@pytest.mark.parametrize("inner", [[SIEMENS, GUESS], [ACME, KNOWN_TO_NONE]])
def test_a_sequence_with_a_guess_is_left_out(backend, inner):
    elements = [NAME, (0x00081140, "SQ", [[(0x00080060, "CS", b"CT")], inner])]
    data, uid = signed(elements)
    assert uid.left_out == ("ReferencedImageSequence (0008,1140)",)
    (obstacle,) = uid.obstacles
    assert obstacle.startswith("ReferencedImageSequence (0008,1140): of (0019,1008) in it, its VR")
    guessed = inner[0] == SIEMENS
    assert obstacle.endswith(GUESSED) is guessed
    assert only(data).signed_elements == 1
    _, again = signed(elements, include_guessed=True)
    assert bool(again.left_out) is not guessed


def test_a_private_sequence_is_a_guess_too(backend):
    """Of undefined length it is a sequence for everybody, and UN after dcmconv."""
    creator = encode([NAME, (0x00190010, "LO", b"NOBODY")], True)
    inner = bytes.fromhex("FEFF00E0 0A000000 08006000 02000000 4354 FEFFDDE0 00000000")
    out = io.BytesIO()
    data = creator + bytes.fromhex("19000810 FFFFFFFF") + inner
    (uid,) = sign_file(pki.part10(data, pki.IMPLICIT), out, *RSA)
    assert uid.obstacles == (f"(0019,1008): {GUESSED}",)


def test_a_guess_that_is_asked_for_by_name(backend):
    with pytest.raises(SigningError, match=r"cannot be signed: \(0019,1008\): its VR is not in"):
        signed([NAME, SIEMENS, GUESS], tags=["0019,1008"])
    data, _ = signed([NAME, SIEMENS, GUESS], tags=["0019,1008"], include_guessed=True)
    assert only(data).signed_elements == 1


def test_all_or_nothing(backend):
    signed([NAME, SIEMENS], require_all_signed=True)
    with pytest.raises(SigningError, match=r"these would not be: \(0019,1008\): its VR") as caught:
        signed([NAME, SIEMENS, GUESS], require_all_signed=True)
    assert caught.value.code == "unsigned"
    signed([NAME, SIEMENS, GUESS], require_all_signed=True, include_guessed=True)
    with pytest.raises(SigningError, match=r"these would not be: SOPClassUID|PatientName"):
        signed([NAME, SIEMENS], tags=["0019,0010"], require_all_signed=True)


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pki.member("rsa").write(tmp_path)
    return tmp_path


def test_the_command_says_what_it_leaves_out(run, work):
    guessed = pki.part10(encode([NAME, SIEMENS, GUESS], True), pki.IMPLICIT)
    (work / "in.dcm").write_bytes(guessed)
    code, out, err = run("sign", "in.dcm", "out.dcm", *KEY)
    assert (code, len(out.splitlines())) == (0, 1)
    assert f"warning: not signed: (0019,1008): {GUESSED}" in err
    assert "--include-guessed" in err
    code, _, err = run("sign", "in.dcm", "out.dcm", *KEY, "--include-guessed")
    assert (code, err) == (0, "")
    (work / "new.dcm").unlink(missing_ok=True)
    code, _, err = run("sign", "in.dcm", "new.dcm", *KEY, "--require-all-signed")
    assert (code, (work / "new.dcm").exists()) == (1, False)
    assert f"(0019,1008): {GUESSED}" in err


# --- long values ----------------------------------------------------------------------------------


def contours(value: bytes = LONG[2]) -> list[Any]:
    contour = [(0x30060042, "CS", b"POINT "), (0x30060050, "DS", value)]
    return [NAME, (0x30060039, "SQ", [[(0x30060040, "SQ", [contour])]])]


WHY = (
    "ROIContourSequence (3006,0039): of ContourData (3006,0050) in it, the value has 72000 bytes, "
    "more than the VR DS can have in explicit VR, where it is UN and so is not signed (PS3.5 "
    "Section 6.2.2)"
)


def test_a_long_value_is_left_out_with_its_reason(backend):
    data, uid = signed(contours())
    assert (uid.left_out, uid.obstacles) == (("ROIContourSequence (3006,0039)",), (WHY,))
    report = verify(data, integrity_only=True)
    assert report.signatures[0].integrity == "intact"
    assert f"not signed: {WHY}" in report.messages
    with pytest.raises(SigningError, match="cannot be signed: ROIContourSequence"):
        signed(contours(), tags=["ROIContourSequence"])
    with pytest.raises(SigningError, match="72000 bytes"):
        signed(contours(), require_all_signed=True)
    _, fits = signed(contours(LONG[2][:0xFFFE]))
    assert fits.left_out == ()


def test_a_long_value_in_explicit_vr_has_the_same_reason(backend):
    """There it is UN with its real length (PS3.5 Section 6.2.2)."""
    part10 = Part10.from_bytes(pki.part10(encode(contours(), True), pki.IMPLICIT))
    explicit = reencode(part10, part10.index(), transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN)[0]
    (uid,) = sign_file(explicit, io.BytesIO(), *RSA)
    assert uid.obstacles == (WHY,)


def test_the_command_signs_a_structure_set_with_a_warning(run, work):
    (work / "in.dcm").write_bytes(pki.part10(encode(contours(), True), pki.IMPLICIT))
    code, _, err = run("sign", "in.dcm", "out.dcm", *KEY)
    assert (code, err) == (0, f"dicomseal: warning: not signed: {WHY}\n")
    code, _, err = run("sign", "in.dcm", "out.dcm", *KEY, "--require-all-signed")
    assert (code, WHY in err) == (1, True)


def test_a_signature_over_a_long_value_is_explained(backend):
    """As dcmsign makes it over one that is in no sequence: as UN, and nothing was changed."""
    from dicomseal.signature import certificate
    from dicomseal.standard import mac_algorithms

    elements = [NAME, (0x00104000, "LT", b"x" * 70000)]
    data, _ = signed([NAME, (0x00104000, "LT", b"short ")])
    index = Part10.from_bytes(data).index()
    stored = dcmread(io.BytesIO(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored.PatientComments = "x" * 70000
        whole = io.BytesIO()
        stored.save_as(whole)
    part10 = Part10.from_bytes(whole.getvalue())
    index = part10.index()
    hasher = mac_algorithms.new_hasher("SHA256")
    long = encode([NAME, (0x00104000, "UN", elements[1][2])])
    hasher.update(long)
    item = next(index.children(index.find(0, terms.DIGITAL_SIGNATURES_SEQUENCE)))
    index.stream(hasher.update, item, None, without=terms.NOT_IN_MAC)
    value = certificate.sign_mac(pki.key("rsa"), hasher.digest(), "SHA256")
    old = index.value(index.find(item, terms.SIGNATURE))
    assert whole.getvalue().count(old) == 1
    signature = only(whole.getvalue().replace(old, value))
    assert (signature.integrity, signature.integrity_reason.code) == (
        "unverifiable", "SIGNED_DATA_NOT_FOUND",
    )  # fmt: skip
    said = signature.integrity_reason.message
    assert said.startswith("PatientComments (0010,4000): the value has 70000 bytes, more than the")
    assert said.endswith("dcmsign signs UN here, and in its form nothing was changed")
    other = only(whole.getvalue().replace(old, value).replace(b"A^B ", b"A^C "))
    assert other.integrity == "unverifiable"
    assert "nothing was changed" not in other.integrity_reason.message


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("creator", ["ACME", "SIEMENS MR HEADER"])
def test_a_private_sequence_in_memory_is_what_readers_of_implicit_vr_see(
    backend, creator, undefined
):
    """With a stated length it is bytes of an unknown VR to them, so it cannot be signed."""
    data_set, item = Dataset(), Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66", "1.2.3"
    item.PatientID, item.ReferencedImageSequence = "1", [Dataset()]
    data_set.private_block(0x11, creator, create=True).add_new(8, "SQ", [item])
    data_set[0x00111008].is_undefined_length = undefined
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(pki.IMPLICIT)
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    before = copy.deepcopy(data_set)
    sign(data_set, *RSA, include_guessed=True)
    for read in (data_set, dcmread(io.BytesIO(saved(data_set)))):
        of_data_set, of_file = verify(read, integrity_only=True), only(saved(data_set))
        assert of_data_set.passed
        assert of_data_set.signatures[0] == of_file
        assert of_file.unsigned_elements == (0 if undefined else 1)
    del data_set.MACParametersSequence, data_set.DigitalSignaturesSequence
    assert data_set == before

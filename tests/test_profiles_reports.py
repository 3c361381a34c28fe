"""PS3.15 C.4: the signatures of Structured Reports, and the one that verifies them."""

from __future__ import annotations

import pki
import pydicom
import pytest
from _profiles import TAG
from tests.test_profiles import CREATOR_UIDS, OBJECT, RSA, signed, without

from dicomseal import sign, sign_file, verify
from dicomseal.errors import SigningError, UsageError
from dicomseal.profiles import SR, SR_VERIFICATION

CONCEPT = [[(TAG("CodeMeaning"), "LO", b"Report")]]
REPORT = {
    **{name: OBJECT[name] for name in (*CREATOR_UIDS, "StationName", "PatientName")},
    "SOPClassUID": ("UI", b"1.2.840.10008.5.1.4.1.1.88.11\0"),
    "ValueType": ("CS", b"CONTAINER "),
    "ConceptNameCodeSequence": ("SQ", CONCEPT),
    "VerifyingObserverSequence": ("SQ", [[(TAG("VerifyingOrganization"), "LO", b"Here")]]),
    "VerificationFlag": ("CS", b"VERIFIED"),
    "ContentSequence": ("SQ", [[(TAG("ValueType"), "CS", b"TEXT")]]),
}


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_reports(backend, put, form):
    demanded = REPORT.keys() - {"PatientName"}
    tags, signature = signed(put(REPORT, form), profile="sr-verification", tags=["SOPClassUID"])
    assert tags == demanded
    assert (signature.purpose, signature.purpose_code) == ("Verification Signature", "5")
    assert signature.profiles == (
        "base", "creator", "authorization", "sr", "sr-verification",
    )  # fmt: skip
    draft = REPORT | {"VerificationFlag": ("CS", b"UNVERIFIED")}
    tags, signature = signed(put(draft, form), profile="sr", purpose="author", tags=["SOPClassUID"])
    assert tags == demanded - {"SOPInstanceUID", "VerificationFlag", "VerifyingObserverSequence"}
    assert signature.profiles == ("base", "sr")


EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence",
            "PredecessorDocumentsSequence")  # fmt: skip


def test_the_lists_of_c4():
    """As PS3.15 2023b has them, but that what many reports have not is demanded if present."""
    uids = {"SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"}
    more = {"SOPInstanceUID", "VerificationFlag", "VerifyingObserverSequence"}
    listed = {*EVIDENCE, "ObservationDateTime"}
    for profile, required, attributes in (
        (SR, uids, listed), (SR_VERIFICATION, uids | more, listed | {"VerificationDateTime"}),
    ):  # fmt: skip
        assert profile.required == {TAG(name) for name in required}
        assert profile.attributes == {TAG(name) for name in attributes}
        assert profile.modules == {"general-equipment", "sr-document-content"}
        assert (profile.report, profile.main, profile.beyond) == (True, True, set())
    assert (SR.purpose, SR.verified) == ("*", False)
    assert (SR_VERIFICATION.purpose, SR_VERIFICATION.verified) == ("5", True)


@pytest.mark.parametrize("name", [*EVIDENCE, "ObservationDateTime", "VerificationDateTime"])
def test_evidence_and_times_are_signed_if_present(put, name):
    value = ("DT", b"20260101") if "Time" in name else ("SQ", [[(TAG("StudyID"), "SH", b"1 ")]])
    path = put(REPORT | {name: value})
    tags, _ = signed(path, profile="sr-verification", tags=["SOPClassUID"])
    assert name in tags
    _, signature = signed(path, tags=sorted(REPORT), purpose=5)
    assert "sr-verification" not in signature.profiles
    draft = put(REPORT | {name: value, "VerificationFlag": ("CS", b"UNVERIFIED")})
    _, signature = signed(draft, tags=sorted(REPORT), purpose=1)
    # that of the verification is demanded of the verifier alone
    assert ("sr" in signature.profiles) == (name == "VerificationDateTime")


def test_c4_needs_a_purpose(put):
    with pytest.raises(UsageError, match=r"sr .* demands a purpose"):
        signed(put(REPORT), profile="sr")
    with pytest.raises(UsageError, match="has the purpose 5, Verification Signature, and no other"):
        signed(put(REPORT), profile="sr-verification", purpose=1)
    _, signature = signed(put(REPORT), profile="sr-verification", purpose=5)
    assert signature.purpose_code == "5"
    draft = put(REPORT | {"VerificationFlag": ("CS", b"UNVERIFIED")})
    _, signature = signed(draft)
    assert "sr" not in signature.profiles
    _, signature = signed(draft, purpose=14)
    assert "sr" in signature.profiles


def test_a_verified_report_needs_the_verification_signature(put, tmp_path):
    path = put(REPORT)
    sign_file(path, path, *RSA, profile="sr", purpose="author")
    report = verify(path, integrity_only=True, require="sr")
    assert report.verdict == "failed"
    assert report.signatures[0].profiles == ("base", "creator", "authorization")
    assert "does not follow PS3.15 C.4" in report.signatures[0].messages[0]
    sign_file(path, path, *RSA, profile="sr-verification")
    report = verify(path, integrity_only=True, require="sr")
    assert report.verdict == "passed"
    assert [s.messages for s in report.signatures] == [(), ()]
    assert [s.profiles[3:] for s in report.signatures] == [("sr",), ("sr", "sr-verification")]


@pytest.mark.parametrize("change", [
    without(REPORT, "ContentSequence"), without(REPORT, "ConceptNameCodeSequence"),
    without(REPORT, "ValueType"), REPORT | {"ValueType": ("CS", b"TEXT")},
    REPORT | {"EncapsulatedDocument": ("OB", b"%PDF")},
], ids=["no content", "no concept", "no type", "no container", "a document"])  # fmt: skip
@pytest.mark.parametrize("profile", ["sr", "sr-verification"])
def test_a_report_must_be_one(put, profile, change):
    with pytest.raises(
        SigningError, match="neither a Structured Report nor a Key Object Selection"
    ):
        signed(put(change), profile=profile, purpose=5)
    _, signature = signed(put(change), purpose=5)
    assert not {"sr", "sr-verification"} & set(signature.profiles)


def referenced(*macs):
    """Evidence whose references say what the referenced objects' MACs were made with."""
    algorithm = TAG("MACAlgorithm")
    items = [[] if mac is None else [(algorithm, "CS", mac)] for mac in macs]
    instance = [(TAG("ReferencedSOPInstanceUID"), "UI", b"2.25.7"),
                (TAG("ReferencedSOPInstanceMACSequence"), "SQ", items)]  # fmt: skip
    series = [(TAG("ReferencedSOPSequence"), "SQ", [instance])]
    study = [(TAG("ReferencedSeriesSequence"), "SQ", [series])]
    return {"PertinentOtherEvidenceSequence": ("SQ", [study])}


@pytest.mark.parametrize("form", [*pki.SYNTAX_AND_FORM, "in memory"])
@pytest.mark.parametrize(("macs", "said"), [
    ((), None), ((b"SHA256",), None),
    ((b"RIPEMD160 ", b"MD5 ", b"SHA1", b"SHA384", b"SHA512"), None),
    ((b"SHA224",), "SHA224"), ((b"SHA256", b"SHA3"), "SHA3"), ((b"SHA256", None), "absent"),
    ((b"",), "absent"),
])  # fmt: skip
@pytest.mark.parametrize("profile", ["sr", "sr-verification"])
def test_macs_of_referenced_objects(backend, put, tmp_path, profile, macs, said, form):
    """C.4: all occurrences of Referenced SOP Instance MAC Sequence, wherever they are."""
    path = put(REPORT | referenced(*macs), "explicit" if form == "in memory" else form)
    target = tmp_path / "out.dcm"
    dataset = pydicom.dcmread(path)

    def make(**options):
        if form == "in memory":
            sign(dataset, *RSA, purpose=5, **options)
            return dataset
        sign_file(path, target, *RSA, purpose=5, **options)
        return target

    if said:
        with pytest.raises(
            SigningError, match=rf"\(0400,0403\).* MAC Algorithm is {said}, not MD5"
        ):
            make(profile=profile)
        assert not target.exists()
        assert "DigitalSignaturesSequence" not in dataset
    found = verify(make(), integrity_only=True).signatures[0].profiles
    assert found[:3] == ("base", "creator", "authorization")
    assert found[3:] == (() if said else ("sr", "sr-verification"))


@pytest.mark.parametrize("flag", [b"UNVERIFIED", b""])
def test_to_verify_is_for_verified_ones(put, flag):
    with pytest.raises(SigningError, match="is not VERIFIED"):
        signed(put(REPORT | {"VerificationFlag": ("CS", flag)}), profile="sr-verification")
    with pytest.raises(SigningError, match=r"VerifyingObserverSequence .* is missing"):
        signed(put(without(REPORT, "VerifyingObserverSequence")), profile="sr-verification")


def test_reports_in_memory(put):
    dataset = pydicom.dcmread(put(REPORT))
    sign(dataset, *RSA, profile="sr-verification")
    (signature,) = verify(dataset, integrity_only=True).signatures
    assert signature.profiles[-1] == "sr-verification"

"""The profiles of PS3.15 Annex C: what signing refuses, and what a verification says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pki
import pydicom
import pytest
from _profiles import TAG
from msgspec import structs
from pydicom.datadict import keyword_for_tag

from dicomseal import ALLOW_WEAK, profiles, sign, sign_file, verify
from dicomseal.errors import SigningError, UsageError
from dicomseal.profiles import AUTHORIZATION, BASE, CREATOR, PROFILES, SR, SR_VERIFICATION
from dicomseal.signature.items import encode

ROOT = Path(__file__).parent.parent
RSA = pki.member("rsa").pair
CREATOR_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")

OBJECT = {
    "SOPClassUID": ("UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    "SOPInstanceUID": ("UI", b"2.25.1234\0"),
    "StudyInstanceUID": ("UI", b"2.25.12\0"),
    "SeriesInstanceUID": ("UI", b"2.25.13\0"),
    "StationName": ("SH", b"CT 1"),
    "PatientName": ("PN", b"Doe^John"),
    "PixelData": ("OW", bytes(16)),
}


def without(elements, *names):
    return {name: element for name, element in elements.items() if name not in names}


def signed(path, **options):
    """The tags signed, and the report on the one signature."""
    target = path.parent / "out.dcm"
    sign_file(path, target, *RSA, **options)
    (signature,) = verify(target, integrity_only=True).signatures
    dataset = pydicom.dcmread(target)
    tags = dataset.MACParametersSequence[0].DataElementsSigned
    listed = [tags] if isinstance(tags, int) else tags
    return {keyword_for_tag(tag) for tag in listed}, signature


# --- the table -----------------------------------------------------------------------------------


# PS3.15 2023b, items 5 and on of C.2, and 4 and on of C.3, word for word but for what all say
ITEMS = """
Overlay Plane, Curve, Graphic Annotation
General Image, Image Pixel
SR Document General, SR Document Content
Waveform, Waveform Annotation
Multi-frame Functional Groups
Enhanced MR Image
MR Spectroscopy
Raw Data
Enhanced CT Image
Enhanced XA/XRF Image
Segmentation Image
Encapsulated Document
X-Ray 3D Image
Enhanced PET Image
Enhanced US Image
Surface Segmentation
Surface Mesh
Structured Display, Structured Display Annotation, Structured Display Image Box
Implant Template
Implant Assembly Template
Implant Template Group
Point Cloud
Enhanced Mammography Image
Tractography Results
Volumetric Graphic Annotation
Microscopy Bulk Simple Annotations
"""
NOT_OF_C3 = {"tractography-results", "microscopy-bulk-simple-annotations"}


def test_the_lists_are_those_of_the_standard():
    items = ITEMS.strip().splitlines()
    assert len(items) + 4 == 30  # before them: UIDs, creation, study and series, equipment
    modules = {re.sub("[ /]", "-", name.lower()) for line in items for name in line.split(", ")}
    assert CREATOR.modules == modules | {"general-equipment"}
    assert AUTHORIZATION.modules == modules - NOT_OF_C3
    for profile in (CREATOR, AUTHORIZATION):
        assert profile.required == {TAG(name) for name in CREATOR_UIDS}
        assert profile.private  # of raw data
    creation = {TAG("InstanceCreationDate"), TAG("InstanceCreationTime")}
    assert (CREATOR.attributes, AUTHORIZATION.attributes) == (creation, set())


def test_what_c3_does_not_name_is_not_demanded(put):
    path = put(
        OBJECT | {"AnnotationGroupSequence": ("SQ", [[(TAG("AnnotationGroupLabel"), "LO", b"A ")]])}
    )
    tags, _ = signed(path, profile="authorization", tags=["PixelData"])
    assert "AnnotationGroupSequence" not in tags
    _, signature = signed(path, tags=OBJECT.keys())
    assert signature.profiles == ("base", "authorization")
    tags, _ = signed(path, profile="creator", tags=["PixelData"])
    assert "AnnotationGroupSequence" in tags


# --- what gets signed -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", pki.SYNTAX_AND_FORM)
def test_a_profile_adds_what_it_demands(backend, put, form):
    tags, signature = signed(put(OBJECT, form), profile="creator", tags=["PatientName"])
    assert tags == OBJECT.keys()
    tags, signature = signed(put(OBJECT, form), profile="creator", tags=["PixelData"])
    assert tags == OBJECT.keys() - {"PatientName"}
    assert signature.profiles == ("base", "creator", "authorization")
    tags, signature = signed(put(OBJECT, form), profile="authorization", tags=["PixelData"])
    assert tags == OBJECT.keys() - {"PatientName", "StationName"}
    assert signature.profiles == ("base", "authorization")
    for profile in (None, "none", "base"):
        tags, signature = signed(put(OBJECT, form), profile=profile, tags=["PixelData"])
        assert (tags, signature.profiles) == ({"PixelData"}, ("base",))


def test_without_a_list_everything_is_signed(put):
    for profile in (None, "base", "creator", "authorization"):
        tags, signature = signed(put(OBJECT), profile=profile)
        assert tags == OBJECT.keys()
        assert signature.profiles == ("base", "creator", "authorization")


def test_what_modules_had_until_2020_is_signed_and_not_demanded(put):
    path = put(OBJECT | {"AcquisitionDate": ("DA", b"20260101")})
    tags, _ = signed(path, profile="creator", tags=["PixelData"])
    assert "AcquisitionDate" in tags
    _, signature = signed(path, tags=OBJECT.keys())
    assert "creator" in signature.profiles


def test_raw_data_are_in_private_elements(put):
    private = {0x00090010: ("LO", b"MAKER "), 0x00091001: ("OB", b"raw!")}
    raw = {"CreatorVersionUID": ("UI", b"1.2.3\0")}
    tags, signature = signed(put(OBJECT | private), profile="creator", tags=["PixelData"])
    assert "" not in tags  # private
    tags, signature = signed(put(OBJECT | private | raw), profile="creator", tags=["PixelData"])
    assert "" in tags
    assert "creator" in signature.profiles
    for other in ("base", BASE.extended("ours", required=["PixelData"])):
        tags, _ = signed(put(OBJECT | private | raw), profile=other, tags=["PixelData"])
        assert tags == {"PixelData"}
    names = [*OBJECT, "CreatorVersionUID"]
    _, signature = signed(put(OBJECT | private | raw), tags=names)
    assert signature.profiles == ("base",)


@pytest.mark.parametrize("missing", sorted(OBJECT.keys() - {"PatientName"}))
def test_a_signature_that_leaves_one_out_is_none_of_a_creator(put, missing):
    _, signature = signed(put(OBJECT), tags=OBJECT.keys() - {missing})
    assert signature.profiles == (
        ("base", "authorization") if missing == "StationName" else ("base",)
    )


@pytest.mark.parametrize("missing", CREATOR_UIDS)
@pytest.mark.parametrize("profile", ["creator", "authorization"])
def test_what_must_be_there(put, profile, missing):
    path = put(without(OBJECT, missing))
    _, signature = signed(path)
    assert signature.profiles == ("base",)
    with pytest.raises(SigningError, match=f"profile {profile} .*{missing}.* is missing") as caught:
        signed(path, profile=profile)
    assert caught.value.code == "profile"


def test_what_was_added_afterwards_breaks_the_profile(put, tmp_path):
    path = put(OBJECT)
    sign_file(path, tmp_path / "out.dcm", *RSA, profile="creator")
    dataset = pydicom.dcmread(tmp_path / "out.dcm")
    dataset.PatientComments = "not of the creator's modules"
    dataset.save_as(tmp_path / "more.dcm")
    report = verify(tmp_path / "more.dcm", integrity_only=True, require="creator")
    assert report.verdict == "passed"
    dataset.BurnedInAnnotation = "NO"
    dataset.save_as(tmp_path / "more.dcm")
    report = verify(tmp_path / "more.dcm", integrity_only=True, require="creator")
    assert (report.verdict, report.signatures[0].integrity) == ("failed", "intact")
    assert report.reasons[0].message == (
        "a signature is required that satisfies the profile creator: there is none"
    )


def test_an_element_that_cannot_be_signed(put):
    path = put(OBJECT | {"StationName": ("UN", b"here")})
    with pytest.raises(SigningError, match=r"StationName .* is present and not signed"):
        signed(path, profile="creator")
    with pytest.raises(SigningError, match=r"cannot be signed: StationName .* its VR is UN"):
        signed(path, profile="creator", tags=["PixelData"])
    _, signature = signed(path)
    assert signature.profiles == ("base", "authorization")


@pytest.mark.parametrize("who", ["ec", "dsa"])
@pytest.mark.parametrize("profile", ["base", "creator"])
def test_only_rsa(put, tmp_path, who, profile):
    target = tmp_path / "out.dcm"
    with pytest.raises(SigningError, match=r"the key is (ECDSA|DSA), not RSA"):
        sign_file(put(OBJECT), target, *pki.member(who).pair, profile=profile)
    sign_file(put(OBJECT), target, *pki.member(who).pair)
    assert verify(target, integrity_only=True).signatures[0].profiles == ()


@pytest.mark.parametrize("mac", ["RIPEMD160", "MD5", "SHA1", "SHA256", "SHA384", "SHA512"])
def test_all_six_macs(put, mac):
    _, signature = signed(put(OBJECT), profile="creator", mac=mac, policy=ALLOW_WEAK)
    assert signature.profiles == ("base", "creator", "authorization")


def test_items(tmp_path, put):
    path = put(OBJECT | {"BeamSequence": ("SQ", [[(TAG("BeamName"), "LO", b"A ")]])})
    for profile in ("creator", "authorization"):
        with pytest.raises(SigningError, match="for the main data set, not for an item"):
            signed(path, profile=profile, items="BeamSequence[0]")
    sign_file(path, path, *RSA, profile="base", items="BeamSequence[0]")
    (signature,) = verify(path).signatures
    assert (signature.location, signature.profiles) == ("BeamSequence[0]", ("base",))
    # not even if the item looks like a data set
    whole = sorted((TAG(name), *OBJECT[name]) for name in CREATOR_UIDS)
    path = put(OBJECT | {"BeamSequence": ("SQ", [whole])})
    sign_file(path, path, *RSA, items="BeamSequence[0]")
    report = verify(path, integrity_only=True, require="creator")
    assert (report.signatures[0].profiles, report.verdict) == (("base",), "failed")


def test_data_sets_as_files(put):
    """The same tags, the same refusals, from a `pydicom.Dataset`."""
    for profile, tags in (("creator", ["PixelData"]), ("authorization", None)):
        from_file, _ = signed(put(OBJECT), profile=profile, tags=tags)
        dataset = pydicom.dcmread(put(OBJECT))
        sign(dataset, *RSA, profile=profile, tags=tags)
        listed = dataset.MACParametersSequence[0].DataElementsSigned
        assert {keyword_for_tag(tag) for tag in listed} == from_file
    dataset = pydicom.dcmread(put(without(OBJECT, "StudyInstanceUID")))
    with pytest.raises(SigningError, match=r"StudyInstanceUID .* is missing"):
        sign(dataset, *RSA, profile="creator")
    assert "DigitalSignaturesSequence" not in dataset


def test_altered_signatures_satisfy_nothing(put, tmp_path):
    _, signature = signed(put(OBJECT), profile="creator")
    data = (tmp_path / "out.dcm").read_bytes().replace(b"Doe^John", b"Doe^Jane")
    report = verify(data, integrity_only=True, require="creator")
    (signature,) = report.signatures
    assert (signature.integrity, signature.profiles, report.verdict) == ("altered", (), "failed")


# --- profiles as objects --------------------------------------------------------------------------


def test_unknown_profiles():
    for wrong in ("creater", "", 5, ["creator"]):
        with pytest.raises(UsageError, match="is not a digital signature profile"):
            profiles.find(wrong)
    assert profiles.find(None) is profiles.find("none") is None
    assert profiles.find("sr") is profiles.find(SR) is SR
    with pytest.raises(UsageError, match="not a module"):
        profiles.module_tags(frozenset(["nonsense"]))


def test_both_at_once(put):
    both = CREATOR & AUTHORIZATION & BASE
    assert both.modules == CREATOR.modules
    tags, signature = signed(put(OBJECT), profile=both, tags=["PixelData"])
    assert {"creator", "authorization"} <= set(signature.profiles)
    assert "StationName" in tags
    assert (SR & SR_VERIFICATION).purpose == "5"
    assert (SR & CREATOR).purpose == "*"
    with pytest.raises(UsageError, match="different purposes"):
        SR_VERIFICATION & structs.replace(SR, purpose="1")


PLAIN = profiles.Profile(name="plain", keys=frozenset({"RSA", "ECDSA"}))
ALONE = {
    "main": True, "required": frozenset({0x00100010}), "modules": frozenset({"point-cloud"}),
    "attributes": frozenset({0x00100020}), "private": True, "beyond": frozenset({"formerly"}),
    "report": True, "verified": True, "purpose": "5", "caution": "take care",
    "macs": frozenset({"SHA512"}), "keys": frozenset({"RSA"}),
}  # fmt: skip


@pytest.mark.parametrize("field", ALONE)
def test_of_two_each_demand_stays(field):
    alone = structs.replace(PLAIN, **{field: ALONE[field]})
    for both in (PLAIN & alone, alone & PLAIN, alone & alone):
        assert getattr(both, field) == ALONE[field]
    assert ALONE.keys() == set(PLAIN.__struct_fields__) - {"name", "section"}


def test_stricter(put):
    ours = CREATOR.extended(
        "ours", required=["PatientName"], if_present=["PatientID"], macs=["SHA512"]
    )
    tags, _ = signed(put(OBJECT), profile=ours, mac="SHA512", tags=["PixelData"])
    assert tags == OBJECT.keys()
    more = OBJECT | {"PatientID": ("LO", b"1 ")}
    tags, _ = signed(put(more), profile=ours, mac="SHA512", tags=["PixelData"])
    assert tags == more.keys()
    with pytest.raises(SigningError, match="the MAC Algorithm is SHA256, not SHA512"):
        signed(put(OBJECT), profile=ours)
    with pytest.raises(SigningError, match=r"PatientName .* is missing"):
        signed(put(without(OBJECT, "PatientName")), profile=ours, mac="SHA512")
    # never wider
    assert ours.extended("more", macs=["SHA256"]).macs == set()
    assert CREATOR.extended("more", keys=["RSA", "DSA"]).keys == {"RSA"}
    nothing = CREATOR.extended("nothing", keys=["DSA"])
    with pytest.raises(SigningError, match="which allows none"):
        signed(put(OBJECT), profile=nothing)


def test_the_short_way_says_the_same_as_the_long_one(test_files):
    """`satisfied` asks little of a signature over everything; each profile in full agrees."""
    compared = set()
    for name in ("CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "nested_priv_SQ.dcm"):
        from dicomseal.files.reader import Reader
        from dicomseal.signature.element_views import Elements

        part10 = Reader().open(str(Path(test_files, name)))
        index = part10.index()
        elements = Elements(index, 0)
        for main in (True, False):
            for purpose in (None, "1", "5"):
                for key in ("RSA", "DSA"):
                    facts = profiles.Facts(
                        elements, main, elements.present(), True, key, "SHA256", purpose=purpose
                    )
                    slow = tuple(n for n, p in PROFILES.items() if not list(p.unmet(facts)))
                    assert profiles.satisfied(facts) == slow
                    compared.add(slow)
    assert len(compared) >= 4


def test_facts_of_a_signature():
    """Certificate Type and Certified Timestamp Type are part of C.1."""

    class Empty:
        def present(self):
            return set()

        def has(self, tag):
            return False

        def holds(self, tags):
            return not tags

        def text(self, tag):
            return ""

    facts = profiles.Facts(Empty(), True, (), True, "RSA", "SHA256")
    assert list(BASE.unmet(facts)) == []
    assert profiles.satisfied(facts) == ("base",)
    for change in ({"certificate_type": "PGP"}, {"timestamp_type": "X"}, {"mac": "SHA3"},
                   {"key": ""}):  # fmt: skip
        assert len(list(BASE.unmet(structs.replace(facts, **change)))) == 1
        assert profiles.satisfied(structs.replace(facts, **change)) == ()
    assert list(BASE.unmet(structs.replace(facts, timestamp_type="CMS_TSP"))) == []


def test_unverifiable_leaves_a_requirement_open(put, tmp_path):
    """An unknown MAC Algorithm: nobody can say that there is no creator's signature."""
    signed(put(OBJECT), profile="creator")
    data = (tmp_path / "out.dcm").read_bytes().replace(b"SHA256", b"SHA3_6")
    report = verify(data, integrity_only=True, require="creator")
    assert report.signatures[0].integrity == "unverifiable"
    assert report.verdict == "indeterminate"
    assert report.reasons
    assert verify(data, integrity_only=True).reasons == ()


def test_present_is_the_same_in_both_twins(twins):
    data = encode([(0x00080018, "UI", b"1.2\0"), (0x300A00B0, "SQ", [[(0x00100020, "LO", b"1 ")]])])
    for twin in twins:
        index = twin.Index(data)
        assert index.present(0) == {0x00080018, 0x300A00B0}
        (item,) = index.children(index.find(0, 0x300A00B0))
        assert index.present(item) == {0x00100020}

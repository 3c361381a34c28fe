"""Signing for a profile signs what says what signed elements mean, and says what it leaves out."""

from __future__ import annotations

import io
import pickle

import pki
import pytest
from pydicom import dcmread

from dicomseal import profiles, sign, sign_file, sign_items, verify
from dicomseal.encoding.backend import Index, tags_of
from dicomseal.signature.items import encode
from dicomseal.standard import terms
from dicomseal.standard.tags import parse_tags

UIDS = [
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"), (0x00080018, "UI", b"2.25.1234\0"),
    (0x0020000D, "UI", b"2.25.1"), (0x0020000E, "UI", b"2.25.2"),
]  # fmt: skip
# of no module that C.2 or C.3 names, and each says what something else means
TELLING = [
    "SpecificCharacterSet", "TimezoneOffsetFromUTC", "SliceThickness", "WindowCenter",
    "WindowWidth", "ImageOrientationPatient", "PresentationLUTShape",
]  # fmt: skip
BODY = sorted(
    [
        *UIDS,
        (0x00080005, "CS", b"ISO_IR 100"), (0x00080020, "DA", b"20200101"),
        (0x00080201, "SH", b"+0900 "), (0x00100010, "PN", b"Doe^John"),
        (0x00104000, "LT", b"none"), (0x00180050, "DS", b"1 "), (0x00200037, "DS", b"1 "),
        (0x00280010, "US", b"\4\0"), (0x00280011, "US", b"\4\0"), (0x00281050, "DS", b"40"),
        (0x00281051, "DS", b"80"), (0x00290010, "LO", b"OURS"), (0x00291001, "LO", b"ours"),
        (0x20500020, "CS", b"IDENTITY"), (terms.PIXEL_DATA, "OW", bytes(32)),
    ]
)  # fmt: skip
DATA = pki.part10(encode(BODY))
OTHERS = ("StudyDate (0008,0020)", "PatientComments (0010,4000)", "(0029,0010)", "(0029,1001)")


def signed(**how):
    out = io.BytesIO()
    (uid,) = sign_file(DATA, out, *pki.member("rsa").pair, **how)
    index = Index(out.getvalue()[132:])  # with the meta information, which is explicit as well
    item = next(iter(index.children(index.find(0, terms.MAC_PARAMETERS_SEQUENCE))))
    listed = tags_of(index.listed(item, terms.DATA_ELEMENTS_SIGNED), False)
    return out.getvalue(), uid, set(listed)


@pytest.mark.parametrize("name", ["creator", "authorization"])
def test_a_profile_signs_what_says_what_is_signed_means(name):
    data, uid, listed = signed(profile=name, tags=["PatientName"])
    assert set(parse_tags(TELLING)) <= listed
    assert set(parse_tags(["PixelData", "Rows", "PatientName"])) <= listed
    report = verify(data, integrity_only=True)
    assert report.verdict == "passed"
    assert (uid.telling, uid.left_out) == ((), OTHERS)
    assert not listed & set(parse_tags(["PatientComments", "0029,1001"]))


def test_the_base_profile_signs_what_was_chosen_and_its_meaning():
    data, uid, listed = signed(profile="base", tags=["StudyDate"])
    assert listed == set(parse_tags(["StudyDate", "TimezoneOffsetFromUTC", "SpecificCharacterSet"]))
    assert verify(data, integrity_only=True).verdict == "passed"
    data, uid, listed = signed(profile="base", tags=["0029,1001"])
    assert set(parse_tags(["0029,0010", "0029,1001", "SpecificCharacterSet"])) <= listed
    assert "(0029,0010)" not in uid.left_out


def test_a_report_is_signed_with_its_meaning(tmp_path):
    report = sorted(
        [
            *UIDS, (0x00080005, "CS", b"ISO_IR 100"), (0x0040A040, "CS", b"CONTAINER "),
            (0x0040A043, "SQ", [[(0x00080104, "LO", b"meant ")]]), (0x0040A050, "CS", b"SEPARATE"),
            (0x00080110, "SQ", [[(0x00080102, "SH", b"99X ")]]),
            (0x0040A730, "SQ", [[(0x0040A160, "UT", b"said")]]), (0x00104000, "LT", b"none"),
        ]
    )  # fmt: skip
    out = io.BytesIO()
    (uid,) = sign_file(
        pki.part10(encode(report)), out, *pki.member("rsa").pair,
        profile="sr", purpose=1, tags=["SOPInstanceUID"],
    )  # fmt: skip
    assert uid.left_out == ("PatientComments (0010,4000)",)
    assert verify(out.getvalue(), integrity_only=True).verdict == "passed"


def test_without_a_profile_no_more_is_signed_than_was_asked_for():
    data, uid, listed = signed(tags=["PixelData", "PatientName"])
    assert listed == set(parse_tags(["PixelData", "PatientName"]))
    assert {"Rows (0028,0010)", "WindowCenter (0028,1050)"} <= set(uid.telling) < set(uid.left_out)
    assert verify(data, integrity_only=True).verdict == "indeterminate"
    assert signed()[1].left_out == ()


def test_what_cannot_be_signed_is_left_out():
    """Its VR is UN: an element that says what signed ones mean, and one that does not."""
    un = [one for one in BODY if one[0] not in (0x00281050, 0x00104000)]
    un += [(0x00281050, "UN", b"40"), (0x00104000, "UN", b"none")]
    for how in ({}, {"profile": "creator", "tags": ["PatientName"]}):
        out = io.BytesIO()
        data = pki.part10(encode(sorted(un)))
        (uid,) = sign_file(data, out, *pki.member("rsa").pair, **how)
        assert uid.telling == ("WindowCenter (0028,1050)",)
        assert {"WindowCenter (0028,1050)", "PatientComments (0010,4000)"} <= set(uid.left_out)
        assert verify(out.getvalue(), integrity_only=True).verdict == "indeterminate"


def test_a_data_set_in_memory():
    how = {"profile": "creator", "tags": ["PatientName"]}
    dataset = dcmread(io.BytesIO(DATA))
    uid = sign(dataset, *pki.member("rsa").pair, **how)
    (again,) = sign_items(dcmread(io.BytesIO(DATA)), *pki.member("rsa").pair, items=[""], **how)
    assert uid.left_out == again.left_out == signed(**how)[1].left_out
    assert verify(dataset, integrity_only=True).verdict == "passed"
    assert (uid, type(str(uid)), pickle.loads(pickle.dumps(uid)).left_out) == (
        str(uid), str, uid.left_out
    )  # fmt: skip


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_the_command_says_what_is_left_out(run, tmp_path, name):
    pki.member("rsa").write(tmp_path)
    keys = ["--key", tmp_path / "rsa.key.pem", "--cert", tmp_path / "rsa.cert.pem"]
    (tmp_path / "in.dcm").write_bytes(DATA)
    ask = ["sign", tmp_path / "in.dcm", tmp_path / "out.dcm", *keys]
    if not name.startswith("sr"):
        code, out, err = run(*ask, "--profile", name, "--tag", "PatientName")
        assert code == 0
        assert f"dicomseal: note: {out.strip()} does not sign " in err
        assert "PatientComments (0010,4000)" in err
        assert "--unsigned accept" not in err
    code, out, err = run(*ask)
    assert (code, err) == (0, "")
    code, out, err = run(*ask, "--tag", "PatientComments")
    assert (code, err) == (0, "")  # it was asked for so, and changes nothing
    code, out, err = run(*ask, "--tag", "PixelData")
    assert code == 0
    assert "does not sign SliceThickness (0018,0050), ImageOrientationPatient (0020,0037)" in err
    assert "pass with --unsigned accept only" in err

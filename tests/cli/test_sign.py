"""`dicomseal sign` and `remove` as commands: items, shared parameters, transfer syntaxes."""

from __future__ import annotations

import json
import os

import pki
import pytest
from pydicom import dcmread

from dicomseal import verify
from dicomseal.editing.reencode import SYNTAXES
from dicomseal.files.part10 import Part10

KEY = ("--key", "rsa.key.pem", "--cert", "rsa.cert.pem")
EC = ("--key", "ec.key.pem", "--cert", "ec.cert.pem")


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("root", "rsa", "ec", "weak"):
        pki.member(name).write(tmp_path)
    (tmp_path / "in.dcm").write_bytes(pki.small())
    return tmp_path


def signatures(path):
    report = verify(path, integrity_only=True)
    assert report.verdict == "passed", report.sentence()
    return report.signatures


def body(path):
    """The data set; the meta information before it is written anew for another transfer syntax."""
    part10 = Part10.from_bytes(path.read_bytes())
    return bytes(part10.source[part10.start :])


def test_items_in_every_notation(run, work):
    places = {
        "": "",
        "BeamSequence[-1]": "BeamSequence[1]",
        "300A,00B0[0]": "BeamSequence[0]",
        "(300a,00b0)[-2].(300A,0111)[-1]": "BeamSequence[0].ControlPointSequence[1]",
        "300A00B0[0].ControlPointSequence[0]": "BeamSequence[0].ControlPointSequence[0]",
    }
    options = [part for place in places for part in ("--item", place)]
    code, out, err = run("sign", "in.dcm", "out.dcm", *KEY, *options)
    assert (code, err) == (0, "")
    found = {s.uid: s.location for s in signatures("out.dcm")}
    assert [found[uid] for uid in out.split()] == list(places.values())


@pytest.mark.parametrize(("place", "code", "said"), [
    ("BeamSequence[2]", 1, "BeamSequence (300A,00B0) in the main data set has 2 items, so none"),
    ("BeamSequence[-3]", 1, "none with number -3"),
    ("PlanSequence[0].BeamSequence[0]", 2, "'PlanSequence' is not a tag"),
    ("FractionGroupSequence[0].BeamSequence[9]", 1,
     "the main data set has no sequence FractionGroupSequence (300A,0070)"),
    ("(300A,00B0)[1].ControlPointSequence[0].WedgeSequence[0]", 1,
     "item 1 of BeamSequence (300A,00B0) has no sequence ControlPointSequence (300A,0111)"),
    ("BeamSequence[0].ControlPointSequence[-1].WedgeSequence[0].BeamSequence[0]", 1,
     "item -1 of ControlPointSequence (300A,0111) has no sequence WedgeSequence (300A,00D1)"),
    ("BeamSequence", 2, "is not of the form BeamSequence[0]"),
])  # fmt: skip
def test_the_first_step_that_is_not_there(run, work, place, code, said):
    found, out, err = run(
        "sign", "in.dcm", "out.dcm", *KEY, "--item", "BeamSequence[0]", "--item", place
    )
    assert (found, out) == (code, "")
    assert said in err
    assert not os.path.exists("out.dcm")


def test_countersigning_and_removing(run, work):
    first = run("sign", "in.dcm", "one.dcm", *KEY)[1].strip()
    second = run("sign", "one.dcm", "two.dcm", *EC, "--share-mac")[1].strip()
    third = run("sign", "two.dcm", "three.dcm", *EC)[1].strip()
    assert [s.mac_id for s in signatures("three.dcm")] == [0, 0, 1]
    before = dcmread("one.dcm").DigitalSignaturesSequence[0]
    assert dcmread("three.dcm").DigitalSignaturesSequence[0] == before
    assert run("remove", "three.dcm", "x.dcm", "--uid", first)[1] == "1 removed, 2 left\n"
    assert [(s.uid, s.mac_id) for s in signatures("x.dcm")] == [(second, 0), (third, 1)]
    assert run("remove", "x.dcm", "x.dcm", "--uid", second)[0] == 0
    assert [item.MACIDNumber for item in dcmread("x.dcm").MACParametersSequence] == [1]
    assert run("remove", "x.dcm", "x.dcm", "--uid", third)[1] == "1 removed, 0 left\n"
    assert (work / "x.dcm").read_bytes() == (work / "in.dcm").read_bytes()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_transfer_syntaxes(run, work, syntax):
    run("sign", "in.dcm", "one.dcm", *KEY)
    assert run("sign", "one.dcm", "two.dcm", *EC, "--transfer-syntax", syntax)[0] == 0
    assert len(signatures("two.dcm")) == 2
    assert dcmread("two.dcm").file_meta.TransferSyntaxUID == SYNTAXES[syntax]
    assert run("sign", "two.dcm", "two.dcm", *EC, "--transfer-syntax", "explicit")[0] == 0
    run("remove", "two.dcm", "two.dcm", "--all")
    assert body(work / "two.dcm") == body(work / "in.dcm")


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_compressed_pixel_data_stay(run, work, syntax, signed, test_files):
    source = os.path.join(test_files, "SC_rgb_small_odd_jpeg.dcm")
    if signed:
        run("sign", source, "one.dcm", *KEY)
        source = "one.dcm"
    code, _, err = run("sign", source, "out.dcm", *KEY, "--transfer-syntax", syntax)
    assert (code, "the Pixel Data would have to be decoded" in err) == (1, True)
    assert not os.path.exists("out.dcm")
    assert run("sign", source, "out.dcm", *KEY)[0] == 0


def test_an_unknown_transfer_syntax(run, work):
    code, _, err = run("sign", "in.dcm", "out.dcm", *KEY, "--transfer-syntax", "jpeg")
    assert (code, "'jpeg' is not one of" in err) == (2, True)


@pytest.mark.parametrize("who", ["rsa", "weak"])
@pytest.mark.parametrize("mac", ["RIPEMD160", "MD5", "SHA1", "SHA256"])
def test_weak_signatures_are_made_and_judged_apart(run, work, who, mac):
    """What is refused for a new signature still verifies, unless --weak reject."""
    key = ("--key", f"{who}.key.pem", "--cert", f"{who}.cert.pem")
    weak = [f"MAC {mac}"] * (mac != "SHA256") + ["key RSA 1024"] * (who == "weak")
    code, _, err = run("sign", "in.dcm", "out.dcm", *key, "--mac", mac)
    assert (code, "too weak for a new signature" in err) == (int(bool(weak)), bool(weak))
    assert run("sign", "in.dcm", "out.dcm", *key, "--mac", mac, "--allow-weak")[0] == 0
    for options, good in (((), True), (("--weak", "warn"), True), (("--weak", "accept"), True),
                          (("--weak", "reject"), not weak)):  # fmt: skip
        code, out, _ = run(
            "verify", "--trust", "root.cert.pem", *options, "--format", "json", "out.dcm"
        )
        assert code == (0 if good else 3)
        (signature,) = json.loads(out)["signatures"]
        assert (signature["integrity"], signature["weak"]) == ("intact", weak)


@pytest.mark.parametrize("who", ["expired", "future"])
def test_a_certificate_that_is_not_valid_now(run, work, who):
    """It is said once, with the dates and what helps; `archive sign` refuses."""
    key, cert = pki.member(who).write(work)
    member = pki.member(who).certificate
    dates = " to ".join(
        one.isoformat() for one in (member.not_valid_before_utc, member.not_valid_after_utc)
    )
    items = ("--item", "", "--item", "BeamSequence[0]")
    code, out, err = run("sign", "in.dcm", "out.dcm", "--key", key, "--cert", cert, *items)
    assert (code, len(out.split())) == (0, 2)
    assert err == (
        f"dicomseal: warning: the certificate of {member.subject.rfc4514_string()} is valid from "
        f"{dates}: a signature that is made now would not be trusted; sign with a certificate that "
        "is valid, or set the clock of this machine, if that is wrong\n"
    )
    assert run("verify", "--trust", "root.cert.pem", "out.dcm")[0] == 3
    code, out, err = run("sign", "in.dcm", "other.dcm", *KEY)
    assert (code, len(out.split()), err) == (0, 1, "")


def test_purposes_by_code_and_by_name(run, work):
    for purpose in ("5", "Verification Signature", "verification"):
        assert run("sign", "in.dcm", "out.dcm", *KEY, "--purpose", purpose)[0] == 0
        (signature,) = json.loads(run("verify", "--format", "json", "out.dcm")[1])["signatures"]
        assert (signature["purpose"], signature["purpose_code"]) == ("Verification Signature", "5")
    for wrong in ("0", "19", "nobody's"):
        code, _, err = run("sign", "in.dcm", "no.dcm", *KEY, "--purpose", wrong)
        assert (code, "CID 7007" in err) == (2, True)
        assert not os.path.exists("no.dcm")

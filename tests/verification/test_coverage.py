"""What passing signatures cover of the main data set, and what may be demanded of them."""

from __future__ import annotations

import json
from pathlib import Path

import pki
import pytest
from _apart import MACS, Signed, sequence

from dicomseal import TrustStore, sign_file, verify
from dicomseal.errors import UsageError
from dicomseal.signature.items import encode

NAME, IDENTITY = 0x00100010, 0x00100020
NEW = encode([(0x00100030, "DA", b"20000101")])


@pytest.fixture
def plan(test_files) -> str:
    return str(Path(test_files, "rtplan.dcm"))


def signed(plan, tmp_path, *rounds, **how):
    target = tmp_path / "signed.dcm"
    for number, options in enumerate(rounds):
        source = plan if number == 0 else target
        sign_file(source, target, *pki.member("rsa").pair, **options, **how)
    return str(target)


def answer(path, **asked):
    return verify(path, integrity_only=True, **asked)


def why(report) -> str:
    assert report.verdict == "failed"
    (reason,) = report.reasons
    assert reason.code == "SIG_CONSTRAINTS_FAILURE"
    return reason.message


def test_counts_of_one_signature(plan, tmp_path, backend):
    answered = answer(signed(plan, tmp_path, {}))
    assert (answered.covered_elements, answered.uncovered_elements, answered.uncovered) == (
        36,
        0,
        (),
    )
    answered = answer(signed(plan, tmp_path, {"tags": ["PatientName", "PatientID"]}))
    assert (answered.covered_elements, answered.uncovered_elements, answered.uncovered) == (
        2,
        34,
        (),
    )


def test_counts_of_several_are_those_of_their_union(plan, tmp_path, backend):
    path = signed(plan, tmp_path, {"tags": ["PatientName"]}, {"tags": ["PatientID", "Modality"]})
    answered = answer(path)
    assert (answered.covered_elements, answered.uncovered_elements) == (3, 33)


def test_what_is_not_covered_is_listed_on_demand(plan, tmp_path):
    answered = answer(signed(plan, tmp_path, {}), list_uncovered=True)
    assert answered.uncovered == ()
    answered = answer(signed(plan, tmp_path, {"tags": ["PatientName"]}), list_uncovered=True)
    assert answered.verdict == "passed"
    assert len(answered.uncovered) == 35
    assert "PatientID (0010,0020)" in answered.uncovered
    assert "PatientName (0010,0010)" not in answered.uncovered


def test_what_an_unsigned_object_lists(plan):
    answered = answer(plan, list_uncovered=True)
    assert (answered.verdict, answered.covered_elements, len(answered.uncovered)) == (
        "unsigned",
        0,
        36,
    )


@pytest.mark.parametrize("asked", ["PatientName", "0010,0010", [NAME], ["PatientID", NAME]])
def test_required_elements(plan, tmp_path, asked, backend):
    path = signed(plan, tmp_path, {"tags": ["PatientName"]}, {"tags": ["PatientID"]})
    assert answer(path, require_signed=asked).verdict == "passed"
    only = signed(plan, tmp_path, {"tags": ["Modality"]})
    assert "covers PatientName (0010,0010)" in why(answer(only, require_signed=[NAME]))


def test_an_absent_element_is_not_covered(plan, tmp_path):
    """Data Elements Signed may list what is not there; that says nothing of it."""
    path = signed(plan, tmp_path, {})
    message = why(answer(path, require_signed="PatientComments"))
    assert "PatientComments (0010,4000) (which is absent)" in message


def test_a_list_that_grows_covers_nothing_new(test_files, tmp_path):
    """The list is in no MAC: to add an absent tag keeps the signature, and covers nothing."""
    ct = Signed(tmp_path, Path(test_files, "CT_small.dcm"), tags=["PatientName"])
    mac = ct.content(MACS)
    listed = ct.without(mac, 0x04000020) + encode(
        [(0x04000020, "AT", b"\x10\x00\x10\x00" + b"\x10\x00\x00\x40")]
    )
    data = ct.rebuilt(t4ffe0001=sequence(MACS, listed))
    assert answer(data).verdict == "passed"
    assert "absent" in why(answer(data, require_signed="PatientComments"))


def test_a_signature_in_an_item_covers_nothing_of_the_main_data_set(plan, tmp_path, backend):
    path = signed(plan, tmp_path, {"items": "BeamSequence[0]"})
    answered = answer(path)
    assert [reason.code for reason in answered.reasons] == ["UNSIGNED_CONTENT"]
    assert answered.verdict == "indeterminate"
    answered = answer(path, unsigned="accept")
    assert (answered.verdict, answered.covered_elements, answered.uncovered_elements) == (
        "passed",
        0,
        36,
    )
    demand = {"require_signed": "BeamSequence", "unsigned": "accept"}
    assert "BeamSequence" in why(answer(path, **demand))
    demand["require_signed"] = "BeamName"
    assert "BeamName (300A,00C2) (which is absent)" in why(answer(path, **demand))


def test_an_altered_signature_covers_nothing(plan, tmp_path):
    path = Path(signed(plan, tmp_path, {"tags": ["PatientName"]}, {"tags": ["PatientID"]}))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Last^First^mid^pre", b"Last^First^mid^prE"))
    answered = answer(str(path), require_signed=["PatientName"])
    assert answered.verdict == "failed"
    assert [reason.code for reason in answered.reasons] == ["SIG_CONSTRAINTS_FAILURE"]
    assert (answered.covered_elements, answered.uncovered_elements) == (1, 35)


def test_an_untrusted_signature_covers_nothing(plan, tmp_path):
    path = signed(plan, tmp_path, {})
    trust = TrustStore([pki.member("other root").certificate])
    report = verify(path, trust=trust, require_signed="PatientName")
    assert (report.verdict, report.covered_elements) == ("failed", 0)
    assert verify(path, require_signed="PatientName").verdict == "failed"
    trust = TrustStore([pki.member("root").certificate])
    report = verify(path, trust=trust, require_signed="PatientName")
    assert (report.verdict, report.covered_elements) == ("passed", 36)


def without_padding(test_files, tmp_path):
    """CT_small.dcm, whose last element is Data Set Trailing Padding of 126 bytes that are not 0."""
    data = Path(test_files, "CT_small.dcm").read_bytes()
    assert data[-138:].startswith(bytes.fromhex("FCFFFCFF4F4200007E000000"))
    path = tmp_path / "ct.dcm"
    path.write_bytes(data[:-138])
    return path


def test_all(plan, tmp_path, test_files):
    assert answer(signed(plan, tmp_path, {}), require_all_signed=True).verdict == "passed"
    part = signed(plan, tmp_path, {"tags": ["PatientName"]})
    assert "and 30 more, and every element must be signed" in why(
        answer(part, require_all_signed=True)
    )
    ct = Signed(tmp_path, without_padding(test_files, tmp_path))
    after = ct.raw(ct.index.find(0, IDENTITY)) + NEW
    assert NEW not in ct.data
    data = ct.rebuilt(t00100020=after, t00100030=b"")
    assert answer(data, require_all_signed=True).verdict == "failed"


def test_what_cannot_be_signed_is_not_covered(test_files, tmp_path):
    """An element with the VR UN is content that no signature protects."""
    ct = Signed(tmp_path, without_padding(test_files, tmp_path))
    assert answer(ct.data, require_all_signed=True).verdict == "passed"
    un = b"\x10\x00\x00\x40UN\0\0\x02\0\0\0ab"
    last = next(n for n in ct.index.children(0) if ct.index.record(n).tag > 0x00104000)
    tag = f"t{ct.index.record(last).tag:08x}"
    answered = answer(ct.rebuilt(**{tag: un + ct.raw(last)}), require_all_signed=True)
    assert "(0010,4000)" in why(answered)


PADDING = 0xFFFCFFFC
OUT_OF_REACH = {
    "padding": ([(PADDING, "OB", b"\0\0\1\0")], "(FFFC,FFFC) is not zero"),
    "padding of zeros": ([(PADDING, "OB", bytes(6))], ""),
    "padding in an item": (
        [(0x00081140, "SQ", [[(0x00081150, "UI", b"1.2\0"), (PADDING, "OB", b"ab")]])],
        "(FFFC,FFFC) in ReferencedImageSequence[0] is not zero",
    ),
    "MAC Parameters of nobody": (
        [(0x4FFE0001, "SQ", [[(0x04000005, "US", b"\7\0"), (0x04000015, "CS", b"ANYTHING")]])],
        "MAC Parameters of MAC ID 7 belong to no signature",
    ),
    "MAC Parameters without an ID": (
        [(0x4FFE0001, "SQ", [[(0x04000015, "CS", b"ANYTHING")]])],
        "MAC Parameters without a MAC ID belong to no signature",
    ),
    "MAC Parameters in an item": (
        [(0x00081140, "SQ", [[(0x4FFE0001, "SQ", [[(0x04000005, "US", b"\0\0")]])]])],
        "MAC Parameters of MAC ID 0 in ReferencedImageSequence[0] belong to no signature",
    ),
    "MAC Parameters of a former state": (
        [(0x04000561, "SQ", [[(0x04000550, "SQ", [[
            (0x4FFE0001, "SQ", [[(0x04000005, "US", b"\0\0")]])]])]])],
        "belong to no signature",
    ),
    "signatures that are none": (
        [(0x00081140, "SQ", [[(0xFFFAFFFA, "UN", b"anything")]])],
        "(FFFA,FFFA) in ReferencedImageSequence[0] is not a sequence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", OUT_OF_REACH)
@pytest.mark.parametrize("in_pieces", [False, True])
def test_what_no_signature_can_cover(backend, tmp_path, monkeypatch, what, in_pieces):
    """It fails nothing by itself; whoever wants every element to be signed does not get it."""
    elements, said = OUT_OF_REACH[what]
    if in_pieces:
        monkeypatch.setattr("dicomseal.files.reader.SNAPSHOT", 16)
        monkeypatch.setattr("dicomseal.verification.out_of_reach._PIECE", 2)
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(pki.small(elements=sorted([*pki.SMALL, *elements])))
    sign_file(source, target, *pki.member("rsa").pair)
    assert answer(target).verdict == "passed"
    answered = answer(target, require_all_signed=True)
    assert answered.verdict == ("failed" if said else "passed")
    assert {reason.code for reason in answered.reasons} <= {"SIG_CONSTRAINTS_FAILURE"}
    # a sequence that holds a UN is not signed either
    found = [reason.message for reason in answered.reasons if "no passing" not in reason.message]
    assert len(found) == bool(said)
    for one in found:
        assert said in one
        assert one.endswith(", and every element must be signed")


def test_mac_parameters_that_are_used_are_of_their_signatures(plan, tmp_path, backend):
    """Of each signature, and of those in items."""
    path = signed(plan, tmp_path, {"items": ["BeamSequence[0]"]}, {}, {})
    assert answer(path, require_all_signed=True).verdict == "passed"


def test_never_signable(plan):
    for tag in ("0008,0001", "FFFA,FFFA", "0010,0000"):
        with pytest.raises(UsageError, match="can never be signed"):
            verify(plan, require_signed=tag)
    with pytest.raises(UsageError):
        verify(plan, require_signed=["NoKeyword"])


def test_on_the_command_line(plan, tmp_path, run):
    base = ["verify", "--integrity-only", signed(plan, tmp_path, {"tags": ["PatientName"]})]
    assert run(*base, "--require-signed", "PatientName")[0] == 0
    code, out, _ = run(*base, "--require-signed", "PatientName", "--require-signed", "PatientID")
    assert code == 1
    assert "SIG_CONSTRAINTS_FAILURE: no passing signature" in out
    assert run(*base, "--require-all-signed")[0] == 1
    code, out, _ = run(*base, "--list-uncovered")
    assert code == 0
    assert "    not covered: PatientID (0010,0020)\n" in out
    told = json.loads(run(*base, "--format", "json")[1])
    assert (told["covered_elements"], told["uncovered_elements"]) == (1, 35)
    assert run(*base, "--require-signed", "x")[0] == 2


@pytest.mark.parametrize("limit", ["records", "records=x", "signature=-1", "x=1", "=", "depth=1e3"])
def test_wrong_limits_on_the_command_line(plan, limit, run):
    code, _, err = run("verify", plan, "--limit", limit)
    assert code == 2
    assert "is not NAME=NUMBER" in err


def test_limits_on_the_command_line(plan, tmp_path, run):
    base = ["verify", "--integrity-only", signed(plan, tmp_path, {}), "--limit"]
    assert run(*base, "signatures=1")[0] == 0
    code, out, _ = run(*base, "signatures=0")
    assert code == 4
    assert "limit: the object has more than 0 signatures" in out

"""`archive sign`: what is signed, what is not and why."""

from __future__ import annotations

import json
import os
import stat

import pki
import pytest
from _archive_sign import KEY, NAMED, SIGN, VERDICTS, contents, found, own

from dicomseal import remove_file, verify
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.signature.items import encode


@pytest.fixture
def folder(archive_to_sign):
    return archive_to_sign


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_in_place(run, folder, jobs):
    before = contents(folder / "archive")
    os.chmod("archive/unsigned.dcm", 0o640)
    code, out, err = run(*SIGN, "--in-place", "--jobs", jobs)
    assert (code, err) == (1, "")
    assert out.startswith("run 1 in ledger.db: complete\n9 files, ")
    assert out.endswith("4 signed, 1 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    assert {name: row.verdict for name, row in found().items()} == VERDICTS
    after = contents(folder / "archive")
    for name, verdict in VERDICTS.items():
        path = folder / "archive" / name
        assert (before[path] != after[path]) == (verdict == "signed"), name
        if "signed" in verdict:
            (signature,) = own(path)
            (kept,) = found()[name].signatures
            assert signature.integrity == "intact"
            assert (kept.uid, kept.datetime) == (signature.uid, signature.datetime)
            assert (kept.integrity, kept.trust) == ("", "not_checked")  # nothing was verified
            assert (kept.mac_algorithm, kept.signer) == ("SHA256", signature.signer)
            status = os.stat(path)
            assert (found()[name].size, found()[name].mtime) == (status.st_size, status.st_mtime_ns)
            assert found()[name].sop_instance_uid == "2.25.1234"
    assert stat.S_IMODE(os.stat("archive/unsigned.dcm").st_mode) == 0o640
    broken = found()["broken.dcm"]
    assert broken.reason == "HASH_FAILURE"
    assert broken.sentence.startswith("an existing signature does not verify: ")
    # again: nothing to do
    code, out, _ = run(*SIGN, "--in-place", "--jobs", jobs)
    assert out.endswith("5 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    assert contents(folder / "archive") == after
    with Ledger("ledger.db") as ledger:
        assert audit(ledger).findings == []


def test_then_it_verifies(run, folder):
    for name in ("broken.dcm", "error.dcm", "a/foreign.dcm"):
        (folder / "archive" / name).unlink()
    assert run(*SIGN, "--in-place")[0] == 0
    code, out, _ = run("archive", "verify", "archive", "--ledger", "ledger.db", "--trust",
                       "root.cert.pem", "--require", "signature")  # fmt: skip
    assert code == 0
    assert out.endswith("4 passed, 2 not_dicom\n")


def test_to_a_target(run, folder):
    before = contents(folder / "archive")
    code, out, _ = run(*SIGN, "--target", "signed/copies", "--jobs", "2")
    assert code == 1
    assert out.endswith("4 signed, 1 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    assert contents(folder / "archive") == before
    copies = {os.path.relpath(path, "signed/copies") for path in contents(folder / "signed")}
    assert copies == {name for name, verdict in VERDICTS.items() if verdict == "signed"}
    for name in copies:
        row = found()[name]
        status = os.stat(f"archive/{name}")
        assert (row.size, row.mtime) == (status.st_size, status.st_mtime_ns)
        assert [one.uid for one in own(f"signed/copies/{name}")] == [row.signatures[0].uid]
    remove_file("signed/copies/unsigned.dcm", "plain.dcm")
    assert (folder / "plain.dcm").read_bytes() == before[folder / "archive" / "unsigned.dcm"]


def test_what_is_in_the_target(run, folder):
    """The copy that would be made is left alone; anything else only goes when asked."""
    run(*SIGN, "--target", "signed")
    copies = contents(folder / "signed")
    again = run(*SIGN, "--target", "signed")[1]
    assert again.endswith("5 already_signed, 1 refused, 1 error, 2 not_dicom\n")
    forced = run(*SIGN, "--target", "signed", "--overwrite")[1]
    assert forced.split(" files/s: ")[1] == again.split(" files/s: ")[1]
    assert contents(folder / "signed") == copies
    other = pki.small(elements=NAMED)
    (folder / "archive" / "unsigned.dcm").write_bytes(other)  # one element more than the copy has
    (folder / "signed" / "item.dcm").write_bytes(pki.small())
    altered = folder / "archive" / "a" / "b" / "implicit.dcm"
    altered.write_bytes(altered.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
    kept = contents(folder / "signed")
    run(*SIGN, "--target", "signed")
    stale = ("unsigned.dcm", "item.dcm", "a/b/implicit.dcm")
    assert [found()[name].verdict for name in stale] == ["refused"] * 3
    assert {found()[name].reason for name in stale} == {"exists"}
    assert contents(folder / "signed") == kept
    run(*SIGN, "--target", "signed", "--overwrite")
    assert [found()[name].verdict for name in stale] == ["signed"] * 3
    remove_file("signed/unsigned.dcm", "plain.dcm")
    assert (folder / "plain.dcm").read_bytes() == other


@pytest.mark.parametrize("damage", ["altered", "second"])
def test_a_damaged_copy_in_the_target(run, folder, damage):
    """Its signature is the one that would be made; what it is over is not there any more."""
    run(*SIGN, "--target", "signed")
    copy = folder / "signed" / "unsigned.dcm"
    data = copy.read_bytes()
    assert data.count(b"Doe^John") == 1
    name = encode([(0x00100010, "PN", b"Doe^Jane")])
    place = data.index(name[:6])
    altered = data.replace(b"Doe^John", b"Doe^Jane")
    copy.write_bytes(altered if damage == "altered" else data[:place] + name + data[place:])
    run(*SIGN, "--target", "signed")
    row = found()["unsigned.dcm"]
    assert (row.verdict, row.reason) == ("refused", "exists")
    run(*SIGN, "--target", "signed", "--overwrite")
    assert found()["unsigned.dcm"].verdict == "signed"
    assert verify(copy, integrity_only=True).verdict == "passed"


@pytest.mark.parametrize("name", ["expired", "future"])
def test_a_certificate_that_is_not_valid_now(run, folder, name):
    """An object that has a signature of this key gets no second one when there is a better one."""
    before = contents(folder / "archive")
    key, cert = pki.member(name).write(folder)
    code, _, err = run("archive", "sign", "archive", "--ledger", "ledger.db", "--in-place",
                       "--key", key, "--cert", cert)  # fmt: skip
    assert code == 1
    assert "is valid from " in err
    assert err.endswith("a signature that is made now would not be trusted\n")
    assert contents(folder / "archive") == before
    assert not os.path.exists("ledger.db")


@pytest.mark.parametrize("target", ["file", "file/below"])
def test_a_target_that_is_no_folder(run, folder, target):
    (folder / "file").touch()
    code, _, err = run(*SIGN, "--target", target)
    assert code == 2
    assert "cannot be made: " in err
    assert not os.path.exists("ledger.db")


def test_a_target_of_several_roots(run, folder):
    os.mkdir("one")
    os.rename("archive/a", "two")
    os.rename("archive/unsigned.dcm", "one/x.dcm")
    os.rename("archive/item.dcm", "single.dcm")
    command = ("archive", "sign", "one", "two", "single.dcm", "--ledger", "ledger.db", *KEY)
    assert run(*command, "--target", "t")[0] == 0
    copies = sorted(os.path.relpath(path, "t") for path in contents(folder / "t"))
    assert copies == ["one/x.dcm", "single.dcm", "two/b/implicit.dcm", "two/foreign.dcm"]


def test_broken_signatures_are_countersigned_when_asked(run, folder):
    assert run(*SIGN, "--in-place", "--countersign-broken")[0] == 4
    assert found()["broken.dcm"].verdict == "signed"
    assert verify("archive/broken.dcm", integrity_only=True).verdict == "failed"  # not hidden


def test_who_has_signed_decides_the_key(run, folder):
    """A certificate that names itself as ours is not ours; an altered object of ours is skipped."""
    run(*SIGN, "--in-place", "--include", "unsigned.dcm")
    path = folder / "archive" / "unsigned.dcm"
    path.write_bytes(path.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
    run(*SIGN, "--in-place", "--include", "unsigned.dcm")
    assert found()["unsigned.dcm"].verdict == "already_signed"
    assert (
        run("archive", "verify", "archive", "--include", "unsigned.dcm", "--ledger", "l.db")[0] == 1
    )
    key = ("--key", "ec.key.pem", "--cert", "ec.cert.pem")
    run("archive", "sign", "archive", "--ledger", "ledger.db", *key, "--in-place",
        "--include", "own.dcm")  # fmt: skip
    assert found()["a/own.dcm"].verdict == "signed"


def test_options_of_sign(run, folder):
    (folder / "archive" / "unsigned.dcm").write_bytes(pki.small(elements=NAMED))
    options = ("--mac", "SHA512", "--tag", "PatientName", "--tag", "PatientID", "--purpose", "14")
    run(*SIGN, "--in-place", "--include", "unsigned.dcm", *options)
    (signature,) = own("archive/unsigned.dcm")
    assert (signature.mac_algorithm, signature.signed_elements) == ("SHA512", 2)
    assert signature.purpose_code == "14"
    with Ledger("ledger.db") as ledger:
        asked = json.loads(ledger.find().asked)
    assert asked["signing"]["tags"] == ["PatientName", "PatientID"]
    assert asked["signing"]["certificate"] == signature.signer.sha256


def test_what_a_profile_refuses(run, folder):
    code, _, _ = run(*SIGN, "--in-place", "--profile", "sr", "--purpose", "1")
    assert code == 1
    assert found()["unsigned.dcm"].verdict == "refused"
    assert found()["unsigned.dcm"].reason == "profile"
    assert "PS3.15" in found()["unsigned.dcm"].sentence
    assert own("archive/unsigned.dcm") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say where"),
        (("--in-place", "--target", "t"), "say where"),
        (("--in-place", "--overwrite"), "--overwrite goes with --target"),
        (("--in-place", "--older-than", "1d"), "by its age"),
        (("--target", "archive/t"), "within each other"),
        (("--target", "."), "within each other"),
        (("--in-place", "--mac", "SHA1"), "too weak"),
        (("--in-place", "--cert", "ec.cert.pem"), "not the one of the certificate"),
        (("--in-place", "--tag", "FFFA,FFFA"), "can never be signed"),
        (("--in-place", "--resume"), "no run"),
    ],
)
def test_usage(run, folder, options, said):
    before = contents(folder / "archive")
    code, out, err = run(*SIGN, *options)
    assert code in (1, 2)
    assert said in err
    assert out == ""
    assert contents(folder / "archive") == before


def test_lists(run, folder):
    (folder / "list.txt").write_text("archive/unsigned.dcm\n")
    command = ("archive", "sign", "@list.txt", "--ledger", "ledger.db", *KEY)
    code, _, err = run(*command, "--target", "t")
    assert (code, "no tree to mirror" in err) == (2, True)
    assert run(*command, "--in-place")[0] == 0
    assert len(own("archive/unsigned.dcm")) == 1


def test_nothing_to_sign(run, folder):
    """As for verifying: a misspelt pattern is no success."""
    code, _, err = run(*SIGN, "--in-place", "--include", "*.dmc")
    assert (code, "nothing is selected: no file has a name that matches *.dmc" in err) == (4, True)
    (folder / "list.txt").touch()
    code, _, err = run("archive", "sign", "@list.txt", "--ledger", "ledger.db", *KEY, "--in-place")
    assert (code, "the list names no file" in err) == (4, True)


def test_roots_of_one_name(run, folder):
    os.makedirs("x/archive")
    code, _, err = run("archive", "sign", "archive", "x/archive", "--ledger", "l.db", *KEY,
                       "--target", "t")  # fmt: skip
    assert (code, "same name" in err) == (2, True)

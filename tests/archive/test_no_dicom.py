"""What a run must not pass over as no DICOM, and what it says of what it passes over."""

from __future__ import annotations

import json
import os
import struct

import pki
import pytest
from _archive import TRUST, VERIFY, rows

from dicomseal import verify
from dicomseal.signature.items import encode
from dicomseal.verification.other_files import on_no_dicom

EVIL = [(tag, vr, b"Evil^Man" if tag == 0x00100010 else value) for tag, vr, value in pki.SMALL]
LITTLE, IMPLICIT, BIG = encode(EVIL), encode(EVIL, True), encode(EVIL, big_endian=True)
COMMAND = (0x00000002, "UI", b"1.2.3\0")
LATER = (0x00181000, "LO", b"AB")
PRIVATE = (0x00110010, "LO", b"AB")
PREAMBLE = b"\0" * 128 + b"DICM"


def before(element, form):
    """An element of another place in front of the object: readers that insist show both."""
    options = {"explicit": (), "implicit": (True,), "big endian": (False, True)}[form]
    return encode([element], *options) + encode(EVIL, *options)


FORGED = {
    **{f"{name}, {form}": before(element, form)
       for name, element in (("command", COMMAND), ("later", LATER), ("private", PRIVATE))
       for form in ("explicit", "implicit", "big endian")},
    "length of group 0000": encode([(0x00000000, "UL", struct.pack("<L", 0))]) + LITTLE,
    "DICM, command": PREAMBLE + before(COMMAND, "explicit"),
    "DICM, zeros": PREAMBLE + bytes(8) + LITTLE,
    "DICM, nothing known": PREAMBLE + b"\xff\xff\0\0UL\4\0\0\0\0\0" + LITTLE,
    "DICM, meta in implicit VR": PREAMBLE + encode([(0x00020010, "UI", b"1.2\0")], True) + LITTLE,
    "DICM, cut": PREAMBLE + b"\x02\0\0",
    "zeros": bytes(128) + LITTLE,
    "zeros, implicit": bytes(128) + IMPLICIT,
    "odd VR": struct.pack("<HH2sH", 0x0018, 0x1000, b"ZZ", 2) + b"AB" + LITTLE,
    "odd VR, long": struct.pack("<HH2sHL", 0x0018, 0x1000, b"ZZ", 0, 2) + b"AB" + LITTLE,
    "a sequence": bytes.fromhex("18002610 5351 0000 FFFFFFFF FEFF00E0 00000000"),
    "cut": before(LATER, "explicit")[:-9],
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_reads_as_dicom_is_no_other_file(run, folder, name):
    os.makedirs("some")
    with open("some/object", "wb") as file:  # whose name says nothing
        file.write(FORGED[name])
    report = verify("some/object", require="signature")
    assert report.verdict in ("error", "failed"), report
    assert report.error is None or report.error.code != "not_dicom"
    code, out, _ = run("archive", "verify", "some", "--ledger", "l.db", *TRUST,
                       "--require", "signature")  # fmt: skip
    assert code in (1, 4), out
    (row,) = rows("l.db")
    assert row.verdict in ("error", "failed")


OTHERS = {
    "text": b"no DICOM at all, and longer than a few bytes\n" * 9,
    "capitals": b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 900,
    "VRs": b"....UI..CS..LO..SQ" * 99,
    "zip": b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(250)) * 9,
    "TIFF": b"II*\0\x08\0\0\0\x0e\0\xfe\0\4\0\1\0\0\0" + bytes(500),
    "ELF": b"\x7fELF\2\1\1\0" + bytes(70000),
    "bitmap": b"BM\x45\x23\1\0\0\0\0\0\x36\0\0\0\x28\0\0\0" + bytes(74565),
    "zeros": bytes(100_000),
    "short": b"\x08\0\x05\0CS",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_dicom(run, folder, name):
    os.makedirs("some")
    with open("some/file", "wb") as file:
        file.write(OTHERS[name])
    assert run("archive", "verify", "some", "--ledger", "l.db")[0] == 0
    assert [row.verdict for row in rows("l.db")] == ["not_dicom"]


NAMES = {
    "error": ("a.dcm", "A.DCM", "a.b.dicom", "x.IMA", "x.dic", "DICOMDIR", "1.2.840.10008.5.1.4",
              "CT.1.2.840.113619.2.55", "MR.1.2.840.1.1.dcm", "1.2.840.10008.1.2.jls", "\xfc.dcm"),
    "not_dicom": ("notes.txt", "IM1", "Thumbs.db", "dcm", "a.dcm.gz", "a.dcm~", "192.168.0.1.1",
                  "1.2.3", "v1.2.3.4.5", ".dcmrc", "DICOMDIR.bak"),
}  # fmt: skip


@pytest.mark.parametrize("verdict", NAMES)
def test_names_that_say_dicom(verdict):
    for name in NAMES[verdict]:
        found, sentence = on_no_dicom(f"/x.dcm/{name}", "it is empty")
        assert (found, "its name says" in sentence) == (verdict, verdict == "error"), name


@pytest.mark.parametrize("command", ["verify", "sign"])
@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"\0" * 131, bytes(9999), b"<html>" * 99])
def test_an_object_that_was_emptied(run, folder, command, data):
    """Its name says what it was."""
    os.makedirs("some")
    for name in ("a.dcm", "other"):
        with open(f"some/{name}", "wb") as file:
            file.write(data)
    if command == "verify":
        code, _, _ = run("archive", "verify", "some", "--ledger", "l.db")
        assert run("verify", "some/a.dcm")[0] == 4
    else:
        code, _, _ = run("archive", "sign", "some", "--ledger", "l.db", "--in-place",
                         "--key", "rsa.key.pem", "--cert", "rsa.cert.pem")  # fmt: skip
    assert code == 4
    found = {os.path.basename(row.path): row for row in rows("l.db")}
    assert {name: row.verdict for name, row in found.items()} == {
        "a.dcm": "error", "other": "not_dicom",
    }  # fmt: skip
    assert found["a.dcm"].sentence.endswith(", though its name says DICOM")


@pytest.mark.parametrize("data", [b"", b"\0" * 131, b"no DICOM any more"])
def test_what_was_dicom_in_an_earlier_run(run, folder, data):
    """Whatever its name is; also where runs in between saw the same, or did not see it at all."""
    for old, new in (("a/passed.dcm", "a/IM1"), ("unsigned.dcm", "IM2"), ("error.dcm", "IM3")):
        os.rename(f"archive/{old}", f"archive/{new}")
    run(*VERIFY)
    for name in ("archive/a/IM1", "archive/IM2", "archive/IM3", "archive/notes.txt"):
        with open(name, "wb") as file:
            file.write(data)
    run(*VERIFY, "--include", "failed*")
    for _ in range(2):
        run(*VERIFY)
        found = {os.path.relpath(row.path, "archive"): row for row in rows()}
        for name in ("a/IM1", "IM2", "IM3"):
            row = found[name]
            assert (row.verdict, row.reason) == ("error", "not_dicom" if data else "empty")
            assert row.sentence.endswith("though it was a DICOM object in an earlier run")
        assert found["notes.txt"].verdict == found["nothing"].verdict == "not_dicom"
    assert run("archive", "audit", "ledger.db")[0] == 0  # the chain is over what was kept


def test_a_file_that_could_not_be_read_is_not_known_to_be_dicom(run, folder):
    os.symlink("nowhere", "archive/IM9")
    run(*VERIFY)
    os.unlink("archive/IM9")
    with open("archive/IM9", "wb"):
        pass
    run(*VERIFY)
    (row,) = [row for row in rows() if row.path.endswith("IM9")]
    assert row.verdict == "not_dicom"


# --- passed over ----------------------------------------------------------------------------------


def hidden(folder):
    """Objects in places that a walk leaves out."""
    (folder / "else").mkdir()
    data = (folder / "archive" / "failed.dcm").read_bytes()
    (folder / "else" / "evil.dcm").write_bytes(data)
    (folder / "archive" / "a" / ".dicomseal-0000.tmp").write_bytes(data)
    os.symlink("../else", folder / "archive" / "series2")
    (folder / "archive" / "ledger.db.lock").write_bytes(data)


def test_what_is_passed_over_is_counted_and_shown(run, folder):
    hidden(folder)
    command = ("archive", "verify", "archive", "--ledger", "archive/ledger.db", *TRUST)
    selected = ("--include", "passed*", "--include", "ledger.*")
    code, out, _ = run(*command, *selected)
    assert code == 0
    said = "passed over, not verified: temporary files of dicomseal (1), links to folders (1)"
    assert said in out
    for name in ("a/.dicomseal-0000.tmp", "series2", "ledger.db.lock"):
        assert f"\n  {folder}/archive/{name}\n" in out + "\n"
    report = ("archive", "report", "archive/ledger.db")
    assert said in run(*report)[1]
    assert "links to folders" in run(*report, "--format", "html")[1]
    passed_over = json.loads(run(*report, "--format", "json")[1])["passed_over"]
    assert passed_over["counts"].pop("ledger") >= 2
    assert passed_over["counts"] == {"temporary": 1, "link_to_folder": 1}
    assert f"{folder}/archive/series2" in passed_over["first"]
    followed = run(*command, "--follow-links")[1]
    assert "links to folders" not in followed
    assert "2 failed" in followed
    assert run("archive", "audit", "archive/ledger.db")[0] == 0


def test_very_many_are_counted(run, folder):
    for number in range(30):
        os.symlink("a", f"archive/link{number}")
    out = run(*VERIFY)[1]
    assert "passed over, not verified: links to folders (30)\n" in out
    assert out.endswith("\n  and 20 more\n")
    assert "passed over" not in run("archive", "report", "ledger.db", "--run", "1")[2]


def test_nothing_is_passed_over(run, folder):
    assert "passed over" not in run(*VERIFY)[1]
    assert "passed over" not in run("archive", "report", "ledger.db")[1]

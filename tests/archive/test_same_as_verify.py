"""`verify` and `archive verify` say the same of every file of one tree, however odd it is."""

from __future__ import annotations

import json
import os
import socket

import pki
import pytest
from _archive import rows
from pydicom.data import get_testdata_file

from dicomseal.report import unescaped
from dicomseal.signature.items import encode

TRUST = ("--trust", "root.cert.pem")
SMALL = pki.small()
PREAMBLE = b"\0" * 128 + b"DICM"
FILES = {
    "zero.dcm": b"", "zero": b"", "DICOMDIR": b"", "zero.IMA": b"",
    "cut-131.dcm": SMALL[:131], "cut-131": SMALL[:131], "cut-132": SMALL[:132],
    "cut-133.dcm": SMALL[:133], "cut-200": SMALL[:200], "cut.dcm": SMALL[:-9],
    "one-byte": b"\0", "one-byte.dic": b"\0",
    "text.txt": b"no DICOM at all, and longer than a few bytes\n" * 9,
    "text.dcm": b"no DICOM at all, and longer than a few bytes\n" * 9,
    "1.2.840.10008.5.1.4": b"text", "CT.1.2.840.113619.2.55": b"<html>" * 99,
    "zeros": bytes(100_000), "zeros.dcm": bytes(100_000),
    "zip": b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(250)) * 9,
    "ELF": b"\x7fELF\2\1\1\0" + bytes(70_000),
    "mail.p7m": bytes.fromhex("3080 0609 2a864886f70d010702 a080") + bytes(500),
    "magic": PREAMBLE, "magic.dcm": PREAMBLE, "magic-junk": PREAMBLE + b"junk" * 99,
    "bare": encode(pki.SMALL), "bare-implicit.dcm": encode(pki.SMALL, True),
    "big-endian": encode(pki.SMALL, big_endian=True),
    "forged": encode([(0x00181000, "LO", b"AB")]) + encode(pki.SMALL),
    "commands": encode([(0x00000002, "UI", b"1.2.3\0")]) + encode(pki.SMALL),
    ".hidden": SMALL, ".hidden.txt": b"text", "a\nb \udcff.dcm": SMALL, "c\udcff": b"text",
    ".dicomseal-0123456789abcdef.tmp": SMALL,
}  # fmt: skip


@pytest.fixture
def tree(folder):
    """The archive of every test here with all of these files in it."""
    odd = folder / "archive" / "odd"
    odd.mkdir()
    for name, data in FILES.items():
        (odd / name).write_bytes(data)
    for name in ("DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-empty.dcm"):
        with open(str(get_testdata_file(f"dicomdirtests/{name}")), "rb") as file:
            data = file.read()
        (odd / f"of-a-medium-{name}").write_bytes(data)
        (odd / f"of-a-medium-{name}-cut").write_bytes(data[:-40])
    os.symlink("zero.dcm", odd / "link-to-zero")
    os.symlink("../unsigned.dcm", odd / "link")
    os.symlink("../a", odd / "link-to-folder")
    os.symlink("nowhere", odd / "dangling.dcm")
    os.symlink("loop", odd / "loop")
    (odd / "hollow").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(odd / "fifo")
    here = socket.socket(socket.AF_UNIX)
    here.bind("archive/odd/socket")
    here.close()
    if os.getuid():
        (odd / "denied.dcm").write_bytes(SMALL)
        (odd / "denied.dcm").chmod(0)
        (odd / "denied").mkdir(mode=0)
    return odd


def _known(sentence):
    """The sentence; a link to nothing is told in the words of the system, or in ours."""
    return sentence.replace("a link to nothing", "No such file or directory")


def by_verify(run, *options):
    """Exit code, and of each path the verdict and the code of the error."""
    code, out, err = run("verify", "archive", "--format", "jsonl", "--list-others", *options)
    found = {}
    for line in out.splitlines():
        one = json.loads(line)
        error = one["error"]
        found[os.path.abspath(unescaped(one["path"]))] = (
            one["verdict"], error and error["code"], error and _known(error["message"])
        )  # fmt: skip
    return code, found, err


def by_archive(run, *options):
    code, out, err = run("archive", "verify", "archive", "--ledger", "ledger.db", *options)
    assert not err
    found = {}
    for row in rows():
        told = row.verdict in ("error", "not_dicom")
        found[os.fsdecode(row.path)] = (
            row.verdict, row.reason if told else None, _known(row.sentence) if told else None
        )  # fmt: skip
    return code, found, out


@pytest.mark.parametrize(
    "options",
    [TRUST, ("--integrity-only", "--jobs", "2"), (*TRUST, "--require", "signature"), ()],
)
def test_verdict_for_verdict(run, tree, options):
    code, there, _ = by_archive(run, *options)
    other, here, _ = by_verify(run, *options)
    different = [(path, here.get(path), there.get(path)) for path in here.keys() | there.keys()
                 if here.get(path) != there.get(path)]  # fmt: skip
    assert (different, other) == ([], code)
    names = {os.path.relpath(path, tree): verdict for path, (verdict, *_) in there.items()}
    assert "link-to-folder/passed.dcm" not in names
    assert not any("tmp" in name for name in names)
    verdicts = {name: verdict for name, verdict in names.items() if "/" not in name}
    # of every kind: what it says, beyond that both say it
    for name in ("zero.dcm", "zero.IMA", "DICOMDIR", "cut-131.dcm", "text.dcm", "zeros.dcm",
                 "magic-junk", "forged", "commands", "cut-133.dcm", "link-to-folder",
                 "dangling.dcm", "loop", "fifo", "socket", "1.2.840.10008.5.1.4"):  # fmt: skip
        assert verdicts.get(name, "error") == "error", name
    for name in ("zero", "cut-131", "text.txt", "zip", "ELF", "mail.p7m", "one-byte", ".hidden.txt",
                 "link-to-zero", "c\udcff"):  # fmt: skip
        assert verdicts[name] == "not_dicom", name
    assert verdicts["of-a-medium-DICOMDIR"] == "directory"
    assert code == (1 if "error" in verdicts.values() else None)


def test_what_is_left_out_is_the_same(run, tree):
    _, _, out = by_archive(run, *TRUST)
    _, _, err = by_verify(run, *TRUST)
    for said in ("temporary files of dicomseal (1)", "links to folders (1)", "link-to-folder"):
        assert said in out, out
        assert said in err, err


def test_counted_and_listed_on_demand(run, tree):
    skipped = [one for one in by_verify(run)[1].values() if one[0] in ("not_dicom", "directory")]
    _, out, err = run("verify", "archive", "--format", "jsonl")
    assert not {json.loads(one)["verdict"] for one in out.splitlines()} & {"not_dicom", "directory"}
    others = len([one for one in skipped if one[0] == "not_dicom"])
    told = f"skipped: {others} not_dicom, {len(skipped) - others} directory"
    assert f"dicomseal: {told}; --list-others lists them" in err
    text = run("verify", "archive")[1]
    assert text.splitlines()[-1].endswith(told)
    assert "text.txt" not in text
    assert "\nnot_dicom     archive/odd/text.txt\n" in run("verify", "archive", "--list-others")[1]
    line = ("archive", "verify", "archive", "--ledger", "l.db", "--list-others")
    out = run(*line)[1]
    assert out.count("\nnot_dicom  ") == others
    assert out.count("\ndirectory  ") == len(skipped) - others
    assert f"\nnot_dicom  {tree}/text.txt\n" in out


def test_what_an_argument_names_should_be_an_object(run, tree):
    code, out, _ = run("verify", "archive/odd/text.txt")
    assert (code, out.split()[0]) == (4, "error")
    code, out, _ = run("verify", "archive/odd/zero", "archive/odd/text.txt", "archive/odd/link")
    assert (code, out.splitlines()[-1]) == (4, "3 objects: 1 unsigned, 2 error")


def test_a_list_names_what_may_be_anything(run, tree):
    (tree / "../../list").write_bytes(b"archive/odd/text.txt\0archive/odd/zero.dcm\0")
    code, out, _ = run("verify", "-0", "@list")
    assert (code, out.splitlines()[-1]) == (4, "1 object: 1 error; skipped: 1 not_dicom")


def test_a_folder_without_any_object(run, folder):
    (folder / "texts").mkdir()
    (folder / "texts" / "one.txt").write_bytes(b"text")
    assert run("verify", "texts")[:2] == (
        0, "0 objects: nothing to verify; skipped: 1 not_dicom\n"
    )  # fmt: skip
    assert run("verify", "texts", "--format", "json")[1].split() == ["[", "]"]
    assert run("archive", "verify", "texts", "--ledger", "l.db")[0] == 0
